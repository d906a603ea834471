"""Writer: many threads append; what waits together is synced together (group commit), by the committer's thread.

Who waits for its entries and finds nobody committing may commit all that waits itself (:meth:`Writer.hasten`), which
spares two turns of threads; entries that nobody waits for yet (``soon=False``) go with the next commit.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fivefold.errors import FivefoldError, InputError, StorageError
from fivefold.log import frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.log.book import Book

CHECKPOINT_SECONDS = 0.1
"""A checkpoint is signed at most this long after an entry became durable."""
MAX_BATCH = 4096
"""Most entries synced together."""
MAX_WAITING = 65_536
"""Most entries in the queue; who appends more waits."""


class Once:
    """A signal that is given once; lighter than an event of the standard library, of which there is one a record."""

    def __init__(self) -> None:
        """Not given yet."""
        self._given, self._lock = False, threading.Lock()
        self._lock.acquire()
        self._calls: list[Callable[[], None]] = []

    def set(self) -> None:
        """Give it, to all who wait; call it once."""
        self._given = True
        self._lock.release()
        self._tell()

    def then(self, call: Callable[[], None]) -> None:
        """Have something called once it was given, by whoever gives it; at once if it was."""
        self._calls.append(call)
        if self._given:
            self._tell()

    def _tell(self) -> None:
        while self._calls:
            try:
                call = self._calls.pop()
            except IndexError:  # another thread took it
                return
            with contextlib.suppress(Exception):  # who wanted to be told may be gone; the entries are kept all the same
                call()

    def is_set(self) -> bool:
        """Return whether it was given."""
        return self._given

    def wait(self) -> None:
        """Return once it was given."""
        if not self._given:
            with self._lock:  # each who waits lets the next one through
                return


@dataclass
class Ticket:
    """The promise of one append: its position once durable, or why it failed."""

    entries: list[bytes]
    done: Once = field(default_factory=Once)
    first: int = -1
    error: FivefoldError | None = None

    def wait(self) -> int:
        """Return the position of the first entry once all are durable.

        Raises:
            StorageError: ``log.disk``, ``log.stopped`` or ``log.closed``: the entries are not promised.
        """
        self.done.wait()
        if self.error is not None:
            raise self.error
        return self.first


class Writer:
    """A book with a committer thread; use as a context manager."""

    def __init__(self, book: Book, *, checkpoint_seconds: float = CHECKPOINT_SECONDS) -> None:
        self._book, self._every = book, checkpoint_seconds
        self._lock = threading.Lock()
        self._work, self._room = threading.Condition(self._lock), threading.Condition(self._lock)
        self._idle = self._hurry = False
        self._turn = threading.Lock()  # one commits at a time, in the order of the queue
        self._due: float | None = None
        self._queue: deque[Ticket] = deque()
        self._waiting = 0
        self._closing = False
        self._stopped: FivefoldError | None = None
        self._thread = threading.Thread(target=self._run, name="fivefold-committer", daemon=True)
        self._thread.start()

    def __enter__(self) -> Writer:  # noqa: PYI034  frozen API, no subclass
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, entries: list[bytes], *, soon: bool = True) -> Ticket:
        """Queue entries; they are kept together and in order. Blocks while the queue is full.

        Args:
            entries: At least one.
            soon: They are committed at once; else with those that come after them, when somebody calls
                :meth:`hasten`, or when the next checkpoint is due.

        Raises:
            InputError: ``log.entry-size``; nothing is queued then.
            StorageError: ``log.stopped`` or ``log.closed``.
        """
        for entry in entries:
            if not 0 < len(entry) <= frames.MAX_ENTRY:
                raise InputError("log.entry-size", f"an entry has 1 to 65,535 bytes, not {len(entry):,}.")
        ticket = Ticket(entries)
        with self._lock:
            while self._waiting >= MAX_WAITING and self._stopped is None and not self._closing:
                self._room.wait()
            if self._stopped is not None:
                raise StorageError("log.stopped", self._stopped.message, remedy=self._stopped.remedy)
            if self._closing:
                raise StorageError("log.closed", "the log was closed.")
            self._queue.append(ticket)
            self._waiting += len(entries)
            self._hurry = self._hurry or soon
            untold = self._due is None
            if untold and not soon:
                self._due = time.monotonic() + self._every
            if self._idle and (soon or untold):
                self._work.notify()
        return ticket

    def hasten(self, *, here: bool = True) -> None:
        """Commit in this very thread all that waits; where another is committing, it is taken after that.

        It does not fail: what cannot be kept is told by the tickets.

        Args:
            here: No: in the committer's thread, as always where Ctrl-C could strike inside a commit.
        """
        batch: list[Ticket] = []
        untold, mine = self._due is None, here and not _interruptible() and self._turn.acquire(blocking=False)
        if mine:
            try:
                batch = self._take()
                self._commit(batch)
            except BaseException as error:
                self._fail(batch, error)  # whoever waits must hear of it, whatever it is
                if not isinstance(error, Exception):
                    raise
            finally:
                self._turn.release()
        with self._lock:
            self._hurry = self._hurry or (not mine and bool(self._queue))
            if self._idle and (self._hurry or untold or self._stopped is not None):
                self._work.notify()

    def append(self, entries: list[bytes]) -> int:
        """Queue entries and wait until they are durable; return the position of the first.

        Raises:
            InputError: As :meth:`submit`.
            StorageError: As :meth:`Ticket.wait`.
        """
        return self.submit(entries).wait()

    def close(self) -> None:
        """Commit what waits, publish a checkpoint over all of it, and stop."""
        with self._lock:
            self._closing = True
            self._work.notify()
            self._room.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            closing, batch = self._rest(), list[Ticket]()
            with self._turn:
                if self._stopped is not None:
                    return
                try:
                    batch = self._take()
                    self._commit(batch)
                    if self._due is not None and (closing or time.monotonic() >= self._due):
                        self._book.publish()
                        self._due = None
                except Exception as error:  # noqa: BLE001  whoever waits must hear of it, whatever it is
                    self._fail(batch, error)
                    return
            if closing and not batch:
                return

    def _rest(self) -> bool:
        """Wait until there is something to commit or to publish; return whether it is closing."""
        with self._lock:
            while not self._hurry and not self._closing and self._stopped is None:
                left = None if self._due is None else self._due - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._idle = True
                self._work.wait(left)
                self._idle = False
            return self._closing

    def _take(self) -> list[Ticket]:
        with self._lock:
            batch: list[Ticket] = []
            count = 0
            while self._queue and (not batch or count + len(self._queue[0].entries) <= MAX_BATCH):
                ticket = self._queue.popleft()
                batch.append(ticket)
                count += len(ticket.entries)
            full, self._waiting = self._waiting >= MAX_WAITING, self._waiting - count
            self._hurry = bool(self._queue)
            if full:
                self._room.notify_all()
            return batch

    def _commit(self, batch: list[Ticket]) -> None:
        if not batch:
            return
        first = self._book.append([entry for ticket in batch for entry in ticket.entries])
        self._due = self._due or time.monotonic() + self._every
        for ticket in batch:
            ticket.first = first
            first += len(ticket.entries)
            ticket.done.set()

    def _fail(self, batch: list[Ticket], error: BaseException) -> None:
        told = error if isinstance(error, FivefoldError) else StorageError("log.stopped", f"the log stopped: {error}.")
        with self._lock:
            self._stopped = told
            left, self._queue, self._waiting = [*batch, *self._queue], deque(), 0
            self._room.notify_all()
        for ticket in left:
            if not ticket.done.is_set():
                ticket.error = told
                ticket.done.set()


def _interruptible() -> bool:
    """Return whether Ctrl-C would break off what this thread does: in the main thread, unless a server handles it."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
