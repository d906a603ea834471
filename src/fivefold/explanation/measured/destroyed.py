"""Destroyed: the user's model with its function taken apart, by exchanging the parts that the columns play."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from fivefold.explanation.asking import Ask


@dataclass(frozen=True)
class Destroyed:
    """The model asked about other cells: column j decides, by its rank, what the model is told as column ``role[j]``.

    Every cell that the model sees occurs in the data, so its answers are as wide as ever; but what a column does is now
    what another did, for half of the columns upside down. Reasons that follow the model must change with it.

    Attributes:
        ask: The model.
        codes: (N, P) ranks in [0, 1].
        role: (P,) no player keeps its own.
        flipped: (P,) bool, high ranks count as low ones.
        order: (N, P) positions of cells in rising order of each player.
    """

    ask: Ask
    codes: np.ndarray
    role: np.ndarray
    flipped: np.ndarray
    order: np.ndarray

    def __call__(self, cells: np.ndarray) -> np.ndarray:
        """Return (m, K) answers; see :data:`fivefold.explanation.asking.Ask`."""
        players = np.arange(len(self.role))
        rank = self.codes[cells, players]
        rank = np.where(self.flipped, 1 - rank, rank)
        at = np.minimum((rank * len(self.codes)).astype(np.int64), len(self.codes) - 1)
        seen = np.empty_like(cells)
        seen[:, self.role] = self.order[at, self.role]
        return self.ask(seen)


def destroy(ask: Ask, codes: np.ndarray, rng: np.random.Generator) -> Destroyed:
    """Draw a cycle through all players, and which half of them is turned upside down.

    Args:
        ask: The model.
        codes: (N, P) ranks, P at least 3.
        rng: Draws.
    """
    players = codes.shape[1]
    turn = rng.permutation(players)
    role = np.empty(players, dtype=np.int64)
    role[turn] = np.roll(turn, 1)
    flipped = np.zeros(players, dtype=bool)
    flipped[rng.permutation(players)[: (players + int(rng.integers(2))) // 2]] = True
    return Destroyed(ask, codes, role, flipped, np.argsort(codes, axis=0, kind="stable"))


def alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation of two explanations row by row, signs included, for rows that have a reason.

    Args:
        one: (n, P) credit from the model itself; rows of zeros are left out.
        other: (n, P) credit from the destroyed model; rows of zeros count as 0, for the reason is gone.
    """
    some = np.abs(one).max(axis=1) > 1e-12
    a, b = (pd.DataFrame(part[some]).rank(axis=1).to_numpy() for part in (one, other))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.asarray(np.divide((a * b).sum(axis=1), size, out=np.zeros(len(a)), where=size > 0))
