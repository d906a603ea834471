"""Stratified bootstrap with weights instead of copies of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import InputError
from fivefold.stats._arrays import Side, tail

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

_CELLS = 4_000_000  # weights held at once: 32 MB


def weights(strata: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw how often each row is taken when every stratum is resampled to its own size.

    Args:
        strata: (n,) integer codes.
        draws: Number of resamples.
        rng: Source of randomness.

    Returns:
        (draws, n) float64 counts; within a stratum each row of it sums to the stratum's size.
    """
    result = np.zeros((draws, len(strata)))
    for code in np.unique(strata):
        members = np.flatnonzero(strata == code)
        picks = rng.integers(0, len(members), size=(draws, len(members)))
        flat = picks + np.arange(draws)[:, None] * len(members)
        counted = np.bincount(flat.ravel(), minlength=draws * len(members))
        result[:, members] = counted.reshape(draws, len(members))
    return result


def stratified(
    strata: ArrayLike,
    statistic: Callable[[np.ndarray], np.ndarray],
    rng: np.random.Generator,
    draws: int = 2000,
    *,
    confidence: float = 0.95,
    side: Side = "one",
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bounds of any weighted statistic (Efron 1979; strata as in Davison and Hinkley 1997, 3.2).

    Args:
        strata: (n,) codes; resampling keeps each stratum's size.
        statistic: Maps (b, n) row weights to (b,) or (b, m) values; NaN is left out.
        rng: Source of randomness.
        draws: Number of resamples, at least 100.
        confidence: In (0, 1).
        side: ``one``: each bound holds alone with ``confidence``; ``two``: both together.

    Returns:
        ``(low, high)``, scalars as 0-d arrays or (m,); NaN where more than half of the draws gave none.

    Raises:
        InputError: ``stats.draws`` if ``draws`` is below 100; ``stats.empty`` without rows; ``stats.confidence``.
    """
    codes = np.unique(np.asarray(strata), return_inverse=True)[1].ravel()
    if draws < 100:
        raise InputError("stats.draws", f"{draws} draws are too few for a bound; use at least 100.")
    if len(codes) == 0:
        raise InputError("stats.empty", "the bootstrap needs at least one row.")
    block = max(1, _CELLS // len(codes))
    parts = [statistic(weights(codes, min(block, draws - at), rng)) for at in range(0, draws, block)]
    values = np.concatenate(parts)
    alpha = tail(confidence, side)
    known = np.isfinite(values).mean(axis=0) >= 0.5
    filled = np.where(known, values, 0.0)
    low, high = np.nanquantile(filled, [alpha, 1 - alpha], axis=0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)
