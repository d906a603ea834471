"""Told: what share of the variation of a model's answers another way of telling them gives, with bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fivefold.contract.finding import Measure
from fivefold.stats.judge import judge
from fivefold.stats.mean import skew_t

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Told:
    """A fidelity.

    Attributes:
        value: 1 less squared error over squared distance from the mean answer (R squared over all scores; of labels
            about Cohen's kappa). None: the answers do not vary.
        low: One-sided 95 % lower bound.
        high: One-sided 95 % upper bound.
        n: Rows.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int

    def measure(self, name: str, floor: float, note: str) -> Measure:
        """Return it as a figure that is held against the smallest value."""
        return Measure(
            name=name, value=self.value, low=self.low, high=self.high, threshold=floor, direction="min",
            outcome=judge(self.low, self.high, floor, "min"), unit="share", n=self.n, note=note,
        )  # fmt: skip


def told(answers: np.ndarray, said: np.ndarray) -> Told:
    """Return the share of the variation of answers that is told, over rows that nothing was learned from.

    The bounds are those of a ratio of two means, linearised (Hall 1992 for the skewed mean). Where no row is told
    wrongly, fewer than -log(0.05) / n of all rows are.

    Args:
        answers: (n, K) probabilities, indicators of the label, or (n, 1) values.
        said: (n, K) what is said of them.
    """
    inner = ((answers - said) ** 2).sum(axis=1)
    outer = ((answers - answers.mean(axis=0)) ** 2).sum(axis=1)
    return of(inner, outer, float((answers**2).sum(axis=1).mean()) if len(answers) else 0.0)


def of(inner: np.ndarray, outer: np.ndarray, size: float) -> Told:
    """Return 1 less the ratio of two means over rows that were drawn independently, with bounds.

    Args:
        inner: (n,) squared error of each.
        outer: (n,) squared distance from the mean.
        size: Mean squared answer; variation that is nothing beside it is none.
    """
    n = len(inner)
    scale = float(outer.mean()) if n else 0.0
    if scale <= 1e-18 * max(size, 1e-300):
        return Told(None, None, None, n)
    if float(inner.mean()) <= 1e-12 * scale:
        return Told(1.0, 1.0 + float(np.log(1 - _CONFIDENCE)) / n * float(outer.max()) / scale, 1.0, n)
    ratio = float(inner.mean()) / scale
    low, high = skew_t(1 - ratio - (inner - ratio * outer) / scale, _CONFIDENCE)
    return Told(1 - ratio, float(low), min(float(high), 1.0), n)
