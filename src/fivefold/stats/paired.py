"""Bounds and tests of two proportions that were measured on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc

from fivefold.stats._arrays import Side, counts, normal_quantile
from fivefold.stats._score import invert, studentised

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def tango(
    only1: ArrayLike, only2: ArrayLike, n: ArrayLike, confidence: float = 0.95, *, side: Side = "one"
) -> tuple[np.ndarray, np.ndarray]:
    """Score bounds of a paired difference p1 - p2 (Tango 1998, closed form of the constrained maximum).

    Args:
        only1: Rows where only the first succeeded, any shape.
        only2: Rows where only the second succeeded.
        n: All rows.
        confidence: In (0, 1).
        side: ``one``: each bound holds alone with ``confidence``; ``two``: both together.

    Returns:
        ``(low, high)`` in [-1, 1]; -1 and 1 where there are no rows.

    Raises:
        InputError: ``stats.counts`` or ``stats.confidence``.
    """
    b, total, c, _ = counts(only1, n, only2, n)
    counts(b + c, total)
    z = normal_quantile(confidence, side)
    empty = total == 0
    safe = np.where(empty, 1.0, total)

    def statistic(delta: np.ndarray) -> np.ndarray:
        linear = -b - c + (2 * safe - b + c) * delta
        constant = -c * delta * (1 - delta)
        q21 = (np.sqrt(np.maximum(linear**2 - 8 * safe * constant, 0.0)) - linear) / (4 * safe)
        return studentised(b - c - safe * delta, safe * (2 * q21 + delta * (1 - delta)))

    point = (b - c) / safe
    low = invert(statistic, z, np.full_like(point, -1.0), point)
    high = invert(statistic, -z, point, np.ones_like(point))
    return np.where(empty, -1.0, low), np.where(empty, 1.0, high)


def mcnemar_p(only1: ArrayLike, only2: ArrayLike) -> np.ndarray:
    """Exact one-sided p-value of H0: the first does not succeed more often than the second (McNemar 1947).

    Args:
        only1: Rows where only the first succeeded, any shape.
        only2: Rows where only the second succeeded.

    Returns:
        P(X >= only1) for X binomial with only1 + only2 trials and share 1/2; 1 where there are none.
    """
    b, c = np.broadcast_arrays(np.asarray(only1, dtype=np.float64), np.asarray(only2, dtype=np.float64))
    return np.where(b > 0, betainc(np.maximum(b, 1.0), c + 1, 0.5), 1.0)
