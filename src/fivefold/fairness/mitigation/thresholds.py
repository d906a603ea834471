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
    score: np.ndarray, truth: np.ndarray, codes: np.ndarray, aim: Aim, strength: float = 1.0, cut: float = 0.5
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
    best, kept = np.inf, np.full(groups, cut)
    mine = counted(aim, truth)
    ordered = [np.sort(score[mine & (codes == group)]) for group in range(groups)]
    for common in _GRID:
        wanted = start + strength * (common - start)
        found = np.array([_threshold(ordered[group], float(wanted[group]), cut) for group in range(groups)])
        wrong = float(((score >= found[codes]) != truth).mean())
        if wrong < best:
            best, kept = wrong, found
    return kept


def _threshold(ordered: np.ndarray, rate: float, cut: float) -> float:
    if not len(ordered):
        return cut
    at = min(max(round((1 - rate) * len(ordered)), 0), len(ordered))
    if at == len(ordered):
        return float(np.nextafter(ordered[-1], np.inf))
    return float(ordered[at])
