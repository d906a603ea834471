"""Deadlines: one thread cuts connections whose exchange takes too long; a timer for each would start a thread each."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import socket
import threading
import time


class Deadlines:
    """Connections and until when their exchange may last.

    Limit: a connection is cut up to some milliseconds late, as with any timer.
    """

    def __init__(self) -> None:
        """Nothing is watched yet, and no thread runs."""
        self._held: dict[int, tuple[float, socket.socket]] = {}
        self._numbers, self._next, self._runs = itertools.count(), math.inf, False
        self._changed = threading.Condition(threading.Lock())

    def begin(self, peer: socket.socket, end: float) -> int:
        """Have a connection cut at a time of :func:`time.monotonic`; return what :meth:`end` takes."""
        number = next(self._numbers)
        with self._changed:
            self._held[number] = (end, peer)
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="fivefold-deadlines", daemon=True).start()
            elif end < self._next:
                self._changed.notify()
        return number

    def end(self, number: int) -> None:
        """The exchange is over; the thread is not woken for that."""
        with self._changed:
            self._held.pop(number, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._next = min((end for end, _ in self._held.values()), default=math.inf)
                now = time.monotonic()
                if now < self._next:
                    # it sleeps on where all is over meanwhile: what begins then ends later than what it sleeps for
                    self._changed.wait(None if math.isinf(self._next) else self._next - now)
                    continue
                late = [number for number, (end, _) in self._held.items() if end <= now]
                cut = [self._held.pop(number)[1] for number in late]
            for peer in cut:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(peer, socket.SHUT_RDWR)


_OF_PROCESS: dict[int, Deadlines] = {}


def deadlines() -> Deadlines:
    """Return those of this process: a fork takes neither the thread along nor what is not its own to cut."""
    found = _OF_PROCESS.get(os.getpid())
    return found if found is not None else _OF_PROCESS.setdefault(os.getpid(), Deadlines())
