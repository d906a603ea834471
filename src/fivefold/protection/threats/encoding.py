"""Encoding: flows of any table as numbers that trees take, and as a context and cells that can be counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVELS, CONTEXTS = 64, 255
"""Commonest values of a text column, and combinations of them, that are told apart; the others count as one."""
_MOST_COLUMNS = 1000


@dataclass(frozen=True)
class Column:
    """One column of a table of flows.

    Attributes:
        name: Its name.
        levels: Its commonest values as text, commonest first; empty: it holds numbers or dates.
        gone: What stands for a missing number: below all others.
    """

    name: str
    levels: tuple[str, ...] = ()
    gone: float = 0.0


@dataclass(frozen=True)
class Encoding:
    """How flows become numbers.

    Attributes:
        columns: In the order of the table.
    """

    columns: tuple[Column, ...]

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Return (n, d) float64: numbers as sign(v) log(1 + |v|), texts as their rank by frequency.

        A value that was not seen is the last rank, a missing one the rank after it.

        Raises:
            UnsupportedError: ``threats.columns`` if a column is not there.
        """
        gone = [column.name for column in self.columns if column.name not in rows.columns]
        if gone:
            raise UnsupportedError("threats.columns", f"these flows have no column {gone[0][:40]!r}.")
        if not len(rows):
            return np.zeros((0, len(self.columns)))
        return np.column_stack([_read(rows[column.name], column) for column in self.columns])

    @property
    def texts(self) -> np.ndarray:
        """Return (d,) bool, columns of texts."""
        return np.array([bool(column.levels) for column in self.columns], dtype=bool)


def fit(rows: pd.DataFrame, leave: Sequence[str] = ()) -> Encoding:
    """Return the encoding of the flows that are learned from.

    Args:
        rows: (n, d) strings, numbers, dates and truth values, with missing cells.
        leave: Columns that are not to be used, for example those that need the payload read.

    Raises:
        UnsupportedError: ``threats.columns`` for no column that can be used, or more than 1,000.
    """
    found = [made for name in rows.columns if name not in leave and (made := _column(rows[name])) is not None]
    if not 1 <= len(found) <= _MOST_COLUMNS:
        raise UnsupportedError(
            "threats.columns", f"{len(found)} columns of these flows hold numbers or texts that repeat.",
            remedy=f"Give 1 to {_MOST_COLUMNS} such columns.",
        )  # fmt: skip
    return Encoding(tuple(found))


def _column(values: pd.Series) -> Column | None:
    """Return how a column is read; None: all is missing, or its texts hardly repeat (names, addresses)."""
    name, numbers = str(values.name), _numbers(values)
    if numbers is not None:
        known = numbers[np.isfinite(numbers)]
        return Column(name, (), float(known.min()) - 1.0) if len(known) else None
    counts = values.dropna().astype(str).value_counts()
    if not len(counts) or len(counts) > max(LEVELS, int(counts.sum()) // 2):
        return None
    order = sorted(counts.index, key=lambda text: (-int(counts[text]), text))
    return Column(name, tuple(order[:LEVELS]))


def _read(values: pd.Series, column: Column) -> np.ndarray:
    if not column.levels:
        numbers = _numbers(values)
        if numbers is None:
            told = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
            numbers = np.sign(told) * np.log1p(np.abs(told))
        return np.where(np.isfinite(numbers), numbers, column.gone)
    codes = pd.Index(column.levels).get_indexer(pd.Index(values.astype(str)))
    codes = np.where(codes < 0, len(column.levels), codes)
    return np.where(values.isna().to_numpy(), len(column.levels) + 1, codes).astype(np.float64)


def _numbers(values: pd.Series) -> np.ndarray | None:
    """Return (n,) logarithms of numbers, of days for dates; None for texts."""
    if pd.api.types.is_datetime64_any_dtype(values):
        days = values.astype("int64").to_numpy(dtype=np.float64) / 8.64e13
        told = np.where(values.isna().to_numpy(), np.nan, days)
    elif pd.api.types.is_numeric_dtype(values):
        told = np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    else:
        return None
    told = np.where(np.isfinite(told), told, np.nan)
    return np.asarray(np.sign(told) * np.log1p(np.abs(told)))
