"""Lesson: the job of a process in which our own code trains what the application's function makes, and its messages."""

from __future__ import annotations

import msgspec

from fivefold.subject.worker.battery import BatteryJob
from fivefold.subject.worker.messages import Answered, Broken, CheckJob, CommandJob, Confinement, EndpointJob, ModelJob


class LessonJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A process that trains.

    Attributes:
        folder: The snapshot's folder; current folder and first on the import path.
        target: ``module:function`` of the application; it makes what is trained.
        way: What a pack provides under this name does the training: (function, body) to bytes.
        seed: Of the global random generators.
        confinement: As of a model.
    """

    folder: str
    target: str
    way: str
    seed: int
    confinement: Confinement


def lesson_of(job: ModelJob, way: str) -> LessonJob:
    """Return the job that trains what a model's job would make, by ``way`` of a pack."""
    return LessonJob(folder=job.folder, target=job.target, way=way, seed=job.seed, confinement=job.confinement)


class Lesson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is taught, in the form that ``way`` reads."""

    body: bytes


AnyJob = CheckJob | ModelJob | EndpointJob | CommandJob | BatteryJob | LessonJob
"""Whatever the fork server runs."""
Taught = Answered | Broken
"""What came of it."""
