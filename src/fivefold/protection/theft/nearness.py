"""Nearness: whether two rows are variants of one, more alike than rows of the population are (Fellegi and Sunter 1969).

Cells that agree count by how rarely they would by chance, cells that differ count against it; most must agree. A
caller's former rows are kept in a sketch of fixed size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.protection.theft.coding import Cells

MOST = 64
"""Former rows kept of one caller."""
MOST_CELLS = 128
"""Cells of a row that are compared; of more, as many at equal steps."""
_STEP = 5
_END = 255
_NEAR = 2.4
_APART = -1.9
COPY = 1e6
_AGREE = 0.6
_COPIED = 0.8
_NOT = -1e4
_MOST_WORTH = 9.0
_REMEMBERED = 512
_PAIRS = 2e-4
_ROWS = 600
_CELLS = 500_000
_KNOWN_CELLS = 120_000


@dataclass(frozen=True)
class Nearness:
    """When a row counts as a variant of another.

    Attributes:
        columns: (c,) columns that are compared.
        reach: (c,) how far places may be apart to be close: numbers 5 in 255, categories never are.
        worth: (c, w) nats that equal cells of each code speak for it.
        enough: Nats from which on it counts.
        known: Rows of the population, to say how many of it would count as variants of a row.
    """

    columns: np.ndarray
    reach: np.ndarray
    worth: np.ndarray
    enough: float
    known: Cells

    def alike(self, cells: Cells, places: np.ndarray, marks: np.ndarray) -> np.ndarray:
        """Return (n, m) nats for n rows being variants of m others, :data:`COPY` more if copied but for a few cells.

        Args:
            cells: n rows.
            places: (m, c) of the others.
            marks: (m, c).
        """
        own = cells.marks[:, None, self.columns]
        same = own == marks
        mine = cells.places[:, None, self.columns]
        near = (np.abs(mine - places) <= self.reach) & (mine > 0) & (mine < _END)
        worth = self.worth[np.arange(len(self.columns)), cells.codes[:, self.columns]]
        told = np.where(near, np.float32(_NEAR), np.float32(_APART))
        found: np.ndarray = np.where(same, worth[:, None, :].astype(np.float32), told).sum(axis=2)
        found[(same | near).sum(axis=2) < _AGREE * len(self.columns)] = _NOT
        found[same.sum(axis=2) >= _COPIED * len(self.columns)] += COPY
        return found

    def is_near(self, alike: np.ndarray) -> np.ndarray:
        """Return whether rows are more alike than those of the population are, copied or not."""
        return np.asarray(np.where(alike > COPY / 2, alike - COPY, alike) >= self.enough)

    def variants(self, places: np.ndarray, marks: np.ndarray) -> np.ndarray:
        """Return (m,) how many rows of the population would count as variants of each."""
        found = np.zeros(len(places))
        step = max(1, _CELLS // max(1, len(self.known) * len(self.columns)))
        for at in range(0, len(places), step):
            part = slice(at, at + step)
            found[part] = self.is_near(self.alike(self.known, places[part], marks[part])).sum(axis=0)
        return found


def learn(cells: Cells, alone: np.ndarray, numbers: np.ndarray, rng: np.random.Generator) -> Nearness:
    """Learn what is near from n rows of the population.

    Args:
        cells: Of the rows.
        alone: (d, w) minus the logarithm of the chance of each code.
        numbers: (d,) bool, columns of numbers.
        rng: Draws the pairs.
    """
    d = cells.codes.shape[1]
    columns = np.unique(np.linspace(0, d - 1, min(d, MOST_CELLS)).astype(np.int64))
    worth = np.minimum(alone[columns] + _within(cells, columns, alone.shape[1]), _MOST_WORTH)
    order = rng.permutation(len(cells))
    most = max(2 * _ROWS, _KNOWN_CELLS // len(columns))
    reach = np.where(numbers[columns], _STEP, -1)
    first = Nearness(columns, reach, worth, np.inf, cells.take(order[:most]))
    order = order[: 2 * _ROWS]
    half = len(order) // 2
    one, two = cells.take(order[:half]), cells.take(order[half:])
    step = max(1, _CELLS // max(1, half * len(columns)))
    parts = [
        first.alike(one.take(slice(at, at + step)), two.places[:, columns], two.marks[:, columns])
        for at in range(0, half, step)
    ]
    found = np.concatenate(parts)
    found = found[(one.whole[:, None] != two.whole) & (found < COPY / 2)]
    enough = float(np.quantile(found, 1 - _PAIRS, method="higher")) + 1e-9 if len(found) else np.inf
    return Nearness(columns, reach, worth, max(enough, 0.0), first.known)


def _within(cells: Cells, columns: np.ndarray, width: int) -> np.ndarray:
    """Return (c, w) logarithm of how many different values share a code, by how often two of them are the same."""
    found = np.zeros((len(columns), width))
    for at, column in enumerate(columns):
        pairs = cells.codes[:, column].astype(np.int64) << 16 | cells.marks[:, column]
        values, counts = np.unique(pairs, return_counts=True)
        codes = values >> 16
        total, squares = np.zeros(width), np.zeros(width)
        np.add.at(total, codes, counts)
        np.add.at(squares, codes, counts.astype(np.float64) * (counts - 1))
        found[at] = np.where(total > 1, np.log(np.maximum(total * (total - 1), 1) / np.maximum(squares, 1)), 0.0)
    return found


class Sketch:
    """A caller's former rows, and how many variants of each were asked.

    Of more rows than there is room for, the one whose variants were asked longest ago goes.
    """

    __slots__ = ("asked", "hits", "last", "marks", "mass", "most", "places", "used")

    def __init__(self, width: int, most: int = MOST) -> None:
        """Begin empty, for rows of so many cells."""
        self.most, self.used = most, 0
        size = min(8, most)
        self.places = np.zeros((size, width), np.uint8)
        self.marks = np.zeros((size, width), np.uint16)
        self.hits = np.zeros(size, np.int32)
        self.last = np.zeros(size, np.int64)
        self.mass = np.full(size, np.nan)
        self.asked = np.zeros(0, np.uint64)

    def is_known(self, whole: np.ndarray) -> np.ndarray:
        """Return (n,) whether each row was asked before, as far as is remembered; remember it."""
        n = len(whole)
        _, first = np.unique(whole, return_index=True)
        found = np.ones(n, dtype=bool)
        found[first] = False
        if len(self.asked):
            found |= (whole[:, None] == self.asked).any(axis=1)
        self.asked = np.concatenate([self.asked, whole[~found]])[-_REMEMBERED:]
        return found

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(getattr(self, name).nbytes for name in ("places", "marks", "hits", "last", "mass", "asked"))

    def add(
        self, places: np.ndarray, marks: np.ndarray, hits: np.ndarray, now: np.ndarray, bonus: np.ndarray
    ) -> np.ndarray:
        """Keep m more rows (at most as many as there is room for), and return where.

        Args:
            places: (m, c).
            marks: (m, c).
            hits: (m,) variants asked so far.
            now: (m,) when a variant was last asked.
            bonus: (a,) how much longer each former row is kept.
        """
        while self.used + len(places) > len(self.hits) and len(self.hits) < self.most:
            self._grow()
        free = len(self.hits) - self.used
        new = np.arange(self.used, self.used + min(free, len(places)))
        if len(places) > free:
            old = np.argsort(self.last[: self.used] + bonus, kind="stable")[: len(places) - free]
            new = np.concatenate([new, old])
        self.used = min(len(self.hits), self.used + len(places))
        self.places[new], self.marks[new], self.hits[new], self.last[new] = places, marks, hits, now
        self.mass[new] = np.nan
        return new

    def _grow(self) -> None:
        more = min(self.most, 2 * len(self.hits))
        for name, empty in (("places", 0), ("marks", 0), ("hits", 0), ("last", 0), ("mass", np.nan)):
            old = getattr(self, name)
            wide = np.full((more, *old.shape[1:]), empty, old.dtype)
            wide[: len(old)] = old
            setattr(self, name, wide)
