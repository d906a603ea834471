"""Nearness: whether two rows are variants of one, more alike than rows of the population are (Fellegi and Sunter 1969).

Cells that agree count by how rarely they would by chance, cells that differ count against it; most must agree. A
caller's former rows are kept in a sketch of fixed size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_KNOWN_CELLS = 500_000
_ALIKE = 0.01
_PLACE = np.arange(256)
_INSIDE = (_PLACE > 0) & (_PLACE < _END)
_LOWEST = np.maximum(_PLACE - _STEP, 0)
_CLOSE = np.column_stack([_LOWEST, np.minimum(_PLACE + _STEP, _END) - _LOWEST + 1]).astype(np.uint8)


@dataclass(frozen=True)
class Nearness:
    """When a row counts as a variant of another.

    Attributes:
        columns: (c,) columns that are compared.
        reach: (c,) how far places may be apart to be close: numbers 5 in 255, categories never are.
        worth: (c, w) nats that equal cells of each code speak for it.
        enough: Nats from which on it counts.
        copied: Equal cells from which on a row is copied: four fifths; where pairs of the population have as many,
            as in images with a blank ground, more than these have.
        known: Rows of the population, to say how many of it would count as variants of a row.
    """

    columns: np.ndarray
    reach: np.ndarray
    worth: np.ndarray
    enough: float
    copied: float
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
        mine = cells.places[:, None, self.columns].astype(np.int16)
        near = (np.abs(mine - places) <= self.reach) & (mine > 0) & (mine < _END)
        worth = self.worth[np.arange(len(self.columns)), cells.codes[:, self.columns]]
        told = np.where(near, np.float32(_NEAR), np.float32(_APART))
        found: np.ndarray = np.where(same, worth[:, None, :].astype(np.float32), told).sum(axis=2)
        found[(same | near).sum(axis=2) < _AGREE * len(self.columns)] = _NOT
        found[same.sum(axis=2) >= self.copied] += COPY
        return found

    def sketch(self, most: int = MOST) -> Sketch:
        """Return an empty sketch of at most so many rows."""
        return Sketch(len(self.columns), len(self._numbers), most)

    def kept(self, sketch: Sketch, spots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (m, c) places and marks of rows of a sketch."""
        places = np.zeros((len(spots), len(self.columns)), np.int16)
        places[:, self._numbers] = sketch.places[:, spots].T
        return places, sketch.marks[:, spots].T

    def looks(self, cells: Cells) -> Iterator[Look]:
        """Yield n rows ready to be compared."""
        codes, marks, places = cells.codes, cells.marks, cells.places
        if codes.shape[1] != len(self.columns):
            codes, marks, places = codes[:, self.columns], marks[:, self.columns], places[:, self.columns]
        if len(self._numbers) != len(self.columns):
            places = places[:, self._numbers]
        for one in zip(codes, places, marks, strict=True):
            yield self._look(*one)

    def _look(self, codes: np.ndarray, places: np.ndarray, marks: np.ndarray) -> Look:
        base, worth, starts = self._weights
        weights, count = base.copy(), len(places)
        weights[0, count:] = worth.take(codes + starts)
        if count:
            inside = _INSIDE.take(places)
            if not inside[inside.argmin()]:
                ends = np.flatnonzero(~inside)
                weights[:2, ends] = 0.0
                weights[:2, count + self._numbers[ends]] += np.array([[_NEAR - _APART], [1.0]], np.float32)
        close = _CLOSE.take(places, 0)
        return Look(places, close[:, :1], close[:, 1:], weights, marks[:, None])

    @cached_property
    def _numbers(self) -> np.ndarray:
        return np.flatnonzero(self.reach >= 0)

    @cached_property
    def _weights(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (3, numbers + c) weights of close and of equal cells, a table of nats that equal ones add, its rows.

        Equal numbers are close, too. The weights add up to nats, cells that agree, and equal cells.
        """
        c, numbers = len(self.columns), self._numbers
        found = np.zeros((3, len(numbers) + c), np.float32)
        found[0, : len(numbers)], found[1, : len(numbers)] = _NEAR - _APART, 1.0
        found[1:, len(numbers) :] = 1.0
        found[1, len(numbers) + numbers] = 0.0
        worth = self.worth - _APART
        worth[numbers] -= _NEAR - _APART
        return found, worth.astype(np.float32).ravel(), np.arange(c) * worth.shape[1]

    @cached_property
    def least(self) -> tuple[float, float, float]:
        """How many nats, how many cells that agree a variant has at least, and how many equal ones a copy."""
        c = len(self.columns)
        return self.enough - _APART * c, _AGREE * c - 1e-3, self.copied - 1e-3

    def is_near(self, alike: np.ndarray) -> np.ndarray:
        """Return whether rows are more alike than those of the population are, copied or not."""
        return np.asarray(np.where(alike > COPY / 2, alike - COPY, alike) >= self.enough)

    def variants(self, places: np.ndarray, marks: np.ndarray) -> np.ndarray:
        """Return (m,) how many rows of the population would count as variants of each, by (m, c) places and marks."""
        low, span, worth, own = self._population
        found, least = np.zeros(len(places)), _AGREE * len(self.columns)
        for at, (place, mark) in enumerate(zip(places.astype(np.uint8), marks, strict=True)):
            same, close = own == mark, place - low < span
            nats = np.where(same, worth, np.where(close, np.float32(_NEAR), np.float32(_APART))).sum(axis=1)
            agree = np.count_nonzero(same | close, axis=1)
            found[at] = np.count_nonzero((nats >= self.enough) & (agree >= least))
        return found

    @cached_property
    def _population(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return (n, c) from where on others are close to known rows, how far on, nats if they are equal, and marks."""
        known = self.known
        codes, places, marks = (part[:, self.columns] for part in (known.codes, known.places, known.marks))
        close = _CLOSE.take(places, 0)
        span = np.where(_INSIDE.take(places) & (self.reach >= 0), close[..., 1], 0).astype(np.uint8)
        worth = self.worth[np.arange(len(self.columns)), codes].astype(np.float32)
        return close[..., 0].copy(), span, worth, np.ascontiguousarray(marks)


class Look(NamedTuple):
    """One row, ready to be compared with others.

    Attributes:
        places: (k,) of the cells that are numbers.
        low: (k, 1) from which place on others are close.
        span: (k, 1) how far on from there.
        weights: (3, k + c) of close and of equal cells.
        marks: (c, 1).
    """

    places: np.ndarray
    low: np.ndarray
    span: np.ndarray
    weights: np.ndarray
    marks: np.ndarray


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
    known = cells.take(order[:most])
    order = order[: 2 * _ROWS]
    half = len(order) // 2
    one, two = cells.take(order[:half]), cells.take(order[half:])
    other = one.whole[:, None] != two.whole
    copied = _copied(one.marks[:, columns], two.marks[:, columns], other)
    first = Nearness(columns, reach, worth, np.inf, copied, known)
    step = max(1, _CELLS // max(1, half * len(columns)))
    parts = [
        first.alike(one.take(slice(at, at + step)), two.places[:, columns], two.marks[:, columns])
        for at in range(0, half, step)
    ]
    found = np.concatenate(parts)
    found = found[other & (found < COPY / 2)]
    enough = float(np.quantile(found, 1 - _PAIRS, method="higher")) + 1e-9 if len(found) else np.inf
    return replace(first, enough=max(enough, 0.0))


def _copied(one: np.ndarray, two: np.ndarray, other: np.ndarray) -> float:
    """Return how many equal cells make a copy, by (n, c) and (m, c) marks and which pairs are different rows."""
    c: int = one.shape[1]
    same = np.array([(row == two).sum(axis=1) for row in one])[other]
    if not len(same) or (same >= _COPIED * c).mean() <= _ALIKE:
        return _COPIED * c
    return min(float(np.quantile(same, 1 - _PAIRS, method="higher")) + 1, c - 1.0)


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

    __slots__ = ("asked", "hits", "last", "marks", "mass", "most", "places", "turn", "used")

    def __init__(self, width: int, numbers: int, most: int = MOST) -> None:
        """Begin empty, for rows of so many cells, of which so many are numbers."""
        self.most, self.used, self.turn = most, 0, 0
        size = min(8, most)
        self.places = np.zeros((numbers, size), np.uint8)
        self.marks = np.zeros((width, size), np.uint16)
        self.hits = np.zeros(size, np.int32)
        self.last = np.zeros(size, np.int64)
        self.mass = np.full(size, np.nan)
        self.asked = np.zeros(8, np.uint64)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(getattr(self, name).nbytes for name in ("places", "marks", "hits", "last", "mass", "asked"))

    def is_known(self, whole: np.uint64) -> bool:
        """Return whether a row was asked before, as far as is remembered; remember it."""
        turn = self.turn
        if np.count_nonzero(self.asked[:turn] == whole):
            return True
        if turn == len(self.asked) < _REMEMBERED:
            self.asked = np.concatenate([self.asked, np.zeros_like(self.asked)])
        self.asked[turn % _REMEMBERED] = whole
        self.turn = turn + 1
        return False

    def near(self, near: Nearness, look: Look) -> tuple[np.ndarray, np.ndarray] | None:
        """Return places here of rows of which one is a variant, and of those from which it is copied; None: none.

        It does what :meth:`Nearness.alike` does, for one row, up to rounding.
        """
        used, count = self.used, len(look.places)
        found = np.empty((look.weights.shape[1], used), np.float32)
        np.less(self.places[:, :used] - look.low, look.span, out=found[:count])
        np.equal(self.marks[:, :used], look.marks, out=found[count:])
        nats, agree, same = look.weights.dot(found)
        enough, least, copied = near.least
        if not used or (nats[nats.argmax()] < enough and same[same.argmax()] < copied):
            return None
        return ((nats >= enough) & (agree >= least)).nonzero()[0], (same >= copied).nonzero()[0]

    def keep(self, look: Look, now: int, kept: np.ndarray | None) -> None:
        """Keep a row.

        Args:
            look: Of the row.
            now: When it was asked.
            kept: (used,) how much longer each former row is kept; None: as long as another.
        """
        if self.used == len(self.hits) < self.most:
            self._grow()
        if self.used < len(self.hits):
            spot, self.used = self.used, self.used + 1
        else:
            spot = int((self.last if kept is None else self.last + kept).argmin())
        self.places[:, spot], self.marks[:, spot], self.hits[spot] = look.places, look.marks[:, 0], 0
        self.last[spot], self.mass[spot] = now, np.nan

    def _grow(self) -> None:
        more = min(self.most, 2 * len(self.hits)) - len(self.hits)
        for name, empty in (("places", 0), ("marks", 0), ("hits", 0), ("last", 0), ("mass", np.nan)):
            old = getattr(self, name)
            fresh = np.full((*old.shape[:-1], more), empty, old.dtype)
            setattr(self, name, np.concatenate([old, fresh], axis=-1))
