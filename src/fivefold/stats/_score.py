"""Inverting score tests for many tables at once by bisection of fixed length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_STEPS = 45  # leaves 1e-13 of a difference, 3e-12 of a log ratio


def invert(
    statistic: Callable[[np.ndarray], np.ndarray], target: float, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Find where a statistic that falls with its argument crosses ``target``.

    Args:
        statistic: Maps parameters of shape (...) to z values of the same shape, non-increasing.
        target: The z value to cross.
        low: Left ends of the brackets.
        high: Right ends.

    Returns:
        The crossings; an end of the bracket where there is none inside.
    """
    left, right = low.copy(), high.copy()
    for _ in range(_STEPS):
        middle = (left + right) / 2
        above = statistic(middle) > target
        left = np.where(above, middle, left)
        right = np.where(above, right, middle)
    return np.asarray((left + right) / 2)


def studentised(distance: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return distance / sqrt(variance); 0 where the distance is 0, infinite where only the variance is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.asarray(distance / np.sqrt(np.maximum(variance, 0.0)))
    return np.asarray(np.where(np.abs(distance) < 1e-15, 0.0, z))
