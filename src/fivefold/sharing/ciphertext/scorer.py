"""Scorer: a model that can be asked in secret, and how rows become numbers.

A weighted sum, a layer of squares, or a few trees (:mod:`fivefold.sharing.ciphertext.trees`).

A column becomes a number in [-1, 1] (missing: 0, the middle; beyond its bounds: the bound) or a vector with at most a
single 1, as in :mod:`fivefold.sharing.privacy.training`, whose model files are scorers, too. So every row lies in a
known box, over which the worst case can be searched and bounded.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from fivefold.errors import InputError
from fivefold.sharing.ciphertext import trees as forest
from fivefold.sharing.privacy import chunks
from fivefold.sharing.privacy.training import Column, piece

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

MOST_BYTES = 1 << 20
MOST_NUMBERS, MOST_HIDDEN = 1024, 64
_LARGEST, _FURTHEST = 1e6, 1e18
Kind = Literal["linear", "logistic", "square", "trees", "logistic-trees"]
_TREES = ("trees", "logistic-trees")


class Scorer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model over an encoded row of d - 1 numbers.

    Attributes:
        kind: ``linear``, ``logistic`` (the answer is the probability of ``positive``), ``square``, ``trees``, or
            ``logistic-trees`` (the probability that goes with their sum).
        columns: How each column becomes numbers; the order counts.
        weights: (d,) the intercept first; of a square: (h + 1,), of the squares; of trees: (1,), what is added.
        hidden: Of a square: (h, d), the intercept first in each; else empty.
        trees: Of trees: their roots; else empty.
        target: What it answers for.
        positive: The class whose probability it gives.
        version: 1.
    """

    kind: Kind
    columns: dict[str, Column]
    weights: tuple[float, ...]
    hidden: tuple[tuple[float, ...], ...] = ()
    trees: tuple[forest.Node | float, ...] = ()
    target: str = ""
    positive: str | int | float | bool = ""
    version: int = 1

    @property
    def width(self) -> int:
        """Numbers of an encoded row."""
        return sum(width(column) for column in self.columns.values())

    @property
    def layers(self) -> np.ndarray:
        """(h, d) weights of the hidden layer; of a weighted sum (1, d), the weights themselves; of trees, of cells."""
        if self.trees:
            _, terms = self.terms
            rows = np.zeros((max(len(terms), 1), self.width + 1))
            for at, term in enumerate(terms):
                for cells in term.sums:
                    rows[at, 1 + np.array(cells)] = 1.0
                rows[at, 1 + np.array(term.cells)] = term.carried
            return rows
        return np.array(self.hidden or (self.weights,), dtype=np.float64)

    @property
    def terms(self) -> tuple[float, tuple[forest.Term, ...]]:
        """Of trees: what is added, and the terms that they are the sum of."""
        places, start = {}, 0
        for name, column in self.columns.items():
            places[name] = (start, column)
            start += width(column)
        constant, found = forest.terms(self.trees, places)
        return self.weights[0] + constant, found

    @property
    def products(self) -> bool:
        """Whether ciphertexts are multiplied with each other."""
        return bool(self.hidden) or any(term.sums for term in (self.terms[1] if self.trees else ()))


def width(column: Column) -> int:
    """Return how many numbers a column becomes."""
    return 1 if column.bounds else len(chunks.names(column.domain))


def read(raw: bytes, where: str = "") -> Scorer:
    """Check a scorer as it was written (docs/formats/scorer.md), or a model of ``model train --private``.

    Raises:
        InputError: ``ciphertext.scorer``, with the field.
    """
    try:
        told = json.loads(raw) if len(raw) <= MOST_BYTES else None
        if not isinstance(told, dict):
            raise _refused(f"it is no JSON object of at most {MOST_BYTES >> 20} MiB.", where)
        made = msgspec.convert(_of_private(told) if "loss" in told else told, Scorer, strict=True)
    except (ValueError, RecursionError) as error:
        raise _refused(f"{str(error)[:200]}.", where) from None
    return demand(made, where)


def demand(made: Scorer, where: str = "") -> Scorer:
    """Return a scorer that can be asked, as it is.

    Raises:
        InputError: ``ciphertext.scorer``, with the field.
    """
    fault = _fault(made)
    if fault:
        raise _refused(fault, where)
    return made


def _of_private(told: Mapping[str, Any]) -> dict[str, Any]:
    scale = 1 / math.sqrt(len(told["columns"]) + 1) if isinstance(told.get("columns"), dict) else 1.0
    weights = told.get("weights")
    kept = {name: told[name] for name in ("version", "kind", "columns", "target", "positive") if name in told}
    if not isinstance(weights, list) or not all(isinstance(one, int | float) for one in weights):
        raise ValueError("weights is no list of numbers")
    return {**kept, "weights": [float(one) * scale for one in weights]}


def _fault(made: Scorer) -> str:
    if made.version != 1:
        return f"version {made.version} is not known here."
    fault = column_fault(made.columns)
    if fault:
        return fault
    return _trees_fault(made) if made.kind in _TREES or made.trees else _layers_fault(made)


