"""Curves: what an answer becomes while a row's cells are taken out, or put in, in the order of its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.explanation.measured import ends
from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from fivefold.explanation.explainer import Question

_EACH_END = 5
_FEW = 11


@dataclass(frozen=True)
class Share:
    """How much of what one order moves another one moves.

    Attributes:
        value: Ratio of the mean gains over rows; None: the other order moves nothing that is told from chance.
        low: One-sided 95 % lower bound over rows.
        high: One-sided 95 % upper bound.
    """

    value: float | None
    low: float | None
    high: float | None


def sizes(players: int) -> np.ndarray:
    """Return how many players are in at each step: all numbers where there are few, denser at both ends else.

    With k there is always P - k, so that an order and its reverse gain the opposite, and random orders gain 0.
    """
    if players <= _FEW:
        return np.arange(1, players)
    near = np.round(np.geomspace(1, players // 2, _EACH_END)).astype(np.int64)
    return np.unique(np.concatenate([near, players - near]))


def order(given: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n, P) rank of each player by falling credit, 0 first; ties in random order."""
    ranked = np.lexsort((rng.random(given.shape), -given), axis=1)
    return np.argsort(ranked, axis=1)


def walk(question: Question, ranks: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Return (n, 2, K) mean answers with the first k players inserted, and with the first k deleted.

    What is deleted becomes the cells of one background row, and into that row is inserted; the mean is over ``base``.

    Args:
        question: Model and rows.
        ranks: (n, P) rank of each player, 0 first.
        base: (n, D) background rows.
    """
    cut = sizes(ranks.shape[1])[:, None]

    def present(rows: np.ndarray) -> np.ndarray:
        first = ranks[rows][:, None, :] < cut
        return np.concatenate([first, ~first], axis=1)

    who = np.repeat(np.arange(len(ranks)), base.shape[1])
    made = ends.asked(question, who, base.ravel(), present)
    return np.asarray(made.reshape(*base.shape, 2, len(cut)).mean(axis=1))


def gain(walked: np.ndarray) -> np.ndarray:
    """Return (n,) area under the insertion curve less that under the deletion curve; of random orders 0 on average.

    Of a sum of single parts it is the covariance of the parts with the order (Petsiuk et al. 2018; both areas in one).
    """
    return np.asarray((walked[:, 0] - walked[:, 1]).mean(axis=1))


def share(given: np.ndarray, best: np.ndarray) -> Share:
    """Compare (n,) gains row by row; bounds are those of a linearised ratio of means (Hall 1992)."""
    scale = float(best.mean())
    if scale <= 1e-12 * max(float(np.abs(best).max(initial=0.0)), 1e-300) or skew_t(best)[0] <= 0:
        return Share(None, None, None)
    ratio = float(given.mean()) / scale
    low, high = skew_t(ratio + (given - ratio * best) / scale)
    return Share(ratio, float(low), float(high))
