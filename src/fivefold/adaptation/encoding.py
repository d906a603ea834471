"""Encoding: rows of a table, or arrays, as one matrix of numbers that small models of our own are fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import UnsupportedError

if TYPE_CHECKING:
    from fivefold.subject.rows import Rows

_LEVELS = 24
"""Commonest values of a text column that are told apart; the others count as one."""

_FAR = 8.0
"""Numbers are clipped at so many spreads from their median."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: Its name.
        levels: Its commonest values as text; empty: it is a number or a date.
        middle: Median.
        spread: Distance between the quartiles (0: standard deviation, 0: 1).
    """

    name: str
    levels: tuple[str, ...] = ()
    middle: float = 0.0
    spread: float = 1.0


@dataclass(frozen=True)
class Encoding:
    """How rows become numbers.

    Attributes:
        columns: Of a table; empty for arrays.
        low: Arrays: the smallest value.
        span: Arrays: the width of their range.
        source: (p,) which column each input stems from; arrays: itself.
    """

    columns: tuple[Column, ...]
    low: float
    span: float
    source: np.ndarray

    def __call__(self, rows: Rows) -> np.ndarray:
        """Return (n, p) float32; a missing cell is the median, and 1 in an input of its own.

        Raises:
            UnsupportedError: ``adaptation.inputs`` for arrays of another shape.
        """
        if isinstance(rows, np.ndarray):
            flat = rows.reshape(len(rows), -1)
            if flat.shape[1] != len(self.source):
                raise UnsupportedError("adaptation.inputs", "these arrays have another shape than the training data.")
            return np.asarray((flat.astype(np.float32) - self.low) / self.span, dtype=np.float32)
        parts = [_inputs(rows[column.name], column) for column in self.columns]
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def stirred(self, inputs: np.ndarray, most: float, rng: np.random.Generator) -> np.ndarray:
        """Return (n, p) the same rows disturbed, each by another amount up to ``most``.

        Numbers move either way by the row's amount, as a share of the range of nine tenths of the rows (arrays: of the
        whole range); other cells are taken from another row, each with the amount as its chance.
        """
        n = len(inputs)
        amount = rng.uniform(0.0, most, (n, 1)).astype(np.float32)
        side = np.where(rng.random(inputs.shape, dtype=np.float32) < 0.5, np.float32(-1), np.float32(1))
        if not self.columns:
            return np.asarray(np.clip(inputs + amount * side, 0.0, 1.0), dtype=np.float32)
        low, high = np.quantile(inputs, [0.05, 0.95], axis=0)
        numbers = np.concatenate([[not column.levels] + [False] * (len(column.levels) or 1) for column in self.columns])
        moved = inputs + amount * side * np.where(numbers, high - low, 0.0)
        swapped = rng.random((n, len(self.columns))) < amount
        donors = rng.integers(0, n, (n, len(self.columns)))
        texts = np.array([bool(column.levels) for column in self.columns])[self.source]
        foreign = inputs[donors[:, self.source], np.arange(inputs.shape[1])]
        return np.asarray(np.where(swapped[:, self.source] & texts, foreign, moved), dtype=np.float32)


def fit(rows: Rows) -> Encoding:
    """Return the encoding of training rows.

    Args:
        rows: (n, d) frame, or (n, ...) numbers.

    Raises:
        UnsupportedError: ``adaptation.inputs`` for texts, and for tables without a column that repeats.
    """
    if isinstance(rows, np.ndarray):
        if rows.dtype.kind not in "fiub" or rows.ndim < 2:
            raise UnsupportedError("adaptation.inputs", "models are fitted to tables and arrays of numbers, not texts.")
        low, high = (0.0, 255.0) if rows.dtype == np.uint8 else (float(rows.min()), float(rows.max()))
        width = int(np.prod(rows.shape[1:]))
        return Encoding((), low, (high - low) or 1.0, np.arange(width))
    columns = [found for name in rows.columns if (found := _column(rows[name])) is not None]
    if not columns:
        raise UnsupportedError("adaptation.inputs", "no column holds numbers or values that repeat.")
    wide = [len(column.levels) + 1 if column.levels else 2 for column in columns]
    return Encoding(tuple(columns), 0.0, 1.0, np.repeat(np.arange(len(columns)), wide))


def _column(values: pd.Series) -> Column | None:
    """Return how a column is read; None: its texts hardly repeat, or all are missing."""
    name = str(values.name)
    numbers = _numbers(values)
    if numbers is not None:
        known = numbers[np.isfinite(numbers)]
        if not len(known):
            return None
        low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
        return Column(name, (), float(middle), float(high - low) or float(known.std()) or 1.0)
    texts = values.dropna().astype(str)
    counts = texts.value_counts()
    if not len(texts) or len(counts) > max(_LEVELS, len(texts) // 2):
        return None
    order = sorted(counts.index, key=lambda text: (-int(counts[text]), text))
    return Column(name, tuple(order[:_LEVELS]))


def _numbers(values: pd.Series) -> np.ndarray | None:
    """Return (n,) float64, dates as days; None for other cells."""
    if pd.api.types.is_datetime64_any_dtype(values):
        days = values.astype("int64").to_numpy(dtype=np.float64) / 8.64e13
        return np.where(values.isna().to_numpy(), np.nan, days)
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        return None
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))


def _inputs(values: pd.Series, column: Column) -> np.ndarray:
    if column.levels:
        gone = values.isna().to_numpy()
        codes = pd.Index(column.levels).get_indexer(pd.Index(values.astype(str)))
        told = codes[:, None] == np.arange(len(column.levels))
        return np.concatenate([told & ~gone[:, None], gone[:, None]], axis=1).astype(np.float32)
    numbers = _numbers(values)
    if numbers is None:
        numbers = np.asarray(pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))
    gone = ~np.isfinite(numbers)
    scaled = np.where(gone, 0.0, (numbers - column.middle) / column.spread)
    return np.column_stack([np.clip(scaled, -_FAR, _FAR), gone]).astype(np.float32)
