"""Encode: columns of any kind as numbers, by what was seen once; plain values, so that it can be written as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from fivefold.stats.repeats import numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

_VALUES = 12
_MOST = 400


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column.

    Attributes:
        name: Its name.
        texts: Texts that get a number each, most frequent first; empty: a column of numbers or dates.
        mean: Of numbers.
        scale: Of numbers, their standard deviation; 1 where there is none.
    """

    name: str
    texts: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0


def learned(features: pd.DataFrame, columns: Sequence[str]) -> tuple[Column, ...]:
    """Return how to encode columns; at most 400, and of texts the twelve most frequent values."""
    return tuple(_learned(features[name], str(name)) for name in columns[:_MOST])


def _is_number(column: pd.Series) -> bool:
    kind = column.dtype
    plain = pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_datetime64_any_dtype(kind)
    return bool(plain and not isinstance(kind, pd.CategoricalDtype))


def _learned(column: pd.Series, name: str) -> Column:
    if not _is_number(column):
        counts = column.astype(str).where(column.notna()).value_counts()
        return Column(name, texts=tuple(map(str, counts.index[:_VALUES])) or ("",))
    known = numbers(column)
    known = known[np.isfinite(known)]
    scale = float(known.std()) if len(known) else 1.0
    return Column(name, mean=float(known.mean()) if len(known) else 0.0, scale=scale if scale > 0 else 1.0)


def matrix(features: pd.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    """Return (n, w) float64: numbers centred and scaled, missing ones 0 and marked; texts one of twelve, or none."""
    parts: list[Any] = []
    for one in columns:
        column = features[one.name]
        if one.texts:
            text = column.astype(str).where(column.notna()).to_numpy(dtype=object)
            parts += [(text == value).astype(np.float64) for value in one.texts]
        else:
            given = numbers(column if _is_number(column) else pd.to_numeric(column, errors="coerce"))
            lacks = ~np.isfinite(given)
            parts.append(np.where(lacks, 0.0, np.clip((given - one.mean) / one.scale, -10, 10)))
            parts.append(lacks.astype(np.float64))
    return np.column_stack(parts) if parts else np.zeros((len(features), 0))
