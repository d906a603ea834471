"""Wanted: which answers count as the one that a row should have got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True)
class Wanted:
    """What each of n rows should be answered.

    Attributes:
        classes: (n, K) bool, classes that count; K = 0 for a regression.
        low: (n,) least value that counts; of a regression only.
        high: (n,) largest.
    """

    classes: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __len__(self) -> int:
        return len(self.low)

    def met(self, rows: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Return bool in the shape that ``rows`` and ``answers`` (labels or values) broadcast to."""
        if self.classes.shape[1]:
            return np.asarray(self.classes[rows, answers.astype(np.int64)])
        return np.asarray((answers >= self.low[rows]) & (answers <= self.high[rows]))

    def lead(self, rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return (m,) by how much (m, K) scores lead towards a wanted answer, below 0: short of it; NaN: no scores."""
        if not scores.shape[1]:
            return np.full(len(rows), np.nan)
        if not self.classes.shape[1]:
            return np.asarray(np.minimum(scores[:, 0] - self.low[rows], self.high[rows] - scores[:, 0]))
        counts = self.classes[rows]
        return np.asarray(np.where(counts, scores, -np.inf).max(axis=1) - np.where(counts, -np.inf, scores).max(axis=1))

    def take(self, rows: np.ndarray) -> Wanted:
        """Return what is wanted for some of the rows."""
        return Wanted(self.classes[rows], self.low[rows], self.high[rows])


def of_classes(own: np.ndarray, count: int, favourable: Collection[int] | None) -> Wanted:
    """Return that each row gets a favourable class, or any but its own.

    Args:
        own: (n,) class that each row got.
        count: K.
        favourable: Classes that count for all rows; None: all but the own one.
    """
    classes = np.ones((len(own), count), dtype=bool)
    if favourable is None:
        classes[np.arange(len(own)), own.astype(np.int64)] = False
    else:
        classes[:] = np.isin(np.arange(count), list(favourable))
    return Wanted(classes, np.zeros(len(own)), np.zeros(len(own)))


def of_values(own: np.ndarray, low: float | None, high: float | None, middle: float) -> Wanted:
    """Return that each value comes to lie between bounds, or, with none, on the other side of the middle.

    Args:
        own: (n,) values that the rows got.
        low: Least value that counts; None: no bound.
        high: Largest.
        middle: For example the median of all answers.
    """
    none = np.empty((len(own), 0), dtype=bool)
    if low is None and high is None:
        return Wanted(none, np.where(own < middle, middle, -np.inf), np.where(own > middle, middle, np.inf))
    bounds = (-np.inf if low is None else low, np.inf if high is None else high)
    return Wanted(none, np.full(len(own), bounds[0]), np.full(len(own), bounds[1]))
