"""Isolated: the model in a confined process that lives as long as the guard; a dead one is replaced.

The process has no network, no files beyond its own, starts no others and is held to limits of memory and time.
"""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from fivefold.errors import InternalError, SubjectError
from fivefold.guard.manner import Manner, learnt
from fivefold.subject.remote import ENDED, RemoteModel
from fivefold.subject.way import Told, Way, told
from fivefold.subject.worker.messages import Failed
from fivefold.subject.worker.watch import Limits

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from fivefold.contract.plan import Facts
    from fivefold.guard.block import Block
    from fivefold.subject.bench import Bench
    from fivefold.subject.rows import Rows
    from fivefold.subject.worker.driver import Lent

SECONDS = 30.0
"""Longest that one answer may take."""
_MEMORY = 4 << 30
_MOST_STARTS, _WITHIN = 10, 60.0
_DOWN = "guard.model-down"
_SOON, _WEIGHT = 0.002, 0.2
"""Seconds within which the answers of a model usually come that an event loop waits for, and the weight of the last."""


def wayfound(bench: Bench, facts: Facts) -> Way:
    """Return how a probed model is asked, as found out in the worker.

    Raises:
        SubjectError: It cannot be asked.
        InternalError: ``worker.probe``.
    """
    (ended,) = bench.worker.run([bench.wayfinding(facts)], width=1)
    if isinstance(ended.outcome, Failed):
        raise SubjectError(ended.outcome.code, ended.reason or ended.outcome.message, remedy=ended.outcome.remedy)
    try:
        return msgspec.msgpack.decode(ended.outcome.body, type=Way)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InternalError("worker.probe", "the probe said something that cannot be read.") from error


@dataclass(frozen=True)
class Begun:
    """A question that was asked; nobody else asks before :meth:`take`."""

    isolated: Isolated
    peer: socket.socket
    rows: Rows | Block

    def fileno(self) -> int:
        """Return the descriptor that can be read once the answer begins to come, or the process is gone."""
        return self.peer.fileno()

    def ready(self, seconds: float) -> bool:
        """Return whether the answer is there, waiting so long at most."""
        return bool(select.select([self.peer], [], [], seconds)[0])

    def take(self) -> Told:
        """Return the answer; as :meth:`Isolated.ask`."""
        return self.isolated._finished(self.rows)  # noqa: SLF001


class Isolated:
    """A model that is asked over and over, one question at a time.

    Attributes:
        way: How it is asked.
        manner: Which short ways of asking give the same.
        restarts: How often its process was replaced.
        single: Always True.

    Threat: the model's own code reads files, calls home, or dies and takes the service with it.
    Limit: what it computes is its own; one process answers one question at a time.
    """

    single = True

    def __init__(self, bench: Bench, facts: Facts, *, seconds: float = SECONDS) -> None:
        """Find out how it is asked, and start it.

        Args:
            bench: The application's snapshot and worker; it stays open as long as this.
            facts: Of the probe.
            seconds: Longest that one answer may take.

        Raises:
            SubjectError: It cannot be asked.
            InputError: ``bench.lend`` for a model that does not run here.
        """
        self._bench, self._limits = bench, Limits(seconds, _MEMORY)
        self._lock, self._worker = threading.Lock(), threading.Lock()
        self._starts: deque[float] = deque(maxlen=_MOST_STARTS)
        self.way, self.restarts, self.manner = wayfound(bench, facts), -1, Manner()
        self._scored, self._usual, self._began = replace(self.way.access, answer=None), 0.0, 0.0
        self._lent: Lent | None = None
        self._model: RemoteModel | None = None
        with self._lock:
            self._start()
            try:
                self.manner = learnt(self._running(), self.way)
            except SubjectError:
                self._end()
                self._start()

    def ask(self, rows: Rows | Block) -> Told:
        """Return what it answers.

        Raises:
            SubjectError: It fails, answers nonsense, takes too long or has died; the next question gets a new process.
        """
        with self._lock:
            return self._guarded(lambda: self._taken(self._posted(rows), rows))

    def begin(self, rows: Rows | Block) -> Begun | None:
        """Ask without waiting, a model that usually answers within milliseconds; None: it is slow, or busy, or gone."""
        if self._usual > _SOON or not self._lock.acquire(blocking=False):
            return None
        try:
            self._running()
            model = self._posted(rows)
        except BaseException as error:
            self._lock.release()
            if isinstance(error, SubjectError):
                return None  # who asks again and waits is told
            raise
        return Begun(self, model.peer, rows)

    def _finished(self, rows: Rows | Block) -> Told:
        try:
            return self._guarded(lambda: self._taken(self._running(), rows))
        finally:
            self._lock.release()

    def _posted(self, rows: Rows | Block) -> RemoteModel:
        if self._model is None:
            self._start()
        model, self._began = self._running(), time.monotonic()
        model.post(*self.manner.given(self.way, rows))
        return model

    def _taken(self, model: RemoteModel, rows: Rows | Block) -> Told:
        asked, form, given = self.manner.given(self.way, rows)
        every = model.taken(asked, len(given))
        self._usual += _WEIGHT * (min(time.monotonic() - self._began, 1.0) - self._usual)
        found = self.manner.read(every, self.way.access, self._scored, len(given))
        if found is None and self.way.access.answer is not None:
            every |= model.every((self.way.access.answer,), form, given)
            found = told(every, self.way.access, len(given))
        if found is None:
            raise SubjectError("model.protocol", "the model gives neither answers nor scores.")
        return found

    def _guarded(self, asked: Callable[[], Told]) -> Told:
        try:
            return asked()
        except SubjectError as error:
            if error.code in (ENDED, "model.protocol"):
                why = self._lent.child.why if self._lent else ""
                self._end()
                raise SubjectError(ENDED, f"the model {why or 'process ended'}.") from None
            raise

    def tend(self) -> None:
        """Hold the process to its limits, also while it answers; call it now and then."""
        with self._worker:
            if self._lent is not None:
                self._bench.worker.tend(self._lent, self._limits)

    @property
    def pid(self) -> int:
        """Process id; 0 while it is not known, or there is none."""
        lent = self._lent
        return lent.child.pid if lent else 0

    def close(self) -> None:
        """End it."""
        with self._lock:
            self._end()

    def _running(self) -> RemoteModel:
        if self._model is None:
            raise SubjectError(_DOWN, "the model's process does not run.")
        return self._model

    def _start(self) -> None:
        now = time.monotonic()
        if len(self._starts) == _MOST_STARTS and now - self._starts[0] < _WITHIN:
            raise SubjectError(_DOWN, f"the model's process died {_MOST_STARTS} times within a minute.")
        self._starts.append(now)
        self.restarts += 1
        with self._worker:
            lent = self._bench.lend()
            lent.peer.settimeout(self._limits.seconds)
            self._lent, self._model = lent, RemoteModel(lent.peer)

    def _end(self) -> None:
        with self._worker:
            if self._lent is not None:
                self._bench.worker.take_back(self._lent)
            self._lent = self._model = None
