"""Checked, broadcast counts: the one way that tables enter this room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import ndtri

from fivefold.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Side = Literal["one", "two"]


def counts(*values: ArrayLike) -> list[np.ndarray]:
    """Broadcast pairs ``k1, n1, k2, n2, ...`` to float64 arrays of one shape.

    Raises:
        InputError: ``stats.counts`` if a count is negative, not finite, or larger than its total.
    """
    arrays = [np.array(value, dtype=np.float64) for value in np.broadcast_arrays(*values)]
    for hits, total in zip(arrays[::2], arrays[1::2], strict=True):
        if not (np.isfinite(hits).all() and np.isfinite(total).all() and (hits >= 0).all() and (hits <= total).all()):
            raise InputError("stats.counts", "counts must satisfy 0 <= k <= n.", remedy="Check the table of counts.")
    return arrays


def tail(confidence: float, side: Side) -> float:
    """Return the probability left out at each end.

    Raises:
        InputError: ``stats.confidence`` if ``confidence`` is not strictly between 0 and 1.
    """
    if not 0.0 < confidence < 1.0:
        raise InputError("stats.confidence", f"confidence {confidence} is not between 0 and 1.")
    return (1.0 - confidence) / (1.0 if side == "one" else 2.0)


def normal_quantile(confidence: float, side: Side) -> float:
    """Return the standard normal quantile that belongs to :func:`tail`."""
    return float(-ndtri(tail(confidence, side)))


def share(hits: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Return hits / total, NaN where the total is 0."""
    return np.asarray(np.divide(hits, total, out=np.full(np.shape(hits), np.nan), where=total > 0))
