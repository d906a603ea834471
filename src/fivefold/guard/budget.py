"""Budget: how many rows a principal may ask in an hour or a day (row P2), however often the guard is restarted."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import InputError
from fivefold.guard.nouns import Passage, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SHAPE = re.compile(r"([1-9][0-9]{0,11})/(hour|day)")
_SECONDS = {"hour": 3600, "day": 86_400}


class Budget:
    """Refuses rows beyond a principal's share of the current hour or day (UTC).

    Threat: the model is copied, or emptied of its training data, question by question.
    Limit: many principals have many budgets; whoever issues tokens decides how many there are.
    """

    name = "budget"

    def __init__(
        self,
        text: str,
        spent: Callable[[int], Iterable[tuple[str, int]]],
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Take the declared budget, and what was spent of it so far.

        Args:
            text: ``NUMBER/hour`` or ``NUMBER/day``.
            spent: Gives principal and rows of each question since a time (nanoseconds since 1970), from the record.
            clock: Seconds since 1970; None: the machine's.

        Raises:
            InputError: ``guard.budget`` for another text.
        """
        found = _SHAPE.fullmatch(text)
        if found is None:
            raise InputError(
                "guard.budget",
                f"{text[:40]!r} is no budget.",
                remedy="Write for example 5000/day in controls.P2.budget.",
            )
        self._clock = clock
        self._most, self._period, self._seconds = int(found[1]), found[2], _SECONDS[found[2]]
        self._lock, self._window = threading.Lock(), self._now()
        self._spent: dict[str, int] = {}
        for name, rows in spent(self._window * self._seconds * 1_000_000_000):
            self._spent[name] = self._spent.get(name, 0) + rows

    def __call__(self, passage: Passage) -> None:
        """Take the rows out of the principal's budget.

        Raises:
            RefusedError: ``guard.budget`` where they exceed it; nothing is taken then.
        """
        name, rows = passage.principal.name, passage.size
        with self._lock:
            window = self._now()
            if window != self._window:
                self._window = window
                self._spent.clear()
            spent = self._spent.get(name, 0)
            if spent + rows > self._most:
                left = self._most - spent
                raise RefusedError(
                    "guard.budget",
                    f"{rows:,} rows are asked and {left:,} are left of {self._most:,} in this {self._period}.",
                    status=429,
                    remedy=f"Ask again in the next {self._period}, or have the budget raised.",
                ).of(np.arange(rows) >= left)
            self._spent[name] = spent + rows

    def _now(self) -> int:
        return int(self._clock() if self._clock is not None else time.time()) // self._seconds
