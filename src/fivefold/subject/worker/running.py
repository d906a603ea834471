"""Running: one task while its processes live, and what came of it when they are gone."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from fivefold.errors import SubjectError
from fivefold.subject.worker import frames
from fivefold.subject.worker.battery import BatteryJob
from fivefold.subject.worker.lesson import LessonJob
from fivefold.subject.worker.messages import CheckJob, CommandJob, Done, EndpointJob, Failed, ModelJob
from fivefold.subject.worker.watch import Limits, ending

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from fivefold.subject.worker.messages import WantBattery

CHECK_CAP = 64 << 20
"""Largest message that a check process may send."""

RUNS: dict[type, Literal["endpoint", "command", "battery", "lesson"]] = {
    EndpointJob: "endpoint", CommandJob: "command", BatteryJob: "battery", LessonJob: "lesson",
}  # fmt: skip
"""Programs of the fork server by job, where that is not told by the kind of the process."""

ENDED_BY_ITSELF = "the model's process ended by itself"


@dataclass(frozen=True)
class Task:
    """One check (or the probe) with the model processes that it may have.

    Attributes:
        job: The check process.
        model: A process that answers; None: there is no model to ask.
        training: A process that trains; None: the application cannot.
        limits: Of the check and of each of its models.
        front: Takes over a connection over which the check asks the model behind a guard, answers there in a thread
            of its own, and is handed what starts processes of the model; None: there is no guard.
    """

    job: CheckJob
    model: ModelJob | EndpointJob | CommandJob | None
    training: ModelJob | None
    limits: Limits
    front: Callable[[socket.socket, Supply], None] | None = None


class Supply:
    """Processes of a model for a thread that may not touch the worker: it waits until the driver starts one."""

    def __init__(self) -> None:
        self._wanted: queue.SimpleQueue[Future[socket.socket]] = queue.SimpleQueue()
        self._lock, self._over = threading.Lock(), False

    def __call__(self) -> socket.socket:
        """Return the connection to a new process.

        Raises:
            SubjectError: ``model.refused`` if no more are started.
        """
        wanted: Future[socket.socket] = Future()
        with self._lock:
            if self._over:
                raise _no_more()
            self._wanted.put(wanted)
        return wanted.result()

    def serve(self, start: Callable[[], socket.socket | None]) -> None:
        """Start what is waited for; ``start`` returns None where no more are."""
        while not self._wanted.empty():
            wanted, peer = self._wanted.get(), start()
            if peer is None:
                wanted.set_exception(_no_more())
            else:
                wanted.set_result(peer)

    def close(self) -> None:
        """Start no more, and tell whoever waits."""
        with self._lock:
            self._over = True
        self.serve(lambda: None)


def _no_more() -> SubjectError:
    return SubjectError("model.refused", "no more model processes are started for this check.")


@dataclass(frozen=True)
class Ended:
    """What came of a task, and why its model's process ended if it did not end as it should (empty: it did)."""

    task: Task
    outcome: Done | Failed
    reason: str = ""


@dataclass
class Child:
    """One process of a task.

    Attributes:
        pid: 0 until it is known.
        status: Wait status; None while it lives.
        why: The limit that it broke, in words.
        dismissed: It was ended because its task was over.
    """

    token: int
    kind: Literal["check", "model"]
    scratch: Path
    pid: int = 0
    status: int | None = None
    why: str = ""
    dismissed: bool = False


@dataclass
class Running:
    """One task in the worker.

    Attributes:
        peer: The connection to its check process.
        closed: That connection has ended.
        message: The outcome, once the check process said it.
        batteries: How many batteries of attempts to break out it has had.
        late: When the time limit passed; 0: not yet.
        dismissed: When its processes are ended at the latest; 0: not yet known.
        supply: Of its guard; None: there is none.
    """

    task: Task
    started: float
    peer: socket.socket
    children: list[Child] = field(default_factory=list)
    reader: frames.Reader = field(default_factory=lambda: frames.Reader(CHECK_CAP))
    closed: bool = False
    message: Done | Failed | None = None
    batteries: int = 0
    late: float = 0.0
    dismissed: float = 0.0
    supply: Supply | None = None

    @property
    def living(self) -> list[Child]:
        """Return the processes that still live."""
        return [child for child in self.children if child.status is None]

    @property
    def over(self) -> bool:
        """Return whether nothing more can come."""
        return self.closed and not self.living

    def tries(self, job: ModelJob | None, wanted: WantBattery, secret: Path) -> BatteryJob:
        """Return the job of trying to break out, with a file made for it that the model may not touch.

        What a pack provides runs confined as the check is, without the application's files.
        """
        if wanted.provided or job is None:
            own, rules = self.task.job, self.task.job.confinement
            private = [Path(place) for place in (own.root, own.model_root) if place]
            read = tuple(place for place in rules.read if not any(map(Path(place).is_relative_to, private)))
            rules = msgspec.structs.replace(rules, read=read, foreign=True)
            return BatteryJob(confinement=rules, secret="", provided=wanted.provided)
        secret.parent.mkdir(mode=0o700)
        secret.write_bytes(b"weights of nothing")
        return BatteryJob(confinement=job.confinement, secret=str(secret), without=wanted.without)

    def lost(self) -> None:
        """Note that the fork server is gone, and every process with it."""
        self.message = self.message or Failed(
            kind="internal", code="worker.lost", message="the worker was ended from outside."
        )
        self.closed = True
        for child in self.living:
            child.status, child.dismissed = 0, True

    def ended(self) -> Ended:
        """Return what came of it."""
        return Ended(self.task, self.message or self._silent(), self._reason())

    def _silent(self) -> Failed:
        check = self.children[0]
        why = check.why or ending(check.status or 0) or "ended without a result"
        return Failed(kind="internal", code="check.ended", message=f"the check {why}.")

    def _reason(self) -> str:
        models = [child for child in self.children if child.kind == "model" and not child.dismissed]
        for child in models:
            if child.why:
                return f"the model {child.why}"
        for child in models:
            if how := ending(child.status or 0):
                return f"the model's process {how}"
        return ""


def held(scratch: Path, token: int) -> Path:
    """Return where the file lies that a battery goes for: beside the scratch folders of the children."""
    return scratch / f"{token}-held" / "weights"
