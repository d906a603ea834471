"""Wealth: bets against honesty that an honest caller cannot win in the long run (test martingales, Ville 1939).

A bet of share b against an event of chance at most q multiplies the stake by 1 - b + b/q if the event happens, else by
1 - b: on average it loses. Bets are mixed over shares (how much of the traffic is theft is not known) and over the time
at which theft begins. The mixed stake ever exceeds 1/a with a chance of at most a (Ville's inequality).
"""

from __future__ import annotations

import numpy as np

SHARES = np.array([0.03, 0.08, 0.2, 0.5, 0.9])
"""Shares that are bet."""

_LOST = np.log(1 - SHARES)
_FIRST = np.log(0.5)


def begins(first: int, count: int) -> np.ndarray:
    """Return (count,) logarithms of the weights of theft beginning at question ``first`` and after.

    They sum to at most 1 over all questions: half falls on the first one, then 1 / (t log2(2t)^2) on the t-th.
    """
    at = np.arange(first + 1, first + count + 1, dtype=np.float64)
    found = -np.log(at) - 2 * np.log(np.log2(2 * at))
    if first == 0:
        found[0] = _FIRST
    return np.asarray(found)


def grown(start: np.ndarray, factors: np.ndarray, first: int) -> np.ndarray:
    """Return (n, j) logarithms of the stakes after each of n questions.

    Args:
        start: (j,) before the first of them.
        factors: (n, j) logarithms of what each question multiplies them by.
        first: How many questions came before.
    """
    fresh = begins(first, len(factors))[:, None]
    if len(factors) == 1:
        return np.asarray(np.logaddexp(fresh, start) + factors)
    total = factors.cumsum(axis=0)
    fresh = fresh - (total - factors)
    fresh[0] = np.logaddexp(fresh[0], start)
    return np.asarray(np.logaddexp.accumulate(fresh, axis=0) + total)


def odds(chance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (..., s) logarithms of the factors of won and of lost bets of :data:`SHARES`.

    Args:
        chance: (...) bounds on the chances of events; 1: no bet is placed.
    """
    safe = np.clip(chance, 1e-9, 1.0)[..., None]
    placed = safe < 1
    return np.where(placed, np.log(1 - SHARES + SHARES / safe), 0.0), np.where(placed, _LOST, 0.0)


def total(stakes: np.ndarray) -> np.ndarray:
    """Return the logarithm of the sum of stakes, over the last axis."""
    return np.asarray(np.logaddexp.reduce(stakes, axis=-1))
