"""Correction of p-values for having looked more than once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def holm(p: ArrayLike) -> np.ndarray:
    """Adjusted p-values that keep the family-wise error (Holm 1979).

    Args:
        p: (m,) p-values in [0, 1].

    Returns:
        (m,) adjusted p-values in the order given, at most 1.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
