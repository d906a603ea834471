"""Steps: columns cut into a few steps with short, printable edges, before anything is learned from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from fivefold.errors import InputError
from fivefold.explanation.antehoc import cells
from fivefold.explanation.antehoc.form import Term, positions

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from fivefold.errors import FivefoldError

_FEWEST = 5
_LEAST_SHARE = 0.005
_DIGITS = 17
_PLACES = 3


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
        InputError: ``antehoc.monotone`` for a declared column of texts, and for directions with several classes;
            ``antehoc.columns`` if no column is left.
    """
    if given.task == "multiclass" and given.monotone:
        raise InputError("antehoc.monotone", "the score of which of several classes may only rise is not said.",
                         remedy="Take `monotone` away, or join the classes to two.")  # fmt: skip
    terms, codes = [], []
    for name in map(str, given.features.columns):
        column = given.features[name]
        kind = cells.kind_of(column, given.types.get(name, ""))
        if kind == "text" and name in given.monotone:
            raise without_order(name, InputError)
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


def without_order(name: str, kind: type[FivefoldError]) -> FivefoldError:
    """Return what to raise, an error of a kind, for a column of texts with a direction."""
    return kind("antehoc.monotone", f"features.{name}.monotone: {name} holds texts, which do not rise or fall.",
                remedy="Take `monotone` away, or store the column as numbers or dates.")  # fmt: skip


def places(given: Lesson) -> int:
    """Return to how many places values are told: three, or a thousandth of the spread of a quantity."""
    if given.task != "regression":
        return _PLACES
    spread = float(given.target.std())
    return _PLACES - int(np.floor(np.log10(spread))) if spread > 0 else _PLACES


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


def fewer(term: Term, shape: np.ndarray, codes: np.ndarray, most: int) -> Term:
    """Return a term with at most ``most`` cuts (or names), those that keep most of what its steps say.

    Cuts: the segments with the least squared error over the rows, by dynamic programming (Bellman 1961). Names: those
    that differ most from the mean of the others.

    Args:
        term: Without values.
        shape: (steps + 1, K) what its steps say, the missing cell last.
        codes: (n,) steps of the cells.
        most: At least 1.
    """
    size = len(term.adds)
    if size - 1 <= most:
        return term
    count = np.bincount(codes, minlength=size + 1)[:size].astype(np.float64)
    if term.kind == "text":
        away = np.abs(shape[:-2] - shape[-2]).max(axis=1) * np.sqrt(count[:-1])
        kept = sorted(np.argsort(-away, kind="stable")[:most])
        return msgspec.structs.replace(term, names=tuple(term.names[at] for at in kept), adds=_empty(len(kept) + 1))
    ends = _segments(shape[:size], count + 1e-9, most + 1)
    return msgspec.structs.replace(term, cuts=tuple(term.cuts[at - 1] for at in ends), adds=_empty(len(ends) + 1))


def _segments(values: np.ndarray, weight: np.ndarray, many: int) -> list[int]:
    """Return the first positions, but for 0, of the ``many`` runs of (m, K) values with the least squared error."""
    m = len(values)
    w = np.concatenate([[0.0], np.cumsum(weight)])
    s = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(weight[:, None] * values, axis=0)])
    q = np.concatenate([[0.0], np.cumsum(weight * (values**2).sum(axis=1))])
    size = np.maximum(w[None, :] - w[:, None], 1e-12)
    error = q[None, :] - q[:, None] - ((s[None] - s[:, None]) ** 2).sum(axis=-1) / size
    error = np.where(np.arange(m + 1)[:, None] < np.arange(m + 1), error, np.inf)
    best, back = error[0], np.zeros((many, m + 1), dtype=np.int64)
    for run in range(1, many):
        tried = best[:, None] + error
        back[run] = tried.argmin(axis=0)
        best = tried.min(axis=0)
    ends, at = [], m
    for run in range(many - 1, 0, -1):
        at = int(back[run][at])
        ends.append(at)
    return sorted(ends)


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
