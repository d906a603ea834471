"""Canary of E3.dependence: known functions of the user's own columns and of a copy of one, curves known exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from fivefold.contract.finding import Canary
from fivefold.contract.outcome import Outcome
from fivefold.explanation.dependence.curves import curve, ladder, steps, untold
from fivefold.explanation.told import of
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.explanation.dependence.curves import Curve, Ladder
    from fivefold.explanation.told import Told

FUNCTIONS = 6
HOLDS = 0.88
"""Share of the 95 % bars of all functions' curves that must cover the known curves; points of a curve err together."""

_COLUMNS = 5
_FLICKER = 0.1
_COPY = 0.05
_LEAP = 10.0
_SHIFT = 0.6
_DEGREES = 30
_LEAST = 0.8


@dataclass(frozen=True)
class Planted:
    """A sum of functions of single columns; the last column is a copy of the first, and adds nothing.

    Where the copy is far from its original, as in rows that do not occur, the answer leaps.

    Attributes:
        parts: (N, P) what each cell adds.
        codes: (N, P) ranks.
        cliff: How many ranks original and copy are never apart in the rows asked about.
        crossed: The answer is no sum but the product of two columns' signs.
    """

    parts: np.ndarray
    codes: np.ndarray
    cliff: float
    crossed: bool = False

    def __call__(self, cells: np.ndarray) -> np.ndarray:
        """Return (m, 1) answers; an :data:`fivefold.explanation.asking.Ask`."""
        players = np.arange(self.codes.shape[1])
        codes = self.codes[cells, players]
        if self.crossed:
            sign = np.where(self.parts[cells, players] > 0, 1.0, -1.0)
            return np.asarray((sign[:, 0] * sign[:, 1])[:, None])
        total = self.parts[cells, players].sum(axis=1)
        return np.asarray((total + _LEAP * (np.abs(codes[:, 0] - codes[:, -1]) > self.cliff))[:, None])


def prove(codes: np.ndarray, floor: float, rng: np.random.Generator) -> Canary:
    """Measure known functions as the user's model is measured.

    To be noticed: curves shifted by a step, and answers that hang on two columns together. Not to be flagged: honest
    curves, of which the bars must cover the known ones, and sums.

    Args:
        codes: (n, P) ranks of the user's cells.
        floor: Of the share told.
        rng: Draws functions and columns.
    """
    found, alarms, cases, covered, shifted = 0, 0, 0, list[float](), list[float]()
    varied = np.flatnonzero([_commonest(column) <= _LEAST * len(codes) for column in codes.T])
    for _ in range(FUNCTIONS if len(varied) >= 2 else 0):
        cases += 2
        plain = _drawn(codes[:, rng.permutation(varied)[:_COLUMNS]], rng)
        none = np.zeros(len(codes), dtype=bool)
        ladders = [ladder(column, none, rng) for column in plain.codes.T]
        plain = replace(plain, cliff=_cliff(plain.codes, ladders))
        for shares, one in zip((covered, shifted), _covered(plain, ladders, rng), strict=True):
            shares.append(one)
        found += shifted[-1] < HOLDS
        for crossed in (False, True):
            made = replace(plain, crossed=crossed)
            told = fidelity(ladders, steps(made, ladders, 1, 50_000))
            outcome = judge(told.low, told.high, floor, "min")
            found += crossed and outcome is Outcome.FAIL
            alarms += not crossed and outcome is not Outcome.PASS
    holds = bool(covered) and float(np.mean(covered)) >= HOLDS
    alarms += not holds
    return Canary(
        kind="curves shifted, and answers that hang on two columns together",
        planted=cases,
        found=found,
        clean=FUNCTIONS + 1 if cases else 0,
        false_alarms=alarms if cases else 0,
        noticed=holds and found >= _LEAST * cases and alarms <= 1,
        detail=f"{FUNCTIONS} sums of up to {_COLUMNS} of these very columns and a copy of one that adds nothing, the "
        f"answer leaping where the copy is far off: {np.mean(covered) if covered else 0:.1%} of the 95 % bars cover "
        f"the known curves. To be noticed: curves shifted by {_SHIFT:g} standard deviations in their upper half, and "
        "products of two columns' signs.",
    )


def _commonest(column: np.ndarray) -> int:
    return int(np.unique(column, return_counts=True)[1].max())


def fidelity(ladders: Sequence[Ladder], moved: Sequence[np.ndarray]) -> Told:
    """Return the share of the rows' steps that the curves of other rows tell, with bounds over rows."""
    inner, outer = untold(ladders, moved)
    return of(inner.sum(axis=0), outer.sum(axis=0), 0.0)


def bars(made: Curve) -> np.ndarray:
    """Return (B + 1,) half widths of 95 % bars."""
    return np.asarray(float(stdtrit(_DEGREES, 0.975)) * made.error)


def _drawn(codes: np.ndarray, rng: np.random.Generator) -> Planted:
    """Return a sum of slopes, steps and waves, one each, of equal weight."""
    kind = rng.integers(3, size=codes.shape[1])
    cut = np.median(codes, axis=0)
    shaped = np.where(kind == 0, codes, np.where(kind == 1, codes > cut, np.sin(np.pi * codes)))
    flat = shaped.std(axis=0) == 0
    shaped = np.where(flat, codes, shaped)
    parts = (shaped - shaped.mean(axis=0)) / np.maximum(shaped.std(axis=0), 1e-12)
    copy = np.clip(codes[:, 0] + rng.normal(0, _COPY, len(codes)), 0, 1)
    return Planted(np.column_stack([parts, np.zeros(len(codes))]), np.column_stack([codes, copy]), 1.0)


def _cliff(codes: np.ndarray, ladders: list[Ladder]) -> float:
    """Return how far original and copy may come apart where one of them steps from end to end of a row's bin."""
    apart = [0.0]
    for own, other in ((0, codes.shape[1] - 1), (codes.shape[1] - 1, 0)):
        one = ladders[own]
        rows = np.flatnonzero(one.low >= 0)
        apart += [float(np.abs(codes[end[rows], own] - codes[rows, other]).max()) for end in (one.low, one.high)]
    return max(apart) + 1e-9


def _covered(plain: Planted, ladders: list[Ladder], rng: np.random.Generator) -> tuple[float, float]:
    """Return which share of the bars cover the known curves, as they are and shifted in their upper half.

    The answers flicker, so that there is chance to be told; known is each cell's part, less its mean as of the curve.
    """

    def ask(cells: np.ndarray) -> np.ndarray:
        return np.asarray(plain(cells) + np.sqrt(_FLICKER) * rng.normal(size=(len(cells), 1)))

    inside, moved_, total = 0, 0, 0
    for at, (one, moved) in enumerate(zip(ladders, steps(ask, ladders, 1, 50_000), strict=True)):
        made, part = curve(one, moved[:, 0]), plain.parts[one.ends, at]
        if len(part) < 2:
            continue
        weight = np.bincount(one.bin[one.bin >= 0], minlength=len(part) - 1)[: len(part) - 1]
        truth = part - float(((part[1:] + part[:-1]) / 2) @ weight) / max(int(weight.sum()), 1)
        shift = _SHIFT * np.where(np.arange(len(part)) >= len(part) / 2, 0.5, -0.5)
        reach = bars(made) + 1e-12
        inside += int((np.abs(made.value - truth) <= reach).sum())
        moved_ += int((np.abs(made.value + shift - truth) <= reach).sum())
        total += len(part)
    return inside / max(total, 1), moved_ / max(total, 1)
