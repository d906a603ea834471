"""Gate: how many requests are in hand at the same time; one too many is turned away at once, not kept waiting."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from fivefold.guard.nouns import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 64
"""Most requests in hand."""
FEWEST = 16
"""Requests that are worked on at the same time whatever that does to how long they wait."""
AGAIN = 1
"""Seconds after which one that was turned away may come again."""
_SLOWER = 3.0
"""How many times as long as by itself an answer may take before fewer are let in."""
_SHARE, _STEP = 0.2, 0.05
_WHILE = 0.02
"""Seconds after which two requests at the same time are forgotten."""


class Gate:
    """Counts what is in hand, over REST and gRPC together, and what of it is worked on.

    A request that is still being read has a place in hand only; one that was read has to be let in to be worked on.
    Where more at a time only wait longer, no more than :data:`FEWEST` are let in; where the wait is for something that
    many share (a disk that syncs, a server behind), up to :data:`MOST` are. It is told by how long answers take: as in
    the gradient and Vegas limits (Brakmo and Peterson 1995), against the time of an answer that was alone.

    Attributes:
        inside: Requests in hand.
        working: Requests that are worked on.
        limit: Most that are worked on now.

    Threat: more requests than can be answered fill memory and make everybody wait.
    Limit: it does not tell callers apart; who may ask at all, and how many rows a day, is settled elsewhere.
    """

    def __init__(self, most: int = MOST, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Let so many in; ``clock``: seconds."""
        self._clock = clock
        self._most, self._fewest, self._lock = most, min(most, FEWEST), threading.Lock()
        self.inside = self.working = 0
        self.limit, self._alone, self._shared = float(self._fewest), 0.0, -2 * _WHILE

    def enter(self) -> None:
        """Take a place, to be given back by :meth:`leave`.

        Raises:
            RefusedError: ``guard.busy`` if there is none.
        """
        with self._lock:
            full = self.inside >= self._most
            self.inside += not full
        if full:
            raise _busy()

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self.inside -= 1

    def begin(self) -> tuple[float, bool]:
        """Begin to work on a request; return what :meth:`end` is to be given.

        Raises:
            RefusedError: ``guard.busy`` if too many are worked on.
        """
        now = self._clock()
        with self._lock:
            full = self.working >= int(self.limit)
            self.working += not full
            alone = self.working == 1
            if not alone:
                self._shared = now
        if full:
            raise _busy()
        return now, alone

    @property
    def quiet(self) -> bool:
        """Whether one request is worked on at a time, for a while now: then nobody waits for what holds a thread up."""
        return self.working == 1 and self._clock() - self._shared > _WHILE

    def end(self, begun: tuple[float, bool]) -> None:
        """Learn from how long a request took that was answered or refused; ``begun``: of :meth:`begin`."""
        took = self._clock() - begun[0]
        with self._lock:
            self.working -= 1
            if begun[1] and not self.working:
                self._alone += _SHARE * (took - self._alone) if self._alone else took
            elif self.working + 1 >= int(self.limit) or took > _SLOWER * self._alone:
                change = 1 + _STEP if took <= _SLOWER * self._alone else 1 - _STEP
                self.limit = min(max(self.limit * change, self._fewest), self._most)


def _busy() -> RefusedError:
    return RefusedError("guard.busy", "too many requests are in hand.", status=503, remedy=f"Ask again in {AGAIN} s.")
