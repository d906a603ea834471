"""Bent: known functions over the user's own cells that keep every direction, or break one in a small region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary
from fivefold.explanation.antehoc import cells, sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from fivefold.explanation.antehoc.sweep import Declared

_CASES = 5
_ROWS = 400
_BAND = 0.08
_GATE = 0.25
_DEPTH = 0.5


@dataclass(frozen=True)
class Bent:
    """A score that moves with the ranks of declared columns as declared, and dips in a band of one behind a gate.

    Attributes:
        columns: Declared columns.
        slopes: (C,) how steep.
        other: A column whose cells shift the score; None: there is none.
        shift: Text of a cell to what it adds.
        bent: Position of the column with the dip; -1: none.
        band: Ranks between which it dips.
        gate: Texts of ``other`` for which it does.
        scored: Gives chances; else labels.
    """

    columns: tuple[Declared, ...]
    slopes: np.ndarray
    other: str | None
    shift: dict[str, float]
    bent: int
    band: tuple[float, float]
    gate: frozenset[str]
    scored: bool

    def __call__(self, frame: pd.DataFrame) -> np.ndarray:
        """Return (m,) chances or labels."""
        ranks = [_rank(one, frame) for one in self.columns]
        score = np.zeros(len(frame))
        for one, rank, slope in zip(self.columns, ranks, self.slopes, strict=True):
            score += slope * one.sign * (rank - 0.5)
        inside = np.ones(len(frame), dtype=bool)
        if self.other is not None:
            told = cells.texts(frame[self.other])
            names, codes = np.unique(told.astype(str), return_inverse=True)
            score += np.array([self.shift.get(str(name), 0.0) for name in names])[codes.ravel()]
            inside = np.array([name in self.gate for name in names])[codes.ravel()]
        chance = 1 / (1 + np.exp(-3 * score))
        if self.bent >= 0:
            rank = ranks[self.bent]
            inside &= (rank >= self.band[0]) & (rank <= self.band[1])
            chance = np.where(inside, chance * (1 - _DEPTH) + (self.columns[self.bent].sign < 0) * _DEPTH, chance)
        return chance if self.scored else (chance > 0.5).astype(np.float64)


def _rank(column: Declared, frame: pd.DataFrame) -> np.ndarray:
    """Return (m,) ranks of cells in [0, 1] among the column's distinct ones; missing ones lie in the middle."""
    given = cells.numbers(frame[column.name], column.kind)
    found = np.searchsorted(column.numbers, given) / max(len(column.numbers) - 1, 1)
    return np.where(np.isnan(given), 0.5, found)


def draw(
    frame: pd.DataFrame, columns: Sequence[Declared], scored: bool, rng: np.random.Generator, *, bent: bool
) -> Bent:
    """Draw a function.

    Args:
        frame: Rows whose cells it is made of.
        columns: Declared columns.
        scored: Gives chances; else labels.
        rng: Draws slopes, place and gate.
        bent: Breaks a direction in a band of 8 % of a column's distinct cells (one at least), for a quarter of the
            rows or more.
    """
    names = {one.name for one in columns}
    free = [str(name) for name in frame.columns if str(name) not in names and len(frame[name].drop_duplicates()) > 1]
    other = free[int(rng.integers(len(free)))] if free else None
    shift: dict[str, float] = {}
    gate: set[str] = set()
    if other is not None:
        told, count = np.unique(cells.texts(frame[other]).astype(str), return_counts=True)
        shift = dict(zip(map(str, told), rng.normal(0, 0.2, len(told)), strict=True))
        mixed = rng.permutation(len(told))
        enough = int(np.searchsorted(np.cumsum(count[mixed]), _GATE * len(frame))) + 1
        gate = {str(told[at]) for at in mixed[:enough]}
    at = int(rng.integers(len(columns))) if bent else -1
    band = (0.0, 0.0)
    if bent:
        # a lower cell has to be there; labels change only where the score has come as far as it goes
        count_ = len(columns[at].numbers)
        start = int(rng.integers(1 if scored else max(1, count_ // 2), count_)) / (count_ - 1)
        band = (start, start + _BAND)
    slopes = rng.uniform(0.3, 1.0, len(columns))
    return Bent(tuple(columns), slopes, other, shift, at, band, frozenset(gate), scored)


def canary(
    frame: pd.DataFrame,
    columns: Sequence[Declared],
    grid: int,
    scored: bool,
    rng: np.random.Generator,
) -> Canary:
    """Sweep functions of which it is known whether they break a direction."""
    rows = frame.iloc[np.sort(rng.choice(len(frame), min(_ROWS, len(frame)), replace=False))].reset_index(drop=True)
    found = alarms = 0
    for case in range(2 * _CASES):
        one = draw(rows, columns, scored, rng, bent=case < _CASES)
        seen = sweep.sweep(one, rows, columns, sweep.Size(grid), rng)
        broken = bool(sweep.confirmed(one, rows, columns, seen, 1e-6).any())
        found += broken and case < _CASES
        alarms += broken and case >= _CASES
    return Canary(
        kind="directions broken in a small region", planted=_CASES, found=found, clean=_CASES, false_alarms=alarms,
        noticed=found >= 0.8 * _CASES and not alarms,
        detail=f"Known functions of these very columns: in a band of {_BAND:.0%} of a column's distinct cells the "
        f"score dips by half, for about {_GATE:.0%} of the rows; the others keep every direction.",
    )  # fmt: skip
