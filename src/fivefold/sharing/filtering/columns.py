"""Columns: rows as numbers that trees and linear models take."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.sharing.filtering.embedded import embedded
from fivefold.stats.repeats import hashes, numbers

if TYPE_CHECKING:
    from fivefold.contract.subject import Table

_LEVELS = 12
_RARE = 0.01
_MOSTLY = 0.8


def encoded(table: Table) -> np.ndarray:
    """Return what the model sees as standardised numbers.

    Numbers and dates are centred on the median and divided by their spread, texts become indicators of their most
    common levels and a rank by frequency; what is missing is 0 and has an indicator of its own. Images, series,
    recordings and texts: see :func:`~fivefold.sharing.filtering.embedded.embedded`.

    Args:
        table: n rows.

    Returns:
        (n, w) float32, finite; constant columns left out, so w may be 0.
    """
    return embedded(table) if table.kind != "table" else owned(table)[0]


def owned(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of :func:`encoded` of a table, and (w,) the position of the column that each comes from."""
    parts: list[np.ndarray] = []
    owner: list[int] = []
    for position in range(table.features.shape[1]):
        column = table.features.iloc[:, position]
        values = _numeric(column)
        made = _of_texts(column) if values is None else _of_numbers(values)
        kept = [part.astype(np.float32) for part in made if len(part) and part.min() < part.max()]
        parts += kept
        owner += [position] * len(kept)
    fine = np.column_stack(parts) if parts else np.zeros((len(table), 0), dtype=np.float32)
    return fine, np.array(owner, dtype=np.int64)


def alike(table: Table) -> np.ndarray:
    """Return (n,) a number that rows share whose inputs are equal, whatever their targets."""
    return hashes(replace(table, target=np.zeros(len(table), dtype=np.int64)))


def _numeric(column: pd.Series) -> np.ndarray | None:
    """Return (n,) float64 of a column of numbers, truth values or dates; None for any other."""
    if pd.api.types.is_bool_dtype(column):
        return column.astype("float64").to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_numeric_dtype(column):
        return numbers(column)
    if pd.api.types.is_datetime64_any_dtype(column):
        return _days(column)
    text = column.astype("str").where(column.notna())
    there = max(int(text.notna().sum()), 1)
    values = pd.to_numeric(text, errors="coerce")
    if values.notna().sum() >= _MOSTLY * there:
        return numbers(values)
    looks = text.str.contains(r"\d{2,4}[-/.]\d{1,2}[-/.]\d{1,4}", na=False)
    if looks.sum() < _MOSTLY * there:
        return None
    return _days(pd.to_datetime(text, errors="coerce", format="mixed", utc=True))


def _days(times: pd.Series) -> np.ndarray:
    values = times.to_numpy(dtype="datetime64[s]").astype(np.float64)
    return np.where(times.isna().to_numpy(), np.nan, values / 86_400)


def _of_numbers(values: np.ndarray) -> list[np.ndarray]:
    known = np.isfinite(values)
    if not known.any():
        return []
    low, middle, high = np.quantile(values[known], [0.1, 0.5, 0.9])
    spread = float(high - low) or float(values[known].std()) or 1.0
    filled = np.where(known, np.clip((values - middle) / spread, -10.0, 10.0), 0.0)
    return [filled, (~known).astype(np.float64)]


def _of_texts(column: pd.Series) -> list[np.ndarray]:
    codes, _ = pd.factorize(column.astype("str").where(column.notna()), sort=True)
    if codes.max(initial=-1) < 0:
        return []
    counts = np.bincount(codes[codes >= 0])
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(counts))
    rank[order] = np.arange(len(counts)) / max(len(counts) - 1, 1)
    common = [code for code in order[:_LEVELS] if counts[code] >= _RARE * len(codes)]
    made = [(codes == code).astype(np.float64) for code in common]
    return [*made, np.append(rank, 0.0)[codes], (codes < 0).astype(np.float64)]
