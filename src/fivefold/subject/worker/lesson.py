"""Lesson: the job of a process in which our own code trains what the application's function makes, and its messages."""

from __future__ import annotations

import msgspec

from fivefold.subject.worker.messages import Answered, Broken, Confinement


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


class Lesson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is taught, in the form that ``way`` reads."""

    body: bytes


Taught = Answered | Broken
"""What came of it."""
