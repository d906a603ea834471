"""Gauge: the population that an application was made for, as events whose chances are bounded.

A quarter of the rows chooses the events: values of a column above or below a cut, one of its levels, missing, and the
same of scores that see all columns at once. The other rows bound their chances.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.errors import UnsupportedError
from fivefold.governance.purpose.joint import Joint, joined
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Columns = Mapping[str, Any]

FEWEST = 60
"""Fewest rows that a population is learned from."""
_CHOOSING = 0.25
_MOST_COLUMNS = 64
_CUTS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
_FEW = 10
_OTHER, _MISSING, WIDTH = 14, 15, 16
LIKELY = 0.95
"""Limits from here on are no use: such events are not watched."""
_SIDE = 8


@dataclass(frozen=True)
class Column:
    """How the values of one column are told apart.

    Attributes:
        name: Of the column.
        kind: ``number``, ``date`` or ``level``.
        edges: Cuts of numbers, and of dates as nanoseconds; values up to the first are code 0.
        levels: Its usual levels.
    """

    name: str
    kind: str
    edges: np.ndarray
    levels: pd.Index

    def codes(self, values: Any) -> np.ndarray:
        """Return (n,) codes below :data:`WIDTH`."""
        if self.kind == "level":
            cells = pd.Index(values, dtype=object)
            found = self.levels.get_indexer(cells)
            return np.where(cells.isna(), _MISSING, np.where(found < 0, _OTHER, found))
        numbers = _numbers(values) if self.kind == "number" else _days(values)
        return np.where(np.isnan(numbers), _MISSING, np.searchsorted(self.edges, numbers, "left"))

    def words(self, codes: np.ndarray) -> str:
        """Return an event in words."""
        some = np.flatnonzero(codes)
        if some[0] == _MISSING:
            return f"{self.name} missing"
        if self.kind == "level":
            return f"{self.name} another than usual" if some[0] == _OTHER else f"{self.name} {self.levels[some[0]]}"
        low = some[0] == 0
        edge = self.edges[some[-1]] if low else self.edges[some[0] - 1]
        shown = str(pd.Timestamp(int(edge)).date()) if self.kind == "date" else f"{edge:.4g}"
        return f"{self.name} {'up to' if low else 'above'} {shown}"


@dataclass(frozen=True)
class Gauge:
    """A population.

    Attributes:
        columns: Those that are watched.
        joint: Scores of all of them at once.
        where: (E,) column of each event; those of ``joint`` come after ``columns``.
        members: (E, WIDTH) which codes are in it.
        limits: (E,) its largest chance.
        rows: How many bounded it.
    """

    columns: tuple[Column, ...]
    joint: Joint
    where: np.ndarray
    members: np.ndarray
    limits: np.ndarray
    rows: int

    @cached_property
    def _cuts(self) -> np.ndarray | None:
        """Return (columns, most) cuts, filled up with infinity; None: not all columns are numbers."""
        if not self.columns or any(column.kind != "number" for column in self.columns):
            return None
        most = max(len(column.edges) for column in self.columns)
        return np.array([np.pad(one.edges, (0, most - len(one.edges)), constant_values=np.inf) for one in self.columns])

    def _codes(self, given: Columns) -> np.ndarray:
        """Return (n, columns and scores) codes; of arrays of numbers all columns at once."""
        cuts, values = self._cuts, [given[column.name] for column in self.columns]
        if cuts is None or not all(isinstance(one, np.ndarray) and one.dtype.kind in "iuf" for one in values):
            return _codes(self.columns, self.joint, given)
        cells = np.array(values, dtype=np.float64)
        codes = (cells[:, :, None] > cuts[:, None, :]).sum(axis=2)
        codes = np.where(np.isnan(cells), _MISSING, codes).T
        return np.column_stack([codes, self.joint.codes(codes)])

    def hits(self, given: Columns) -> np.ndarray:
        """Return (E,) how many of the given rows are in each event."""
        return self._hits(self._codes(given))

    def blocks(self, given: Columns, size: int) -> list[np.ndarray]:
        """Return :meth:`hits` of each whole block of ``size`` rows."""
        codes = self._codes(given)
        return [self._hits(codes[at : at + size]) for at in range(0, len(codes) - size + 1, size)]

    def _hits(self, codes: np.ndarray) -> np.ndarray:
        return np.asarray((_counts(codes)[self.where] * self.members).sum(axis=1))

    def words(self, event: int) -> str:
        """Return an event in words."""
        at, codes = int(self.where[event]), self.members[event]
        if at < len(self.columns):
            return self.columns[at].words(codes)
        return f"columns taken together ({self.joint.names[at - len(self.columns)]})"


def columns_of(rows: pd.DataFrame | np.ndarray) -> dict[str, Any]:
    """Return rows as columns by name; of arrays, means over at most 8 x 8 parts.

    Raises:
        UnsupportedError: ``purpose.texts`` for texts.
    """
    if isinstance(rows, pd.DataFrame):
        return {str(name): rows[name] for name in rows.columns}
    if rows.dtype == object:
        raise UnsupportedError("purpose.texts", "populations of texts are not compared.")
    pooled = np.asarray(rows, dtype=np.float64)
    for axis in range(1, pooled.ndim):
        size = pooled.shape[axis]
        most = _SIDE if pooled.ndim > 2 else _MOST_COLUMNS
        if size > most:
            starts = np.unique(np.linspace(0, size, most + 1).astype(np.int64))
            lengths = np.diff(starts).reshape([-1 if at == axis else 1 for at in range(pooled.ndim)])
            pooled = np.add.reduceat(pooled, starts[:-1], axis=axis) / lengths
    flat = pooled.reshape(len(rows), -1)
    return {f"part {at + 1}": flat[:, at] for at in range(flat.shape[1])}


def fit(given: Columns, rng: np.random.Generator, *, chance: float, tolerance: float) -> Gauge:
    """Learn a population.

    Args:
        given: Columns of n rows, drawn from it independently.
        rng: Parts the rows.
        chance: That any limit lies below the truth, at most.
        tolerance: Added to each limit: a change by less is no other population.

    Raises:
        UnsupportedError: ``purpose.rows`` with fewer than :data:`FEWEST` rows; ``purpose.columns`` without a column.
    """
    names = list(given)
    if not names:
        raise UnsupportedError("purpose.columns", "there are no columns to compare.")
    n = len(given[names[0]])
    if n < FEWEST:
        raise UnsupportedError("purpose.rows", f"{n} rows are too few to know a population; {FEWEST} are needed.")
    chosen = np.unique(np.linspace(0, len(names) - 1, _MOST_COLUMNS).astype(np.int64))
    order = rng.permutation(n)
    head, rest = np.split(order, [max(int(_CHOOSING * n), FEWEST // 4)])
    whole = {names[at]: pd.Series(given[names[at]]).reset_index(drop=True) for at in chosen}
    columns = tuple(_column(name, cells.iloc[head]) for name, cells in whole.items())
    first = _codes(columns, None, {name: cells.iloc[head] for name, cells in whole.items()})
    joint = joined(first)
    counts = _counts(_codes(columns, joint, {name: cells.iloc[rest] for name, cells in whole.items()}))
    where, members = _events(columns, joint)
    hits = (counts[where] * members).sum(axis=1)
    _, high = clopper_pearson(hits, len(rest), 1 - chance / max(len(where), 1))
    limits = high + tolerance
    kept = limits < LIKELY
    return Gauge(columns, joint, where[kept], members[kept], limits[kept], len(rest))


def _column(name: str, cells: pd.Series) -> Column:
    none = pd.Index([], dtype=object)
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return Column(name, "date", _edges(_days(cells)), none)
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return Column(name, "number", _edges(_numbers(cells)), none)
    texts = cells.astype(object)
    usual = texts[texts.notna()].value_counts()
    return Column(name, "level", np.zeros(0), pd.Index(sorted(usual.index[:_FEW], key=str), dtype=object))


def _edges(numbers: np.ndarray) -> np.ndarray:
    """Return cuts: between values where there are few, else quantiles of values that occur, least and most included."""
    values = np.unique(numbers[np.isfinite(numbers)])
    if len(values) <= _FEW:
        return values
    return np.unique(np.quantile(numbers[np.isfinite(numbers)], _CUTS, method="lower"))


def _events(columns: Sequence[Column], joint: Joint) -> tuple[np.ndarray, np.ndarray]:
    where: list[int] = []
    members: list[np.ndarray] = []
    cuts = [len(column.edges) if column.kind != "level" else None for column in columns]
    cuts += [len(edges) for edges in joint.edges]
    for at, count in enumerate(cuts):
        if count is not None:  # without an edge only what is missing is an event
            below = np.arange(WIDTH)[None, :] <= np.arange(count)[:, None]
            above = ~below & (np.arange(WIDTH)[None, :] <= count)
            made = [*below, *above, np.arange(WIDTH) == _MISSING]
        else:
            made = list(np.eye(WIDTH, dtype=bool)[[*range(_FEW), _OTHER, _MISSING]])
        where += [at] * len(made)
        members += made
    return np.array(where, dtype=np.int64), np.array(members, dtype=np.float64).reshape(-1, WIDTH)


def _codes(columns: Sequence[Column], joint: Joint | None, given: Columns) -> np.ndarray:
    codes = np.column_stack([column.codes(given[column.name]) for column in columns])
    return codes if joint is None else np.column_stack([codes, joint.codes(codes)])


def _counts(codes: np.ndarray) -> np.ndarray:
    """Return (columns, WIDTH) how often each code stands in each column."""
    width = codes.shape[1]
    flat = codes + WIDTH * np.arange(width)
    return np.bincount(flat.ravel(), minlength=width * WIDTH).reshape(width, WIDTH)


def _numbers(values: Any) -> np.ndarray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        made = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce")
        return made.to_numpy(dtype=np.float64, na_value=np.nan)


def _days(values: Any) -> np.ndarray:
    times = pd.to_datetime(pd.Series(values), errors="coerce", utc=True, format="ISO8601")
    numbers = times.to_numpy(dtype="datetime64[ns]").astype(np.float64)
    return np.where(times.isna(), np.nan, numbers)
