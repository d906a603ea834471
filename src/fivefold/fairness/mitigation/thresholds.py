"""Thresholds by group: each group's own, so that the aim is met with the fewest errors (Hardt, Price and Srebro 2016).

They ask for the group at decision time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.fairness.mitigation.aims import counted, rates

if TYPE_CHECKING:
    from fivefold.fairness.mitigation.aims import Aim

_GRID = np.linspace(0.01, 0.99, 99)


def by_group(
    score: np.ndarray,
    truth: np.ndarray,
    codes: np.ndarray,
    aim: Aim,
    *,
    strength: float = 1.0,
    cut: float = 0.5,
) -> np.ndarray:
    """Return (G,) thresholds; the favourable answer is given from there on.

    Args:
        score: (n,) score of the favourable class.
        truth: (n,) 0 or 1.
        codes: (n,) groups.
        aim: What is to be alike.
        strength: Share of the way from the common threshold to equal rates, 0 to 1.
        cut: The common threshold.
    """
    groups = int(codes.max(initial=0)) + 1
    start = np.nan_to_num(rates(score >= cut, codes, truth, aim), nan=0.0)
    mine = counted(aim, truth)
    wanted = start + strength * (_GRID[:, None] - start)
    found, wrong = np.full((len(_GRID), groups), cut), np.zeros(len(_GRID))
    for group in range(groups):
        some = codes == group
        found[:, group] = _thresholds(np.sort(score[some & mine]), wanted[:, group], cut)
        order = np.argsort(score[some])
        below = np.searchsorted(score[some][order], found[:, group], side="left")
        good = np.concatenate([[0], np.cumsum(truth[some][order])])
        # those below who deserve it, and those from there on who do not
        wrong += good[below] + (some.sum() - below) - (good[-1] - good[below])
    return np.asarray(found[int(np.argmin(wrong))])


def _thresholds(ordered: np.ndarray, rate: np.ndarray, cut: float) -> np.ndarray:
    """Return the thresholds from which on these shares of sorted scores lie."""
    if not len(ordered):
        return np.full(len(rate), cut)
    at = np.clip(np.round((1 - rate) * len(ordered)), 0, len(ordered)).astype(np.int64)
    edges = np.append(ordered, np.nextafter(ordered[-1], np.inf))
    return np.asarray(edges[at])
