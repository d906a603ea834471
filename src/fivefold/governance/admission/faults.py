"""Faults: requests made of an application's own rows, each with one fault, and how each must be refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from fivefold.manifest.nouns import Feature

    Given = dict[str, list[Any]]
    Kind = Callable[["Setting", Given, np.random.Generator], "Request | None"]

STRANGE = "a purpose that nobody declared"
_MANY = "a column that nobody knows"
_WIDE = ("float64", "int64")
"""Types that hold what lies outside a declared range."""


@dataclass(frozen=True)
class Setting:
    """What is declared.

    Attributes:
        frame: Rows of the application.
        features: Column to what is declared of it.
        lacking: Columns in which values may be missing.
        purposes: As declared.
    """

    frame: pd.DataFrame
    features: Mapping[str, Feature]
    lacking: frozenset[str]
    purposes: tuple[str, ...]

    def given(self, at: int) -> Given:
        """Return a row as a request."""
        row = self.frame.iloc[[at]]
        return {str(name): row[name].astype(object).where(row[name].notna(), None).tolist() for name in row}


@dataclass(frozen=True)
class Request:
    """A request with a fault, and the code and the field with which it must be refused."""

    given: Given
    code: str
    field: str = ""
    wanted: str = ""
    own: tuple[str, ...] | None = None
    role: str = "caller"


def purpose(setting: Setting, rng: np.random.Generator) -> Request:
    """Return a request whose purpose, or whose asker's role, is not as declared."""
    given = setting.given(int(rng.integers(len(setting.frame))))
    kind = int(rng.integers(4))
    if kind == 0:
        return Request(given, "guard.purpose", wanted=STRANGE, own=(*setting.purposes, STRANGE))
    if kind == 1:
        return Request(given, "guard.purpose", own=())
    if kind == 2:
        return Request(given, "guard.purpose", wanted=setting.purposes[0], own=(STRANGE,))
    return Request(given, "guard.role", wanted=setting.purposes[0], role=("operator", "reviewer")[int(rng.integers(2))])


def field(setting: Setting, rng: np.random.Generator) -> Request:
    """Return a request with one fault in its input, of a kind that can be here."""
    while True:
        given = setting.given(int(rng.integers(len(setting.frame))))
        found = _KINDS[int(rng.integers(len(_KINDS)))](setting, given, rng)
        if found is not None:
            return found


def _many(_setting: Setting, given: Given, _rng: np.random.Generator) -> Request | None:
    return Request(given | {_MANY: [1]}, "guard.fields", _MANY)


def _few(_setting: Setting, given: Given, rng: np.random.Generator) -> Request | None:
    name = _drawn(list(given), rng)
    return Request({one: value for one, value in given.items() if one != name}, "guard.fields", name)


def _typed(setting: Setting, given: Given, rng: np.random.Generator) -> Request | None:
    name = _drawn(list(given), rng)
    is_number = pd.api.types.is_numeric_dtype(setting.frame[name].dtype)
    return Request(given | {name: ["many"] if is_number else [7.5]}, "guard.type", name)


def _ranged(setting: Setting, given: Given, rng: np.random.Generator) -> Request | None:
    names = [
        name for name, feature in setting.features.items()
        if name in given and feature.range is not None and str(setting.frame[name].dtype) in _WIDE
    ]  # fmt: skip
    if not names:
        return None
    name = _drawn(names, rng)
    low, high = setting.features[name].range or (0.0, 0.0)
    away = 1.0 + abs(high - low)
    value = round(high + away if rng.random() < 0.5 else low - away)
    return Request(given | {name: [value]}, "guard.range", name)


def _missing(setting: Setting, given: Given, rng: np.random.Generator) -> Request | None:
    names = [name for name in given if name not in setting.lacking]
    if not names:
        return None
    name = _drawn(names, rng)
    return Request(given | {name: [None]}, "guard.missing", name)


def _drawn(names: list[str], rng: np.random.Generator) -> str:
    return names[int(rng.integers(len(names)))]


_KINDS: tuple[Kind, ...] = (_many, _few, _typed, _ranged, _missing)
