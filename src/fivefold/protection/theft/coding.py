"""Coding: rows of any table or image as small whole numbers, learnt from the application's own rows.

Each cell becomes a *code* (which of some twenty kinds of value it is), a *place* (0 to 255, its rank among the values
seen) and a *mark* (16 bits of the value itself, to tell whether two cells are the same).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

Rows: TypeAlias = pd.DataFrame | np.ndarray

MOST_COLUMNS = 400
"""Most columns that are looked at; of more, as many at equal steps."""
MISSING, OUTSIDE, UNSEEN = 0, 1, 2
_FIRST = 3
_ATOMS = 12
_BINS = 6
_KNOWN = 4096
_RANKS = 255
_REPEATS = 0.05
_MOST_CELLS = 4096
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Cells:
    """What is kept of n rows.

    Attributes:
        codes: (n, d) uint8.
        places: (n, d) uint8; 0 for all values of a category.
        marks: (n, d) uint16.
        whole: (n,) uint64, the same for the same row.
    """

    codes: np.ndarray
    places: np.ndarray
    marks: np.ndarray
    whole: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, where: np.ndarray | slice) -> Cells:
        """Return some rows."""
        return Cells(self.codes[where], self.places[where], self.marks[where], self.whole[where])


def _marks(values: np.ndarray) -> np.ndarray:
    bits = (values + 0.0).view(np.uint64)
    return np.asarray(((bits ^ (bits >> np.uint64(32))) * _MIX) >> np.uint64(48))


@dataclass(frozen=True)
class _Number:
    """A column of numbers or dates: known values and edges between which others fall.

    Attributes:
        known: (k,) rising values that were seen, or at which a code changes.
        at: (k,) code of each.
        between: (k + 1,) code of what lies before, between and beyond them.
        grid: (m,) rising quantiles, for places.
        dates: Cells are dates.
    """

    known: np.ndarray
    at: np.ndarray
    between: np.ndarray
    grid: np.ndarray
    dates: bool

    def cells(self, given: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        values, gone = given, np.isnan(given)
        spot = np.searchsorted(self.known, values)
        near = np.minimum(spot, len(self.known) - 1)
        hit = self.known[near] == values
        codes = np.where(gone, MISSING, np.where(hit, self.at[near], self.between[spot]))
        ranks = (np.searchsorted(self.grid, values, "left") + np.searchsorted(self.grid, values, "right")) / 2
        places = np.where(gone, 0, ranks * (255 / len(self.grid)))
        return codes, places.astype(np.uint8), _marks(np.nan_to_num(values))


def _microseconds(given: Any) -> float:
    if given is None or given is pd.NaT:
        return math.nan
    return float(pd.Timestamp(given).tz_localize(None).value // 1000)


@dataclass(frozen=True)
class _Names:
    """A column of texts or truth values.

    Attributes:
        known: The values seen.
        codes: (k + 1,) code of each; the last for what was not seen.
    """

    known: pd.Index
    codes: np.ndarray

    def cells(self, given: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        spot = self.known.get_indexer(pd.Index(given))
        gone = pd.isna(given)
        codes = np.where(gone, MISSING, self.codes[spot])
        marks = spot + 1
        new = np.flatnonzero((spot < 0) & ~gone)
        if len(new):
            hashed = pd.util.hash_array(np.array([str(value) for value in given[new]], dtype=object))
            marks[new] = hashed & np.uint64(0xFFFF)
        return codes, np.zeros(len(given), np.uint8), marks

    def cell(self, given: Any) -> tuple[int, int, int]:
        """Return the same for one value."""
        if given is None or given is pd.NA or given != given:  # noqa: PLR0124  a missing text is not a number
            return MISSING, 0, 0
        spot = self._spots.get(given, -1)
        if spot >= 0:
            return self._codes[spot], 0, (spot + 1) & 0xFFFF
        hashed = pd.util.hash_array(np.array([str(given)], dtype=object))[0]
        return self._codes[-1], 0, int(hashed & np.uint64(0xFFFF))

    @cached_property
    def _spots(self) -> dict[Any, int]:
        return {value: spot for spot, value in enumerate(self.known)}

    @cached_property
    def _codes(self) -> list[int]:
        return [int(code) for code in self.codes]


class Search:
    """The cells of one row's numbers, all looked up at once.

    Between two neighbours of a column's known values and quantiles nothing changes, so that a table has an entry for
    each such value and each gap. Complex numbers are ordered by column first, by value then.
    """

    def __init__(self, columns: Sequence[_Number]) -> None:
        """Take the columns."""
        breaks, codes, places = [], [], []
        for at, column in enumerate(columns):
            values = np.unique(np.concatenate([column.known, column.grid]))
            values = values[np.isfinite(values)] if np.isfinite(values).any() else np.zeros(1)
            asked = np.empty(2 * len(values) + 1)
            asked[1::2], asked[2:-1:2] = values, values[:-1] / 2 + values[1:] / 2
            asked[0], asked[-1] = np.nextafter(values[0], -np.inf), np.nextafter(values[-1], np.inf)
            code, place, _ = column.cells(asked)
            breaks.append(at + 1j * values)
            codes.append(code.astype(np.uint8))
            places.append(place)
        self._breaks = np.concatenate(breaks) if breaks else np.zeros(0, complex)
        self._codes, self._places = (np.concatenate(one) if one else np.zeros(0) for one in (codes, places))
        self._column = np.arange(len(columns))
        self._empty = self._column.astype(complex)

    def cells(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (c,) codes, places and marks of (c,) values, one of each column."""
        query = self._empty.copy()
        query.imag = values
        spot = self._breaks.searchsorted(query)
        state = spot + spot + self._column + (self._breaks.take(spot, mode="clip") == query)
        codes, places = self._codes.take(state), self._places.take(state)
        size = float(values.dot(values))
        if size - size != 0:  # something is missing or infinite
            gone = np.isnan(values)
            codes[gone], places[gone] = MISSING, 0
            values = np.nan_to_num(values)
        return codes, places, _marks(values)


