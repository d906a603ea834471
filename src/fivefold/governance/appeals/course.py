"""Course: appeals as the log tells them: whether each was replayed, reviewed by somebody else, remedied in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.errors import InputError
from fivefold.governance.appeals.nouns import DAY, DIFFERS, NONE, SAME, Appeal, Decided

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fivefold.traceability.recorder.reading import Found, Reading

UNREPLAYED, UNEXPLAINED, SELF, TWICE, LATE, UNREMEDIED = (
    "not replayed", "not explained", "reviewed by who decided or filed", "decided twice", "deadline missed",
    "not remedied",
)  # fmt: skip
UNKNOWN = "about no decision on record"
FAULTS = (UNREPLAYED, UNEXPLAINED, SELF, TWICE, LATE, UNREMEDIED, UNKNOWN)


def on_record(reading: Reading, until: int = 1 << 63) -> list[Appeal]:
    """Return every appeal on record that can be read, oldest first; of an erased person there is none.

    Args:
        reading: The record.
        until: Nanoseconds since 1970, the end, itself not included.
    """
    steps: dict[str, list[Found]] = {}
    for kind in ("status", "action", "alarm"):
        for item in reading.search(kind=kind, until=until):
            name = _fields(item).get("appeal")
            if isinstance(name, str):
                steps.setdefault(name, []).append(item)
    cases = {_case(item) for items in steps.values() for item in items}
    beside = reading.cases(cases) if cases else {}
    found = (
        _told(name, sorted(items, key=lambda item: item.index), beside[_case(items[0])])
        for name, items in steps.items()
    )
    return sorted((one for one in found if one is not None), key=lambda one: (one.at, one.id))


def of(reading: Reading, name: str, decision: str = "") -> Appeal | None:
    """Return one appeal; None: there is none on record.

    Args:
        reading: The record.
        name: Its id.
        decision: Id of the record of the decision, where that is known: then far less is read.
    """
    if not decision:
        decision = next((item.id for item in reading.search(fields={"appeal": name})), "")
    try:
        records = reading.trace(decision) if decision else []
    except InputError:
        return None
    return _told(name, [item for item in records if _fields(item).get("appeal") == name], records)


def faults(appeal: Appeal, now: int, days: int = 0) -> tuple[str, ...]:
    """Return what is wrong with the course of an appeal; empty: nothing (yet).

    Args:
        appeal: As told by the record.
        now: Nanoseconds since 1970.
        days: Most days that may be given; 0: as many as the appeal was given.
    """
    decided = appeal.decided
    due = min(appeal.due, appeal.at + days * DAY) if days else appeal.due
    ended = decided[0].at if decided else now
    tried = appeal.replayed in {SAME, DIFFERS} and bool(appeal.model) and appeal.now == appeal.model
    told = tried or (appeal.replayed == NONE and bool(appeal.why))
    is_over = bool(decided) or now > due
    found = {
        UNREPLAYED: is_over and not told,
        UNEXPLAINED: is_over and not appeal.explained,
        SELF: any(appeal.concerns(one.by) or not one.by for one in decided),
        TWICE: len({(one.by, one.ruling, one.answer, one.because) for one in decided}) > 1,
        LATE: ended > due,
        UNREMEDIED: bool(decided) and not appeal.remedied,
        UNKNOWN: not appeal.answer,
    }
    return tuple(name for name in FAULTS if found[name])


def _told(name: str, items: list[Found], records: list[Found]) -> Appeal | None:
    """Return the appeal that records tell of; of what is said once, the first word counts."""
    filed = next((item for item in items if _step(item) == "filed"), None)
    if filed is None or filed.body is None:
        return None
    said, rest = filed.body.fields, [item for item in items if item.index > filed.index]
    decided = tuple(_decided(item) for item in rest if _step(item) == "decided")
    first = next((item.index for item in rest if _step(item) == "decided"), 1 << 62)
    early = [_fields(item) for item in rest if item.index < first]
    tried = [said for said in early if said.get("step") == "replayed"]
    replay = next((said for said in tried if said.get("outcome") in {SAME, DIFFERS}), tried[0] if tried else {})
    text = next((str(said.get("text", "")) for said in early if said.get("step") == "explained"), "")
    made = Appeal(
        id=name, decision=str(said.get("decision", "")), row=_number(said.get("row")), case=filed.body.case,
        person=filed.body.person, by=str(said.get("by", "")), because=str(said.get("because", "")), at=filed.at,
        days=_number(said.get("days")), leaf=str(said.get("leaf", "")), replayed=str(replay.get("outcome", "")),
        now=str(replay.get("model", "")), why=str(replay.get("why", "")),
        answers=tuple(map(str, replay.get("answers", ()))),
        explained=text, decided=decided,
        remedied=tuple(str(_fields(item).get("remedy", "")) for item in rest
                       if _step(item) == "remedied" and item.index > first),
        alarmed=any(_step(item) == "overdue" for item in rest), records=tuple(item.id for item in items),
    )  # fmt: skip
    return _with_decision(made, records, filed.index)


def _with_decision(appeal: Appeal, records: list[Found], before: int) -> Appeal:
    """Return an appeal with what the record says of the decision, which comes before it in the same case."""
    decision = next((item for item in records if item.id == appeal.decision), None)
    if decision is None or decision.body is None or decision.index > before or decision.kind != "decision":
        return appeal
    fields = decision.body.fields
    given, row = fields.get("answer"), appeal.row
    answer = str(given[row]) if isinstance(given, list) and 0 <= row < len(given) else ""
    return msgspec.structs.replace(
        appeal, answer=answer, model=decision.body.model, deciders=_deciders(fields, records, (decision.index, before))
    )


def _deciders(fields: dict[str, Any], records: Iterable[Found], within: tuple[int, int]) -> tuple[str, ...]:
    """Return who asked for a decision, and who acted on it before it was challenged."""
    acted = [
        str(_fields(item).get("by") or _fields(item).get("who") or "")
        for item in records
        if item.kind in {"action", "approval"} and within[0] < item.index < within[1]
    ]
    return tuple(dict.fromkeys(name for name in (str(fields.get("caller", "")), *acted) if name))


def _decided(item: Found) -> Decided:
    said = _fields(item)
    return Decided(
        by=str(said.get("by", "")), at=item.at, ruling=str(said.get("ruling", "")), answer=str(said.get("answer", "")),
        because=str(said.get("because", "")),
    )  # fmt: skip


def _fields(item: Found) -> dict[str, Any]:
    return item.body.fields if item.body is not None else {}


def _case(item: Found) -> str:
    return item.body.case if item.body is not None else ""


def _step(item: Found) -> str:
    return str(_fields(item).get("step", ""))


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
