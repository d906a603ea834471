"""Patience: a question asked again where that may help: later each time, never longer in all than a check may wait.

Every request is a call and is written down before it is sent. A server that says when to come back is obeyed; one that
asks for fewer calls is asked less often from then on. An endpoint that nobody could reach for long is given up: who
asks it next asks twice and no more.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from fivefold.subject.endpoint.wire import TroubleError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

T = TypeVar("T")

TRIES = 6
"""Most tries of one question that fails; one that is refused for being too soon is asked as long as there is time."""
_TIRED = 2
_MOMENT = struct.Struct("<d")
_FIRST, _LONGEST = 0.2, 10.0
_SLOWEST = 60.0
_GAP, _WIDEST, _EASED = 0.05, 10.0, 0.9
_LOST = ("endpoint.unreachable", "endpoint.timeout", "endpoint.dropped", "endpoint.busy", "endpoint.not-ready")


class Take(Protocol):
    """Writes one call down; see :meth:`fivefold.subject.calls.Ledger.take`."""

    def __call__(self, *, again: bool = False) -> None:
        """Write it down, or raise ``model.calls``."""
        ...


class Asking(Protocol):
    """Asks a question, perhaps again; see :meth:`Patience.ask`."""

    def ask(self, once: Callable[[], T], tries: int = 0) -> T:
        """Return the first answer."""
        ...


class GivenUp:
    """One byte in a file that all asking processes of a run share: set while the endpoint answers nobody."""

    def __init__(self, path: str) -> None:
        """Open the file, which exists; an empty path: nothing is shared."""
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC) if path else -1

    def __bool__(self) -> bool:
        return self._file >= 0 and os.fstat(self._file).st_size > 0

    def note(self, *, lost: bool) -> None:
        """Remember whether the last question came to nothing."""
        if self._file >= 0 and lost != bool(self):
            os.ftruncate(self._file, int(lost))


class Turns:
    """When the next call of a run may be made: one moment in a file that all its asking processes share."""

    def __init__(self, path: str) -> None:
        """Open the file, which exists."""
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def take(self, gap: float, now: float) -> float:
        """Take the next turn; return how many seconds it is away.

        Args:
            gap: Seconds between two calls.
            now: Time of the machine's monotonic clock, which all processes share.
        """
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            said = os.pread(self._file, _MOMENT.size, 0)
            turn = max(now, _MOMENT.unpack(said)[0] if len(said) == _MOMENT.size else now)
            os.pwrite(self._file, _MOMENT.pack(turn + gap), 0)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        return turn - now


class Patience:
    """How a process waits.

    Attributes:
        waited: Seconds that went by while the endpoint failed or was busy.
        asked: Questions that were sent for the first time.
    """

    def __init__(
        self,
        take: Take,
        rng: random.Random,
        *,
        rate: float,
        longest: float,
        given_up: GivenUp | None = None,
        turns: Turns | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Keep the rules.

        Args:
            take: Writes a call down before it is made.
            rng: Draws the jitter.
            rate: Most calls a second; 0: no limit.
            longest: Longest that may be waited in all.
            given_up: Whether another process of the run has given the endpoint up.
            turns: Keeps the rate over all processes of a run; None: this one is alone.
            clock: Seconds.
            sleep: Waits.
        """
        self.waited, self.asked = 0.0, 0
        self._take, self._rng, self._longest = take, rng, longest
        self._least = self._gap = 1.0 / rate if rate else 0.0
        self._given_up = GivenUp("") if given_up is None else given_up
        self._turns, self._again = turns, False
        self._last = float("-inf")
        self._clock, self._sleep = clock, sleep

    def spend(self) -> None:
        """Wait until the next request may be sent, and write it down.

        Raises:
            SubjectError: ``model.calls``.
        """
        ahead = self._last + self._gap - self._clock() if self._gap else 0.0
        if self._least and self._turns is not None:
            ahead = max(ahead, self._turns.take(self._least, self._clock()))
        if ahead > 0:
            self._sleep(ahead)
        self._take(again=self._again)
        self.asked += not self._again
        self._last = self._clock()

    def ask(self, once: Callable[[], T], tries: int = 0) -> T:
        """Return the first answer.

        Args:
            once: Sends one request (after :meth:`spend`); what it raises with ``again`` is tried again.
            tries: Most of them that may fail; 0: as many as usual.

        Raises:
            TroubleError: The last one's.
            SubjectError: ``model.calls``.
        """
        tired, failed = bool(self._given_up), 0
        most = min(tries or TRIES, _TIRED if tired else TRIES)
        try:
            while True:
                self._again = failed > 0
                begun = self._clock()
                try:
                    answer = once()
                except TroubleError as error:
                    failed += 1
                    self.waited += self._clock() - begun if error.again else 0.0
                    patient = error.code == "endpoint.busy" and not tired
                    if not error.again or (failed >= most and not patient) or not self._wait(error, failed):
                        if error.code in _LOST and not tries:
                            self._given_up.note(lost=True)
                        raise
                else:
                    self._given_up.note(lost=False)
                    self._gap = max(self._least, self._gap * _EASED if self._gap > _GAP else 0.0)
                    return answer
        finally:
            self._again = False

    def _wait(self, error: TroubleError, failed: int) -> bool:
        """Wait before the next try; False if that would be too long."""
        pause = min(_LONGEST, _FIRST * 2.0 ** (failed - 1)) * (0.5 + self._rng.random())
        if error.after is not None:
            pause = error.after + 0.05 * self._rng.random()
        if error.code == "endpoint.busy":
            self._gap = min(_WIDEST, max(2 * self._gap, _GAP))
        if pause > _SLOWEST or self.waited + pause > self._longest:
            return False
        self.waited += pause
        self._sleep(pause)
        return True
