"""Kinds: what a column is, as numbers and words that hold none of its values."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from fivefold.contract.plan import ColumnFact

Kind = Literal["number", "integer", "boolean", "string", "date", "empty"]

_DATE = r"^\d{4}-\d{2}-\d{2}"
_DATES = 0.99


def column_fact(name: str, column: pd.Series) -> ColumnFact:
    """Return kind, missing and distinct values of a column."""
    missing = int(column.isna().sum())
    return ColumnFact(name=name, kind=_kind(column, missing), missing=missing, distinct=_distinct(column))


def _distinct(column: pd.Series) -> int:
    return int(column.astype(str).nunique() if column.dtype.kind == "O" else column.nunique())


def _kind(column: pd.Series, missing: int) -> Kind:
    if missing == len(column):
        return "empty"
    if pd.api.types.is_bool_dtype(column) or pd.api.types.infer_dtype(column, skipna=True) == "boolean":
        return "boolean"
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    if pd.api.types.is_integer_dtype(column):
        return "integer"
    if pd.api.types.is_numeric_dtype(column):
        values = column.dropna().to_numpy(dtype=np.float64)
        return "integer" if bool(np.all(np.isfinite(values)) and np.all(values % 1 == 0)) else "number"
    texts = column.dropna().iloc[:10_000].astype("string")
    return "date" if float(texts.str.match(_DATE).mean()) >= _DATES else "string"
