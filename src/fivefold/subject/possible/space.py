"""Space: what may be changed of a row, and rows as numbers that can be moved in.

A row becomes a vector: numbers as they are, dates as days, other cells as the place of their value among those seen.
Every vector that leaves this module is a possible row: type, whole steps, range, seen categories, missing cells and
immutable features are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Rounding = Callable[[np.ndarray], np.ndarray]

_LEVELS = 24
"""Commonest values of a column that are tried as replacements."""

_HARDLY_REPEATS = 0.5
_DAY = 8.64e10  # microseconds


@dataclass(frozen=True)
class Column:
    """One feature.

    Attributes:
        name: Its name.
        kind: ``number``, ``date``, ``category`` or ``fixed`` (nothing that can be moved is known of it).
        levels: Distinct values in the stored type, commonest first; the last entry is the missing value.
        dtype: Stored type in the rows that are attacked.
    """

    name: str
    kind: str
    levels: pd.Series | None
    dtype: object


@dataclass(frozen=True)
class Space:
    """What may be moved, and how far.

    Attributes:
        columns: One per feature of a table; empty for images.
        low: (d,) smallest allowed value of each number.
        high: (d,) largest.
        step: (d,) smallest change; 0: any.
        cost: (d,) declared cost of changing a feature; it divides the reach and multiplies the price of a swap.
        moves: (d,) bool, numbers that may move.
        swaps: (d,) bool, categories that may be swapped.
        shape: Shape of one image; empty for tables.
        dtype: Type of the pixels; None for tables.
        notes: What a reader should know of how the space was found.
    """

    columns: tuple[Column, ...]
    low: np.ndarray
    high: np.ndarray
    step: np.ndarray
    cost: np.ndarray
    moves: np.ndarray
    swaps: np.ndarray
    shape: tuple[int, ...] = ()
    dtype: np.dtype | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def unit(self) -> np.ndarray:
        """(d,) width of each range, 0 where nothing moves."""
        return np.where(self.moves, self.high - self.low, 0.0)

    @property
    def is_empty(self) -> bool:
        """Whether an attacker may change nothing at all."""
        return not (self.moves & (self.unit > 0)).any() and not self.swaps.any()

    def told(self, epsilon: float) -> str:
        """Say how far an attacker may go."""
        return f"Changes of at most {epsilon:g} of each range"

    def count(self, column: int) -> int:
        """Return how many values of a category are tried as replacements."""
        levels = self.columns[column].levels
        return 0 if levels is None else min(len(levels) - 1, _LEVELS)

    def encode(self, table: Table) -> np.ndarray:
        """Return (n, d) float64; missing cells are NaN."""
        if self.dtype is not None:
            return np.asarray(_inputs(table).reshape(len(table), -1), dtype=np.float64)
        values = np.full((len(table), len(self.columns)), np.nan)
        for at, column in enumerate(self.columns):
            values[:, at] = _coded(table.features[column.name], column)
        return values

    def decode(self, values: np.ndarray, origin: np.ndarray, like: Table) -> Table:
        """Return vectors as rows that the model can be asked for.

        Args:
            values: (m, d) vectors of this space.
            origin: (m,) position in ``like`` of the row that each was made of; fixed cells are taken from it.
            like: Rows that are attacked.
        """
        n = len(values)
        features, inputs = pd.DataFrame(index=pd.RangeIndex(n)), None
        if self.dtype is not None:
            inputs = values.reshape(n, *self.shape).astype(self.dtype)
        else:
            names = [column.name for column in self.columns]
            if all(column.kind == "number" and column.dtype == np.float64 for column in self.columns):
                features = pd.DataFrame(values.copy(), columns=names)  # one block: a hundred times as quick
            else:
                made = {c.name: _cells(c, values[:, at], like, origin) for at, c in enumerate(self.columns)}
                features = pd.DataFrame(made, columns=names, copy=False)
        return Table(
            name="attack",
            rows=np.arange(n, dtype=np.int64),
            features=features,
            target=np.zeros(n, dtype=like.target.dtype),
            others=pd.DataFrame(index=pd.RangeIndex(n)),
            inputs=inputs,
            kind=like.kind,
        )

    def ball(self, values: np.ndarray, reach: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (n, d) lowest and highest values within ``reach`` of each row (numbers only).

        Args:
            values: (n, d) rows.
            reach: As a share of each range, above 0, one figure or (n, 1); a feature of cost c may move by a c-th
                of it.
        """
        width = reach * self.unit / self.cost
        low = np.minimum(values, np.maximum(values - width, self.low))
        high = np.maximum(values, np.minimum(values + width, self.high))
        return self.whole(values, low, np.ceil), self.whole(values, high, np.floor)

    def settle(self, values: np.ndarray, start: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return ``values`` on whole steps from ``start`` and inside the ball; other cells stay as they are given."""
        return np.asarray(np.clip(self.whole(start, values, np.round), low, high))

    def whole(self, start: np.ndarray, values: np.ndarray, rounding: Rounding) -> np.ndarray:
        """Return ``values`` on whole steps from ``start``; ``rounding`` maps the number of steps to a whole one."""
        stepped = self.step > 0
        if not stepped.any():
            return values
        safe = np.where(stepped, self.step, 1.0)
        # a hair of tolerance, so that 0.05 x 100 is five whole steps and not four
        steps = (values - start) / safe
        near = np.round(steps)
        steps = np.where(np.abs(steps - near) < 1e-9, near, rounding(steps))
        return np.where(stepped, start + steps * safe, values)


def _inputs(table: Table) -> np.ndarray:
    return np.empty((len(table), 0)) if table.inputs is None else table.inputs


def of_images(tables: Sequence[Table]) -> Space:
    """Return the space of images: every pixel may move within its type's range, by whole steps if it is uint8.

    Floats range over [0, 1] if all lie there, else over what was seen.
    """
    first = _inputs(tables[0])
    size = int(np.prod(first.shape[1:]))
    whole = first.dtype.kind in "iu"
    low, high = (0.0, 255.0) if first.dtype == np.uint8 else _span(tables)
    note = f"Pixels range from {low:g} to {high:g}."
    return Space(
        columns=(),
        low=np.full(size, low),
        high=np.full(size, high),
        step=np.full(size, 1.0 if whole else 0.0),
        cost=np.ones(size),
        moves=np.ones(size, dtype=bool),
        swaps=np.zeros(size, dtype=bool),
        shape=first.shape[1:],
        dtype=first.dtype,
        notes=(note,),
    )


def _span(tables: Sequence[Table]) -> tuple[float, float]:
    low = min(float(_inputs(table).min()) for table in tables if len(table))
    high = max(float(_inputs(table).max()) for table in tables if len(table))
    return (0.0, 1.0) if low >= 0.0 and high <= 1.0 else (low, high)


def of_tables(tables: Sequence[Table], declared: Mapping[str, Mapping[str, object]]) -> Space:
    """Return the space of tables.

    Args:
        tables: All data sets that the ranges and categories are read from.
        declared: Feature name to ``type``, ``range``, ``immutable`` and ``cost``, as far as declared.
    """
    names = list(tables[0].features.columns)
    columns, numbers, notes = [], np.zeros((6, len(names))), []
    numbers[3] = 1.0
    for at, name in enumerate(names):
        told = declared.get(str(name), {})
        whole = pd.concat([table.features[name] for table in tables], ignore_index=True)
        column = _column(name, whole)
        columns.append(replace(column, dtype=tables[0].features[name].dtype))
        fixed = bool(told.get("immutable"))
        cost = told.get("cost")
        numbers[3, at] = max(float(cost), 1e-6) if isinstance(cost, int | float) else 1.0
        if column.kind in ("number", "date"):
            numbers[:3, at] = _range(whole, column, told)
            numbers[4, at] = not fixed and numbers[1, at] > numbers[0, at]
        elif column.kind == "category":
            numbers[5, at] = not fixed and column.levels is not None and len(column.levels) > 2
        elif not fixed:
            notes.append(f"`{name}` is left alone: its texts hardly repeat.")
    low, high, step, cost_, moves, swaps = numbers
    return Space(tuple(columns), low, high, step, cost_, moves.astype(bool), swaps.astype(bool), notes=tuple(notes[:6]))


def _column(name: str, values: pd.Series) -> Column:
    dtype = values.dtype
    if values.isna().all():
        return Column(name, "fixed", None, dtype)
    is_bool = pd.api.types.is_bool_dtype(values)
    if pd.api.types.is_numeric_dtype(values) and not is_bool:
        return Column(name, "number", None, dtype)
    if pd.api.types.is_datetime64_any_dtype(values):
        return Column(name, "fixed" if getattr(dtype, "tz", None) is not None else "date", None, dtype)
    codes, found = pd.factorize(values, use_na_sentinel=True)
    known = codes[codes >= 0]
    if len(found) > max(_LEVELS, _HARDLY_REPEATS * len(known)):
        return Column(name, "fixed", None, dtype)
    # mixed cells cannot be sorted: by count, ties by first appearance
    order = np.argsort(-np.bincount(known), kind="stable")
    first = np.flatnonzero(np.diff(np.maximum.accumulate(codes), prepend=-1) > 0)  # numbered as they appear
    missing = np.flatnonzero(codes < 0)[:1]
    places = np.concatenate([first[order], missing if len(missing) else first[:1]])
    return Column(name, "category", values.iloc[places].reset_index(drop=True), dtype)


def _range(values: pd.Series, column: Column, told: Mapping[str, object]) -> tuple[float, float, float]:
    """Return low, high and step of a number: declared, else as seen."""
    seen = _numbers(values)
    seen = seen[np.isfinite(seen)]
    if not len(seen):
        return 0.0, 0.0, 0.0
    low, high = float(seen.min()), float(seen.max())
    span = told.get("range")
    if isinstance(span, tuple | list) and len(span) == 2 and column.kind == "number":
        low, high = float(span[0]), float(span[1])
    kind = told.get("type")
    whole = kind == "integer" or (kind != "number" and bool((seen % 1 == 0).all()))
    return low, high, 1.0 if whole or pd.api.types.is_integer_dtype(column.dtype) else 0.0  # type: ignore[arg-type]


def _numbers(values: pd.Series) -> np.ndarray:
    if pd.api.types.is_datetime64_any_dtype(values):
        days = values.astype("datetime64[us]").astype("int64").to_numpy() / _DAY
        return np.where(values.isna().to_numpy(), np.nan, days)
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))


def _coded(values: pd.Series, column: Column) -> np.ndarray:
    if column.kind in ("number", "date"):
        return _numbers(values)
    if column.kind == "fixed" or column.levels is None:
        return np.zeros(len(values))
    index = pd.Index(column.levels.iloc[:-1].to_numpy(dtype=object))
    codes = index.get_indexer(pd.Index(values.to_numpy(dtype=object)))
    return np.where(codes < 0, np.nan, codes)


def _cells(column: Column, values: np.ndarray, like: Table, origin: np.ndarray) -> pd.Series | np.ndarray:
    """Return one column in its stored type."""
    dtype = column.dtype
    if column.kind == "number" and isinstance(dtype, np.dtype) and dtype.kind in "fiu":
        return (values if dtype.kind == "f" else np.round(values)).astype(dtype)
    if column.kind == "fixed":
        return like.features[column.name].take(origin).reset_index(drop=True)
    missing = np.isnan(values)
    if column.kind == "category" and column.levels is not None:
        codes = np.where(missing, len(column.levels) - 1, values).astype(np.int64)
        return column.levels.take(codes).reset_index(drop=True)
    if column.kind == "date":
        stamps = np.where(missing, 0.0, values * _DAY).astype("int64").astype("datetime64[us]")
        return pd.Series(np.where(missing, np.datetime64("NaT"), stamps)).astype(dtype)  # type: ignore[call-overload,no-any-return]
    return pd.Series(np.where(missing, np.nan, values)).astype(dtype)  # type: ignore[call-overload,no-any-return]
