"""Wealth: bets against honesty that an honest caller cannot win in the long run (test martingales, Ville 1939).

A bet of share b against an event of chance at most q multiplies the stake by 1 - b + b/q if the event happens, else by
1 - b: on average it loses. Bets are mixed over shares (how much of the traffic is theft is not known) and over the time
at which theft begins. The mixed stake ever exceeds 1/a with a chance of at most a (Ville's inequality).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SHARES = np.array([0.03, 0.08, 0.2, 0.5, 0.9])
"""Shares that are bet."""

_TELLING = 0.2


@dataclass(frozen=True)
class Bets:
    """What a row multiplies stakes by, by how many thresholds it lies beyond.

    Attributes:
        cuts: (t,) rising thresholds.
        moves: (t + 1, j) factors of the stakes.
        against: (t + 1,) how much such a row counts against a caller: 0, 1 (somewhat unusual) or 2.
        chance: Of a row that counts 2, at most.
        share: Logarithm of the number of stakes among which one unit is divided.
        ones: (j,) of one.
    """

    cuts: list[float]
    moves: np.ndarray
    against: list[int]
    chance: float
    share: float
    ones: np.ndarray


def bets(cuts: np.ndarray, rates: np.ndarray) -> Bets:
    """Return the bets on rows beyond each of t thresholds, which happens with a chance of at most (t,) rates."""
    order = np.argsort(cuts, kind="stable")
    won, lost = odds(rates[order])
    beyond = np.arange(len(cuts)) < np.arange(len(cuts) + 1)[:, None]
    moves = np.where(beyond[:, :, None], won, lost).reshape(len(cuts) + 1, -1)
    rare = rates[order] < _TELLING
    against = [int(row.any()) + int((row & rare).any()) for row in beyond]
    share = math.log((len(cuts) + 1) * len(SHARES))
    rarely, ones = float(rates[order][rare].max(initial=0.0)), np.ones(moves.shape[1])
    return Bets(cuts[order].tolist(), moves, against, rarely, share, ones)


def begins(turn: int) -> float:
    """Return the weight of theft beginning at question ``turn`` (1, 2, ...).

    All weights sum to at most 1: half falls on the first question, then 1 / (t log2(2t)^2) on the t-th.
    """
    return 0.5 if turn == 1 else 1 / (turn * math.log2(2 * turn) ** 2)


def odds(chance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (..., s) factors of won and of lost bets of :data:`SHARES`.

    Args:
        chance: (...) bounds on the chances of events; 1: no bet is placed.
    """
    safe = np.clip(chance, 1e-9, 1.0)[..., None]
    placed = safe < 1
    return np.where(placed, 1 - SHARES + SHARES / safe, 1.0), np.where(placed, 1 - SHARES, 1.0)