def _layers_fault(made: Scorer) -> str:
    if (made.kind == "square") != bool(made.hidden) or len(made.hidden) > MOST_HIDDEN:
        return f"hidden goes with kind square, 1 to {MOST_HIDDEN} rows."
    sizes = {len(row) for row in made.hidden} or {len(made.weights)}
    if sizes != {made.width + 1} or (made.hidden and len(made.weights) != len(made.hidden) + 1):
        return f"{made.width} numbers and an intercept need {made.width + 1} weights."
    layers = made.layers
    every = np.concatenate([layers.ravel(), np.array(made.weights)])
    if not np.isfinite(every).all() or np.abs(every).max() > _LARGEST:
        return f"weights are finite and at most {_LARGEST:g}."
    dead = not np.abs(layers[:, 1:]).max() > 0 or (made.hidden and not any(made.weights[1:]))
    return "every weight is 0: there is nothing to compute." if dead else ""


def _trees_fault(made: Scorer) -> str:
    if made.kind not in _TREES or made.hidden or len(made.weights) != 1:
        return "trees go with kind trees or logistic-trees, one weight (what is added) and no hidden layer."
    fault = forest.fault(made.trees, made.columns)
    if fault:
        return fault
    every = np.array([made.weights[0], *forest.leaves(made.trees)])
    if not np.isfinite(every).all() or np.abs(every).max() > _LARGEST:
        return f"values of leaves are finite and at most {_LARGEST:g}."
    _, terms = made.terms
    if not terms:
        return "every leaf is 0: there is nothing to compute."
    many = f"the trees make {len(terms)} products; at most {forest.MOST_TERMS} are computed."
    return many if len(terms) > forest.MOST_TERMS else ""


def column_fault(columns: Mapping[str, Column]) -> str:
    """Return what is wrong with how columns become numbers, in words; empty if nothing is."""
    for name, column in columns.items():
        if bool(column.bounds) + bool(column.values) + bool(column.edges) != 1:
            return f"columns.{name[:60]}: needs bounds, values or edges, one of them."
        if column.bounds and not -_FURTHEST < column.bounds[0] < column.bounds[1] < _FURTHEST:
            return f"columns.{name[:60]}: the smaller bound first."
    numbers = sum(width(column) for column in columns.values())
    return "" if 1 <= numbers <= MOST_NUMBERS else f"columns make {numbers} numbers; 1 to {MOST_NUMBERS} are taken."


def _refused(fault: str, where: str) -> InputError:
    return InputError("ciphertext.scorer", f"the scorer cannot be used: {fault}", where=where,
                      remedy="See the format of a scorer.")  # fmt: skip


def write(scorer: Scorer) -> bytes:
    """Return the JSON that :func:`read` takes."""
    return json.dumps(msgspec.to_builtins(scorer), ensure_ascii=False, allow_nan=False, indent=1).encode()


def encoded(columns: Mapping[str, Column], rows: pd.DataFrame) -> np.ndarray:
    """Return (n, d - 1) float64 in [-1, 1].

    Raises:
        InputError: ``ciphertext.columns`` for columns that the rows lack.
    """
    absent = [name for name in columns if name not in rows.columns]
    if absent:
        raise InputError(
            "ciphertext.columns", f"the rows have no column {absent[0]!r}.",
            remedy=f"Give all of: {', '.join(list(columns)[:20])}.",
        )  # fmt: skip
    pieces = [piece(rows[name], column) for name, column in columns.items()]
    return np.concatenate(pieces, axis=1).astype(np.float64) if len(rows) else np.zeros((0, 0))


def scores(scorer: Scorer, x: np.ndarray) -> np.ndarray:
    """Return (n,) what the scorer gives in the clear: the sum (of a logistic: the logit), or the sum of squares.

    Args:
        scorer: The model.
        x: (n, d - 1) encoded rows.
    """
    if scorer.trees:
        return forest.summed(*scorer.terms, x)
    sums = x @ scorer.layers[:, 1:].T + scorer.layers[:, 0]
    if not scorer.hidden:
        return np.asarray(sums[:, 0])
    return np.asarray(scorer.weights[0] + sums**2 @ np.array(scorer.weights[1:]))


def answers(kind: str, found: np.ndarray) -> np.ndarray:
    """Return (n,) what the owner of the rows is told: of a logistic the probability; the sigmoid is taken there."""
    return np.asarray(1 / (1 + np.exp(-np.clip(found, -700, 700)))) if kind.startswith("logistic") else found


def reach(scorer: Scorer) -> float:
    """Return a bound on every number that is computed on the way, over all rows of the box."""
    if scorer.trees:
        return abs(scorer.weights[0]) + forest.largest(scorer.trees)
    sums = np.abs(scorer.layers).sum(axis=1)
    if not scorer.hidden:
        return float(sums[0])
    outer = np.abs(np.array(scorer.weights))
    return float(max(outer[0] + (outer[1:] * sums**2).sum(), (np.sqrt(outer[1:]) * sums).max()))
