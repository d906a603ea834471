"""Known: functions over the user's own cells whose Shapley values are known exactly; the canaries stand on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_KINDS = 3
_INTERACT = 0.5


@dataclass(frozen=True)
class Known:
    """g = sum of w_j a_j + sum of u a_j a_k over pairs of players, each a_j a function of one player's cell.

    Attributes:
        parts: (N, P) a_j of each cell in the store, weights included.
        pairs: (I, 2) players that interact; no player is in two.
        strength: (I,) u.
    """

    parts: np.ndarray
    pairs: np.ndarray
    strength: np.ndarray

    def __call__(self, cells: np.ndarray) -> np.ndarray:
        """Return (m, 1) answers for (m, P) cells; an :data:`fivefold.explanation.asking.Ask`."""
        a = self.parts[cells, np.arange(self.parts.shape[1])]
        made: np.ndarray = a.sum(axis=1)
        for (j, k), u in zip(self.pairs.tolist(), self.strength.tolist(), strict=True):
            made += u * a[:, j] * a[:, k]
        return made[:, None]

    def exact(self, explained: int) -> np.ndarray:
        """Return (n, P) Shapley values of the first ``explained`` rows against all others.

        A sum of single parts credits each with itself less its mean. Of a product the two players share: each gets the
        mean of what its turn adds before and after the other's (Shapley 1953, for two players).
        """
        x, b = self.parts[:explained], self.parts[explained:]
        mean = b.mean(axis=0)
        made: np.ndarray = x - mean
        for (j, k), u in zip(self.pairs.tolist(), self.strength.tolist(), strict=True):
            both = float((b[:, j] * b[:, k]).mean())
            for one, two in ((j, k), (k, j)):
                first = x[:, one] * mean[two] - both
                last = x[:, one] * x[:, two] - mean[one] * x[:, two]
                made[:, one] += u * (first + last) / 2
        return made


def draw(codes: np.ndarray, rng: np.random.Generator) -> Known:
    """Draw a function over ranks in [0, 1]: slopes, steps and waves of unequal weight, and products of some pairs.

    Args:
        codes: (N, P) ranks of cells.
        rng: Decides which.
    """
    players = codes.shape[1]
    weight = rng.normal(size=players) * (rng.random(players) < max(0.6, 3 / players))
    varied = np.flatnonzero(codes.std(axis=0) > 0)
    if len(varied):
        weight[rng.choice(varied)] = 1.0
    kind = rng.integers(_KINDS, size=players)
    cut = rng.uniform(0.2, 0.8, size=players)
    shaped = np.where(kind == 0, codes, np.where(kind == 1, codes > cut, np.sin(2 * np.pi * codes)))
    spread = shaped.std(axis=0)
    a = weight * np.divide(shaped - shaped.mean(axis=0), spread, out=np.zeros_like(shaped), where=spread > 0)
    order = rng.permutation(players)[: 2 * (players // 3)]
    pairs = order.reshape(-1, 2)
    return Known(a, pairs, _INTERACT * rng.normal(size=len(pairs)))
