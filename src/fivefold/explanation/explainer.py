"""Explainer: what turns questions about a model into credit for its inputs; ours, and the seam for another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from fivefold.explanation.asking import pure
from fivefold.stats import shapley

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.explanation.asking import Ask

KEY = "explainer"
"""Under this name in ``Context.uses`` an explainer other than ours may be handed in."""


Told = Callable[[float], None]
"""Called with the share that is done."""


@dataclass(frozen=True)
class Question:
    """What an explainer is told.

    Attributes:
        ask: The model.
        explained: n; cells 0 to n - 1 are those of the rows to explain, the others those of background rows.
        codes: (N, P) ranks of the cells in [0, 1].
        column: (n,) score that each row is explained in.
        pairs: How many pairs of permutations it may walk for each row.
        batch: Most rows in one question.
        scores: (N, K) answers to the rows as they are, where they are known.
        told: Called with the share that is done.
    """

    ask: Ask
    explained: int
    codes: np.ndarray
    column: np.ndarray
    pairs: int
    batch: int
    scores: np.ndarray | None = None
    told: Told = lambda _share: None

    def mixed(self, present: np.ndarray, who: np.ndarray, base: np.ndarray) -> np.ndarray:
        """Return (m,) scores of rows with the cells of explained rows where present, of background rows elsewhere."""
        answers = self.ask(np.where(present, who[:, None], self.explained + base[:, None]))
        return cast("np.ndarray", answers[np.arange(len(who)), self.column[who]])


class Explainer(Protocol):
    """Gives credit."""

    def __call__(self, question: Question, rng: np.random.Generator) -> np.ndarray:
        """Return (n, P): how much each player moves each row's answer, signed."""
        ...


def explain(question: Question, rng: np.random.Generator) -> shapley.Attributions:
    """Explain by antithetic permutations; see :func:`fivefold.stats.shapley.by_permutations`."""
    total, players = question.codes.shape
    n = question.explained
    scores = question.ask(pure(np.arange(total), players)) if question.scores is None else question.scores
    return shapley.by_permutations(
        question.mixed,
        scores[np.arange(n), question.column],
        scores[n:, question.column].T,
        players=players,
        pairs=question.pairs,
        rng=rng,
        told=question.told,
        batch=question.batch,
    )


def ours(question: Question, rng: np.random.Generator) -> np.ndarray:
    """Give credit by :func:`explain`; an :class:`Explainer`."""
    return explain(question, rng).value


def chosen(context: Context) -> tuple[Explainer, str]:
    """Return the explainer that is measured, and which one it is, in words."""
    given = context.uses.get(KEY)
    if given is not None:
        return cast("Explainer", given), "the explainer that was handed in"
    return ours, "this product's explainer"
