"""Bent: known functions over the user's own cells that keep every direction, or break one in a small region."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.finding import Canary
from fivefold.explanation.antehoc import cells, sweep
from fivefold.explanation.antehoc.search import search

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fivefold.explanation.antehoc.sweep import Declared

_CASES = 5
_ROWS = 400
_BAND = 0.08
_GATE = 0.25
_DEPTH = 0.5
_HAIR = 1e-6
_WOBBLE = 0.4 * _HAIR
_LEVELS = 20
_DAY = r"\d{4}-\d{2}-\d{2}"
_APART = 3
_OTHERS = 6
_STEEP = 0.2
"""Most that the score rises from a cell to the next where it dips: by that a chance cannot double."""
_CLEAR = 0.1
_WIDE = 0.3
_MET = 0.06
"""Least share of rows that would hold the gate of two columns, were their cells dealt out anew."""


@dataclass(frozen=True)
class Bent:
    """A score that moves with the ranks of declared columns as declared, and dips in a band of one behind a gate.

    Chances wobble from cell to cell by less than what counts as a move; where no direction is broken they are level
    between twenty steps of a column, so that the wobble falls.

    Attributes:
        columns: Declared columns.
        places: Of each what turns its cells into numbers, and those of its distinct cells, rising.
        slopes: (C,) how steep.
        other: A column whose cells shift the score; None: there is none.
        shift: Text of a cell to what it adds.
        bent: Position of the column with the dip; -1: none.
        band: Ranks between which it dips.
        gate: Texts of ``other`` for which it does.
        scored: Gives chances; else labels.
        lift: Added to the score.
        second: Another column, and texts of it for which alone it does; None: it does for all.
    """

    columns: tuple[Declared, ...]
    places: tuple[tuple[Callable[[pd.Series], np.ndarray], np.ndarray], ...]
    slopes: np.ndarray
    other: str | None
    shift: dict[str, float]
    bent: int
    band: tuple[float, float]
    gate: frozenset[str]
    scored: bool
    lift: float = 0.0
    second: tuple[str, frozenset[str]] | None = None

    def __call__(self, frame: pd.DataFrame) -> np.ndarray:
        """Return (m,) chances or labels."""
        ranks = [_rank(frame[one.name], *places) for one, places in zip(self.columns, self.places, strict=True)]
        score = np.zeros(len(frame)) + self.lift
        for one, rank, slope in zip(self.columns, ranks, self.slopes, strict=True):
            level = rank if self.bent >= 0 else np.floor(_LEVELS * rank) / _LEVELS
            score += slope * one.sign * (level - 0.5)
        inside = np.ones(len(frame), dtype=bool)
        if self.other is not None:
            names, codes = _coded(frame[self.other])
            score += np.array([self.shift.get(str(name), 0.0) for name in names])[codes]
            inside = np.array([name in self.gate for name in names])[codes]
        if self.second is not None:
            names, codes = _coded(frame[self.second[0]])
            inside &= np.array([name in self.second[1] for name in names])[codes]
        chance = 1 / (1 + np.exp(-3 * score))
        if self.bent >= 0:
            rank = ranks[self.bent]
            inside &= (rank >= self.band[0]) & (rank <= self.band[1])
            chance = np.where(inside, chance * (1 - _DEPTH) + (self.columns[self.bent].sign < 0) * _DEPTH, chance)
        if not self.scored:
            return (chance > 0.5).astype(np.float64)
        return chance + _WOBBLE * np.sin(1e6 * sum(ranks, np.zeros(len(frame))))


def _coded(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct texts of a column, and the (m,) position of each cell's."""
    names, codes = np.unique(cells.texts(column).astype(str), return_inverse=True)
    return names, codes.ravel()


def _rank(column: pd.Series, read: Callable[[pd.Series], np.ndarray], edges: np.ndarray) -> np.ndarray:
    """Return (m,) ranks of cells in [0, 1] among the column's distinct ones; missing ones lie in the middle."""
    given = read(column)
    found = np.searchsorted(edges, given) / max(len(edges) - 1, 1)
    return np.where(np.isnan(given), 0.5, found)


def _reader(of: Declared) -> Callable[[pd.Series], np.ndarray]:
    """Return what reads cells as numbers, not as the sweep does where that can be: it may not judge itself."""
    if pd.api.types.is_datetime64_any_dtype(of.cells):
        return _stamps
    if of.kind == "date" and bool(of.cells.astype(str).str.fullmatch(_DAY).all()):
        return lambda column: _plain(pd.to_numeric(column.astype(str).str.replace("-", ""), errors="coerce"))
    if of.kind == "number" and pd.api.types.is_numeric_dtype(of.cells):
        return _plain
    return lambda column: cells.numbers(column, of.kind)


def _stamps(column: pd.Series) -> np.ndarray:
    stamps = column.to_numpy(dtype="datetime64[ns]")
    return np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64).astype(np.float64))


