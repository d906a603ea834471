"""Overlap: how far two rankings of reasons agree, above what chance gives."""

from __future__ import annotations

import numpy as np

PERSISTENCE = 0.9
"""Weight of a rank beside the one before it (Webber, Moffat and Zobel 2010, who call it p)."""

_MOST = 10


def depth(players: int, ranks: int) -> int:
    """Return how many ranks count: at most a third of the players, so that chance stays small, and ten."""
    return max(1, min(ranks, players // 3, _MOST))


def above_chance(mine: np.ndarray, theirs: np.ndarray, players: int) -> np.ndarray:
    """Return (L,) rank-biased overlap of two rankings above chance: 1 the same, 0 as by chance.

    The overlap of the first d of both, as a share of d, is weighed by p^(d - 1) and summed up to the last rank that
    ``theirs`` has (Webber et al. 2010, Section 4). Of columns in random order the first d hold each of the d named ones
    with chance d / P, so that d times their share s of players in the game, d s / P, is what chance gives at depth d.
    Scaled as Cohen's kappa (1960): (overlap - chance) / (1 - chance).

    Args:
        mine: (L, k) int64 players in the order of their ranks, -1 after the last.
        theirs: (L, k) int64, as ``mine``; players from ``players`` on are none that ``mine`` could name.
        players: P.
    """
    there = theirs >= 0
    at = np.arange(1, theirs.shape[1] + 1)
    weight = np.where(there, PERSISTENCE ** (at - 1.0), 0.0)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    same = ((mine[:, :, None] == theirs[:, None, :]) & there[:, None, :]).cumsum(axis=1).cumsum(axis=2)
    found = (same[:, at - 1, at - 1] / at * weight).sum(axis=1)
    chance = ((there & (theirs < players)).cumsum(axis=1) / players * weight).sum(axis=1)
    return np.asarray((found - chance) / (1 - chance))


def ordered(credit: np.ndarray, ranks: int) -> np.ndarray:
    """Return (n, ranks) players by the size of their credit, the largest first; -1 for those without any.

    Args:
        credit: (n, P) signed.
        ranks: At most P.
    """
    size = np.abs(credit)
    first = np.argsort(-size, axis=1, kind="stable")[:, :ranks]
    told = np.take_along_axis(size, first, axis=1) > 1e-12 * np.maximum(size.max(axis=1, keepdims=True), 1e-300)
    return np.where(told, first, -1)


def mean_by(rows: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Return (n,) the mean of the values of each row; NaN for rows without one."""
    count = np.bincount(rows, minlength=n)
    total = np.bincount(rows, weights=values, minlength=n)
    return np.asarray(np.divide(total, count, out=np.full(n, np.nan), where=count > 0))
