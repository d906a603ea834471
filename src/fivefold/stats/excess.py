"""Excess: whether a trait is more frequent among those drawn than chance makes it, exactly, within strata."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from fivefold.errors import InputError


def excess_p(hits: np.ndarray, drawn: np.ndarray, have: np.ndarray, total: np.ndarray) -> float:
    """Return the chance that at least as many of those drawn have a trait, if who is drawn hangs on the stratum alone.

    The exact conditional test of several two-by-two tables (Mantel and Haenszel 1959; Fisher 1935 for one): the sum of
    independent hypergeometric counts, by convolution.

    Args:
        hits: (S,) drawn that have the trait.
        drawn: (S,) drawn.
        have: (S,) that have the trait.
        total: (S,) in the stratum.

    Raises:
        InputError: ``stats.counts`` for counts that cannot be.
    """
    tables = np.stack([np.asarray(part, dtype=np.int64) for part in (hits, drawn, have, total)])
    k, n, m, size = tables
    if (tables < 0).any() or (k > np.minimum(n, m)).any() or (np.maximum(n, m) > size).any():
        raise InputError("stats.counts", "there are more hits than draws, or more draws than there is to draw from.")
    law, least = np.ones(1), 0
    for at in range(len(k)):
        low, chances = _hypergeometric(int(n[at]), int(m[at]), int(size[at]))
        law, least = np.convolve(law, chances), least + low
    return float(min(1.0, law[max(0, int(k.sum()) - least) :].sum()))


def _hypergeometric(n: int, m: int, size: int) -> tuple[int, np.ndarray]:
    """Return the fewest hits and the chances of them and each number above."""
    low, high = max(0, n + m - size), min(n, m)
    k = np.arange(low, high + 1, dtype=np.float64)

    def choose(a: np.ndarray | float, b: np.ndarray | float) -> np.ndarray:
        return np.asarray(gammaln(np.add(a, 1)) - gammaln(np.add(b, 1)) - gammaln(np.subtract(a, b) + 1))

    chances = np.exp(choose(m, k) + choose(size - m, n - k) - choose(size, n))
    return low, chances / chances.sum()
