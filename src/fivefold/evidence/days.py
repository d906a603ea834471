"""Days: the last day of a waiver, in one written form and compared as a day, never as a text."""

from __future__ import annotations

import re
from datetime import date

from fivefold.errors import InputError
from fivefold.keys.trust import moment

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def day(text: str) -> date:
    """Read a day such as ``2026-12-31``.

    Raises:
        InputError: ``waiver.until`` for any other form, also for one that ISO 8601 allows (``20261231``, a week).
    """
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InputError("waiver.until", f"{text[:40]!r} is not a day.", remedy="Write it as 2026-12-31.")


def ended(until: str, at: str) -> bool:
    """Whether a last day lies before the day of a UTC time; both in their own one form.

    Raises:
        InputError: ``waiver.until`` or ``trust.time``.
    """
    return day(until) < moment(at).date()
