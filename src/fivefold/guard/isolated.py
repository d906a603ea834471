"""Isolated: the model in a confined process that lives as long as the guard; a dead one is replaced.

The process has no network, no files beyond its own, starts no others and is held to limits of memory and time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from fivefold.errors import InternalError, SubjectError
from fivefold.subject.remote import ENDED, RemoteModel
from fivefold.subject.way import Told, Way, ask
from fivefold.subject.worker.messages import Failed
from fivefold.subject.worker.watch import Limits

if TYPE_CHECKING:
    from fivefold.contract.plan import Facts
    from fivefold.subject.bench import Bench
    from fivefold.subject.rows import Rows
    from fivefold.subject.worker.driver import Lent

SECONDS = 30.0
"""Longest that one answer may take."""
_MEMORY = 4 << 30
_MOST_STARTS, _WITHIN = 10, 60.0
_DOWN = "guard.model-down"


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


class Isolated:
    """A model that is asked over and over, one question at a time.

    Attributes:
        way: How it is asked.
        restarts: How often its process was replaced.

    Threat: the model's own code reads files, calls home, or dies and takes the service with it.
    Limit: what it computes is its own; one process answers one question at a time.
    """

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
        self.way, self.restarts = wayfound(bench, facts), -1
        self._lent: Lent | None = None
        self._model: RemoteModel | None = None
        with self._lock:
            self._start()

    def ask(self, rows: Rows) -> Told:
        """Return what it answers.

        Raises:
            SubjectError: It fails, answers nonsense, takes too long or has died; the next question gets a new process.
        """
        with self._lock:
            if self._model is None:
                self._start()
            try:
                return ask(self._running(), self.way.access, rows)
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
