"""Standing: how appeals went and whom decisions were about, as facts for checks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from fivefold.fairness.drift.recorded import STREAM
from fivefold.governance.appeals import course
from fivefold.governance.appeals.nouns import DAY, declared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.governance.appeals.nouns import Appeal
    from fivefold.manifest.nouns import Manifest
    from fivefold.traceability.recorder.reading import Reading

APPEALS = "operation.appeals"
"""Fact: the appeals of the last year on record, oldest first, as JSON; empty: there is no record."""
_YEAR = 365 * DAY


class Standing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one appeal went.

    Attributes:
        open: Whether it is not decided and remedied yet.
        faults: What is wrong with its course; see :mod:`fivefold.governance.appeals.course`.
    """

    open: bool
    faults: tuple[str, ...]


def facts(manifest: Manifest, reading: Reading, end: int) -> dict[str, str | float | bool | None]:
    """Return how appeals went, and the groups of whom decisions were about.

    Args:
        manifest: The application.
        reading: Its record.
        end: Nanoseconds since 1970, itself not included.
    """
    from fivefold.governance.appeals import population  # brings the engines; only where there is a record

    protected = tuple(dict.fromkeys(name for data in manifest.data.values() for name in data.protected))
    terms = declared(manifest.controls)
    now = min(end, time.time_ns())
    rows = population.decided(reading, protected, end) if protected else []
    return {
        APPEALS: told(course.on_record(reading, end), now, terms.days if terms is not None else 0),
        STREAM: population.recorded(rows, protected),
    }


def told(appeals: Sequence[Appeal], now: int, days: int) -> str:
    """Return how the appeals of the last year went, as JSON."""
    recent = [one for one in appeals if one.at > now - _YEAR]
    return msgspec.json.encode([Standing(one.is_open, course.faults(one, now, days)) for one in recent]).decode()


def read(text: str) -> list[Standing]:
    """Return how appeals went."""
    return msgspec.json.decode(text, type=list[Standing]) if text else []