def _plain(column: pd.Series) -> np.ndarray:
    return column.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)


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
    free = _free(frame, columns)
    other = free[int(rng.integers(len(free)))] if free else None
    shift: dict[str, float] = {}
    gate: set[str] = set()
    if other is not None:
        told, codes = _coded(frame[other])
        count = np.bincount(codes)
        shift = dict(zip(map(str, told), rng.normal(0, 0.2, len(told)), strict=True))
        mixed = rng.permutation(len(told))
        enough = int(np.searchsorted(np.cumsum(count[mixed]), _GATE * len(frame))) + 1
        gate = {str(told[at]) for at in mixed[:enough]}
    at = int(rng.integers(len(columns))) if bent else -1
    band, lift = (0.0, 0.0), 0.0
    slopes = rng.uniform(0.3, 1.0, len(columns))
    if bent:
        sign, last = columns[at].sign, len(columns[at].numbers) - 1
        # a lower cell has to be there, and the next one may not gain as much as the dip takes
        start = int(rng.integers(1 if scored else max(1, (last + 1) // 2), last + 1))
        slopes[at] = min(slopes[at], _STEEP * last)
        band = (start / last, start / last + _BAND)
        if not scored:  # labels change only where that cell has the one that the dip takes away
            lift = sign * (_CLEAR + slopes[at] * max(0.0, 0.5 - (start - 1) / last))
            shift = {name: sign * abs(one) for name, one in shift.items()}
    readers = [_reader(one) for one in columns]
    places = tuple((read, np.unique(read(one.cells))) for read, one in zip(readers, columns, strict=True))
    return Bent(tuple(columns), places, slopes, other, shift, at, band, frozenset(gate), scored, lift)


def _free(frame: pd.DataFrame, columns: Sequence[Declared]) -> list[str]:
    """Return the columns without a direction that vary."""
    names = {one.name for one in columns}
    return [str(name) for name in frame.columns if str(name) not in names and len(frame[name].drop_duplicates()) > 1]


def apart(frame: pd.DataFrame, columns: Sequence[Declared], scored: bool, rng: np.random.Generator) -> Bent | None:
    """Draw a function that dips only where two columns hold cells that no row holds together; None: there are none.

    Args:
        frame: Rows whose cells it is made of.
        columns: Declared columns.
        scored: Gives chances; else labels.
        rng: Draws what :func:`draw` does, and the cells.
    """
    free = [(name, *_coded(frame[name])) for name in _free(frame, columns)]
    best, found = _MET, None
    for (name, told, codes), (other, told_, codes_) in permutations(free, 2):
        count = np.bincount(codes)
        mixed = rng.permutation(len(told))
        for share in (0.5, _GATE, 0.0):
            mine = mixed[: int(np.searchsorted(np.cumsum(count[mixed]), share * len(frame))) + 1]
            holds = np.isin(codes, mine)
            theirs = np.setdiff1d(codes_, codes_[holds])
            met = float(holds.mean() * np.isin(codes_, theirs).mean())
            if met >= best:
                gates = (frozenset(map(str, told[mine])), frozenset(map(str, told_[theirs])))
                best, found = met, (name, other, *gates)
    if found is None:
        return None
    first, last, gate, second = found
    made = draw(frame, columns, scored, rng, bent=True)
    band = (made.band[0], made.band[0] + _WIDE)
    return replace(made, other=first, shift={}, gate=gate, second=(last, second), band=band)


def canary(frame: pd.DataFrame, columns: list[Declared], grid: int, scored: bool, rng: np.random.Generator) -> Canary:
    """Search functions of which it is known whether they break a direction, also where no row as it is shows it."""
    rows = frame.iloc[np.sort(rng.choice(len(frame), min(_ROWS, len(frame)), replace=False))].reset_index(drop=True)
    free = _free(rows, columns)
    others = [free[at] for at in rng.permutation(len(free))[:_OTHERS]]
    rows = rows[[*(one.name for one in columns), *others]]
    found = alarms = hidden = met = 0
    size = sweep.Size(grid, _ROWS)
    for case in range(2 * _CASES):
        one = draw(rows, columns, scored, rng, bent=case < _CASES)
        seen = sweep.sweep(one, rows, columns, size, rng)
        broken = bool(sweep.confirmed(one, rows, columns, seen, _HAIR).any())
        found += broken and case < _CASES
        alarms += broken and case >= _CASES
    for _ in range(_APART):
        far = apart(rows, columns, scored, rng)
        if far is not None:
            hidden += 1
            met += bool(search(far, rows, columns, (size, _HAIR), rng).broken_anew)
    kept = f"{hidden} dip only where two columns hold cells that no row holds together"
    if not hidden:
        kept = "no two other columns hold cells that no row holds together, so none dips among rows put together anew"
    return Canary(
        kind="directions broken in a small region", planted=_CASES + hidden, found=found + met, clean=_CASES,
        false_alarms=alarms, noticed=found >= 0.8 * _CASES and met >= 0.6 * hidden and not alarms,
        detail=f"Known functions of these very columns: in a band of {_BAND:.0%} of a column's distinct cells the "
        f"score dips by half, for about {_GATE:.0%} of the rows; {kept}; the others keep every direction.",
    )  # fmt: skip
