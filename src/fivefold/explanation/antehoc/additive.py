"""Additive: a sum of step functions of one column each, learned by boosting trees that each split one column alone.

scikit-learn's histogram boosting learns it from columns that were cut before, so that what each step adds can be read
off exactly and is all that the model knows: once from fine cuts, to see where the score changes and which columns move
it most, and again from the few cuts that are printed. Source: Lou, Caruana and Gehrke 2012; Nori et al. 2019
(explainable boosting machine); monotone trees: Ke et al. 2017, scikit-learn's ``monotonic_cst``.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.explanation.antehoc.form import Model, Term, positions
from fivefold.explanation.antehoc.steps import bare, fewer, places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.explanation.antehoc.steps import Lesson

_ROUNDS = 200
_STOPPING = 1000
_FINER = 4
"""Columns are first cut into so many times as many steps as are printed, to see where the score changes."""


def learn(given: Lesson, terms: int, steps: int, rng: np.random.Generator) -> Model:
    """Learn an additive model.

    Args:
        given: Rows.
        terms: Most columns; those that move the score most.
        steps: Most cuts of a number, or named texts, of one column.
        rng: Seeds the boosting.

    Raises:
        InputError: As :func:`chosen`.
    """
    return written(given, *chosen(given, terms, steps, rng))


def chosen(
    given: Lesson, terms: int, steps: int, rng: np.random.Generator
) -> tuple[list[Term], np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return the terms that move the score most, (n, terms) steps of the cells, (K,) base, and (steps + 1, K) shapes.

    Raises:
        InputError: As :func:`fivefold.explanation.antehoc.steps.bare`.
    """
    laid, codes = bare(given, _FINER * steps)
    _, shapes = _fitted(given, laid, codes, rng)
    moved = [np.sqrt(((shape[codes[:, at]]) ** 2).mean()) for at, shape in enumerate(shapes)]
    kept = np.sort(np.argsort(-np.array(moved), kind="stable")[:terms])
    laid = [fewer(laid[at], shapes[at], codes[:, at], steps) for at in kept]
    codes = np.column_stack([positions(term, given.features[term.column]) for term in laid])
    base, shapes = _fitted(given, laid, codes, rng)
    return laid, codes, base, shapes


def written(
    given: Lesson, laid: Sequence[Term], codes: np.ndarray, base: np.ndarray, shapes: Sequence[np.ndarray]
) -> Model:
    """Return the model as it is printed: shapes centred and rounded, the steepest first, flat ones left out.

    Args:
        given: Rows.
        laid: Terms without values.
        codes: (n, terms) steps of the cells.
        base: (K,).
        shapes: For each term (steps + 1, K), the missing cell last.
    """
    base, shapes = _centred(laid, codes, base, shapes)
    digits = places(given)
    order = np.argsort([-float(np.abs(shape).max()) for shape in shapes], kind="stable")
    made = [term_of(laid[at], np.round(shapes[at], digits)) for at in order]
    return Model(
        form="additive", task=given.task, classes=given.classes, base=tuple(map(float, np.round(base, digits))),
        terms=tuple(term for term in made if any(any(one) for one in (*term.adds, term.missing))),
    )  # fmt: skip


def _fitted(
    given: Lesson, laid: Sequence[Term], codes: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return (K,) base and the (steps + 1, K) shapes of the terms, read off the boosted trees step by step."""
    sizes = [len(term.adds) for term in laid]
    inputs = codes.astype(np.float64)
    inputs[codes == np.array(sizes)] = np.nan
    model = _booster(given, laid, rng).fit(inputs, given.target)
    ask = model.predict if given.task == "regression" else model.decision_function
    rows = [np.zeros((1, len(laid)))]
    for at, size in enumerate(sizes):
        asked = np.zeros((size + 1, len(laid)))
        asked[:, at] = [*range(size), np.nan]
        rows.append(asked)
    told = np.asarray(ask(np.concatenate(rows))).reshape(sum(map(len, rows)), -1)
    ends = np.cumsum([1, *(size + 1 for size in sizes)])
    shapes = [told[start:end] - told[0] for start, end in pairwise(ends)]
    return _centred(laid, codes, told[0], shapes)


def _centred(
    laid: Sequence[Term], codes: np.ndarray, base: np.ndarray, shapes: Sequence[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return base and shapes whose mean over the rows is 0; a kind of cell that was never seen says nothing."""
    whole, made = base.copy(), []
    for at, (term, given) in enumerate(zip(laid, shapes, strict=True)):
        size = len(term.adds)
        count = np.bincount(codes[:, at], minlength=size + 1)
        mean = count @ given / count.sum()
        shape = given - mean
        if not count[size]:
            shape[size] = 0.0
        if term.kind == "text" and not count[size - 1]:
            shape[size - 1] = 0.0
        whole += mean
        made.append(shape)
    return whole, made


def _booster(given: Lesson, laid: Sequence[Term], rng: np.random.Generator) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    made = HistGradientBoostingRegressor if given.task == "regression" else HistGradientBoostingClassifier
    signs = [given.monotone.get(term.column, 0) for term in laid]
    return made(
        interaction_cst="no_interactions", max_iter=_ROUNDS, max_leaf_nodes=6, l2_regularization=1.0,
        monotonic_cst=signs if any(signs) else None, categorical_features=[term.kind == "text" for term in laid],
        min_samples_leaf=max(2, min(20, len(given.target) // 50)), early_stopping=len(given.target) >= _STOPPING,
        random_state=int(rng.integers(1 << 31)),
    )  # fmt: skip


def term_of(laid: Term, shape: np.ndarray) -> Term:
    """Return a term with values; neighbours that add the same are one step, texts that add what others do have none."""
    values = [tuple(map(float, row + 0.0)) for row in shape]
    *told, missing = values
    if laid.kind == "text":
        kept = [at for at, value in enumerate(told[:-1]) if value != told[-1]]
        return msgspec.structs.replace(
            laid, names=tuple(laid.names[at] for at in kept), adds=(*(told[at] for at in kept), told[-1]),
            missing=missing,
        )  # fmt: skip
    kept = [at for at in range(1, len(told)) if told[at] != told[at - 1]]
    return msgspec.structs.replace(
        laid, cuts=tuple(laid.cuts[at - 1] for at in kept), adds=(told[0], *(told[at] for at in kept)), missing=missing
    )  # fmt: skip
