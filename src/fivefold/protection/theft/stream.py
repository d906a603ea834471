"""Stream: one caller's questions so far, as evidence for theft; bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.theft import wealth
from fivefold.protection.theft.nearness import MOST, Sketch

if TYPE_CHECKING:
    from fivefold.protection.theft.coding import Cells
    from fivefold.protection.theft.learning import Profile

BLOCK = 32
"""Rows that are compared with each other at once."""
_KEPT = 2000
_TELLING = 0.2


@dataclass(frozen=True)
class Honest:
    """What an honest caller may do.

    Attributes:
        weight: Its next row is at most so many times as likely, of whatever kind, as in the population.
        variants: Of each row it may ask so many variants.
    """

    weight: float = 10.0
    variants: int = 10


class Stream:
    """Evidence against one caller (or a pool of callers).

    The stakes are those of bets on rows beyond each threshold of the profile, one row of each set of variants, and of
    bets on more variants of a row than are allowed.
    """

    __slots__ = ("asked", "bet", "chance", "level", "sketch", "stakes", "varied")

    def __init__(self, profile: Profile, most: int = MOST) -> None:
        """Begin without evidence."""
        self.sketch = Sketch(len(profile.near.columns), most)
        self.begin(profile)
        self.asked, self.chance = 0, 1.0

    def begin(self, profile: Profile) -> None:
        """Forget the evidence, but not what was asked."""
        self.stakes = np.full((len(profile.cuts) + 1) * len(wealth.SHARES), -np.inf)
        self.bet, self.varied, self.level = 0, 0, -np.inf

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.sketch.nbytes + self.stakes.nbytes

    def add(self, profile: Profile, honest: Honest, cells: Cells, unlike: np.ndarray) -> tuple[float, np.ndarray]:
        """Take in n more rows.

        Args:
            profile: Of the application.
            honest: What an honest caller may do.
            cells: Of the rows.
            unlike: (n,) log odds.

        Returns:
            The largest logarithm of the mixed stake on the way, and (n,) how much each row counted against the
            caller: 0, 1 (somewhat unusual) or 2.
        """
        most, against = -np.inf, np.zeros(len(cells), dtype=np.int64)
        for at in range(0, len(cells), BLOCK):
            part = slice(at, at + BLOCK)
            found, against[part] = self._block(profile, honest, cells.take(part), unlike[part])
            most = max(most, found)
        return most, against

    def _block(self, profile: Profile, honest: Honest, cells: Cells, unlike: np.ndarray) -> tuple[float, np.ndarray]:
        n, split = len(cells), len(profile.cuts) * len(wealth.SHARES)
        fresh, excess, active, chance = self._variants(profile, honest, cells)
        rates = np.minimum(honest.weight * profile.rates, 1.0)
        rows, stakes = np.flatnonzero(fresh), self.stakes.copy()
        parts = [wealth.total(stakes[:split]), wealth.total(stakes[split:])]
        against = 2 * excess.astype(np.int64)
        if len(rows):
            won, lost = wealth.odds(rates)
            beyond = unlike[rows, None] > profile.cuts
            moves = np.where(beyond[:, :, None], won, lost).reshape(len(rows), -1)
            grown = wealth.grown(stakes[:split], moves, self.bet)
            stakes[:split] = grown[-1]
            parts[0] = _held(parts[0], wealth.total(grown), rows, n)
            self.bet += len(rows)
            against[rows] += beyond.any(axis=1).astype(np.int64) + beyond[:, rates < _TELLING].any(axis=1)
        rows = np.flatnonzero(active)
        if len(rows):
            won, lost = wealth.odds(np.array(chance))
            grown = wealth.grown(stakes[split:], np.where(excess[rows, None], won, lost), self.varied)
            stakes[split:] = grown[-1]
            parts[1] = _held(parts[1], wealth.total(grown), rows, n)
            self.varied += len(rows)
        mixed = np.logaddexp(parts[0], parts[1]) - np.log(len(stakes))
        self.stakes, self.level = stakes, float(mixed if mixed.ndim == 0 else mixed[-1])
        self.asked += n
        # the chance that a row counts against an honest caller, at most
        some = rates[rates < _TELLING]
        self.chance = min(1.0, float(some.max(initial=0.0)) + (chance if chance < 1 else 0.0))
        return float(mixed.max()), against

    def _variants(
        self, profile: Profile, honest: Honest, cells: Cells
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Return which of n rows are no variant, which are one too many, which are bet on, and the chance of these."""
        near, sketch, n = profile.near, self.sketch, len(cells)
        used = sketch.used
        marks, places = cells.marks[:, near.columns], cells.places[:, near.columns]
        others = near.alike(cells, sketch.places[:used].astype(np.int16), sketch.marks[:used])
        cluster, is_same = np.full(n, -1), sketch.is_known(cells.whole)
        if used:
            best = others.argmax(axis=1)
            worth = others[np.arange(n), best]
            cluster = np.where(worth >= near.enough, best, -1)
        lead = np.arange(n)
        if n > 1:
            hit = np.tril(near.alike(cells, places, marks) >= near.enough, -1)
            lead = np.where(hit.any(axis=1), hit.argmax(axis=1), lead)
            for _ in range(BLOCK.bit_length()):
                lead = lead[lead]
            cluster = np.where(cluster < 0, cluster[lead], cluster)
        key = np.where(cluster >= 0, cluster, used + lead)
        leads = (cluster < 0) & (lead == np.arange(n)) & ~is_same
        counted = ~leads & ~is_same
        hits = np.zeros(used + n, np.int64)
        hits[:used] = sketch.hits[:used]
        so_far = _before(key, counted) + hits[key]
        excess = counted & (so_far >= honest.variants)
        was = bool((sketch.hits[:used] > honest.variants).any())
        np.add.at(hits, key[counted], 1)
        now = self.asked + np.arange(n)
        sketch.last[key[cluster >= 0]] = now[cluster >= 0]
        sketch.hits[:used] = hits[:used]
        new = np.flatnonzero(leads)
        if len(new):
            bonus = np.where(sketch.hits[:used] > honest.variants, _KEPT, 0)
            sketch.add(places[new], marks[new], hits[used + new], now[new], bonus)
        full = np.flatnonzero(sketch.hits[: sketch.used] > honest.variants)
        active = np.zeros(n, dtype=bool)
        chance = 1.0
        if len(full):
            unknown = full[np.isnan(sketch.mass[full])]
            if len(unknown):
                sketch.mass[unknown] = profile.masses(sketch.places[unknown].astype(np.int16), sketch.marks[unknown])
            chance = float(min(1.0, honest.weight * sketch.mass[full].sum()))
            active = ~is_same & (was | (np.cumsum(excess) > 0)) & (excess | leads)
        return leads, excess, active, chance


def _before(key: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return (n,) how many earlier rows of the same key count."""
    same = np.tril(key[:, None] == key, -1)
    return np.asarray((same & counted).sum(axis=1))


def _held(before: np.ndarray, after: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """Return (n,) totals after each row, those between the rows that are bet on as before them."""
    if len(rows) == n:
        return after
    last = np.searchsorted(rows, np.arange(n), "right")
    return np.asarray(np.concatenate([before[None], after])[last])
