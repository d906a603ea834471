"""Columns as small codes: quantile bins, categories and missingness, with texts that give no raw value away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

CELL = 10  # fewest rows behind a category that is named
_UNIQUE = 0.5  # a text column with more distinct values per row than this identifies rows
_PARSED = 0.9  # share of texts that must read as numbers or dates for the column to be ordered


@dataclass(frozen=True)
class Column:
    """One column cut into cells.

    Attributes:
        name: Name of the column.
        codes: (n,) int64 cell of each row: ordered bins first, then categories, then missing.
        sets: (q, b) bool, the one-column sets that are searched: intervals of ordered bins, single categories, missing.
        texts: q texts, one a set.
    """

    name: str
    codes: np.ndarray
    sets: np.ndarray
    texts: tuple[str, ...]


def everything(n: int) -> Column:
    """Return the column with one cell; a pair with it is a slice over one column."""
    return Column("", np.zeros(n, dtype=np.int64), np.ones((1, 1), dtype=bool), ("",))


def encode(series: pd.Series, bins: int) -> Column | None:
    """Cut a column into at most about ``bins`` cells.

    Args:
        series: (n,) values of any dtype.
        bins: Most cells besides the one for missing values, at least 2.

    Returns:
        The cut column; None if all rows fall into one cell.
    """
    name, missing = str(series.name), series.isna().to_numpy()
    ordered, dates = _as_numbers(series, missing)
    if ordered is not None:
        return _ordered(name, ordered, bins, dates=dates)
    return _categories(name, series, missing, bins)


def _as_numbers(series: pd.Series, missing: np.ndarray) -> tuple[np.ndarray | None, bool]:
    """Return float64 values with NaN for missing, and whether they are dates (in days); None if not ordered."""
    if pd.api.types.is_bool_dtype(series.dtype):
        return None, False
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return _days(series), True
    if pd.api.types.is_numeric_dtype(series.dtype):
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isfinite(values), values, np.nan), False
    known = max(int((~missing).sum()), 1)
    numbers = pd.to_numeric(series.astype("string"), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isfinite(numbers).sum() >= _PARSED * known:
        return np.where(np.isfinite(numbers), numbers, np.nan), False
    texts = series.astype("string")
    if texts.str.match(r"^\d{4}-\d{2}-\d{2}").fillna(value=False).sum() >= _PARSED * known:
        return _days(pd.to_datetime(texts.str.slice(0, 10), errors="coerce", format="%Y-%m-%d")), True
    return None, False


def _days(series: pd.Series) -> np.ndarray:
    stamps = pd.to_datetime(series, utc=True)
    values = (stamps - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _ordered(name: str, values: np.ndarray, bins: int, *, dates: bool) -> Column | None:
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    if len(distinct) <= bins:
        uppers = distinct[:-1]
    else:
        uppers = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf"))
        uppers = uppers[uppers < distinct[-1]]
    width = len(uppers) + 1 if len(known) else 0
    codes = np.where(np.isnan(values), width, np.searchsorted(uppers, values, side="left"))
    gaps = width + int(len(known) < len(values))
    if gaps < 2:
        return None
    show = _month if dates else _two_digits
    cuts = [show(v) for v in uppers]
    first, last = np.triu_indices(width)
    proper = (last - first + 1 < width) | (gaps > width)
    first, last = first[proper], last[proper]
    cells = np.arange(gaps)
    sets = (cells >= first[:, None]) & (cells <= last[:, None])
    texts = [_interval(name, cuts, a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True)]
    if gaps > width:
        sets = np.vstack([sets, cells == width])
        texts.append(f"{name} is missing")
    return Column(name, codes.astype(np.int64), sets, tuple(texts))


def _categories(name: str, series: pd.Series, missing: np.ndarray, bins: int) -> Column | None:
    texts = series.astype("string").fillna("").to_numpy(dtype=object)
    labels, inverse, sizes = np.unique(texts[~missing].astype(str), return_inverse=True, return_counts=True)
    named: Sequence[int] = ()
    if len(labels) <= max(_UNIQUE * max(int((~missing).sum()), 1), 2):
        order = np.lexsort((labels, -sizes))
        named = [int(i) for i in order[: bins if len(labels) <= bins else bins - 1] if sizes[i] >= CELL]
    place = np.full(len(labels), len(named))
    place[list(named)] = np.arange(len(named))
    codes = np.full(len(series), -1)
    codes[~missing] = place[inverse]
    rest = bool((codes == len(named)).any())
    width = len(named) + int(rest)
    codes[missing] = width
    texts_of = [f"{name} = {labels[i][:40]}" for i in named]
    texts_of += [f"{name} has another value" if named else f"{name} is present"] if rest else []
    texts_of += [f"{name} is missing"] if missing.any() else []
    gaps = len(texts_of)
    if gaps < 2:
        return None
    return Column(name, codes.astype(np.int64), np.eye(gaps, dtype=bool), tuple(texts_of))


def _interval(name: str, cuts: list[str], first: int, last: int) -> str:
    if first == 0 and last == len(cuts):
        return f"{name} is present"
    if first == 0:
        return f"{name} up to {cuts[last]}"
    if last == len(cuts):
        return f"{name} above {cuts[first - 1]}"
    return f"{name} above {cuts[first - 1]} up to {cuts[last]}"


def _two_digits(value: float) -> str:
    rounded = float(f"{value:.1e}")
    return f"{rounded:.0f}" if 10 <= abs(rounded) < 1e7 or rounded == 0 else f"{rounded:g}"


def _month(days: float) -> str:
    return (pd.Timestamp(0, tz="UTC") + pd.Timedelta(days=days)).strftime("%Y-%m")
