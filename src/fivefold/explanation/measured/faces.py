"""Faces: whether a model's answers to perturbed rows, which explainers ask, tell its answers to real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy.special import ndtr, ndtri

from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from collections.abc import Callable

    from sklearn.ensemble import HistGradientBoostingRegressor

KINDS = ("cells swapped", "cells moved")
"""As explainers by swapped cells ask (Shapley values, SHAP), and as those by noise around a row do (LIME)."""

CONSTANT = 0.25
"""Below this share of the variation of the answers to real rows, those to perturbed rows are no face of their own."""

UNLEARNED = 0.6
"""Above this share untold nothing was learned that could be held against the answers to real rows."""

_LOW, _HIGH = 0.35, 0.65
_HELD = 0.2
_WEIGHED = 256


@dataclass(frozen=True)
class Face:
    """What answers to perturbed rows tell of those to real ones, in shares of the variation of the latter.

    Attributes:
        hidden: What they do not tell, less what they do not tell of other perturbed rows.
        low: Lower bound (97.5 %, as there are two kinds), where it is less also than what real rows do not tell of
            other real ones.
        high: Upper 95 % bound.
        varied: Variation of the answers to perturbed rows.
        untold: What they do not tell, nothing taken off.
        told: The learned face.
    """

    hidden: float
    low: float
    high: float
    varied: float
    untold: float
    told: HistGradientBoostingRegressor


def swapped(codes: np.ndarray, m: int, rng: np.random.Generator) -> np.ndarray:
    """Return (m, P) positions of cells: each row is put together of two, a third to two thirds of it from one.

    Args:
        codes: (n, P) ranks of cells, P at least 2.
        m: Rows.
        rng: Draws.
    """
    n, players = codes.shape
    first, other = rng.integers(n, size=(2, m, 1))
    mine = rng.random((m, players)) < rng.uniform(_LOW, _HIGH, size=(m, 1))
    order = np.argsort(rng.random((m, players)), axis=1)
    np.put_along_axis(mine, order[:, :1], values=True, axis=1)
    np.put_along_axis(mine, order[:, 1:2], values=False, axis=1)
    return np.asarray(np.where(mine, first, other))


def moved(codes: np.ndarray, m: int, rng: np.random.Generator) -> np.ndarray:
    """Return (m, P) positions of cells: each cell of a row is moved by noise of one standard deviation.

    Noise is added to the normal score of a cell's rank, and the cell that has the new rank is taken: only cells that
    occur are asked, texts by how frequent they are.
    """
    n, players = codes.shape
    order = np.argsort(codes, axis=0, kind="stable")
    score = ndtri(np.clip(codes[rng.integers(n, size=m)], 1e-6, 1 - 1e-6))
    rank = ndtr(score + rng.normal(size=(m, players)))
    return np.asarray(order[np.minimum((rank * n).astype(np.int64), n - 1), np.arange(players)])


PERTURB: dict[str, Callable[[np.ndarray, int, np.random.Generator], np.ndarray]] = {
    KINDS[0]: swapped,
    KINDS[1]: moved,
}


def learn(codes: np.ndarray, answers: np.ndarray) -> HistGradientBoostingRegressor:
    """Return boosted trees that tell answers from ranks; they do not depend on the order in which threads end."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor(
        max_iter=50, learning_rate=0.2, max_leaf_nodes=16, early_stopping=False, random_state=0
    )
    return cast("HistGradientBoostingRegressor", trees.fit(codes, answers))


def own_loss(codes: np.ndarray, answers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) squared error for real rows of what was learned of the other half of them."""
    half, lost = rng.permutation(len(codes)) < len(codes) // 2, np.empty(len(codes))
    for part in (half, ~half):
        lost[part] = (answers[part] - learn(codes[~part], answers[~part]).predict(codes[part])) ** 2
    return lost


def face(real: tuple[np.ndarray, np.ndarray], own: np.ndarray, perturbed: tuple[np.ndarray, np.ndarray]) -> Face:
    """Learn the answers to perturbed rows, and see what that tells of the answers to real ones.

    An honest model is one function: what is learned of it from rows all around holds for real rows about as well as for
    other rows around. A model with two faces is another one for real rows.

    Args:
        real: (n, P) ranks and (n,) answers, not all alike.
        own: See :func:`own_loss`.
        perturbed: (m, P) ranks and (m,) answers.
    """
    codes, answers = real
    around, said = perturbed
    kept = int(_HELD * len(around))
    told = learn(around[kept:], said[kept:])
    scale = float(answers.var())
    held = float(((said[:kept] - told.predict(around[:kept])) ** 2).mean()) / scale
    lost = (answers - told.predict(codes)) ** 2 / scale
    base = np.full(len(lost), held) if held >= own.mean() / scale else own / scale
    low, _ = skew_t(lost - base, 0.975)
    _, high = skew_t(lost - held)
    untold = float(lost.mean())
    return Face(untold - held, float(low), float(high), float(said.var()) / scale, untold, told)


def weights(told: HistGradientBoostingRegressor, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (P,) how much a learned face goes by each player: its mean squared change when cells are dealt anew."""
    codes = codes[rng.permutation(len(codes))[:_WEIGHED]]
    plain, made = told.predict(codes), np.zeros(codes.shape[1])
    for at in range(codes.shape[1]):
        dealt = codes.copy()
        dealt[:, at] = codes[rng.permutation(len(codes)), at]
        made[at] = ((told.predict(dealt) - plain) ** 2).mean()
    return made / max(float(made.sum()), 1e-300)
