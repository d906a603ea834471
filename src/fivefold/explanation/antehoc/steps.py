"""Steps: columns cut into a few steps with short, printable edges, before anything is learned from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fivefold.errors import InputError
from fivefold.explanation.antehoc import cells
from fivefold.explanation.antehoc.form import Term, positions

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_FEWEST = 5
_LEAST_SHARE = 0.005
_DIGITS = 17


@dataclass(frozen=True)
class Lesson:
    """What is learned from.

    Attributes:
        features: (n, d) what the model may see.
        target: (n,) int64 codes of classes, or float64 values.
        task: What is learned.
        classes: Labels; of two the second is the favourable one. Empty for a regression.
        types: Column to its declared type.
        monotone: Column to 1 (the score may only rise with it) or -1.
    """

    features: pd.DataFrame
    target: np.ndarray
    task: Literal["binary", "multiclass", "regression"]
    classes: tuple[str, ...]
    types: Mapping[str, str]
    monotone: Mapping[str, int]

    def take(self, rows: np.ndarray) -> Lesson:
        """Return the rows at positions."""
        return replace(self, features=self.features.iloc[rows].reset_index(drop=True), target=self.target[rows])


def bare(given: Lesson, most: int) -> tuple[list[Term], np.ndarray]:
    """Return a term without values for each column that varies, and (n, terms) int64 steps of the cells.

    Args:
        given: Rows.
        most: Most cuts of a number, or named texts.

    Raises:
        InputError: ``antehoc.monotone`` for a declared column of texts; ``antehoc.columns`` if no column is left.
    """
    terms, codes = [], []
    for name in map(str, given.features.columns):
        column = given.features[name]
        kind = cells.kind_of(column, given.types.get(name, ""))
        if kind == "text" and name in given.monotone:
            raise InputError(
                "antehoc.monotone", f"features.{name}.monotone: {name} holds texts, which do not rise or fall.",
                remedy="Take `monotone` away, or store the column as numbers or dates.",
            )  # fmt: skip
        term = _names(name, column, most) if kind == "text" else _cuts(name, column, kind, most)
        if term is None:
            continue
        at = positions(term, column)
        if at.min() < at.max():
            terms.append(term)
            codes.append(at)
    if not terms:
        raise InputError("antehoc.columns", "no column varies in a way that a few steps could show.",
                         remedy="Bring columns of numbers, dates, or texts that repeat.")  # fmt: skip
    return terms, np.column_stack(codes)


def _empty(count: int) -> tuple[tuple[float, ...], ...]:
    return ((0.0,),) * count


def _names(name: str, column: pd.Series, most: int) -> Term | None:
    given = cells.texts(column)
    found, counts = np.unique(given[given != ""].astype(str), return_counts=True)
    often = counts >= max(_FEWEST, _LEAST_SHARE * len(column))
    order = np.argsort(-counts[often], kind="stable")[:most]
    kept = tuple(map(str, found[often][order]))
    return Term(column=name, kind="text", names=kept, adds=_empty(len(kept) + 1), missing=(0.0,)) if kept else None


def _cuts(name: str, column: pd.Series, kind: Literal["number", "date"], most: int) -> Term | None:
    given = cells.numbers(column, kind)
    known, counts = np.unique(given[np.isfinite(given)], return_counts=True)
    if not len(known):
        return None
    below = np.cumsum(counts)[:-1] / counts.sum()
    ends: Any = np.unique(np.searchsorted(below, np.arange(1, most + 1) / (most + 1))) if len(below) else []
    cuts = [short(known[at], known[at + 1], whole=kind == "date") for at in ends if at + 1 < len(known)]
    kept = tuple(sorted({cut for cut in cuts if cut is not None}))
    return Term(column=name, kind=kind, cuts=kept, adds=_empty(len(kept) + 1), missing=(0.0,))


def short(low: float, high: float, *, whole: bool = False) -> float | None:
    """Return the number with the fewest digits above ``low`` and at most ``high``; None: no whole one is.

    Args:
        low: Below it.
        high: Above ``low``.
        whole: Whole numbers alone.
    """
    middle = (low + high) / 2 if np.isfinite(low + high) else high
    start = -int(np.floor(np.log10(max(abs(low), abs(high), 1e-300))))
    for digits in range(start, start + _DIGITS):
        for near in (middle, high):
            found = round(float(near), digits)
            if low < found <= high and (not whole or found.is_integer()):
                return found + 0.0
    return None if whole else float(high)


def signs(features: Mapping[str, Mapping[str, object]] | None) -> dict[str, int]:
    """Return column to 1 (up) or -1 (down) for each ``monotone`` that the manifest declares."""
    known = {"up": 1, "down": -1}
    found = {str(name): known.get(str(one.get("monotone")), 0) for name, one in (features or {}).items()}
    return {name: sign for name, sign in found.items() if sign}


def types(features: Mapping[str, Mapping[str, object]] | None) -> dict[str, str]:
    """Return column to the type that the manifest declares."""
    return {str(name): str(one["type"]) for name, one in (features or {}).items() if one.get("type")}
