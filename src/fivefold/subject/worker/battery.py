"""Battery: the job of a process that tries to break out, and what it says came of it."""

from __future__ import annotations

import msgspec

from fivefold.contract.check import Without
from fivefold.subject.worker.messages import Confinement


class BatteryJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A process that tries to break out: our own code alone, confined as a model is.

    Attributes:
        confinement: Of the model.
        secret: A file that it may not touch, made for this.
        without: Protection that is left out, to see that its attempts work: ``landlock``, ``seccomp``, ``everything``.
    """

    confinement: Confinement
    secret: str
    without: Without = ""


class Tried(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which attempts worked and which did not, and the protections that this machine has."""

    worked: tuple[str, ...]
    refused: tuple[str, ...]
    protections: tuple[str, ...]
