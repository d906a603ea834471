"""Deaf explainers, which look at the data and not at the model: the known-bad cases of both checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.explanation.explainer import ours

if TYPE_CHECKING:
    from fivefold.explanation.explainer import Explainer, Question


def deaf(question: Question, rng: np.random.Generator) -> np.ndarray:
    """Credit each cell with how unusual it is, times a fixed weight of its column; the model is never asked.

    Args:
        question: What an explainer is told.
        rng: Not used: such a reason looks as steady as a true one.
    """
    del rng
    codes, n = question.codes, question.explained
    players = codes.shape[1]
    # weights in an order that has nothing to do with the columns: multiples of the golden ratio
    weight = 0.25 + np.modf(0.618033988749895 * np.arange(1, players + 1))[0]
    return np.asarray((codes[:n] - codes[n:].mean(axis=0)) * weight)


def half_deaf(share: float) -> Explainer:
    """Return an explainer of which a share of the credit is deaf and the rest ours, row by row on one scale."""

    def explain(question: Question, rng: np.random.Generator) -> np.ndarray:
        true, made_up = ours(question, rng), deaf(question, rng)
        return share * _scaled(made_up) + (1 - share) * _scaled(true)

    return explain


def _scaled(credit: np.ndarray) -> np.ndarray:
    size = np.abs(credit).sum(axis=1, keepdims=True)
    return np.asarray(np.divide(credit, size, out=np.zeros_like(credit), where=size > 0))
