"""Excluding a bad slice: would one at the floor, anywhere, have looked worse than these errors do?

Null hypothesis: somewhere there is a slice of the smallest size whose error rate exceeds that of the rest by the floor.
Its Monte-Carlo test plants such slices at random places in the user's own rows, at the user's own error rate, and
compares the largest score of the scan (Kulldorff 1997; Monte-Carlo tests: Barnard 1963). Larger slices and larger
excesses score higher, so they are excluded the more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.accuracy import slices
from fivefold.protection.accuracy.columns import Column, encode

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05
_REPLICATES = 59  # at most two of them may look as harmless as the data: 3/60 = 0.05
_CELLS = 48  # cells per column at which planted slices begin and end, finer than the bins that search them
_SIZES = (0.97, 1.06)  # planted sizes as multiples of the smallest
_TRIES = 200


@dataclass(frozen=True)
class Exclusion:
    """Result of the test.

    Attributes:
        p: Monte-Carlo p-value; an upper end if the test was stopped early; 1 if no slice could be planted.
        planted: Slices planted.
    """

    p: float
    planted: int

    @property
    def excluded(self) -> bool:
        """Whether a slice at the floor is excluded at the one-sided 5 % level, averaged over its place."""
        return self.p <= LEVEL


def test(terrain: slices.Terrain, errors: np.ndarray, floor: float, rng: np.random.Generator) -> Exclusion:
    """Test that no slice of the class exceeds the rest by the floor.

    Args:
        terrain: The user's columns.
        errors: (n,) bool, the model's errors.
        floor: Excess that is allowed, in [0, 1].
        rng: Source of places and errors.
    """
    observed = slices.largest_score(terrain, errors, floor)
    rate = float(errors.mean())
    cut: dict[int, Column] = {}
    harmless = 0
    allowed = int(LEVEL * (_REPLICATES + 1)) - 1
    for planted in range(1, _REPLICATES + 1):
        inside = anywhere(terrain, cut, rng)
        if inside is None or observed is None:
            return Exclusion(1.0, planted - 1)
        base = max(rate - floor * float(inside.mean()), 0.0)
        drawn = rng.random(len(errors)) < base + floor * inside
        score = slices.largest_score(terrain, drawn, floor)
        harmless += score is None or score <= observed
        if harmless > allowed:
            return Exclusion((harmless + 1) / (planted + 1), planted)
    return Exclusion((harmless + 1) / (_REPLICATES + 1), _REPLICATES)


def anywhere(terrain: slices.Terrain, cut: dict[int, Column], rng: np.random.Generator) -> np.ndarray | None:
    """Return a random rectangle over two columns (one, if there is only one) of about the smallest size.

    Args:
        terrain: The user's columns.
        cut: Finely cut columns made so far; filled.
        rng: Source of the place.
    """
    count = len(terrain.series)
    n = len(terrain.halves)
    for _ in range(_TRIES):
        chosen = rng.choice(count, min(count, 2), replace=False)
        fine = [_cut(terrain.series[int(at)], int(at), cut) for at in chosen]
        inside = np.ones(n, dtype=bool)
        if len(fine) == 2:
            wide = _of_size(fine[0], inside, terrain.smallest / 0.9, 0.9, rng)
            if wide is None:
                continue
            inside = wide
        low, high = (terrain.smallest * size for size in _SIZES)
        found = _of_size(fine[-1], inside, low, high, rng)
        if found is not None:
            return found
    return None


def _cut(series: pd.Series, at: int, cut: dict[int, Column]) -> Column:
    if at not in cut:
        column = encode(series, _CELLS)
        # every column of a terrain has at least two cells
        cut[at] = (
            column if column is not None else Column("", np.zeros(len(series), np.int64), np.ones((1, 1), bool), ("",))
        )
    return cut[at]


def _of_size(
    column: Column, inside: np.ndarray, low: float, high: float, rng: np.random.Generator
) -> np.ndarray | None:
    """Return the rows inside that also lie in a random set of the column, holding between two shares of all rows."""
    cells = np.bincount(column.codes[inside], minlength=column.sets.shape[1]) / len(inside)
    share = column.sets @ cells
    legal = np.flatnonzero((share >= low) & (share <= high))
    if len(legal) == 0:
        return None
    return np.asarray(inside & column.sets[legal[rng.integers(len(legal))]][column.codes])
