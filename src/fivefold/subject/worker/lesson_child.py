"""Lesson process: the application's function makes a net, our own code trains it; confined as a model is."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from fivefold.contract import registry
from fivefold.contract.codec import MAX_FRAME
from fivefold.errors import FivefoldError
from fivefold.subject.model import failure
from fivefold.subject.worker import frames, model_child
from fivefold.subject.worker.confine import confine
from fivefold.subject.worker.lesson import Lesson
from fivefold.subject.worker.messages import Answered, Broken, ModelJob

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.subject.worker.lesson import LessonJob


def main(job: LessonJob, descriptor: int, server: int) -> int:
    """Confine this process, train once, hand back what came of it."""
    way = registry.provided(job.way)
    confine(job.confinement, server)
    as_model = ModelJob(folder=job.folder, target=job.target, training=True, seed=job.seed, confinement=job.confinement)
    model_child.settle(as_model)
    peer = socket.socket(fileno=descriptor)
    try:
        lesson = frames.receive(peer, Lesson, MAX_FRAME)
        frames.send(peer, _taught(way, as_model, lesson.body))
    except frames.ClosedError:
        return 0
    return 0


def _taught(way: Callable[..., bytes], job: ModelJob, body: bytes) -> Answered | Broken:
    try:
        return Answered(body=way(model_child.named(job), body))
    except FivefoldError as error:
        return Broken(code=error.code, message=error.message, remedy=error.remedy)
    except MemoryError:
        return Broken(code="model.memory", message="the training ran out of memory.")
    except BaseException as error:  # noqa: BLE001  foreign code may raise anything, SystemExit too
        told = failure(error, "training")
        return Broken(code=told.code, message=told.message, remedy=told.remedy, note=told.__notes__[0])