@dataclass(frozen=True)
class Coding:
    """How rows become cells.

    Attributes:
        columns: One for each column looked at.
        names: Their names in a table; empty for arrays.
        spots: Their positions in a flattened array, or in the table.
    """

    columns: tuple[_Number | _Names, ...]
    names: tuple[str, ...]
    spots: np.ndarray

    def cells(self, rows: Rows) -> Cells:
        """Return the cells of n rows."""
        n, d = len(rows), len(self.columns)
        if n == 1:
            return self.one(rows.iloc[0].tolist()) if isinstance(rows, pd.DataFrame) else self._array(rows)
        codes, places = np.empty((n, d), np.uint8), np.empty((n, d), np.uint8)
        marks = np.empty((n, d), np.uint16)
        for at, column in enumerate(self.columns):
            given = _column(rows, self.names[at] if self.names else int(self.spots[at]), isinstance(column, _Number))
            codes[:, at], places[:, at], marks[:, at] = column.cells(given)
        every = marks if isinstance(rows, pd.DataFrame) else _whole_numbers(rows)
        return Cells(codes, places, marks, self._whole(every))

    def _whole(self, every: np.ndarray) -> np.ndarray:
        return np.asarray(every.astype(np.uint64) @ np.resize(self._factors, every.shape[1]))

    def one(self, values: list[Any]) -> Cells:
        """Return the cells of one row of a table, given as values of its columns in their order."""
        codes, places, marks = (np.empty(len(self.columns), kind) for kind in (np.uint8, np.uint8, np.uint16))
        for at, spot, column in self._texts:
            codes[at], places[at], marks[at] = column.cell(values[spot])
        spots, dates, numbers = self._numbers
        if len(spots):
            for spot in dates:
                values[spot] = _microseconds(values[spot])
            given = [values[spot] for spot in numbers]
            try:
                found = np.array(given, dtype=np.float64)
            except TypeError:  # a missing cell of a masked column
                found = np.array([math.nan if one is pd.NA else one for one in given], dtype=np.float64)
            codes[spots], places[spots], marks[spots] = self._search.cells(found)
        return Cells(codes[None], places[None], marks[None], self._whole(marks[None]))

    def plain(self, values: np.ndarray) -> Cells:
        """Return the cells of one row of a table that has numbers alone, given as (1, d) of its columns in order."""
        codes, places, marks = self._search.cells(values[0].astype(np.float64))
        return Cells(codes[None], places[None], marks[None], self._whole(marks[None]))

    @cached_property
    def is_plain(self) -> bool:
        """Whether all columns are looked at, and are numbers."""
        return len(self._numbers[0]) == len(self.columns) < MOST_COLUMNS and not self._numbers[1]

    def _array(self, rows: np.ndarray) -> Cells:
        flat = rows.reshape(1, -1)
        codes, places, marks = self._search.cells(flat[0, self.spots].astype(np.float64))
        return Cells(codes[None], places[None], marks[None], self._whole(_whole_numbers(flat)))

    @cached_property
    def _search(self) -> Search:
        return Search([column for column in self.columns if isinstance(column, _Number)])

    @cached_property
    def _texts(self) -> list[tuple[int, int, _Names]]:
        every = zip(range(len(self.columns)), self._order, self.columns, strict=True)
        return [(at, spot, column) for at, spot, column in every if isinstance(column, _Names)]

    @cached_property
    def _numbers(self) -> tuple[np.ndarray, list[int], list[int]]:
        """Return which columns are numbers, and where dates and numbers are in a row."""
        every = list(zip(self._order, self.columns, strict=True))
        which = np.flatnonzero(is_number(self))
        dates = [spot for spot, column in every if isinstance(column, _Number) and column.dates]
        return which, dates, [spot for spot, column in every if isinstance(column, _Number)]

    @cached_property
    def _factors(self) -> np.ndarray:
        """Odd factors, by which the cells of a row add up to one number."""
        return np.random.default_rng(0).integers(0, 1 << 62, _MOST_CELLS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)

    @cached_property
    def _order(self) -> list[int]:
        return [int(spot) for spot in self.spots]


