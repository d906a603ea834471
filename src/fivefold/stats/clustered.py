"""Bounds of one proportion where rows hang together: rows of one person, of one gallery image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Sequence


def effective(hits: np.ndarray, groups: Sequence[np.ndarray]) -> float:
    """Return how many independent rows these are worth (Korn and Graubard 1998).

    The variance of the share counts rows of the same group as alike, in one way of grouping or in two at once
    (Cameron, Gelbach and Miller 2011); its ratio to the binomial one, and the few degrees of freedom of few groups,
    shrink n. Where nothing or everything hit, no variance can be seen: then each group counts as one row.

    Args:
        hits: (n,) bool, n at least 1.
        groups: At most two arrays of (n,) integer codes; none: rows are independent.

    Returns:
        A number in [1, n].
    """
    n = len(hits)
    if not groups:
        return float(n)
    share = float(hits.mean())
    sizes = [len(np.unique(codes)) for codes in groups]
    fewest = min(sizes)
    if share in (0.0, 1.0) or fewest < 3:
        return float(max(fewest, 1))
    off = hits - share
    spread = sum(_spread(off, codes) for codes in groups)
    if len(groups) == 2:
        both = np.unique(np.stack(list(groups)), axis=1, return_inverse=True)[1].ravel()
        spread -= _spread(off, both)
    variance = max(spread, *(_spread(off, codes) for codes in groups)) / n**2 * fewest / (fewest - 1)
    plain = share * (1 - share)
    worth = plain / variance * (stdtrit(n - 1, 0.95) / stdtrit(fewest - 1, 0.95)) ** 2 if variance > 0 else float(n)
    return float(np.clip(worth, 1.0, n))


def _spread(off: np.ndarray, codes: np.ndarray) -> float:
    """Return the sum over groups of the squared sum of deviations."""
    dense = np.unique(codes, return_inverse=True)[1].ravel()
    return float((np.bincount(dense, weights=off) ** 2).sum())


def bounds(hits: np.ndarray, groups: Sequence[np.ndarray], confidence: float = 0.95) -> tuple[float, float]:
    """Return one-sided bounds of the share of hits: exact ones of as many rows as these are worth.

    Args:
        hits: (n,) bool; without rows the bounds are 0 and 1.
        groups: As :func:`effective`.
        confidence: Of each bound.
    """
    if not len(hits):
        return 0.0, 1.0
    worth = effective(hits, groups)
    low, high = clopper_pearson(float(hits.mean()) * worth, worth, confidence)
    return float(low), float(high)
