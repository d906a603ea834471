"""Simultaneous intervals: bands that hold for all figures of a family at once, from draws of them.

Each figure is studentised; the largest deviation of a draw, over the family, has the quantile that all figures share
(max-t; Romano and Wolf 2005, section 4; Efron and Tibshirani 1993, chapter 12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def spread(draws: np.ndarray, centre: ArrayLike) -> np.ndarray:
    """Return the standard errors (...,) of (D, ...) draws about what they were drawn around; NaN where none is known.

    Args:
        draws: Draws; NaN where a draw gave no value.
        centre: (...,) the figure in the table that was drawn from.
    """
    away = draws - np.asarray(centre)
    known = np.isfinite(away)
    count = known.sum(axis=0)
    square = np.where(known, away, 0.0) ** 2
    enough = count >= max(1, len(draws) // 2)
    return np.asarray(np.sqrt(np.where(enough, square.sum(axis=0) / np.maximum(count, 1), np.nan)))


def critical(draws: np.ndarray, centre: ArrayLike, error: np.ndarray, confidence: float, *, two: bool = True) -> float:
    """Return the factor of the standard errors by which a band is wide so that all of it holds at once.

    Never below the normal quantile of one figure alone.

    Args:
        draws: (D, ...) draws.
        centre: (...,) what they were drawn around.
        error: (...,) standard errors; figures with 0 or NaN are left out.
        confidence: In (0, 1), of the whole family.
        two: Both ends; else the upper ends alone.
    """
    least = float(ndtri((1 + confidence) / 2 if two else confidence))
    judged = np.isfinite(error) & (error > 0)
    if not judged.any():
        return least
    away = (draws - np.asarray(centre))[:, judged] / error[judged]
    away = np.nan_to_num(np.abs(away) if two else away, nan=0.0)
    return max(least, float(np.quantile(away.max(axis=1), confidence)))


def band(values: np.ndarray, draws: np.ndarray, centre: ArrayLike, confidence: float = 0.95) -> tuple[np.ndarray, ...]:
    """Return ``(low, high)`` of (...,) values that hold together with ``confidence``; NaN where nothing is known."""
    error = spread(draws, centre)
    half = critical(draws, centre, error, confidence) * error
    return values - half, values + half
