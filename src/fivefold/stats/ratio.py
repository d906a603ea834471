"""Bounds and tests of a ratio of two proportions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import ndtr

from fivefold.stats._arrays import Side, counts, normal_quantile
from fivefold.stats._score import invert, studentised

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_LOG_SPAN = 46.0  # ratios are searched between 1e-20 and 1e20


def constrained(
    k1: np.ndarray, n1: np.ndarray, k2: np.ndarray, n2: np.ndarray, phi: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Most likely (p1, p2) under p1 = phi * p2, in closed form (Miettinen and Nurminen 1985, equation 12).

    Args:
        k1: Successes, float64, broadcastable.
        n1: Trials, above 0.
        k2: Successes of the second sample.
        n2: Trials, above 0.
        phi: Ratio, above 0.

    Returns:
        ``(p1, p2)`` in [0, 1].
    """
    a = (n1 + n2) * phi
    b = n1 * phi + k1 + n2 + k2 * phi
    c = k1 + k2
    # 2c / (b + root) is the smaller root of a p2^2 - b p2 + c without cancellation
    p2 = np.minimum(2 * c / (b + np.sqrt(np.maximum(b * b - 4 * a * c, 0.0))), 1.0)
    return np.minimum(p2 * phi, 1.0), p2


def score_z(k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, phi: ArrayLike = 1.0) -> np.ndarray:
    """Score statistic of p1 / p2 against ``phi`` (Miettinen and Nurminen 1985, equations 10 to 12).

    Args:
        k1: Successes of the first sample, any shape.
        n1: Trials of the first sample.
        k2: Successes of the second sample.
        n2: Trials of the second sample.
        phi: Hypothetical ratio, above 0, broadcast.

    Returns:
        z values; large: the ratio exceeds ``phi``; 0 where a sample is empty.

    Raises:
        InputError: ``stats.counts``.
    """
    a, m, b, n = counts(k1, n1, k2, n2)
    empty = (m == 0) | (n == 0)
    safe1, safe2 = np.where(empty, 1.0, m), np.where(empty, 1.0, n)
    a, b = np.where(empty, 0.0, a), np.where(empty, 0.0, b)
    ratio = np.asarray(phi, dtype=np.float64)
    p1, p2 = constrained(a, safe1, b, safe2, ratio)
    total = safe1 + safe2
    # both sides divided by 1 + phi so that huge and tiny ratios stay in range
    scale = 1.0 + ratio
    variance = (p1 * (1 - p1) / safe1 / scale**2 + (ratio / scale) ** 2 * p2 * (1 - p2) / safe2) * total / (total - 1)
    return np.where(empty, 0.0, studentised((a / safe1 - ratio * b / safe2) / scale, variance))


def score_p(
    k1: ArrayLike,
    n1: ArrayLike,
    k2: ArrayLike,
    n2: ArrayLike,
    phi: ArrayLike = 1.0,
    *,
    alternative: Literal["greater", "less"] = "greater",
) -> np.ndarray:
    """One-sided p-value of the Miettinen-Nurminen score test of a ratio at a margin.

    Args:
        k1: Successes of the first sample, any shape.
        n1: Trials of the first sample.
        k2: Successes of the second sample.
        n2: Trials of the second sample.
        phi: The margin, above 0.
        alternative: ``greater``: H0 is p1 / p2 <= phi; ``less``: H0 is p1 / p2 >= phi.

    Returns:
        p-values in [0, 1]; small: the alternative holds. 0.5 where a sample is empty.

    Raises:
        InputError: ``stats.counts``.
    """
    z = score_z(k1, n1, k2, n2, phi)
    return np.asarray(ndtr(-z if alternative == "greater" else z))


def miettinen_nurminen(
    k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, confidence: float = 0.95, *, side: Side = "one"
) -> tuple[np.ndarray, np.ndarray]:
    """Score bounds of p1 / p2, all tables at once (Miettinen and Nurminen 1985).

    Args:
        k1: Successes of the first sample, any shape.
        n1: Trials of the first sample.
        k2: Successes of the second sample.
        n2: Trials of the second sample.
        confidence: In (0, 1).
        side: ``one``: each bound holds alone with ``confidence``; ``two``: both together.

    Returns:
        ``(low, high)``; low is 0 where ``k1`` is 0, high is infinite where ``k2`` is 0, both where a sample is empty.

    Raises:
        InputError: ``stats.counts`` or ``stats.confidence``.
    """
    a, m, b, n = counts(k1, n1, k2, n2)
    z = normal_quantile(confidence, side)
    span = np.full(a.shape, _LOG_SPAN)
    low = np.exp(invert(lambda log: score_z(a, m, b, n, np.exp(log)), z, -span, span))
    high = np.exp(invert(lambda log: score_z(a, m, b, n, np.exp(log)), -z, -span, span))
    empty = (m == 0) | (n == 0)
    return np.where(empty | (a == 0), 0.0, low), np.where(empty | (b == 0), np.inf, high)
