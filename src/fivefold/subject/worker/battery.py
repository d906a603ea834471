"""Battery: the job of a process that tries to break out, and what it says came of it."""

from __future__ import annotations

import msgspec

from fivefold.contract.check import Without
from fivefold.subject.worker.messages import Confinement


class BatteryJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A process of our own code alone: it tries to break out, confined as a model is, or runs what a pack provides.

    Attributes:
        confinement: Of the model.
        secret: A file that it may not touch, made for this.
        without: Protection that is left out, to see that its attempts work: ``landlock``, ``seccomp``, ``everything``.
        provided: What of a pack runs, with the connection; empty: attempts to break out.
    """

    confinement: Confinement
    secret: str
    without: Without = ""
    provided: str = ""


class Tried(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which attempts worked and which did not, and the protections that this machine has."""

    worked: tuple[str, ...]
    refused: tuple[str, ...]
    protections: tuple[str, ...]
