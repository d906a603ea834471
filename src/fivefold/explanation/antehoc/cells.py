"""Cells: what a readable model sees of a column: numbers, days, or texts, the same whichever file they came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from fivefold.stats import repeats
from fivefold.subject import labels

if TYPE_CHECKING:
    from collections.abc import Sequence

_DATED = 0.95
_LOOKED_AT = 1000


def kind_of(column: pd.Series, declared: str = "") -> Literal["number", "date", "text"]:
    """Return how a column is read: as declared, else by its type; texts that are ISO dates are dates."""
    if declared == "date" or pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    if declared in ("string", "boolean") or pd.api.types.is_bool_dtype(column):
        return "text"
    if pd.api.types.is_numeric_dtype(column) and not isinstance(column.dtype, pd.CategoricalDtype):
        return "number"
    if declared in ("number", "integer"):
        return "number"
    known = column.dropna().astype(str).iloc[:_LOOKED_AT]
    dated = known.str.match(r"\d{4}-\d{2}-\d{2}(?:[T ]|$)")
    return "date" if len(known) and float(dated.mean()) >= _DATED else "text"


def numbers(column: pd.Series, kind: str) -> np.ndarray:
    """Return (n,) float64: numbers, or days since 1970 in UTC; NaN where missing or neither."""
    if kind == "date":
        stamps = column
        if not pd.api.types.is_datetime64_any_dtype(column):
            stamps = pd.to_datetime(column.astype("str"), format="ISO8601", utc=True, errors="coerce")
        return repeats.numbers(stamps)
    plain = pd.api.types.is_numeric_dtype(column) and not isinstance(column.dtype, pd.CategoricalDtype)
    return repeats.numbers(column if plain else pd.to_numeric(column.astype("str"), errors="coerce"))


def texts(column: pd.Series) -> np.ndarray:
    """Return (n,) object array of texts, as labels are written; empty where missing."""
    found = labels.texts(column)
    return np.where(pd.isna(found), "", found)


def coded(given: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return (n,) int64 positions of texts among names; past the last for any other, and one more where missing."""
    places = labels.codes(given, names)
    return np.where(given == "", len(names) + 1, np.where(places < 0, len(names), places)).astype(np.int64)
