"""Shrinkage: shares of many small groups, each drawn towards the mean of all as far as its size does not speak for it.

Shares are beta distributed between groups, hits binomial within. Mean and strength of the prior are estimated from the
groups themselves (parametric empirical Bayes: Morris 1983; beta-binomial: Lee and Sabavala 1987). Strengths are
averaged by their marginal likelihood, and the variance of the mean is added: not knowing the prior widens the bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, betaln

_STRENGTHS = np.geomspace(1.0, 1e5, 80)
"""Sizes of the prior in rows that are tried."""


@dataclass(frozen=True)
class Shrunk:
    """Shares of G groups.

    Attributes:
        value: (G,) shrunk shares.
        low: (G,) one-sided 95 % lower bound.
        high: (G,) upper bound.
        mean: Share towards which they are drawn.
        strength: Rows that the prior is worth, the geometric mean.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: float
    strength: float


def shrunk(hits: np.ndarray, rows: np.ndarray, confidence: float = 0.95) -> Shrunk:
    """Shrink (G,) shares ``hits / rows``; groups without rows get the mean."""
    k, n = hits.astype(np.float64), rows.astype(np.float64)
    mean = float((k.sum() + 0.5) / (n.sum() + 1.0))
    a, b = mean * _STRENGTHS[:, None], (1 - mean) * _STRENGTHS[:, None]
    likelihood = (betaln(a + k, b + n - k) - betaln(a, b)).sum(axis=1)
    weight = np.exp(likelihood - likelihood.max())
    weight /= weight.sum()
    total = _STRENGTHS[:, None] + n
    each = (a + k) / total
    # the mean itself is known from all rows alone: its variance counts by how far each group leans on it
    known = each * (1 - each) / (total + 1) + (_STRENGTHS[:, None] / total) ** 2 * mean * (1 - mean) / max(n.sum(), 1.0)
    value = weight @ each
    variance = weight @ (known + each**2) - value**2
    size = np.maximum(value * (1 - value) / np.maximum(variance, 1e-12) - 1, 1e-3)
    tail = 1 - confidence
    low, high = betaincinv(value * size, (1 - value) * size, np.array([[tail], [1 - tail]]))
    return Shrunk(value, low, high, mean, float(np.exp(weight @ np.log(_STRENGTHS))))
