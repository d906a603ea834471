"""Gaps: the ratio of favourable answers between two groups, over all decisions and since any of many starts.

The k-th decision about one group is paired with the k-th about the other. With X and Y whether each was favourable and
r the floor, the expectation of X - r Y is below 0 where the first group is selected at less than r times the rate of
the other; its running mean is bounded at every look (:mod:`fivefold.stats.running`). A gap that opens late is found by
running means that start anew every :data:`EVERY` pairs, each at a share of the error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fivefold.contract.outcome import Outcome
from fivefold.stats.running import bounds
from fivefold.stats.wealth import share

ALPHA = 0.05
EVERY = 200
FEWEST = 30
"""Pairs below which no start is tried."""
_MOST_RATIO, _STEPS = 4.0, 30


@dataclass(frozen=True)
class Gap:
    """One group against another.

    Attributes:
        worse: Label of the group that is held against the other.
        better: Label of the other.
        ratio: Share of favourable answers of the first over that of the other, all decisions; NaN: none was.
        low: Bound of the ratio over all pairs so far.
        high: The other bound.
        since: First pair of the running mean that tells the gap; -1: none does.
        n: Pairs.
        outcome: The judgement.
    """

    worse: str
    better: str
    ratio: float
    low: float
    high: float
    since: int
    n: int
    outcome: Outcome


def paired(granted: np.ndarray, codes: np.ndarray, one: int, other: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k-th decisions about two groups, k = 1 ... as many as both have."""
    x, y = granted[codes == one].astype(np.float64), granted[codes == other].astype(np.float64)
    n = min(len(x), len(y))
    return x[:n], y[:n]


def gap(pairs: tuple[np.ndarray, np.ndarray], labels: tuple[str, str], floor: float, family: int) -> Gap:
    """Judge one group against another.

    Args:
        pairs: (n,) whether each decision was favourable, of the group and of the other.
        labels: Their names.
        floor: Smallest ratio.
        family: How many comparisons are made: a gap is found with an error of 5 % over all of them.
    """
    x, y = pairs
    low, high = _ratio_bounds(x, y)
    since = _since(x - floor * y, floor, ALPHA / (2 * family))
    clear = bounds(x - floor * y, -floor, 1.0, ALPHA)[0] > 0
    outcome = Outcome.FAIL if since >= 0 else Outcome.PASS if clear else Outcome.INCONCLUSIVE
    ratio = float(x.mean() / y.mean()) if len(y) and y.any() else float("nan")
    return Gap(*labels, ratio, low, high, since, len(x), outcome)


def _since(values: np.ndarray, floor: float, alpha: float) -> int:
    """Return from which start on the running mean lies below 0 with its bound; -1: from none."""
    for number, start in enumerate(range(0, max(len(values) - FEWEST, 1), EVERY)):
        if bounds(values[start:], -floor, 1.0, alpha * share(number))[1] < 0:
            return start
    return -1


def _ratio_bounds(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the ratios between which the running mean of X - r Y is not clear of 0, by bisection."""

    def edge(side: int) -> float:
        low, high = 0.0, _MOST_RATIO
        for _ in range(_STEPS):
            middle = (low + high) / 2
            found = bounds(x - middle * y, -middle, 1.0, ALPHA)[side]
            low, high = (middle, high) if found > 0 else (low, middle)
        return low if side == 0 else high

    low, high = edge(0), edge(1)
    return low, float("inf") if high >= _MOST_RATIO - 1e-6 else high
