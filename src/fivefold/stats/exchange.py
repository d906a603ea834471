"""One-sided permutation test of two samples that may be exchanged for each other if nothing is the matter."""

from __future__ import annotations

import numpy as np


def exchange_p(first: np.ndarray, second: np.ndarray, rng: np.random.Generator, draws: int = 999) -> float:
    """Return the p-value of H0: both samples come from one distribution, against a larger mean of the first.

    Valid for any distribution and size: the chance of a p-value of at most a is at most a (Phipson and Smyth 2010,
    whose ``+ 1`` counts the order that was seen).

    Args:
        first: (m,) finite values.
        second: (n,) finite values.
        rng: Draws the orders.
        draws: How many; the smallest p-value is 1 / (draws + 1).

    Returns:
        In (0, 1]; 1 where a sample is empty.
    """
    if not len(first) or not len(second):
        return 1.0
    pooled = np.concatenate([first, second]).astype(np.float64)
    seen = float(first.sum())
    made = rng.permuted(np.tile(pooled, (draws, 1)), axis=1)[:, : len(first)].sum(axis=1)
    slack = 1e-12 * (1.0 + float(np.abs(pooled).sum()))  # sums of the same values in another order
    return float((1 + int((made >= seen - slack).sum())) / (draws + 1))
