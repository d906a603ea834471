"""Running means: bounds that hold at every look, of values whose expectations may change from one to the next."""

from __future__ import annotations

import math

import numpy as np

ETA, POWER, LEAST = 2.0, 1.4, 5.0
"""Steps of the stitching, how fast their chances fall, and the variance (in widths squared) from which it is tight."""
_ZETA = 3.1055472779775810
"""Riemann's zeta at :data:`POWER`."""


def boundary(spread: float, alpha: float) -> float:
    """Return how far a sum may stray from the sum of its conditional expectations, one side, at any time.

    The polynomial stitched boundary (Howard, Ramdas, McAuliffe and Sekhon 2021, equation 10, with scale 1): it is
    crossed at any time with a chance of at most ``alpha``.

    Args:
        spread: Sum of squares of values less what was predicted of each, in widths squared.
        alpha: In (0, 1).
    """
    v = max(spread, LEAST)
    first, second = (ETA**0.25 + ETA**-0.25) / math.sqrt(2), (math.sqrt(ETA) + 1) / 2
    height = POWER * math.log(math.log(ETA * v / LEAST)) + math.log(_ZETA / (alpha * math.log(ETA) ** POWER))
    height = max(height, 0.0)
    return math.sqrt(first**2 * v * height + second**2 * height**2) + second * height


def bounds(values: np.ndarray, low: float, high: float, alpha: float) -> tuple[float, float]:
    """Return lower and upper bound of the mean of conditional expectations of all values so far.

    Empirical Bernstein (Howard et al. 2021, theorem 4): each bound holds at every n at once with a chance of
    1 - ``alpha``, whatever the expectations do from one value to the next; so one may look every day and stop when one
    likes. Values are predicted by the mean of those before.

    Args:
        values: (n,) float64 in [``low``, ``high``], in order; of none: the whole range.
        low: Smallest value that can be.
        high: Largest.
        alpha: In (0, 1), of each side.
    """
    n, width = len(values), high - low
    if not n:
        return low, high
    scaled = (np.asarray(values, dtype=np.float64) - low) / width
    before = (0.5 + np.concatenate([[0.0], np.cumsum(scaled)[:-1]])) / (1.0 + np.arange(n))
    radius = boundary(float(((scaled - before) ** 2).sum()), alpha) / n
    mean = float(scaled.mean())
    return low + width * max(mean - radius, 0.0), low + width * min(mean + radius, 1.0)
