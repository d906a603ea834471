"""Encoding: rows of any kind as numbers for small models of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from fivefold.subject.rows import Rows

_MOST_LEVELS = 30
_MOST_SIZES = 1024


class Encoding:
    """Learnt from some rows, applied to others with the same columns.

    Numbers and dates are centred and scaled, missing ones become 0 and have a column that says so; texts are one column
    for each of their commonest values. Arrays are flattened and averaged over blocks where they are long.
    """

    def __init__(self, rows: Rows) -> None:
        """Learn it.

        Args:
            rows: (n, ...) a table or an array of numbers, n at least 1.

        Raises:
            ValueError: Rows that are texts.
        """
        self._levels: dict[str, list[str]] = {}
        if isinstance(rows, np.ndarray) and rows.dtype == object:
            raise ValueError("texts")
        numbers = self._numbers(rows)
        self._centre, self._scale = np.zeros(numbers.shape[1]), np.ones(numbers.shape[1])
        some = ~np.isnan(numbers).all(axis=0)
        self._centre[some] = np.nanmean(numbers[:, some], axis=0)
        spread = np.nanstd(numbers[:, some], axis=0)
        self._scale[some] = np.where(spread > 0, spread, 1.0)
        self._gaps = np.isnan(numbers).any(axis=0)
        if isinstance(rows, pd.DataFrame):
            for name in rows.columns[[not _numeric(rows[name]) for name in rows.columns]]:
                self._levels[name] = list(rows[name].astype(str).value_counts().index[:_MOST_LEVELS])

    def __call__(self, rows: Rows) -> np.ndarray:
        """Return (n, p) float64 without missing values."""
        numbers = self._numbers(rows)
        scaled = np.clip(np.nan_to_num((numbers - self._centre) / self._scale), -10, 10)
        parts = [scaled, np.isnan(numbers[:, self._gaps]).astype(np.float64)]
        for name, levels in self._levels.items():
            texts = pd.DataFrame(rows)[name].astype(str).to_numpy()
            parts.append((texts[:, None] == np.array(levels, dtype=object)).astype(np.float64))
        return np.concatenate(parts, axis=1)

    def _numbers(self, rows: Rows) -> np.ndarray:
        if isinstance(rows, np.ndarray):
            return _flat(rows)
        columns = [_number(rows[name]) for name in rows.columns if _numeric(rows[name])]
        return np.column_stack(columns) if columns else np.zeros((len(rows), 0))


def _numeric(column: pd.Series) -> bool:
    return column.dtype.kind in "biufM"


def _number(column: pd.Series) -> np.ndarray:
    if column.dtype.kind != "M":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    days: np.ndarray = column.dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.float64) / 86_400
    return np.where(column.isna().to_numpy(), np.nan, days)


def _flat(rows: np.ndarray) -> np.ndarray:
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    block = -(-flat.shape[1] // _MOST_SIZES)
    if block == 1:
        return flat
    starts = np.arange(0, flat.shape[1], block)
    return np.add.reduceat(flat, starts, axis=1) / np.diff(np.append(starts, flat.shape[1]))
