"""Quick: rows made of a request that is plainly right; whatever is not is left to who can say what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.manifest.nouns import Feature

    Make = Callable[[list[Any]], Any]

_NUMBERS = (int, float)


class Quick:
    """Makes what :class:`fivefold.guard.admission.Domain` would make, for tables of numbers and texts."""

    def __init__(self, example: pd.DataFrame, features: Mapping[str, Feature]) -> None:
        """Take an example row with its types, and the features as declared."""
        names = [str(name) for name in example.columns]
        made = {name: _maker(example[name].dtype, features.get(name)) for name in names if name in example.columns}
        known = {name: make for name, make in made.items() if make is not None}
        self._makers: dict[str, Make] | None = known if len(known) == len(example.columns) else None
        self._names = pd.Index(names)
        kinds = set(example.dtypes)
        self._even = len(kinds) == 1 and all(isinstance(kind, np.dtype) and kind.kind in "iuf" for kind in kinds)

    def __call__(self, given: Any, most: int) -> pd.DataFrame | None:
        """Return 1 to ``most`` rows; None: it is not plainly right."""
        if self._makers is None or not isinstance(given, dict) or given.keys() != self._makers.keys():
            return None
        try:
            with np.errstate(all="ignore"):
                made = {name: make(given[name]) for name, make in self._makers.items()}
        except (ValueError, TypeError, OverflowError):
            return None
        counts = {len(column) for column in made.values()}
        if len(counts) != 1 or not 0 < counts.pop() <= most:
            return None
        if self._even:  # one array of all columns is made a table much faster than many
            return pd.DataFrame(np.array(list(made.values())).T, columns=self._names, copy=False)
        return pd.DataFrame(made, copy=False)


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
    low, high = (-np.inf, np.inf) if feature is None or feature.range is None else feature.range
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
