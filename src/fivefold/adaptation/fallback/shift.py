"""Shift: notices that rows come from elsewhere than the calibration rows, on which every guarantee here rests.

A test martingale bets against the certainty of each row having any rank among the calibration rows and all rows before
it with the same probability. While rows are exchangeable its capital reaches 1 / rate with probability at most
``rate``, however long one watches. Money is staked anew at every row, so that a late shift is noticed, too.

Sources: Vovk, Petej, Nouretdinov, Ahlberg, Carlsson and Gammerman 2021 (conformal test martingales, simple jumper);
Ville 1939.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_BINS = 512
_SLOPES = (-2.0, -1.0, 0.0, 1.0, 2.0)
_JUMP = 0.01
_STAY = 1 - _JUMP
_PART = 24
"""Bins whose counts are summed together: a row then costs about twice the root of the bins."""
MOST_OF_ONE = 50
"""Most rows of one request that are counted: a batch is chosen by who asks, and is no draw of many."""


class Shift:
    """Watches certainties; bounded memory, whatever has passed.

    Attributes:
        alarmed: The bet was won: the rows do not come from where the calibration rows came.
        seen: Rows that were counted.

    Limit: a shift that leaves the distribution of the certainties as it was is not seen; calibration rows that are few
    make a small shift a slow one to see.
    """

    def __init__(self, certainty: ArrayLike, *, rate: float, rng: np.random.Generator) -> None:
        """Take the calibration rows.

        Args:
            certainty: (n,) of them.
            rate: Probability of a false alarm, over all time, in (0, 1).
            rng: Breaks ties.
        """
        sure = np.asarray(certainty, dtype=np.float64)
        edges = np.unique(np.quantile(sure, np.linspace(0, 1, _BINS + 1)[1:-1]))
        places = np.searchsorted(edges, sure, side="right")
        self._edges: list[float] = edges.tolist()
        self._counts: list[int] = np.bincount(places, minlength=len(edges) + 1).tolist()
        self._sums = [sum(self._counts[at : at + _PART]) for at in range(0, len(self._counts), _PART)]
        self._total, self._rng, self._enough = len(sure), rng, 1 / rate
        self._stakes, self._lock = [0.0] * len(_SLOPES), threading.Lock()
        self.seen, self.alarmed = 0, False

    @property
    def capital(self) -> float:
        """What the bets are worth; it started at 1."""
        return sum(self._stakes) + 1 / (self.seen + 1)

    def watch(self, certainty: np.ndarray) -> bool:
        """Count rows of one request and return whether the alarm is on; threads may call it."""
        with self._lock:
            return self.alarmed or self._watched(certainty)

    def _watched(self, certainty: np.ndarray) -> bool:
        if len(certainty) == 1:
            self._bet(certainty.item(), self._rng.random())
            return self.alarmed
        if len(certainty) > MOST_OF_ONE:
            certainty = self._rng.choice(certainty, MOST_OF_ONE, replace=False)
        for sure, tie in zip(certainty.tolist(), self._rng.random(len(certainty)).tolist(), strict=True):
            self._bet(sure, tie)
            if self.alarmed:
                break
        return self.alarmed

    def _bet(self, sure: float, tie: float) -> None:
        place = bisect_right(self._edges, sure)
        part = place // _PART
        self._counts[place] += 1
        self._sums[part] += 1
        self._total += 1
        below = sum(self._sums[:part]) + sum(self._counts[part * _PART : place])
        rank = (below + tie * self._counts[place]) / self._total
        self.seen += 1
        # 1 / n - 1 / (n + 1) is staked at row n, in equal parts: what is never staked is what is left
        more = 1 / (self.seen * (self.seen + 1) * len(_SLOPES))
        one, two, three, four, five = (stake + more for stake in self._stakes)
        shared, side = _JUMP * (sum((one, two, three, four, five)) / len(_SLOPES)), rank - 0.5
        down, less, same, rise, up = _SLOPES  # written out: this is most of what a row costs
        self._stakes = [
            (_STAY * one + shared) * (1 + down * side), (_STAY * two + shared) * (1 + less * side),
            (_STAY * three + shared) * (1 + same * side), (_STAY * four + shared) * (1 + rise * side),
            (_STAY * five + shared) * (1 + up * side),
        ]  # fmt: skip
        self.alarmed = self.capital >= self._enough
