"""Watch: one purpose's requests against the population and the rate that were declared; alarms at a stated rate."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.errors import InputError
from fivefold.stats.wealth import Wealth, share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.governance.purpose.gauge import Gauge

CHANCE = 0.01
"""Chance of any false alarm of a purpose, over all time and all restarts."""
BOUNDING, PEOPLE, RATE = 0.4, 0.4, 0.2
"""Its parts: that a limit of the population is too low; that bets on the population win by chance; that those on the
rate do."""
TOLERANCE = 0.02
BLOCK = 32
"""Rows that are looked at together."""
_CAP = 8.0
_CLEAR = 1e-6
"""So far below what is needed, rounding cannot matter."""
_LONG = 100
_FADES = 0.9
"""What a block counts, after one more, in the share that is told."""
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}
_SHAPE = re.compile(r"([1-9][0-9]{0,11})/(minute|hour|day)")


@dataclass(frozen=True)
class Rate:
    """How many rows are expected in a period, whatever happened before; single periods may hold any number."""

    rows: int
    seconds: int

    @staticmethod
    def read(text: str) -> Rate:
        """Read ``NUMBER/minute``, ``NUMBER/hour`` or ``NUMBER/day``.

        Raises:
            InputError: ``purpose.rate`` for another text.
        """
        found = _SHAPE.fullmatch(text)
        if found is None:
            raise InputError(
                "purpose.rate", f"{text[:40]!r} is no rate.", remedy="Write for example 500/day in controls.D1.rate."
            )
        return Rate(int(found[1]), _SECONDS[found[2]])


@dataclass(frozen=True)
class Drift:
    """What was found.

    Attributes:
        what: ``population`` or ``rate``.
        rows: Rows that were seen by then.
        text: In words.
    """

    what: str
    rows: int
    text: str


class Watch:
    """The requests of one purpose.

    Threat: requests for another purpose come under the words of this one.
    Limit: other requests that look like the declared population, at the declared rate, are not told from it. Rows are
    taken to have, whatever came before them, the declared chances: one row asked over and over, or a file sorted by a
    column, counts as another population.
    """

    def __init__(self, gauge: Gauge | None, rate: Rate | None = None, *, restarts: int = 0) -> None:
        """Begin.

        Args:
            gauge: The population, with a chance of :data:`BOUNDING` of :data:`CHANCE`; None: not watched.
            rate: What is declared; None: not watched.
            restarts: How often it began before: the false alarms of all of them together keep to :data:`CHANCE`.
        """
        part = CHANCE * share(restarts)
        self._gauge, self._rate = gauge, rate
        self._people = Wealth(gauge.limits) if gauge is not None else None
        self._arrivals = Wealth(np.array([1 / _CAP]))
        self._need_people, self._need_rate = -np.log(PEOPLE * part), -np.log(RATE * part)
        self._rows, self._lately = 0, 0.0
        self._hits = np.zeros(len(gauge.limits) if gauge is not None else 0)
        self._period, self._count = 0, 0
        self._calm: float | None = None
        self.found: Drift | None = None

    def take(self, given: Mapping[str, Any], n: int) -> Drift | None:
        """Look at the columns of n rows, at most :data:`BLOCK` for each look; return what was found, now or before."""
        if self._gauge is None:
            self._rows += n
            return self.found
        return self.count(self._gauge.hits(given), n)

    def count(self, hits: np.ndarray, n: int) -> Drift | None:
        """Take how many of n rows are in each event of the population; return what was found, now or before."""
        self._rows += n
        if self._gauge is None or self._people is None:
            return self.found
        self._hits, self._lately = _FADES * self._hits + hits, _FADES * self._lately + n
        if self._people.add(hits, n) >= self._need_people and self.found is None:
            event = self._people.strongest()
            seen = self._hits[event] / self._lately
            self.found = Drift(
                "population", self._rows,
                f"{self._gauge.words(event)}: about {seen:.0%} of what is asked lately, at most "
                f"{self._gauge.limits[event]:.0%} of what is declared; after {self._rows:,} rows.",
            )  # fmt: skip
        return self.found

    def arrive(self, n: int, now: float) -> Drift | None:
        """Count n rows that arrive at a time (seconds since 1970); return what was found, now or before."""
        if self._rate is None:
            return self.found
        period = int(now // self._rate.seconds)
        self._period = self._period or period
        if period > self._period:
            self._close(period - self._period)
            self._period, self._count = period, 0
        self._count += n
        if self._calm is None:
            self._calm = self._calm_up_to()
        if self._count > self._calm and self.found is None and self._ahead(self._count) >= self._need_rate:
            self.found = Drift(
                "rate", self._rows,
                f"{self._count:,} rows in this period after {self._arrivals.steps:,} others; "
                f"{self._rate.rows:,} in {self._rate.seconds:,} s are declared.",
            )  # fmt: skip
        return self.found

    def _calm_up_to(self) -> float:
        """Return how many rows of this period can come and nothing be found: the bet grows with their number."""
        low, high = 0, int(self._most()) + 1
        if self._ahead(high) < self._need_rate - _CLEAR:
            return math.inf
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._ahead(middle) < self._need_rate - _CLEAR else (low, middle)
        return low

    def _ahead(self, count: int) -> float:
        return self._arrivals.ahead(self._value(count))

    def _most(self) -> float:
        return _CAP * self._rate.rows if self._rate is not None else 1.0

    def _value(self, count: int) -> np.ndarray:
        return np.array([min(count / self._most(), 1.0)])

    def _close(self, periods: int) -> None:
        """End a period, and those after it in which nothing arrived; a long silence forgets what was won before it."""
        self._calm = None
        self._arrivals.add_bounded(self._value(self._count))
        if periods - 1 > _LONG:
            self._arrivals.forget(periods - 1)
            return
        for _ in range(periods - 1):
            self._arrivals.add_bounded(np.zeros(1))
