"""Point: thresholds chosen on some rows, and what they cost on others.

A row is taken for what is looked for (a match) where its score is at least the threshold. Thresholds lie in the middle
between two scores that occur, so none stands on a score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaln, gammaln

from fivefold.stats import clustered
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Rate:
    """A share with one-sided 95 % bounds."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Stated:
    """What one threshold costs on rows that had no part in choosing it.

    Attributes:
        threshold: Score from which on a row is taken for a match.
        false_match: Share of impostors that match (FMR).
        false_non_match: Share of genuine rows that do not (FNMR).
    """

    threshold: float
    false_match: Rate
    false_non_match: Rate

    @property
    def equal_error(self) -> Rate:
        """Equal error rate: it lies between the two rates at any threshold (one falls where the other rises).

        So the larger of two upper bounds holds for it, and the smaller of two lower ones; each needs no correction,
        because the rate that is larger in truth exceeds its own bound in 5 % of cases at most.
        """
        one, two = self.false_match, self.false_non_match
        value = (one.value + two.value) / 2
        return Rate(value, min(one.low, two.low), max(one.high, two.high), one.n + two.n)


def cuts(genuine: np.ndarray, impostor: np.ndarray) -> np.ndarray:
    """Return the thresholds that differ, rising: below all scores, between any two, above all."""
    seen = np.unique(np.concatenate([genuine, impostor]))
    between = seen[:-1] / 2 + seen[1:] / 2
    return np.concatenate([[-np.inf], np.maximum(between, np.nextafter(seen[:-1], np.inf)), [np.inf]])


def curve(genuine: np.ndarray, impostor: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false-match and false-non-match rate, each (t,), at (t,) thresholds."""
    above = len(impostor) - np.searchsorted(np.sort(impostor), at, side="left")
    below = np.searchsorted(np.sort(genuine), at, side="left")
    return above / max(len(impostor), 1), below / max(len(genuine), 1)


def equal(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """Return the threshold at which both rates come nearest to each other; of several the middle one."""
    at = cuts(genuine, impostor)
    false, missed = curve(genuine, impostor, at)
    gap = np.abs(false - missed)
    best = np.flatnonzero(gap == gap.min())
    return float(at[best[(len(best) - 1) // 2]])


def promised(genuine: np.ndarray, impostor: np.ndarray, others: int, limit: float) -> float | None:
    """Return the lowest threshold that keeps a promise on ``others`` further impostors with probability 95 %.

    The promise: the exact upper bound of the false-match rate there lies below ``limit``. Let the threshold lie above
    the (k+1)-th largest of n impostors. How many of the others exceed it is at most negative hypergeometric,
    a beta-binomial with parameters k + 1 and n - k, whatever the scores' distribution. So k is the largest whose 95 %
    quantile still keeps the promise.

    Args:
        genuine: (m,) scores.
        impostor: (n,) scores.
        others: Impostors that the promise is for.
        limit: False-match rate, in (0, 1).

    Returns:
        The threshold; None if these rows are too few for any.
    """
    n = len(impostor)
    counts = np.arange(others + 1)
    allowed = int((clopper_pearson(counts, others)[1] < limit).sum()) - 1 if others else -1
    if allowed < 0 or n < 1:
        return None
    most = -1
    low, high = 0, min(n - 1, allowed * n // max(others, 1) + 1)
    while low <= high:
        middle = (low + high) // 2
        if _at_most(allowed, others, middle + 1, n - middle) >= 0.95:
            most, low = middle, middle + 1
        else:
            high = middle - 1
    if most < 0:
        return None
    at = cuts(genuine, impostor)
    above = n - np.searchsorted(np.sort(impostor), at, side="left")
    return float(at[np.flatnonzero(above <= most)[0]])


def _at_most(most: int, n: int, alpha: float, beta: float) -> float:
    """Return P(K <= most) of a beta-binomial."""
    k = np.arange(most + 1)
    log = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + betaln(k + alpha, n - k + beta) - betaln(alpha, beta)
    return float(np.exp(log).sum())


def rate(hits: np.ndarray, groups: Sequence[np.ndarray] = ()) -> Rate:
    """Return a share with exact bounds; rows of one group count for less.

    Args:
        hits: (n,) bool.
        groups: Codes, as :func:`fivefold.stats.clustered.effective`.
    """
    low, high = clustered.bounds(hits, groups)
    return Rate(float(hits.mean()) if len(hits) else 0.0, low, high, len(hits))
