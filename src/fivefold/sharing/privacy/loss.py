"""Loss: how much privacy a release costs, in whole numbers, and what that is in epsilon and delta.

A release costs zero-concentrated loss rho and a probability delta of failure (Bun and Steinke 2016); both add up over
releases. What rho and delta mean together is said as (epsilon, delta).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from fivefold.errors import InputError

RHO = 10**9
"""Units of the ledger in one of rho."""
DELTA = 10**18
"""Units of the ledger in a delta of 1."""
_MOST_EPSILON = 100.0
_HALF = 2


class Loss(NamedTuple):
    """What a release costs.

    Attributes:
        rho: Zero-concentrated loss, in 10^-9.
        delta: Probability of failure, in 10^-18.
    """

    rho: int
    delta: int

    def epsilon(self, delta: float) -> float:
        """Return the epsilon that holds with a total failure probability of ``delta``; infinite if that is too small.

        Args:
            delta: In (0, 1), what thresholds and tables may already take of it included.
        """
        left = delta - self.delta / DELTA
        return epsilon_of(self.rho / RHO, left) if left > 0 else math.inf


def epsilon_of(rho: float, delta: float) -> float:
    """Return the smallest epsilon for which rho-zCDP gives (epsilon, delta); not less than the truth.

    Source: Canonne, Kamath and Steinke 2020, Proposition 12: delta = exp((a - 1)(a rho - epsilon)) / (a - 1) *
    (1 - 1/a)^a for every order a > 1; solved for epsilon and searched over a, where any a is valid.
    """
    if rho <= 0:
        return 0.0

    def at(excess: float) -> float:
        a = 1 + math.exp(excess)
        return a * rho + (math.log(1 / delta) - math.log(a - 1) + a * math.log1p(-1 / a)) / (a - 1)

    low, high = -20.0, 20.0 + max(0.0, -math.log(rho))
    for _ in range(200):
        one, two = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, two) if at(one) < at(two) else (one, high)
    return max(0.0, at((low + high) / 2))


def rho_for(epsilon: float, delta: float) -> int:
    """Return the largest rho, in 10^-9, that gives (epsilon, delta).

    Raises:
        InputError: ``privacy.budget`` for an epsilon or delta that is no budget.
    """
    if not (0 < epsilon <= _MOST_EPSILON and 0 < delta < 1):
        raise InputError(
            "privacy.budget",
            "this is no privacy budget.",
            remedy=f"Write an epsilon above 0 and at most {_MOST_EPSILON:g}, and a delta below 1, for example 1e-6.",
        )
    low, high = 0, round(2 * epsilon * RHO) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if epsilon_of(middle / RHO, delta) <= epsilon else (low, middle)
    return low


def budget_of(epsilon: float, delta: float) -> Loss:
    """Return a source's budget: half of delta is for thresholds and tables, half for turning rho into epsilon.

    Raises:
        InputError: ``privacy.budget``.
    """
    rho = rho_for(epsilon, delta / _HALF if delta < 1 else delta)
    return Loss(rho, math.floor(delta / _HALF * DELTA))
