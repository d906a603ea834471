"""Bounds and tests of a difference of two proportions, unpaired and paired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import ndtr

from fivefold.stats._arrays import Side, counts, normal_quantile, share
from fivefold.stats._score import invert, studentised
from fivefold.stats.proportion import wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Alternative = Literal["greater", "less"]


def newcombe(
    k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, confidence: float = 0.95, *, side: Side = "one"
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of p1 - p2 from two Wilson intervals (Newcombe 1998b, method 10).

    Args:
        k1: Successes of the first sample, any shape.
        n1: Trials of the first sample.
        k2: Successes of the second sample.
        n2: Trials of the second sample.
        confidence: In (0, 1).
        side: ``one``: each bound holds alone with ``confidence``; ``two``: both together.

    Returns:
        ``(low, high)`` in [-1, 1]; -1 and 1 where a sample is empty.

    Raises:
        InputError: ``stats.counts`` or ``stats.confidence``.
    """
    a, m, b, n = counts(k1, n1, k2, n2)
    p1, p2 = share(a, m), share(b, n)
    low1, high1 = wilson(a, m, confidence, side=side)
    low2, high2 = wilson(b, n, confidence, side=side)
    empty = (m == 0) | (n == 0)
    low = p1 - p2 - np.sqrt((p1 - low1) ** 2 + (high2 - p2) ** 2)
    high = p1 - p2 + np.sqrt((high1 - p1) ** 2 + (p2 - low2) ** 2)
    return np.where(empty, -1.0, np.maximum(low, -1.0)), np.where(empty, 1.0, np.minimum(high, 1.0))


def constrained(
    k1: np.ndarray, n1: np.ndarray, k2: np.ndarray, n2: np.ndarray, delta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Most likely (p1, p2) under p1 - p2 = delta, in closed form.

    The likelihood equation is a cubic in p2; its admissible root is written with cosines
    (Miettinen and Nurminen 1985, appendix I; Farrington and Manning 1990).

    Args:
        k1: Successes, float64, broadcastable.
        n1: Trials, above 0.
        k2: Successes of the second sample.
        n2: Trials, above 0.
        delta: Difference in [-1, 1].

    Returns:
        ``(p1, p2)`` in [0, 1].
    """
    total, hits = n1 + n2, k1 + k2
    l2 = (n1 + 2 * n2) * delta - total - hits
    l1 = (n2 * delta - total - 2 * k2) * delta + hits
    l0 = k2 * delta * (1 - delta)
    third = l2 / (3 * total)
    q = third**3 - l1 * l2 / (6 * total**2) + l0 / (2 * total)
    p = np.sign(q) * np.sqrt(np.maximum(third**2 - l1 / (3 * total), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(p == 0, 0.0, q / p**3)
    angle = (np.pi + np.arccos(np.clip(cosine, -1.0, 1.0))) / 3
    p2 = np.clip(2 * p * np.cos(angle) - third, np.maximum(0.0, -delta), np.minimum(1.0, 1.0 - delta))
    return np.clip(p2 + delta, 0.0, 1.0), p2


def score_z(k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, delta: ArrayLike = 0.0) -> np.ndarray:
    """Score statistic of p1 - p2 against ``delta`` (Miettinen and Nurminen 1985, equations 8 and 9).

    Args:
        k1: Successes of the first sample, any shape.
        n1: Trials of the first sample.
        k2: Successes of the second sample.
        n2: Trials of the second sample.
        delta: Hypothetical difference in [-1, 1], broadcast.

    Returns:
        z values; large: the difference exceeds ``delta``; 0 where a sample is empty.

    Raises:
        InputError: ``stats.counts``.
    """
    a, m, b, n = counts(k1, n1, k2, n2)
    empty = (m == 0) | (n == 0)
    safe1, safe2 = np.where(empty, 1.0, m), np.where(empty, 1.0, n)
    a, b = np.where(empty, 0.0, a), np.where(empty, 0.0, b)
    margin = np.asarray(delta, dtype=np.float64)
    p1, p2 = constrained(a, safe1, b, safe2, margin)
    total = safe1 + safe2
    variance = (p1 * (1 - p1) / safe1 + p2 * (1 - p2) / safe2) * total / (total - 1)
    return np.where(empty, 0.0, studentised(a / safe1 - b / safe2 - margin, variance))


def score_p(
    k1: ArrayLike,
    n1: ArrayLike,
    k2: ArrayLike,
    n2: ArrayLike,
    delta: ArrayLike = 0.0,
    *,
    alternative: Alternative = "greater",
) -> np.ndarray:
    """One-sided p-value of the Miettinen-Nurminen score test at a margin.

    Args:
        k1: Successes of the first sample, any shape.
        n1: Trials of the first sample.
        k2: Successes of the second sample.
        n2: Trials of the second sample.
        delta: The margin.
        alternative: ``greater``: H0 is p1 - p2 <= delta; ``less``: H0 is p1 - p2 >= delta.

    Returns:
        p-values in [0, 1]; small: the alternative holds. 0.5 where a sample is empty.

    Raises:
        InputError: ``stats.counts``.
    """
    z = score_z(k1, n1, k2, n2, delta)
    return np.asarray(ndtr(-z if alternative == "greater" else z))


def miettinen_nurminen(
    k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, confidence: float = 0.95, *, side: Side = "one"
) -> tuple[np.ndarray, np.ndarray]:
    """Score bounds of p1 - p2, all tables at once (Miettinen and Nurminen 1985).

    Args:
        k1: Successes of the first sample, any shape.
        n1: Trials of the first sample.
        k2: Successes of the second sample.
        n2: Trials of the second sample.
        confidence: In (0, 1).
        side: ``one``: each bound holds alone with ``confidence``; ``two``: both together.

    Returns:
        ``(low, high)`` in [-1, 1]; -1 and 1 where a sample is empty.

    Raises:
        InputError: ``stats.counts`` or ``stats.confidence``.
    """
    a, m, b, n = counts(k1, n1, k2, n2)
    z = normal_quantile(confidence, side)
    empty = (m == 0) | (n == 0)
    point = np.where(empty, 0.0, share(a, np.where(empty, 1.0, m)) - share(b, np.where(empty, 1.0, n)))
    minus, plus = np.full_like(point, -1.0), np.ones_like(point)
    low = invert(lambda delta: score_z(a, m, b, n, delta), z, minus, point)
    high = invert(lambda delta: score_z(a, m, b, n, delta), -z, point, plus)
    return np.where(empty, -1.0, low), np.where(empty, 1.0, high)
