"""Quick: rows made of a request that is plainly right; whatever is not is left to who can say what is wrong with it."""

from __future__ import annotations

import sys
from operator import le
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.guard.block import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.manifest.nouns import Feature

    Make = Callable[[list[Any]], Any]

_NUMBERS = (int, float)
_FLOATS, _LISTS = frozenset({float}), frozenset({list})
_EXACT = 1 << 53
"""Integers up to this are the same number in float64."""


class Quick:
    """Makes what :class:`fivefold.guard.admission.Domain` would make, for tables of numbers and texts."""

    def __init__(self, example: pd.DataFrame, features: Mapping[str, Feature]) -> None:
        """Take an example row with its types, and the features as declared."""
        names = [str(name) for name in example.columns]
        made = {name: _maker(example[name].dtype, features.get(name)) for name in names if name in example.columns}
        known = {name: make for name, make in made.items() if make is not None}
        self._makers: dict[str, Make] | None = known if len(known) == len(example.columns) else None
        kinds = set(example.dtypes)
        even = len(kinds) == 1 and all(isinstance(kind, np.dtype) and kind.kind in "iuf" for kind in kinds)
        self._even = _Even(names, kinds.pop(), features) if even and self._makers is not None else None

    def __call__(self, given: Any, most: int) -> Block | pd.DataFrame | None:
        """Return 1 to ``most`` rows; None: it is not plainly right."""
        if self._makers is None or not isinstance(given, dict) or given.keys() != self._makers.keys():
            return None
        if self._even is not None:  # one array of all columns is made and looked at much faster than many
            return self._even(given, most)
        try:
            with np.errstate(all="ignore"):
                made = {name: make(given[name]) for name, make in self._makers.items()}
        except (ValueError, TypeError, OverflowError):
            return None
        counts = {len(column) for column in made.values()}
        if len(counts) != 1 or not 0 < counts.pop() <= most:
            return None
        return pd.DataFrame(made, copy=False)


class _Even:
    """Makes rows whose columns are all of one type of number; all cells are looked at together."""

    def __init__(self, names: list[str], dtype: Any, features: Mapping[str, Feature]) -> None:
        self._names, self._index, self._dtype = tuple(names), pd.Index(names), dtype
        spans = [_span(features.get(name)) for name in names]
        kind = dtype if dtype.kind == "f" else np.float64
        with np.errstate(over="ignore"):
            self._low, self._high = (np.array([span[at] for span in spans], dtype=kind) for at in (0, 1))
        self._types = frozenset(_NUMBERS if dtype.kind == "f" else (int,))
        self._kinds = "iuf" if dtype.kind == "f" else "iu"
        whole = [at for at, name in enumerate(names) if name in features and features[name].type == "integer"]
        self._whole = np.array(whole, dtype=np.int64) if whole and dtype.kind == "f" else None
        self._wholes, ends = tuple(whole), (sys.float_info.max, -sys.float_info.max)
        self._lows = tuple(max(float(span[0]), ends[1]) for span in spans)  # within these it is finite, too
        self._highs = tuple(min(float(span[1]), ends[0]) for span in spans)
        self._doubles = dtype == np.dtype(np.float64)

    def __call__(self, given: dict[str, Any], most: int) -> Block | None:
        columns = [given[name] for name in self._names]
        if self._doubles and most and _LISTS.issuperset(map(type, columns)) and len(columns[0]) == 1:
            return self._single(columns)
        n = len(columns[0])
        return self._many(columns, n) if 0 < n <= most else None

    def _many(self, columns: list[Any], n: int) -> Block | None:
        if any(len(column) != n for column in columns):
            return None
        cells = [column[0] for column in columns] if n == 1 else [cell for column in columns for cell in column]
        wide = np.array(cells) if self._types.issuperset(map(type, cells)) else None
        if wide is None or wide.dtype.kind not in self._kinds:  # an integer larger than any of numpy's
            return None
        with np.errstate(all="ignore"):
            found = wide.astype(self._dtype)
        if self._dtype.kind != "f" and not np.array_equal(found, wide):
            return None
        found = np.ascontiguousarray(found.reshape(len(columns), n).T)
        fits = ((found >= self._low) & (found <= self._high)).all() and np.isfinite(found).all()
        if self._whole is not None and fits:
            some = found[:, self._whole]
            fits = (some == np.round(some)).all()
        return Block(self._index, self._names, found) if fits else None

    def _single(self, columns: list[list[Any]]) -> Block | None:
        """Do the same for one row of float64: twenty numbers are looked at faster one by one than as an array."""
        try:
            cells = [cell for (cell,) in columns]
            if not _FLOATS.issuperset(map(type, cells)):
                if not self._types.issuperset(map(type, cells)) or max(map(abs, cells)) > _EXACT:
                    return self._many(columns, 1)
                cells = list(map(float, cells))
        except (ValueError, OverflowError):  # columns of different lengths, an integer beyond all floats
            return None
        fits = all(map(le, self._lows, cells)) and all(map(le, cells, self._highs))
        fits = fits and all(cells[at].is_integer() for at in self._wholes)
        return Block(self._index, self._names, np.array([cells])) if fits else None


def _span(feature: Feature | None) -> tuple[float, float]:
    return (-np.inf, np.inf) if feature is None or feature.range is None else feature.range


def _maker(dtype: Any, feature: Feature | None) -> Make | None:
    """Return what makes a column of values, or raises if one is not plainly right; None: the type is not for this."""
    if isinstance(dtype, np.dtype) and dtype.kind in "iuf":
        return _numbers(dtype, feature)
    if isinstance(dtype, pd.StringDtype):
        return lambda values: pd.array(_texts(values), dtype=dtype)
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return lambda values: pd.Series(_texts(values), dtype=object)
    return None


def _numbers(dtype: np.dtype[Any], feature: Feature | None) -> Make:
    low, high = _span(feature)
    whole = feature is not None and feature.type == "integer"
    kinds = _NUMBERS if dtype.kind == "f" else (int,)

    def made(values: list[Any]) -> np.ndarray:
        if not all(type(value) in kinds for value in values):
            raise TypeError
        wide = np.array(values)
        if wide.dtype.kind == "O":  # larger than any of its integers
            raise OverflowError
        found = wide.astype(dtype)
        if dtype.kind != "f" and not np.array_equal(found, wide):
            raise ValueError
        if not bool(((found >= low) & (found <= high) & np.isfinite(found)).all()):
            raise ValueError
        if whole and not bool((found == np.round(found)).all()):
            raise ValueError
        return found

    return made


def _texts(values: list[Any]) -> list[str]:
    if not all(type(value) is str for value in values):
        raise TypeError
    return values
