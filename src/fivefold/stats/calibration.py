"""Calibration error with the bias of finite bins removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from fivefold.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def bins_of(scores: np.ndarray, bins: int) -> np.ndarray:
    """Return (n,) codes of bins with about equal numbers of rows; equal scores share a bin."""
    inner = np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1]) if len(scores) else np.empty(0)
    return np.searchsorted(np.unique(inner), scores, side="left")


def debiased_ece(scores: ArrayLike, hits: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error less what chance alone would give.

    In each bin the gap g between mean score and share of hits is normal around the true gap with variance
    s^2 = p(1-p)/m. The plug-in mean of |g| is too large; its excess E|g + s Z| - |g| is subtracted
    (Kumar, Liang and Ma 2019, section 4, applied to the absolute error).

    Args:
        scores: (n,) probabilities in [0, 1].
        hits: (n,) 0 or 1: whether the event happened.
        bins: Number of bins of equal mass, at least 1.

    Returns:
        An estimate in [0, 1]; 0 where chance explains all of the gap.

    Raises:
        InputError: ``stats.empty`` without rows, ``stats.shape`` if the lengths differ.
    """
    p, y = np.asarray(scores, dtype=np.float64), np.asarray(hits, dtype=np.float64)
    if p.shape != y.shape or p.ndim != 1:
        raise InputError("stats.shape", "scores and hits must be vectors of one length.")
    if len(p) == 0:
        raise InputError("stats.empty", "calibration needs at least one row.")
    code = bins_of(p, bins)
    size = np.bincount(code).astype(np.float64)
    kept = size > 0
    size = size[kept]
    score = np.bincount(code, p)[kept] / size
    rate = np.bincount(code, y)[kept] / size
    gap = np.abs(score - rate)
    # the variance under calibration where the bin is pure, else the observed one
    spread = np.sqrt(np.maximum(rate * (1 - rate), np.where(rate * (1 - rate) == 0, score * (1 - score), 0.0)) / size)
    excess = _folded_mean(gap, spread) - gap
    return float(max(0.0, (size * (gap - excess)).sum() / size.sum()))


def _folded_mean(mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Mean of |X| for X normal with these moments."""
    safe = np.where(spread > 0, spread, 1.0)
    value = safe * np.sqrt(2 / np.pi) * np.exp(-(mean**2) / (2 * safe**2)) + mean * (1 - 2 * ndtr(-mean / safe))
    return np.asarray(np.where(spread > 0, value, np.abs(mean)))
