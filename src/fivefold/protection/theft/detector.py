"""Detector: who of many callers is copying the model; anytime-valid, in bounded memory."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from fivefold.protection.theft import wealth
from fivefold.protection.theft.learning import Profile, learn
from fivefold.protection.theft.stream import Asked, Honest, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fivefold.protection.theft.coding import Cells, Rows

ALPHA = 1e-5
"""Chance, over all time, that an honest caller is flagged."""
POOL_ALPHA = 1e-3
"""Chance, over all time, that new callers are held to a stricter measure though all of them are honest."""
HOT_ALPHA = 1e-2
"""Chance, over all time, that an honest new caller is flagged while that measure holds."""
YOUNG = 300
"""Questions for which a caller is new."""
POOL_ROWS = 128
POOL_VARIANTS = 22
"""Variants of one row that new callers may ask between them: documented examples are tried by many."""
_HOT = 2000
_BYTES = 512 << 20
_MOST, _FEWEST = 100_000, 1000
_LOOKED_AT = 8
_SHARED = 3
_SUSPECT = -1.0
_TENS = 1 / math.log(10)
_HOT_ENOUGH = -math.log(HOT_ALPHA)

State = Literal["passed", "held", "flagged"]


@dataclass(frozen=True)
class Verdict:
    """What is to be done with a request.

    Attributes:
        state: ``held``: this request is refused; ``flagged``: this and all further ones.
        first: It was flagged by this very request.
        evidence: Logarithm to base 10 of the stake against the caller; -5: none to speak of.
        asked: Rows that the caller asked so far.
        against: How many rows of this request count against it.
        pooled: The measure for new callers had a part in it.
    """

    state: State
    first: bool
    evidence: float
    asked: int
    against: int
    pooled: bool


class Detector:
    """Watches the questions of all callers.

    Threat: the model is copied by questions that no honest caller asks: drawn at random, moved along gradients, walked
    along its boundary, one cell changed at a time; between honest questions, slowly, or from many accounts.
    Limit: questions that look like those of the population are not noticed, whatever they are asked for.

    Guarantee: with chance 1 - 0.001 for each bound learnt from the application's rows, a caller whose next row is at
    most ``honest.weight`` times as likely, of whatever kind, as in the population, and who asks at most
    ``honest.variants`` variants of a row, is ever flagged with a chance of at most ``alpha`` (Ville's inequality).
    """

    def __init__(
        self, profile: Profile, honest: Honest | None = None, *, alpha: float = ALPHA, callers: int | None = None
    ) -> None:
        """Begin without evidence against anybody.

        Args:
            profile: Of the application's rows.
            honest: What honest callers may do.
            alpha: Chance, over all time, that an honest caller is flagged.
            callers: Callers that are watched at once; None: what 512 MiB hold, at most 100,000.
        """
        self.profile, self.honest = profile, honest or Honest()
        self._pool_honest = Honest(self.honest.weight, max(POOL_VARIANTS, self.honest.variants))
        self._enough, self._lock = -np.log(alpha), threading.Lock()
        width = len(profile.near.columns)
        self._most = callers or int(np.clip(_BYTES // (64 * (3 * width + 20) + 1000), _FEWEST, _MOST))
        self._callers: OrderedDict[str, _Caller] = OrderedDict()
        self._gone: dict[str, Stream] = {}
        self._flagged: set[str] = set()
        self._pool, self._pool_enough, self._hot = Stream(profile, POOL_ROWS), -np.log(POOL_ALPHA / 2), -1

    @property
    def callers(self) -> int:
        """Callers that are watched."""
        return len(self._callers)

    def is_flagged(self, caller: str) -> bool:
        """Return whether a caller is taken for a thief."""
        return caller in self._flagged

    def restore(self, flagged: Iterable[str]) -> None:
        """Take callers for thieves, as the record says."""
        with self._lock:
            self._flagged |= set(flagged)

    def screen(self, caller: str, rows: Rows) -> Verdict:
        """Take in a request and say what is to be done with it.

        Args:
            caller: Who asks.
            rows: n rows, in the columns (or the shape) that the profile was learnt from.
        """
        return self._cells(caller, self.profile.coding.cells(rows))

    def screen_numbers(self, caller: str, names: tuple[str, ...], values: np.ndarray) -> Verdict | None:
        """Do the same with one row of a table that has numbers alone, in fewer steps; None: give the table.

        Args:
            caller: Who asks.
            names: Of the columns.
            values: (1, d) numbers.
        """
        coding = self.profile.coding
        if len(values) != 1 or not coding.is_plain or coding.names != names:
            return None
        return self._cells(caller, coding.plain(values))

    def _cells(self, caller: str, cells: Cells) -> Verdict:
        asked = Asked(self.profile.near, cells, self.profile.unlikely(cells))
        with self._lock:
            return self._screened(caller, asked)

    def screened(self, caller: str, cells: Cells, unlike: np.ndarray) -> State:
        """Take in rows whose cells and log odds are known; return what is to be done with them."""
        asked = Asked(self.profile.near, cells, unlike)
        with self._lock:
            return self._screened(caller, asked).state

    def _screened(self, name: str, asked: Asked) -> Verdict:
        caller = self._caller(name)
        stream, was = caller.stream, name in self._flagged
        is_young = stream.asked < YOUNG
        most, against = stream.taken(self.profile, self.honest, asked)
        held = is_young and not was and self._pooled(caller, asked)
        shared = max(most, caller.shared) if held else most
        evidence = max(round(shared * _TENS, 2), -5.0)
        flagged = was or most >= self._enough or (held and shared >= _HOT_ENOUGH)
        if flagged:
            self._flagged.add(name)
        state: State = "flagged" if flagged else "held" if held else "passed"
        return Verdict(state, flagged and not was, evidence, stream.asked, sum(one > 1 for one in against), held)

    def _pooled(self, caller: _Caller, asked: Asked) -> bool:
        """Return whether new callers together look like a thief, and this request like a part of it."""
        pool = self._pool
        few = asked if len(asked) <= YOUNG else asked.first(YOUNG)  # a large request is one caller's evidence
        most, against = pool.taken(self.profile, self._pool_honest, few)
        if most >= self._pool_enough:
            self._hot = pool.asked + _HOT
            self._pool_enough += np.log(2.0)
            pool.begin(self.profile)
        if pool.asked > self._hot:
            caller.shared = 0.0
            return False
        won, lost = wealth.odds(np.array(max(pool.chance, 1e-3)))
        count = sum(one > 1 for one in against)
        caller.shared += count * math.log(won[_SHARED]) + (len(against) - count) * math.log(lost[_SHARED])
        return any(against)

    def _caller(self, name: str) -> _Caller:
        found = self._callers.get(name)
        if found is not None:
            self._callers.move_to_end(name)
            return found
        if len(self._callers) >= self._most:
            self._forget()
        made = _Caller(self._gone.pop(name) if name in self._gone else Stream(self.profile))
        self._callers[name] = made
        return made

    def _forget(self) -> None:
        """Let go of the one least suspect of those who asked longest ago; what speaks against it is kept."""
        oldest = [name for name, _ in zip(self._callers, range(_LOOKED_AT), strict=False)]
        name = min(oldest, key=lambda one: self._callers[one].stream.level)
        stream = self._callers.pop(name).stream
        if stream.level > _SUSPECT and len(self._gone) < self._most:
            stream.sketch = self.profile.near.sketch()
            self._gone[name] = stream


@dataclass
class _Caller:
    """One caller; ``shared`` is the logarithm of a bet on its part in what new callers ask together."""

    stream: Stream
    shared: float = 0.0


def detector(rows: Rows, seed: int, *, variants: int | None = None) -> Detector:
    """Return a detector for an application.

    Args:
        rows: Of its population.
        seed: Of the halves that are learnt from.
        variants: Variants of a row that an honest caller may ask; None: fifteen.

    Raises:
        ValueError: Too few rows.
    """
    honest = Honest() if variants is None else Honest(variants=variants)
    return Detector(learn(rows, np.random.default_rng(seed)), honest)
