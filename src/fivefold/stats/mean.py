"""Bounds of a mean whose distribution may be skewed, without resampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from fivefold.stats._arrays import Side, tail

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def skew_t(values: ArrayLike, confidence: float = 0.95, *, side: Side = "one") -> tuple[float, float]:
    """Bounds of a mean by Student's t after Hall's cubic transformation removes skewness (Hall 1992).

    Args:
        values: (n,) finite values.
        confidence: In (0, 1).
        side: ``one``: each bound holds alone with ``confidence``; ``two``: both together.

    Returns:
        ``(low, high)``; infinite with fewer than 3 values.

    Raises:
        InputError: ``stats.confidence``.
    """
    data = np.asarray(values, dtype=np.float64)
    n = len(data)
    quantile = float(stdtrit(max(n - 1, 1), 1 - tail(confidence, side)))
    if n < 3:
        return -np.inf, np.inf
    mean, spread = float(data.mean()), float(data.std(ddof=1))
    if spread == 0.0:
        return mean, mean
    gamma = float((((data - mean) / spread) ** 3).mean()) / np.sqrt(n)

    def inverse(y: float) -> float:
        # g(T) = T + gamma/3 T^2 + gamma^2/27 T^3 + gamma/6 = y, solved for T
        if abs(gamma) < 1e-9:
            return y
        return float(3 / gamma * (np.cbrt(1 + gamma * (y - gamma / 6)) - 1))

    scale = spread / np.sqrt(n)
    return mean - scale * inverse(quantile), mean - scale * inverse(-quantile)
