"""Levels: a hidden column as a few classes, and the value that stands for each when the model is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.stats.repeats import numbers

if TYPE_CHECKING:
    from collections.abc import Hashable

_MOST = 6
_PARTS = 3
_CELL = 10


@dataclass(frozen=True)
class Hidden:
    """One column that an attacker does not know.

    Attributes:
        name: Of the column.
        codes: (n,) int64 class of each row; -1: missing, or a value too rare to be guessed.
        samples: One value of the column's own type for each class.
    """

    name: str
    codes: np.ndarray
    samples: tuple[Hashable, ...]

    def asked(self, features: pd.DataFrame, level: int) -> pd.DataFrame:
        """Return the frame with one class's value in every row, types kept."""
        column = features[self.name]
        filled = pd.Series([self.samples[level]] * len(features), index=features.index)
        return features.assign(**{self.name: filled.astype(column.dtype)})


def hidden(column: pd.Series) -> Hidden | None:
    """Cut a column into classes: few values are classes each, many numbers or dates are cut into thirds.

    Args:
        column: (n,) values of any dtype.

    Returns:
        The classes; None if fewer than two have ten rows.
    """
    known = column[column.notna()]
    ordered = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
    if ordered and not pd.api.types.is_bool_dtype(column) and known.nunique() > _MOST:
        return _thirds(column)
    counts = known.value_counts()
    common = [(-int(rows), str(value), value) for value, rows in counts.items() if rows >= _CELL]
    named = [value for _, _, value in sorted(common, key=lambda one: one[:2])[:_MOST]]
    if len(named) < 2:
        return None
    codes = np.full(len(column), -1, dtype=np.int64)
    for at, value in enumerate(named):
        codes[(column == value).fillna(value=False).to_numpy(dtype=bool)] = at
    return Hidden(str(column.name), codes, tuple(named))


def _thirds(column: pd.Series) -> Hidden | None:
    values = numbers(column)
    finite = np.isfinite(values)
    if int(finite.sum()) < _PARTS * _CELL:
        return None
    edges = np.unique(np.quantile(values[finite], np.linspace(0, 1, _PARTS + 1)[1:-1], method="inverted_cdf"))
    codes = np.where(finite, np.searchsorted(edges, values, side="left"), -1).astype(np.int64)
    present = np.unique(codes[finite])
    if len(present) < 2:
        return None
    codes = np.where(finite, np.searchsorted(present, codes), -1)
    middles = []
    for code in range(len(present)):
        rows = np.flatnonzero(codes == code)
        # a value that occurs: the middle row of the third, so that types and steps are kept
        middles.append(column.iloc[int(rows[np.argsort(values[rows], kind="stable")[len(rows) // 2]])])
    return Hidden(str(column.name), codes, tuple(middles))
