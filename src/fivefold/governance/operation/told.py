"""Told: the newest decisions on record and what followed each, and the outcomes, as facts for checks and commands.

What followed a decision is an ``action`` or ``approval`` in its case with the words ``by`` (a person; ``system``: done
without one) and ``answer`` (what was done; absent: as decided). An ``outcome`` has the word ``benefit``, a number.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fivefold.errors import FivefoldError
from fivefold.governance.appeals import standing
from fivefold.governance.appeals.nouns import declared
from fivefold.governance.operation import drilled
from fivefold.traceability.recorder.opening import home

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.manifest.nouns import Manifest
    from fivefold.traceability.recorder.reading import Found, Reading

    Facts = dict[str, str | float | bool | None]

PURPOSES, TRACE, DELIVERY, TEXTS, OUTCOMES, MEASURE, TARGET, UNIT = (
    "manifest.purposes", "operation.trace", "operation.delivery", "operation.reasons",
    "benefit.outcomes", "benefit.measure", "benefit.target", "benefit.unit",
)  # fmt: skip
NOTHING, FOLLOWED, HURRIED, OVERRIDDEN, AUTOMATIC = ".fhoa"
"""What followed a decision: nothing; a person did so; within seconds; otherwise; it was done without a person."""
DELIVERED, LATE, SAID_NONE, NONE = "rl-."
"""With what a decision left: a reason for each row; one that took too long; word that there is none; nothing."""
REASON_SECONDS = 0.5
"""Time that the reasons of one request may take."""
HURRY = 5.0
"""Seconds within which nobody weighs an answer."""
MOST = 10_000
MOST_TEXTS, MOST_LETTERS = 2000, 2000
"""Most reasons that are read, and most letters of each."""
_SYSTEM = "system"


def facts(manifest: Manifest, until: str = "") -> Facts:
    """Return what the record says up to a time; absent facts: there is no record that this user can read.

    Args:
        manifest: The application.
        until: ISO time in UTC; empty: now.
    """
    known: Facts = {MEASURE: str(manifest.benefit.get("measure", "")), UNIT: str(manifest.benefit.get("unit", ""))}
    target = manifest.benefit.get("target")
    known[PURPOSES] = "\n".join(manifest.purposes)
    known[TARGET] = None if target is None else float(target)
    try:
        place = home(manifest)
        if not place.folder.joinpath("checkpoint").exists():
            return known
        reading, end = place.reading(), _nanoseconds(until)
        return known | {
            TRACE: trace(reading, end),
            DELIVERY: delivery(reading, end),
            TEXTS: texts(reading, end, _line(manifest)),
            OUTCOMES: ",".join(map(repr, outcomes(reading, end))),
            drilled.DRILL: drilled.newest(reading, end),
            **standing.facts(manifest, reading, end),
        }
    except FivefoldError:
        return known


def trace(reading: Reading, until: int = 1 << 63) -> str:
    """Return a letter for each of the newest decisions, oldest first: what followed it."""
    decided = _decided(reading, until)
    followed = dict.fromkeys(decided, NOTHING)
    for kind in ("action", "approval"):
        for item in reading.search(kind=kind, until=until):
            case = item.body.case if item.body is not None else ""
            if case in decided and item.index > decided[case].index:
                followed[case] = _stronger(followed[case], _letter(decided[case], item))
    return "".join(followed.values())


def delivery(reading: Reading, until: int = 1 << 63) -> str:
    """Return a letter for each of the newest decisions, oldest first: whether it left with its reason, and in time."""
    fields = (item.body.fields for item in _decided(reading, until).values() if item.body is not None)
    return "".join(map(_left, fields))


def texts(reading: Reading, until: int = 1 << 63, line: str = "") -> str:
    """Return, as JSON, one reason of each of the newest decisions that left with one, oldest first.

    Each is an object with ``text``, ``moved`` (field, value and credit; null: no credits are on record) and ``flip``
    (field and value; null: there is none). Which row's it is hangs on the record's id, so that none is beyond reading.

    Args:
        reading: The record.
        until: Nanoseconds since 1970.
        line: What stands behind each reason and is left out.
    """
    made = [
        _reason(item.body.fields, line, int(item.id[-8:], 16))
        for item in _decided(reading, until).values() if item.body is not None
    ]  # fmt: skip
    return json.dumps([one for one in made if one is not None][-MOST_TEXTS:])


def _reason(fields: Mapping[str, Any], line: str, which: int) -> dict[str, Any] | None:
    """Return the reason of one row of a decision; None: it left without, or with word that there is none."""
    if _left(fields) not in (DELIVERED, LATE) or not fields["reasons"]:
        return None
    every, at = fields.get("credits"), which % len(fields["reasons"])
    found = every[at] if isinstance(every, list) and at < len(every) and isinstance(every[at], dict) else {}
    text, moved, flip = str(fields["reasons"][at]), found.get("moved"), found.get("flip")
    return {
        "text": text.removesuffix(line).rstrip()[:MOST_LETTERS],
        "moved": None if moved is None else [[one["field"], one["value"], one["credit"]] for one in moved],
        "flip": None if flip is None else [flip["field"], flip["instead"]],
    }


def _line(manifest: Manifest) -> str:
    terms = declared(manifest.controls)
    return terms.line if terms is not None else ""


def outcomes(reading: Reading, until: int = 1 << 63) -> list[float]:
    """Return the benefit of the newest cases that have one; the last word of a case counts."""
    found: dict[str, float] = {}
    for item in reading.search(kind="outcome", until=until):
        value = item.body.fields.get("benefit") if item.body is not None else None
        if item.body is not None and isinstance(value, bool | int | float) and abs(value) < float("inf"):
            found.pop(item.body.case, None)
            found[item.body.case] = float(value)
            if len(found) > MOST:
                del found[next(iter(found))]
    return list(found.values())


def _decided(reading: Reading, until: int) -> dict[str, Found]:
    """Return the newest decisions by case, oldest first; the last one of a case counts, refusals do not."""
    decided: dict[str, Found] = {}
    for item in reading.search(kind="decision", until=until):
        if item.body is not None and "refused" not in item.body.fields:
            decided.pop(item.body.case, None)
            decided[item.body.case] = item
            if len(decided) > MOST:
                del decided[next(iter(decided))]
    return decided


def _left(fields: Mapping[str, Any]) -> str:
    """Return with what one decision left."""
    reasons, stages = fields.get("reasons"), fields.get("stages")
    if not isinstance(reasons, list) or len(reasons) != fields.get("rows") or not all(reasons):
        return NONE
    if fields.get("without reason"):
        return SAID_NONE
    took = stages.get("reason", 0.0) if isinstance(stages, dict) else 0.0
    return LATE if isinstance(took, int | float) and took > 1000 * REASON_SECONDS else DELIVERED


def _letter(decision: Found, action: Found) -> str:
    said: dict[str, Any] = action.body.fields if action.body is not None else {}
    if str(said.get("by", "")).lower() == _SYSTEM:
        return AUTOMATIC
    given = decision.body.fields.get("answer") if decision.body is not None else None
    answer = given[0] if isinstance(given, list) and len(given) == 1 else given
    if "answer" in said and str(said["answer"]) != str(answer):
        return OVERRIDDEN
    return HURRIED if (action.at - decision.at) / 1e9 < HURRY else FOLLOWED


def _stronger(one: str, other: str) -> str:
    """Return what counts of two things that followed: an override over all, then what a person did."""
    order = (OVERRIDDEN, FOLLOWED, HURRIED, AUTOMATIC, NOTHING)
    return min((one, other), key=order.index)


def _nanoseconds(until: str) -> int:
    return int(datetime.fromisoformat(until).timestamp()) * 1_000_000_000 if until else 1 << 63


def read_outcomes(text: str) -> list[float]:
    """Return the outcomes that a fact holds."""
    return [float(part) for part in text.split(",") if part]
