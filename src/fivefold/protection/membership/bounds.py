"""Bounds: AUC and true-positive rate at a small false-positive rate, the threshold's own uncertainty included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr

from fivefold.stats import auc as area
from fivefold.stats.proportion import clopper_pearson


@dataclass(frozen=True)
class Figure:
    """A point estimate with two one-sided 95 % bounds."""

    value: float
    low: float
    high: float
    n: int


def auc(members: np.ndarray, others: np.ndarray) -> Figure:
    """AUC with DeLong's bounds on the logit scale.

    Args:
        members: (m,) scores.
        others: (k,) scores.
    """
    if min(len(members), len(others)) < 2:
        return Figure(0.5, 0.0, 1.0, len(members) + len(others))
    value, error = area.delong(members, others)
    low, high = area.bound(value, error, len(members), len(others))
    return Figure(value, low, high, len(members) + len(others))


def within(members: np.ndarray, others: np.ndarray, strata: np.ndarray) -> Figure:
    """AUC of pairs from the same stratum, with DeLong's bounds; strata are weighted by their information.

    Args:
        members: (m,) scores.
        others: (k,) scores.
        strata: (m + k,) codes, members first.
    """
    ours, theirs = strata[: len(members)], strata[len(members) :]
    weight = total = variance = 0.0
    pairs = used = 0
    for code in np.unique(strata):
        inside, outside = members[ours == code], others[theirs == code]
        if min(len(inside), len(outside)) < max(5, 0.1 * (len(inside) + len(outside))):
            continue  # too one-sided to hold rows that really look alike
        value, error = area.delong(inside, outside)
        share = len(inside) * len(outside) / (len(inside) + len(outside))
        # a stratum in perfect order shows no error of its own; never trust one below that of order statistics
        error = max(error, 0.25 / min(len(inside), len(outside)))
        weight, total, variance = weight + share, total + share * value, variance + (share * error) ** 2
        pairs += min(len(inside), len(outside))
        used += len(inside) + len(outside)
    if pairs < 20:
        return Figure(0.5, 0.0, 1.0, used)
    value = total / weight
    low, high = area.bound(value, float(np.sqrt(variance)) / weight, pairs, pairs)
    return Figure(value, low, high, used)


def rate_at(members: np.ndarray, others: np.ndarray, share: float = 0.01, confidence: float = 0.95) -> Figure:
    """True-positive rate at false-positive rate ``share``, with bounds that hold for any distribution.

    The threshold that gives exactly ``share`` is unknown. With half of the error probability an order statistic of
    the non-members is surely on one side of it: the k-th largest lets through less than ``share`` with probability
    P(Bin(n, share) >= k), and more with P(Bin(n, share) <= k - 1) (David and Nagaraja 2003, section 7.1). The rate
    at such a threshold is bounded exactly (Clopper and Pearson 1934) with the other half. Together each bound
    holds with at least ``confidence``.

    Args:
        members: (m,) scores without ties.
        others: (n,) scores without ties.
        share: False-positive rate, in (0, 1).
        confidence: Of each one-sided bound.
    """
    m, n = len(members), len(others)
    if m == 0 or n == 0:
        return Figure(0.0, 0.0, 1.0, m + n)
    slip = (1.0 - confidence) / 2
    falling, rising = np.sort(others)[::-1], np.sort(members)

    def above(edge: float) -> int:
        return int(m - np.searchsorted(rising, edge, side="right"))

    steps = np.arange(1, n + 1)
    let_through = bdtr(steps - 1.0, n, share)
    loose = steps[1.0 - let_through <= slip]
    strict = steps[let_through <= slip]
    high = 1.0
    if len(loose):
        high = float(clopper_pearson(above(falling[loose[0] - 1]), m, 1.0 - slip)[1])
    low = 0.0
    if len(strict):
        low = float(clopper_pearson(above(falling[strict[-1] - 1]), m, 1.0 - slip)[0])
    edge = falling[min(int(np.floor(share * n)), n - 1)]
    return Figure(above(float(edge)) / m, low, high, m + n)


def curve(members: np.ndarray, others: np.ndarray, points: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Return false- and true-positive rates for log axes, both above 0, at most ``points`` each."""
    falling, rising = np.sort(others)[::-1], np.sort(members)
    steps = np.unique(np.geomspace(1, len(others), points).astype(int))
    false = steps / len(others)
    true = (len(members) - np.searchsorted(rising, falling[steps - 1], side="right")) / len(members)
    keep = true > 0
    return false[keep], true[keep]
