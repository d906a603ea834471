"""Groups of rows: a protected column becomes codes; numbers are banded, rare values pooled, missing is a group."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_SHOWN = 10
"""Groups with fewer rows are never shown."""
MIN_CELL = 30
"""Fewest rows of an outcome in a group for the group's rate to be judged."""
MAIN_SHARE = 0.05
"""A group of at least this share of the rows may not be passed over in silence."""
MAX_GROUPS = 20
"""Most groups of one field that are compared; smaller ones beyond it are pooled."""
_NAMED_VALUES = 24
_CATEGORY_VALUES = 6
_BANDS = 3
_NAME_LENGTH = 40

OTHER = "other small groups"


@dataclass(frozen=True)
class Field:
    """One way to cut the rows into groups.

    Attributes:
        name: Column name, or two joined by `` and `` for an intersection.
        codes: (n,) int64 group of each row.
        labels: Group names, shown in texts; index = code.
        crossed: Whether this is an intersection of two columns.
        pooled: Code of the group that pools rare ones; -1: none.
        extra: Whether these are declared bands of a column that is cut in the usual way too.
    """

    name: str
    codes: np.ndarray
    labels: tuple[str, ...]
    crossed: bool = False
    pooled: int = -1
    extra: bool = False


def field(
    name: str, column: pd.Series, outcome: np.ndarray, *, edges: Sequence[float] = (), text: bool = False
) -> Field:
    """Cut the rows by one column.

    Args:
        name: Column name, used in labels.
        column: (n,) values of any kind; missing ones become the group ``missing``.
        outcome: (n,) small non-negative integers; a rare group whose cell of any outcome is small is pooled.
        edges: Declared band edges for a column of numbers; empty: three bands of about equal size.
        text: Treat numbers as categories.
    """
    measured = not text and _is_measured(column)
    codes, labels = _bands(name, column, edges) if measured else _categories(name, column)
    return _pool(name, codes, labels, outcome)


def cross(first: Field, second: Field) -> Field:
    """Cut the rows by both fields; combinations that do not occur get no group."""
    joint = first.codes * len(second.labels) + second.codes
    present, codes = np.unique(joint, return_inverse=True)
    labels = tuple(
        f"{first.labels[code // len(second.labels)]}, {second.labels[code % len(second.labels)]}"
        for code in present.tolist()
    )
    return Field(f"{first.name} and {second.name}", codes.ravel(), labels, crossed=True)


def declared_edges(bands: Sequence[str] | None) -> dict[str, tuple[float, ...]]:
    """Read the option ``bands``: texts such as ``age: 25, 60``.

    Raises:
        InputError: ``gaps.bands`` if a text is not a name, a colon and rising numbers.
    """
    result = {}
    for text in bands or ():
        name, _, numbers = str(text).rpartition(":")
        try:
            values = tuple(float(number) for number in numbers.split(","))
        except ValueError:
            values = ()
        if not name.strip() or not values or list(values) != sorted(set(values)):
            raise InputError(
                "gaps.bands",
                f"the band edges {str(text)!r} cannot be read.",
                remedy='Write a column, a colon and rising numbers, for example "age: 25, 60".',
            )
        result[name.strip()] = values
    return result


def _is_measured(column: pd.Series) -> bool:
    if pd.api.types.is_bool_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype):
        return False
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    return pd.api.types.is_numeric_dtype(column) and column.nunique() > _CATEGORY_VALUES


def _categories(name: str, column: pd.Series) -> tuple[np.ndarray, list[str]]:
    codes, values = pd.factorize(column, sort=False)
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    texts = [_text(value) for value in values]
    order = sorted(range(len(values)), key=lambda code: (-int(counts[code]), texts[code]))
    place = np.empty(len(values) + 1, dtype=np.int64)
    place[order] = np.arange(len(values))
    place[-1] = len(values)  # factorize marks missing values with -1
    if len(values) > _NAMED_VALUES:
        labels = [f"{name} group {rank + 1} by size" for rank in range(len(values))]
    else:
        labels = [f"{name}={texts[code]}" for code in order]
    if (codes < 0).any():
        labels.append(f"{name} missing")
    return place[codes], labels


def _text(value: object) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(value)[:_NAME_LENGTH]


def _bands(name: str, column: pd.Series, edges: Sequence[float]) -> tuple[np.ndarray, list[str]]:
    dates = pd.api.types.is_datetime64_any_dtype(column)
    if dates:
        column = (column - pd.Timestamp(0, tz=column.dt.tz)).dt.total_seconds()
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    missing = ~np.isfinite(values)
    cuts = np.asarray(edges, dtype=np.float64) if len(edges) else _cuts(values[~missing])
    codes = np.where(missing, len(cuts) + 1, np.searchsorted(cuts, values, side="right")).astype(np.int64)
    shown = [str(np.datetime64(int(cut), "s").astype("datetime64[M]")) if dates else f"{cut:g}" for cut in cuts]
    labels = [f"{name} below {shown[0]}"] if shown else [f"{name} any"]
    labels += [f"{name} {low} to below {high}" for low, high in pairwise(shown)]
    labels += [f"{name} {shown[-1]} or more"] if shown else []
    if missing.any():
        labels.append(f"{name} missing")
    return codes, labels


def _cuts(values: np.ndarray) -> np.ndarray:
    """Return edges of bands of about equal size, rounded where that keeps the sizes (no raw value is shown)."""
    exact = np.unique(np.quantile(values, np.arange(1, _BANDS) / _BANDS)) if len(values) else np.empty(0)
    exact = exact[exact > values.min()] if len(values) else exact
    if len(exact) == 0:
        return exact
    spread = np.quantile(values, 0.9) - np.quantile(values, 0.1)
    if spread <= 0:
        return np.asarray(exact)
    for digits in (0, 1, 2):
        step = 10.0 ** (np.floor(np.log10(spread)) - digits)
        rounded = np.unique(np.round(exact / step) * step)
        sizes = np.bincount(np.searchsorted(rounded, values, side="right"), minlength=len(rounded) + 1) / len(values)
        if len(rounded) == len(exact) and sizes.min() >= 0.25:
            return np.asarray(rounded)
    return np.asarray(exact)


def _pool(name: str, codes: np.ndarray, labels: list[str], outcome: np.ndarray) -> Field:
    """Pool rare groups, drop codes that do not occur, keep the order of the others."""
    kinds = int(outcome.max(initial=0)) + 1
    cells = np.bincount(codes * kinds + outcome, minlength=len(labels) * kinds).reshape(len(labels), kinds)
    rows = cells.sum(axis=1)
    rare = (rows < MIN_SHOWN) | ((cells.min(axis=1) < MIN_CELL) & (rows < MAIN_SHARE * len(codes)))
    rare[np.argsort(-rows, kind="stable")[MAX_GROUPS:]] = True
    rare &= rows > 0
    kept = np.flatnonzero((rows > 0) & ~rare)
    place = np.full(len(labels), len(kept), dtype=np.int64)
    place[kept] = np.arange(len(kept))
    names = [labels[code] for code in kept.tolist()]
    if not rare.any():
        return Field(name, place[codes], tuple(names))
    # a single rare value keeps its name where it may be shown: "other" would hide nothing and say less
    alone = rare.sum() == 1 and rows[rare][0] >= MIN_SHOWN
    names.append(labels[int(np.flatnonzero(rare)[0])] if alone else f"{name}: {OTHER}")
    return Field(name, place[codes], tuple(names), pooled=len(kept))
