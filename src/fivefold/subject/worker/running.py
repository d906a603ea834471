"""Running: one task while its processes live, and what came of it when they are gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from fivefold.subject.worker import frames
from fivefold.subject.worker.battery import BatteryJob
from fivefold.subject.worker.messages import CheckJob, CommandJob, Done, EndpointJob, Failed, ModelJob
from fivefold.subject.worker.watch import Limits, ending

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from fivefold.contract.check import Without

CHECK_CAP = 64 << 20
"""Largest message that a check process may send."""

ENDED_BY_ITSELF = "the model's process ended by itself"


@dataclass(frozen=True)
class Task:
    """One check (or the probe) with the model processes that it may have.

    Attributes:
        job: The check process.
        model: A process that answers; None: there is no model to ask.
        training: A process that trains; None: the application cannot.
        limits: Of the check and of each of its models.
    """

    job: CheckJob
    model: ModelJob | EndpointJob | CommandJob | None
    training: ModelJob | None
    limits: Limits


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

    @property
    def living(self) -> list[Child]:
        """Return the processes that still live."""
        return [child for child in self.children if child.status is None]

    @property
    def over(self) -> bool:
        """Return whether nothing more can come."""
        return self.closed and not self.living

    def tries(self, job: ModelJob, without: Without, secret: Path) -> BatteryJob:
        """Return the job of trying to break out, with a file made for it that the model may not touch."""
        secret.parent.mkdir(mode=0o700)
        secret.write_bytes(b"weights of nothing")
        model = next((child.pid for child in self.living if child.kind == "model" and child.pid), 0)
        return BatteryJob(confinement=job.confinement, secret=str(secret), model=model, without=without)

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
