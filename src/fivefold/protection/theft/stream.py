"""Stream: one caller's questions so far, as evidence for theft; bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.theft import wealth
from fivefold.protection.theft.nearness import COPY, MOST, Sketch

if TYPE_CHECKING:
    from fivefold.protection.theft.coding import Cells
    from fivefold.protection.theft.learning import Profile

BLOCK = 32
"""Rows that are compared with each other at once."""
_KEPT = 2000
_TELLING = 0.2
_RARE = 0.5
_NEVER = -1e9


@dataclass(frozen=True)
class Honest:
    """What an honest caller may do.

    Attributes:
        weight: Its next row is at most so many times as likely, of whatever kind, as in the population.
        variants: Of each row it may ask so many variants.
    """

    weight: float = 10.0
    variants: int = 15


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
        """Return which of n rows are no variant, which are one too many, which are bet on, and the chance of these.

        A row that is copied but for a few cells is counted with the row it was copied from; another one that is near
        is counted with the near row that has most variants, and may have copies of its own.
        """
        sketch, n, used = self.sketch, len(cells), self.sketch.used
        key, fresh, leads, strong = self._keys(profile, cells)
        is_same = sketch.is_known(cells.whole)
        fresh, leads = fresh & ~is_same, leads & ~is_same
        marks, places = cells.marks[:, profile.near.columns], cells.places[:, profile.near.columns]
        counted = strong & ~is_same
        hits = np.zeros(used + n, np.int64)
        hits[:used] = sketch.hits[:used]
        so_far = _before(key, counted) + hits[key]
        excess = counted & (so_far >= honest.variants)
        was = bool((sketch.hits[:used] > honest.variants).any())
        np.add.at(hits, key[counted], 1)
        now = self.asked + np.arange(n)
        sketch.last[key[key < used]] = now[key < used]
        sketch.hits[:used] = hits[:used]
        new, slot = np.flatnonzero(leads), np.concatenate([np.arange(used), np.full(n, -1)])
        if len(new):
            bonus = np.where(sketch.hits[:used] > honest.variants, _KEPT, 0)
            slot[used + new] = sketch.add(places[new], marks[new], hits[used + new], now[new], bonus)
        full = np.flatnonzero(sketch.hits[: sketch.used] > honest.variants)
        active, chance = np.zeros(n, dtype=bool), 1.0
        if len(full):
            mass = self._masses(profile, full) * honest.weight
            telling = np.zeros(sketch.used + 1, dtype=bool)
            telling[full] = mass < _RARE
            excess &= telling[slot[key]]
            chance = float(min(1.0, mass[mass < _RARE].sum() or 1.0))
            active = ~is_same & (was | (np.cumsum(excess) > 0)) & (excess | fresh)
        return fresh, excess, active, chance

    def _keys(self, profile: Profile, cells: Cells) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return what each of n rows goes with, and whether it goes with nothing, is kept, is more alike than chance.

        Keys below the number of rows in the sketch are their places there, others stand for rows of this block.
        """
        near, sketch, n = profile.near, self.sketch, len(cells)
        used, rows = sketch.used, np.arange(n)
        old = np.zeros((n, 0))
        if used:
            old = near.alike(cells, sketch.places[:used].astype(np.int16), sketch.marks[:used])
        own = np.full((n, n), _NEVER)
        if n > 1:
            marks, places = cells.marks[:, near.columns], cells.places[:, near.columns]
            own = np.where(rows[:, None] > rows, near.alike(cells, places, marks), _NEVER)
        key, fresh, leads = used + rows, np.ones(n, dtype=bool), np.ones(n, dtype=bool)
        # the strongest relation last, so that it stands
        strong = near.is_near(old).any(axis=1) | near.is_near(own).any(axis=1)
        for is_copy in (False, True):
            here, there = (part > COPY / 2 if is_copy else near.is_near(part) for part in (own, old))
            if n > 1:
                lead = np.where(here.any(axis=1), here.argmax(axis=1), rows)
                for _ in range(BLOCK.bit_length()):
                    lead = lead[lead]
                key = np.where(lead == rows, key, used + lead)
                fresh &= lead == rows
                leads &= (lead == rows) | (not is_copy)
            if used:
                rank = np.where(there, sketch.hits[:used] + 1, 0)
                found = there.any(axis=1)
                key = np.where(found, rank.argmax(axis=1), key)
                fresh &= ~found
                leads &= ~found | (not is_copy)
            behind = key >= used
            # what is counted with a row of this block is counted with what that one is
            first = key[np.where(behind, key - used, rows)]
            key = np.where(behind & (first < used), first, key)
        return key, fresh, leads, np.asarray(strong)

    def _masses(self, profile: Profile, slots: np.ndarray) -> np.ndarray:
        """Return how much of the population, at most, would be variants of rows of the sketch."""
        sketch = self.sketch
        unknown = slots[np.isnan(sketch.mass[slots])]
        if len(unknown):
            sketch.mass[unknown] = profile.masses(sketch.places[unknown].astype(np.int16), sketch.marks[unknown])
        return np.asarray(sketch.mass[slots])


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
