"""Around: rows near a row, put together of cells that occur, and what a short sum may know of them.

A neighbour has some of the cells exchanged for those of other rows: numbers and dates for one near in rank, cells of
few values, and those that many rows have, for any. What a sum may know of a cell is whether it is lower or higher and
by how much (in ranks), or which of the common values it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COMMON = 5
"""Values of a column that a sum may name."""

_FEW = 10
_SPIKE = 0.05
_LEAST_NEW = 40
_NUMBERS = 4
WIDTH = _NUMBERS + COMMON + 1
"""Features of a column: lower by, higher by, lower, higher, one of the common values, any other value."""


@dataclass(frozen=True)
class Reach:
    """How far neighbours go.

    Attributes:
        changed: Share of the columns that are exchanged, on average.
        ranks: How many ranks away a number's new cell may be, as a share of all rows, to either side.
    """

    changed: float
    ranks: float

    def words(self) -> str:
        """Say how far."""
        return f"{self.changed:.0%} of the columns exchanged, numbers for one of the {2 * self.ranks:.0%} nearest"


@dataclass(frozen=True)
class Grid:
    """The cells of all rows, by player.

    Attributes:
        codes: (N, P) ranks in [0, 1].
        order: (N, P) rows in the order of their codes.
        rank: (N, P) place of each row in that order.
        common: (P, COMMON) codes of the commonest values; NaN where there are fewer.
        single: (N, P) bool, the cell's value is one of few, or one that many rows have, as a missing cell may be: no
            other is near it.
        few: (P,) bool, the column has so few values that each is told by itself.
    """

    codes: np.ndarray
    order: np.ndarray
    rank: np.ndarray
    common: np.ndarray
    single: np.ndarray
    few: np.ndarray

    def drawn(self, row: int, count: int, reach: Reach, rng: np.random.Generator) -> np.ndarray:
        """Return (count, P) positions of cells of the neighbours of a row."""
        n, players = self.codes.shape
        far = max(1, round(reach.ranks * n))
        place = self.rank[row] + rng.integers(-far, far + 1, size=(count, players))
        near = self.order[np.clip(place, 0, n - 1), np.arange(players)]
        any_ = rng.integers(n, size=(count, players))
        is_far = self.single[row] | self.single[near, np.arange(players)]
        return np.where(rng.random((count, players)) < reach.changed, np.where(is_far, any_, near), row)

    def unlike(self, cells: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return positions of rows that equal none of the others; of all where hardly any would be left.

        Where few rows can be put together at all, those that were seen are what there is to tell.
        """
        players = np.arange(self.codes.shape[1])
        weight = np.sqrt(
            2.0 + players
        )  # of no common measure, so that equal sums are equal rows but for ties by chance
        key, known = (np.round((self.codes[one, players] * weight).sum(axis=1), 9) for one in (cells, others))
        new = np.flatnonzero(~np.isin(key, known))
        return new if len(new) >= _LEAST_NEW else np.arange(len(cells))

    def features(self, row: int, cells: np.ndarray) -> np.ndarray:
        """Return (m, P, WIDTH) float32: what a sum may know of the neighbours of a row; all 0 for the row itself."""
        players = np.arange(self.codes.shape[1])
        code, own = self.codes[cells, players], self.codes[row]
        changed = code != own
        ordered = changed & ~self.few
        away = np.where(ordered, code - own, 0.0)
        made = np.zeros((*cells.shape, WIDTH), dtype=np.float32)
        made[..., 0], made[..., 1] = np.maximum(-away, 0), np.maximum(away, 0)
        made[..., 2], made[..., 3] = away < 0, away > 0
        row_, player = np.nonzero(changed & (self.few | self.single[cells, players]))
        named = code[row_, player, None] == self.common[player]
        made[row_, player, _NUMBERS:-1] = named
        made[row_, player, -1] = ~named.any(axis=-1)
        return made


def grid(codes: np.ndarray) -> Grid:
    """Return the cells of (N, P) rows, ready to draw from."""
    n, players = codes.shape
    order = np.argsort(codes, axis=0, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(n)[:, None], order.shape), axis=0)
    common, single = np.full((players, COMMON), np.nan), np.zeros(codes.shape, dtype=bool)
    few = np.zeros(players, dtype=bool)
    for at in range(players):
        values, place, counts = np.unique(codes[:, at], return_inverse=True, return_counts=True)
        often = np.argsort(-counts, kind="stable")[:COMMON]
        few[at] = len(values) <= _FEW
        kept = often if few[at] else often[counts[often] >= _SPIKE * n]
        common[at, : len(kept)] = values[kept]
        single[:, at] = True if few[at] else np.isin(place.ravel(), kept)
    return Grid(codes, order, rank, common, single, few)
