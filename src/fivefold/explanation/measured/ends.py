"""Ends: credit by putting one cell alone into another row and by taking it alone out of its own; no walk between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.explanation.asking import pure

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.explanation.explainer import Question


_CELLS = 10_000_000
"""Most cells of rows put together at once."""


def cost(players: int, draws: int) -> int:
    """Return how many rows one explanation asks, rows as they are apart."""
    return 2 * players * draws


def drawn(question: Question, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n, D) background rows of each explained row, none twice for the same row, D at most their number."""
    background = len(question.codes) - question.explained
    order = np.argsort(rng.random((question.explained, background)), axis=1)
    return np.asarray(order[:, :draws])


def credit(question: Question, base: np.ndarray) -> np.ndarray:
    """Return (n, D, P) what each player adds, the mean of its turn as the first and as the last.

    That is the Shapley value of every function whose interactions are between two players at most: of a sum all turns
    are alike, and of a product each of two players is first in half of all orders and last in the other half.

    Args:
        question: Model and rows; answers to rows as they are, where they are not known, are asked.
        base: (n, D) background rows to put cells into and to take cells from.
    """
    n, (total, players) = question.explained, question.codes.shape
    scores = question.ask(pure(np.arange(total), players)) if question.scores is None else question.scores
    alone = np.eye(players, dtype=bool)
    who, where = np.repeat(np.arange(n), base.shape[1]), base.ravel()
    made = asked(question, who, where, lambda rows: np.tile(np.concatenate([alone, ~alone]), (len(rows), 1, 1)))
    whole, empty = scores[who, question.column[who]], scores[n + where, question.column[who]]
    first, last = made[:, :players] - empty[:, None], whole[:, None] - made[:, players:]
    return np.asarray((first + last) / 2).reshape(n, base.shape[1], players)


def asked(
    question: Question, who: np.ndarray, base: np.ndarray, present: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return (u, S) answers to S mixtures of each pair of an explained and a background row, asked in batches.

    Args:
        question: Model and rows.
        who: (u,) explained rows.
        base: (u,) background rows.
        present: Maps explained rows (v,) to (v, S, P) bool, whose cells stay.
    """
    sets = present(who[:1]).shape[1]
    step = max(1, min(question.batch, _CELLS // question.codes.shape[1]) // sets)
    parts = []
    for start in range(0, len(who), step):
        some = who[start : start + step]
        mixed = question.mixed(
            present(some).reshape(-1, question.codes.shape[1]),
            np.repeat(some, sets),
            np.repeat(base[start : start + step], sets),
        )
        parts.append(mixed.reshape(len(some), sets))
    return np.concatenate(parts)
