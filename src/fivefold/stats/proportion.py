"""Bounds of one proportion.

``side="one"`` (the default) gives two one-sided bounds, each of which holds alone with ``confidence``; this is
what a judgement needs. ``side="two"`` gives the usual interval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv

from fivefold.stats._arrays import Side, counts, normal_quantile, tail

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def wilson(
    k: ArrayLike, n: ArrayLike, confidence: float = 0.95, *, side: Side = "one"
) -> tuple[np.ndarray, np.ndarray]:
    """Score bounds of a proportion (Wilson 1927; Newcombe 1998a, method 3).

    Args:
        k: Successes, any shape.
        n: Trials, broadcast against ``k``; where it is 0 the bounds are 0 and 1.
        confidence: In (0, 1).
        side: See the module.

    Returns:
        ``(low, high)``, shares in [0, 1], of the broadcast shape.

    Raises:
        InputError: ``stats.counts`` or ``stats.confidence``.
    """
    hits, total = counts(k, n)
    z = normal_quantile(confidence, side)
    safe = np.where(total > 0, total, 1.0)
    p = hits / safe
    centre = (p + z * z / (2 * safe)) / (1 + z * z / safe)
    half = z / (1 + z * z / safe) * np.sqrt(p * (1 - p) / safe + z * z / (4 * safe * safe))
    low = np.where((total > 0) & (hits > 0), np.maximum(centre - half, 0.0), 0.0)
    high = np.where((total > 0) & (hits < total), np.minimum(centre + half, 1.0), 1.0)
    return low, high


def clopper_pearson(
    k: ArrayLike, n: ArrayLike, confidence: float = 0.95, *, side: Side = "one"
) -> tuple[np.ndarray, np.ndarray]:
    """Exact bounds of a proportion: coverage is never below ``confidence`` (Clopper and Pearson 1934).

    Args:
        k: Successes, any shape.
        n: Trials, broadcast against ``k``; where it is 0 the bounds are 0 and 1.
        confidence: In (0, 1).
        side: See the module.

    Returns:
        ``(low, high)``, shares in [0, 1], of the broadcast shape.

    Raises:
        InputError: ``stats.counts`` or ``stats.confidence``.
    """
    hits, total = counts(k, n)
    alpha = tail(confidence, side)
    misses = total - hits
    low = np.where(hits > 0, betaincinv(np.maximum(hits, 1.0), misses + 1, alpha), 0.0)
    high = np.where(misses > 0, betaincinv(hits + 1, np.maximum(misses, 1.0), 1 - alpha), 1.0)
    return low, high
