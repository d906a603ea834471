"""Gate: how many requests are in hand at the same time; one too many is turned away at once, not kept waiting."""

from __future__ import annotations

import threading

from fivefold.guard.nouns import RefusedError

MOST = 64
"""Most requests in hand."""
AGAIN = 1
"""Seconds after which one that was turned away may come again."""


class Gate:
    """Counts what is in hand, over REST and gRPC together.

    Attributes:
        inside: Requests in hand.

    Threat: more requests than can be answered fill memory and make everybody wait.
    Limit: it does not tell callers apart; who may ask at all, and how many rows a day, is settled elsewhere.
    """

    def __init__(self, most: int = MOST) -> None:
        """Let so many in."""
        self._most, self._lock = most, threading.Lock()
        self.inside = 0

    def enter(self) -> None:
        """Take a place, to be given back by :meth:`leave`.

        Raises:
            RefusedError: ``guard.busy`` if there is none.
        """
        with self._lock:
            full = self.inside >= self._most
            self.inside += not full
        if full:
            raise RefusedError(
                "guard.busy", "too many requests are in hand.", status=503, remedy=f"Ask again in {AGAIN} s."
            )

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self.inside -= 1