def learn(rows: Rows) -> Coding:
    """Learn a coding from rows of the population: a frame, or an array whose first axis counts rows."""
    if isinstance(rows, pd.DataFrame):
        spots = _spread(rows.shape[1])
        names = tuple(str(rows.columns[at]) for at in spots)
        return Coding(tuple(_learn(rows[rows.columns[at]]) for at in spots), names, spots)
    flat = rows.reshape(len(rows), -1)
    spots = _spread(flat.shape[1])
    return Coding(tuple(_number(flat[:, at].astype(np.float64), dates=False) for at in spots), (), spots)


def _spread(width: int) -> np.ndarray:
    return np.unique(np.linspace(0, width - 1, min(width, MOST_COLUMNS)).astype(np.int64))


def _whole_numbers(rows: np.ndarray) -> np.ndarray:
    flat = rows.reshape(len(rows), -1)
    return flat if flat.dtype.kind in "iub" else np.ascontiguousarray(flat, dtype=np.float64).view(np.uint64) >> 11


def _column(rows: Rows, which: str | int, is_number: bool) -> np.ndarray:
    if isinstance(rows, np.ndarray):
        return np.asarray(rows.reshape(len(rows), -1)[:, int(which)], dtype=np.float64)
    return _numbers(rows[which]) if is_number else _objects(rows[which])


