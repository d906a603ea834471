"""One figure against its threshold, by one-sided bounds (rule 6 of the design)."""

from __future__ import annotations

import math
from typing import Literal

from fivefold.contract.outcome import Outcome


def judge(low: float | None, high: float | None, threshold: float, direction: Literal["min", "max"]) -> Outcome:
    """Pass if the bound on the bad side is clear of the threshold, fail if the other one is.

    Args:
        low: One-sided 95 % lower bound; None or NaN: unknown.
        high: One-sided 95 % upper bound; None or NaN: unknown.
        threshold: The floor.
        direction: ``min``: the figure should be at least the threshold; ``max``: at most.

    Returns:
        ``pass``, ``fail`` or ``inconclusive``. Touching the threshold is not clear of it.
    """
    below = low is not None and not math.isnan(low)
    above = high is not None and not math.isnan(high)
    is_over = below and low is not None and low > threshold
    is_under = above and high is not None and high < threshold
    if direction == "min":
        return Outcome.PASS if is_over else Outcome.FAIL if is_under else Outcome.INCONCLUSIVE
    return Outcome.PASS if is_under else Outcome.FAIL if is_over else Outcome.INCONCLUSIVE
