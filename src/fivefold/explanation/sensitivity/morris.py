"""Elementary effects: what the answer changes when one cell moves far along its column (Morris)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.explanation.sensitivity.indices import CELLS
from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from fivefold.explanation.asking import Ask


@dataclass(frozen=True)
class Effects:
    """Elementary effects.

    Attributes:
        effect: (P, R) change of one score over the share of the ranks that the cell moves, upwards.
        score: Which: of two the second, of several the one that varies most.
        square: (P,) mean squared change, over all scores.
        asked: Rows asked.
    """

    effect: np.ndarray
    score: int
    square: np.ndarray
    asked: int

    def sizes(self) -> np.ndarray:
        """Return (P, 4): mu* with one-sided 95 % bounds, and sigma."""
        told = []
        for one in self.effect:
            size = np.abs(one)
            low, high = skew_t(size)
            told.append((size.mean(), max(low, 0.0), high, one.std(ddof=1)))
        return np.array(told)


def measure(ask: Ask, codes: np.ndarray, turns: int, rng: np.random.Generator) -> Effects:
    """Move each cell of rows put together from cells drawn one by one.

    A cell moves by a quarter to three quarters of its column's ranks, the other cells stay (Morris 1991; mu* of
    Campolongo, Cariboni and Saltelli 2007; one base and a step in each direction of Campolongo, Saltelli and Cariboni
    2011). Steps are drawn, so that nothing of one period is overlooked.

    Args:
        ask: The model.
        codes: (n, P) ranks of cells, n at least 4.
        turns: R, at least 3.
        rng: Draws.
    """
    n, players = codes.shape
    place = rng.integers(n, size=(turns, players))
    goal = (place + rng.integers(max(n // 4, 1), n - n // 4, size=place.shape)) % n
    # equal cells are in an order by chance, so that a step from one to the other changes nothing
    order = np.column_stack([np.lexsort((rng.random(n), column)) for column in codes.T])
    base, far = (np.take_along_axis(order, one, axis=0) for one in (place, goal))
    columns = np.arange(players)
    which, turn = np.nonzero((codes[base, columns] != codes[far, columns]).T)
    plain = ask(base)
    score = 1 if plain.shape[1] == 2 else int(plain.var(axis=0).argmax())
    change, square = np.zeros((2, players, turns))
    step = max(1, CELLS // max(players, plain.shape[1]))
    for start in range(0, len(which), step):
        mine, of_ = which[start : start + step], turn[start : start + step]
        cells = base[of_]
        cells[np.arange(len(mine)), mine] = far[of_, mine]
        found = ask(cells) - plain[of_]
        change[mine, of_], square[mine, of_] = found[:, score], (found**2).sum(axis=1)
    return Effects(change / ((goal - place).T / n), score, square.mean(axis=1), turns + len(which))