def _numbers(values: pd.Series) -> np.ndarray:
    kind = values.dtype.kind
    if kind in "fiu" and isinstance(values.dtype, np.dtype):
        return np.asarray(values.to_numpy(), dtype=np.float64)
    if pd.api.types.is_datetime64_any_dtype(values):
        days = values.dt.tz_localize(None) if getattr(values.dtype, "tz", None) is not None else values
        found = days.astype("datetime64[us]").astype("int64").to_numpy().astype(np.float64)
        found[values.isna().to_numpy()] = np.nan
        return found
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))


def _objects(values: pd.Series) -> np.ndarray:
    return values.to_numpy(dtype=object)


def _learn(values: pd.Series) -> _Number | _Names:
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if numeric or pd.api.types.is_datetime64_any_dtype(values):
        return _number(_numbers(values), dates=not numeric)
    cells = _objects(values)
    present = cells[~pd.isna(cells)]
    codes, known = pd.factorize(present)
    counts = np.bincount(codes, minlength=len(known))
    own = _own(counts, len(cells))
    rare = _FIRST + len(own)
    made = np.full(len(known) + 1, rare)
    made[own] = _FIRST + np.arange(len(own))
    seldom_new = (counts == 1).sum() <= _REPEATS * max(len(present), 1)
    made[-1] = UNSEEN if seldom_new else rare
    return _Names(pd.Index(known, dtype=object), made)


def _own(counts: np.ndarray, n: int) -> np.ndarray:
    """Return which values have a code of their own: the commonest, of enough rows each."""
    order = np.argsort(-counts, kind="stable")[:_ATOMS]
    return np.asarray(order[counts[order] >= max(3, 0.02 * n, 0.3 * np.sqrt(n))])


def _number(values: np.ndarray, *, dates: bool) -> _Number:
    present = values[~np.isnan(values)]
    if not len(present):
        return _Number(np.zeros(1), np.array([OUTSIDE]), np.array([OUTSIDE, OUTSIDE]), np.zeros(1), dates)
    known, counts = np.unique(present, return_counts=True)
    own = np.sort(_own(counts, len(values)))
    atoms = known[own]
    rest = present[~np.isin(present, atoms)]
    bins = int(np.clip(len(rest) // 25, 1, _BINS))
    edges = np.unique(np.quantile(rest, np.arange(1, bins) / bins)) if len(rest) else np.zeros(0)
    repeats = (counts == 1).sum() <= _REPEATS * len(present) and len(known) <= _KNOWN
    listed = known if repeats else np.unique(np.concatenate([atoms, edges, known[[0, -1]]]))
    first = _FIRST + len(atoms)
    at = np.where(
        np.isin(listed, atoms), _FIRST + np.searchsorted(atoms, listed), first + np.searchsorted(edges, listed)
    )
    between = np.full(len(listed) + 1, OUTSIDE)
    between[1:-1] = UNSEEN if repeats else first + np.searchsorted(edges, (listed[:-1] + listed[1:]) / 2)
    grid = np.quantile(present, (np.arange(_RANKS) + 0.5) / _RANKS, method="nearest")
    return _Number(listed, at, between, grid, dates)


def is_number(coding: Coding) -> np.ndarray:
    """Return (d,) bool: columns of numbers or dates."""
    return np.array([isinstance(column, _Number) for column in coding.columns])


def widths(coding: Coding) -> np.ndarray:
    """Return (d,) how many codes each column has."""
    return np.array([_width(column) for column in coding.columns], dtype=np.int64)


def _width(column: _Number | _Names) -> int:
    if isinstance(column, _Names):
        return int(max(column.codes.max(), UNSEEN)) + 1
    return int(max(column.at.max(), column.between.max(), UNSEEN)) + 1


def concatenated(parts: Sequence[Cells]) -> Cells:
    """Return the rows of all parts, in order."""
    return Cells(
        *(np.concatenate([getattr(one, name) for one in parts]) for name in ("codes", "places", "marks", "whole"))
    )
