"""Chart: the coordinates in which inputs are searched for, and in which two of them are near or far.

A table's coordinates are its cells (numbers, dates, codes of categories). Pictures, series and recordings have those
along the main patterns of public ones, which stand for the generator of Zhang et al. 2020: what no public picture shows
is not searched for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import UnsupportedError
from fivefold.subject.possible import space as spaces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.subject import Table
    from fivefold.subject.possible.space import Space

_PATTERNS = 48
_BLOCK = 2048
_FAR = 4.0


@dataclass(frozen=True)
class Chart:
    """Coordinates of inputs of one kind.

    Attributes:
        space: Possible rows.
        like: Public rows; cells that cannot be searched for are taken from them.
        public: (m, k) their coordinates.
        numbers: (k,) bool, coordinates that are compared by difference; others by whether they are equal.
        scale: (k,) spread of each number, else 1.
        used: (j,) coordinates that tell rows apart, all others are constant or texts that hardly repeat.
        middle: (d,) mean of the public inputs; empty for tables.
        patterns: (k, d) orthonormal; empty for tables.
    """

    space: Space
    like: Table
    public: np.ndarray
    numbers: np.ndarray
    scale: np.ndarray
    used: np.ndarray
    middle: np.ndarray
    patterns: np.ndarray

    def coordinates(self, table: Table) -> np.ndarray:
        """Return (n, k) float64; missing cells are NaN."""
        values = self.space.encode(table)
        return (values - self.middle) @ self.patterns.T if len(self.patterns) else values

    def table(self, values: np.ndarray, origin: np.ndarray) -> Table:
        """Return (n, k) coordinates as rows that the model can be asked for."""
        if not len(self.patterns):
            return self.space.decode(values, origin, self.like)
        inputs = np.clip(self.middle + values @ self.patterns, self.space.low, self.space.high)
        return self.space.decode(np.where(self.space.step > 0, np.round(inputs), inputs), origin, self.like)

    def starts(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return (n, k) inputs to begin from, half with cells dealt out, and the public row that each stands on."""
        origin = rng.integers(len(self.public), size=count)
        values = self.public[origin]
        mixed = rng.integers(len(self.public), size=(count // 2, len(self.scale)))
        values[: count // 2] = self.public[mixed, np.arange(len(self.scale))]
        return values, origin

    def near(self, values: np.ndarray, reach: float, rng: np.random.Generator) -> np.ndarray:
        """Return (n, k) inputs with one cell moved or taken from a public row, or with all numbers moved.

        Args:
            values: (n, k) inputs.
            reach: Standard deviation of a move, in spreads.
            rng: Draws the moves.
        """
        rows = np.arange(len(values))
        cell = self.used[rng.integers(len(self.used), size=len(values))]
        way = rng.random(len(values))
        moved = values.copy()
        taken = (way < 1 / 3) | ~self.numbers[cell]
        moved[rows[taken], cell[taken]] = self.public[rng.integers(len(self.public), size=taken.sum()), cell[taken]]
        one = ~taken & (way < 2 / 3)
        moved[rows[one], cell[one]] += reach * self.scale[cell[one]] * rng.normal(size=one.sum())
        every = ~taken & ~one
        wide = self.scale * self.numbers * reach / np.sqrt(max(1, int(self.numbers[self.used].sum())))
        moved[every] += wide * rng.normal(size=(int(every.sum()), len(wide)))
        if len(self.patterns):
            return moved
        whole = self.space.whole(values, moved, np.round)
        return np.where(self.numbers, np.clip(whole, self.space.low, self.space.high), moved)

    def gaps(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return (n, m) distances: the mean over cells of differences in spreads (at most 4), 1 where codes differ."""
        total = np.zeros((len(one), len(other)))
        for at in self.used:
            left, right = one[:, at, None], other[None, :, at]
            if self.numbers[at]:
                gap = np.abs(left - right)
                gap *= 1 / self.scale[at]
                np.minimum(gap, _FAR, out=gap)
            else:
                gap = (left != right).astype(np.float64)
            lost = np.isnan(left), np.isnan(right)
            if lost[0].any() or lost[1].any():
                gap = np.where(lost[0] & lost[1], 0.0, np.where(lost[0] | lost[1], 1.0, gap))
            total += gap
        return total / len(self.used)

    def nearest(self, values: np.ndarray, table: Table) -> tuple[np.ndarray, np.ndarray]:
        """Return (n,) distances to the nearest row of a table, and its position; block by block."""
        least, place = np.full(len(values), np.inf), np.zeros(len(values), dtype=np.int64)
        for start in range(0, len(table), _BLOCK):
            block = self.coordinates(table.take(np.arange(start, min(start + _BLOCK, len(table)))))
            gaps = self.gaps(values, block)
            best = gaps.argmin(axis=1)
            low = gaps[np.arange(len(values)), best]
            nearer = low < least
            least, place = np.where(nearer, low, least), np.where(nearer, start + best, place)
        return least, place


def draw(public: Table, declared: Mapping[str, Mapping[str, object]]) -> Chart:
    """Lay out the coordinates from public rows alone.

    Raises:
        UnsupportedError: ``inversion.fixed`` if no cell can be searched for.
    """
    if public.inputs is not None:
        space = spaces.of_images([public])
        values = space.encode(public)
        middle = values.mean(axis=0)
        patterns = np.linalg.svd(values - middle, full_matrices=False)[2][:_PATTERNS]
        seen = (values - middle) @ patterns.T
        # all patterns in one unit, so that distance is that of the inputs as far as patterns show them
        unit = float(np.sqrt((seen**2).mean())) or 1.0
        numbers, scale = np.ones(len(patterns), dtype=bool), np.full(len(patterns), unit)
        return Chart(space, public, seen, numbers, scale, _telling(seen), middle, patterns)
    space = spaces.of_tables([public], declared)
    seen = space.encode(public)
    numbers = np.array([column.kind in ("number", "date") for column in space.columns], dtype=bool)
    nothing = np.empty((0, 0))
    return Chart(space, public, seen, numbers, _spread(seen, numbers), _telling(seen), nothing, nothing)


def _telling(seen: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        used = np.flatnonzero([len(np.unique(column[~np.isnan(column)])) > 1 for column in seen.T])
    if not len(used):
        raise UnsupportedError(
            "inversion.fixed",
            "no cell can be searched for: every feature is constant, or a text that hardly repeats.",
        )
    return used


def _spread(seen: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    scale = np.ones(seen.shape[1])
    for at in np.flatnonzero(numbers):
        known = seen[~np.isnan(seen[:, at]), at]
        if len(known):
            low, high = np.quantile(known, [0.25, 0.75])
            scale[at] = (high - low) / 1.349 or known.std() or 1.0
    return scale
