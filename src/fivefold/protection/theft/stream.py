"""Stream: one caller's questions so far, as evidence for theft; bounded memory."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.theft.nearness import MOST
from fivefold.protection.theft.wealth import SHARES, begins, odds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fivefold.protection.theft.coding import Cells
    from fivefold.protection.theft.learning import Profile
    from fivefold.protection.theft.nearness import Look, Nearness

_KEPT = 2000
_RARE = 0.5
_MUCH = 1e280
_FEW = 300


@dataclass(frozen=True)
class Honest:
    """What an honest caller may do.

    Attributes:
        weight: Its next row is at most so many times as likely, of whatever kind, as in the population.
        variants: Of each row it may ask so many variants.
    """

    weight: float = 10.0
    variants: int = 15


class Asked:
    """n rows, ready to be judged."""

    __slots__ = ("_cells", "_few", "_near", "unlike", "whole")

    def __init__(self, near: Nearness, cells: Cells, unlike: np.ndarray) -> None:
        """Take cells and (n,) log odds of not being of the population."""
        self._near, self._cells, self.whole, self.unlike = near, cells, cells.whole, unlike
        self._few = list(near.looks(cells)) if len(cells) <= _FEW else None

    def __len__(self) -> int:
        return len(self._cells)

    def looks(self) -> Iterable[Look]:
        """Return each row as it is compared with others; of many rows one at a time, since they are large."""
        return self._near.looks(self._cells) if self._few is None else self._few

    def first(self, count: int) -> Asked:
        """Return the first of them."""
        part = slice(0, count)
        return Asked(self._near, self._cells.take(part), self.unlike[part])


class Stream:
    """Evidence against one caller (or a pool of callers).

    The stakes are those of bets on rows beyond each threshold of the profile, one row of each set of variants, and of
    bets on more variants of a row than are allowed.
    """

    __slots__ = ("asked", "bet", "chance", "full", "level", "rows", "sketch", "variants", "varied")

    def __init__(self, profile: Profile, most: int = MOST) -> None:
        """Begin without evidence."""
        self.sketch = profile.near.sketch(most)
        self.begin(profile)
        self.asked, self.full, self.chance = 0, False, 1.0

    def begin(self, profile: Profile) -> None:
        """Forget the evidence, but not what was asked."""
        self.rows = np.zeros(len(profile.cuts) * len(SHARES))
        self.variants = np.zeros(len(SHARES))
        self.bet, self.varied, self.level = 0, 0, -np.inf

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.sketch.nbytes + self.rows.nbytes + self.variants.nbytes

    def add(self, profile: Profile, honest: Honest, cells: Cells, unlike: np.ndarray) -> tuple[float, list[int]]:
        """Take in n more rows.

        Args:
            profile: Of the application.
            honest: What an honest caller may do.
            cells: Of the rows.
            unlike: (n,) log odds.

        Returns:
            The largest logarithm of the mixed stake on the way, and how much each row counted against the caller: 0,
            1 (somewhat unusual) or 2.
        """
        return self.taken(profile, honest, Asked(profile.near, cells, unlike))

    def taken(self, profile: Profile, honest: Honest, asked: Asked) -> tuple[float, list[int]]:
        """Do the same with rows that are ready to be judged."""
        most, against = -np.inf, []
        for look, whole, unlike in zip(asked.looks(), asked.whole, asked.unlike.tolist(), strict=True):
            against.append(self._row(profile, honest, look, whole, unlike))
            most = max(most, self.level)
        return most, against

    def _row(self, profile: Profile, honest: Honest, look: Look, whole: np.uint64, unlike: float) -> int:
        bets = profile.bets(honest.weight)
        was, against = self.full, 0
        fresh, excess, chance = self._varied(profile, honest, look, whole)
        if fresh:
            beyond = bisect_left(bets.cuts, unlike)
            self.bet += 1
            self.rows += begins(self.bet)
            self.rows *= bets.moves[beyond]
            against = bets.against[beyond]
        if chance is not None and (was or excess) and (excess or fresh):
            self.varied += 1
            self.variants += begins(self.varied)
            self.variants *= odds(np.array(chance))[0 if excess else 1]
        self.asked += 1
        total = float(self.rows.dot(bets.ones)) + (float(self.variants.sum()) if self.varied else 0.0)
        if total > _MUCH:
            np.minimum(self.rows, _MUCH, out=self.rows)
            np.minimum(self.variants, _MUCH, out=self.variants)
        self.level = math.log(total) - bets.share if total > 0 else -np.inf
        # the chance that a row counts against an honest caller, at most
        self.chance = min(1.0, bets.chance + (chance if chance is not None and chance < 1 else 0.0))
        return against + 2 * excess

    def _varied(
        self, profile: Profile, honest: Honest, look: Look, whole: np.uint64
    ) -> tuple[bool, bool, float | None]:
        """Return whether a row is no variant, whether it is one too many, and the chance of these.

        A row that is copied but for a few cells is counted with the row it was copied from; another one that is near
        is counted with the near row that has most variants, and may have copies of its own. No chance: no row has too
        many variants, or this one was asked before.
        """
        sketch = self.sketch
        again = sketch.is_known(whole)
        key, counted, is_copy = -1, False, False
        related = sketch.near(profile.near, look)
        if related is not None:
            variants, copies = related
            is_copy, counted = len(copies) > 0, len(variants) > 0 and not again
            those = copies if is_copy else variants
            if len(those):
                key = int(those[sketch.hits[those].argmax()])
                sketch.last[key] = self.asked
        excess = False
        if counted:
            excess = bool(sketch.hits[key] >= honest.variants)
            sketch.hits[key] += 1
            self.full |= excess
        chance = None
        if self.full:
            excess, chance = self._telling(profile, honest, key, excess)
        if not again and not is_copy:
            kept = np.where(sketch.hits > honest.variants, _KEPT, 0) if self.full else None
            sketch.keep(look, self.asked, kept)
        return key < 0 and not again, excess, None if again else chance

    def _telling(self, profile: Profile, honest: Honest, key: int, excess: bool) -> tuple[bool, float | None]:
        """Return whether a variant tells something, and how many of the population, at most, would be variants."""
        sketch = self.sketch
        many = np.flatnonzero(sketch.hits[: sketch.used] > honest.variants)
        self.full = bool(len(many))
        if not self.full:
            return False, None
        mass = self._masses(profile, many) * honest.weight
        rare = mass < _RARE
        return excess and key in many[rare], float(min(1.0, mass[rare].sum() or 1.0))

    def _masses(self, profile: Profile, slots: np.ndarray) -> np.ndarray:
        """Return how much of the population, at most, would be variants of rows of the sketch."""
        sketch = self.sketch
        unknown = slots[np.isnan(sketch.mass[slots])]
        if len(unknown):
            sketch.mass[unknown] = profile.masses(*profile.near.kept(sketch, unknown))
        return np.asarray(sketch.mass[slots])
