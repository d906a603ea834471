"""Steady: how much of the variation of answers is there again when the same is asked again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Steady:
    """The share of the variation of the answers that belongs to the rows, and not to the moment of asking.

    Attributes:
        value: 1 less half the mean squared difference of two answers over their variance (an intraclass correlation;
            for labels of two answers Fleiss' kappa but for small terms). None: the answers do not vary.
        low: One-sided 95 % lower bound.
        high: One-sided 95 % upper bound.
        noise: (K,) variance of one answer at the same row, per score.
        n: Rows asked twice.
    """

    value: float | None
    low: float | None
    high: float | None
    noise: np.ndarray
    n: int


def steady(first: np.ndarray, again: np.ndarray) -> Steady:
    """Compare two answers to the same rows (Shrout and Fleiss 1979, one-way intraclass correlation).

    Args:
        first: (N, K) scores.
        again: (N, K) scores of the same rows, asked anew.
    """
    noise = ((first - again) ** 2).mean(axis=0) / 2
    inner = ((first - again) ** 2).sum(axis=1) / 2
    outer = (((first - first.mean(axis=0)) ** 2).sum(axis=1) + ((again - again.mean(axis=0)) ** 2).sum(axis=1)) / 2
    scale = float(outer.mean())
    if scale <= 1e-18 * max(float((first**2).sum(axis=1).mean()), 1e-300):
        return Steady(None, None, None, noise, len(first))
    ratio = float(inner.mean()) / scale
    if not inner.any():
        return Steady(1.0, 1.0, 1.0, noise, len(first))
    # linearised ratio of two means: its bounds are those of the mean of these values
    low, high = skew_t(1 - ratio - (inner - ratio * outer) / scale)
    return Steady(1 - ratio, float(low), min(float(high), 1.0), noise, len(first))
