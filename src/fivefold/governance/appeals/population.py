"""Population: the newest decisions on record, row by row, with what may set some of them apart: group, field, rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.errors import InputError
from fivefold.fairness.drift.recorded import Recorded
from fivefold.traceability.recorder.replaying import array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.traceability.recorder.nouns import Body
    from fivefold.traceability.recorder.reading import Found, Reading

MOST = 10_000
"""Most rows that are looked at, the newest."""
_HELD = 10_000

Value = str | float | bool | None


class Decided(msgspec.Struct, frozen=True):
    """One decided row.

    Attributes:
        decision: Id of the record.
        row: Which row of it.
        at: When, in nanoseconds since 1970.
        answer: What was told.
        model: Digest of the model.
        rule: Which rung of the ladder answered; empty: there is none.
        field: The field that moved the answer most, as the reason says; empty: no reason was given.
        groups: Protected field to its value; None: not on record.
    """

    decision: str
    row: int
    at: int
    answer: str
    model: str
    rule: str
    field: str
    groups: dict[str, Value]


def decided(reading: Reading, protected: Sequence[str], until: int = 1 << 63) -> list[Decided]:
    """Return the newest decided rows, oldest first; refusals and rows that wait for a person are left out.

    A protected field stands in what was asked, or beside the decision: an ``outcome`` or ``status`` of its case with
    the word ``group``, a mapping.

    Args:
        reading: The record.
        protected: Names of the protected fields.
        until: Nanoseconds since 1970, the end, itself not included.
    """
    asked: dict[str, Found] = {}
    said: dict[str, dict[str, Value]] = {}
    made: list[tuple[str, Decided]] = []
    for item in reading.search(until=until):
        body = item.body
        if body is None:
            continue
        if item.kind == "input":
            asked.pop(body.case, None)
            asked[body.case] = item
            if len(asked) > _HELD:
                del asked[next(iter(asked))]
        elif item.kind == "decision" and isinstance(body.fields.get("answer"), list):
            made += [(body.case, one) for one in _rows(item, asked.get(body.case), protected)]
            made = made[-2 * MOST :] if len(made) > 4 * MOST else made
        elif item.kind in {"outcome", "status"} and isinstance(body.fields.get("group"), dict):
            said[body.case] = {name: _plain(body.fields["group"].get(name)) for name in protected}
    return [_beside(one, said.get(case, {})) for case, one in made[-MOST:]]


def recorded(rows: Sequence[Decided], protected: Sequence[str]) -> str:
    """Return decisions with their groups as the fact that F1.drift reads; empty: there is none."""
    if not rows:
        return ""
    fields = {name: tuple(one.groups.get(name) for one in rows) for name in protected}
    return msgspec.json.encode(Recorded(tuple(one.answer for one in rows), fields)).decode()


def _rows(item: Found, asked: Found | None, protected: Sequence[str]) -> list[Decided]:
    body = item.body
    if body is None:
        return []
    columns = _columns(asked.body if asked is not None else None, protected)
    rungs, moved = body.fields.get("by"), body.fields.get("credits")
    return [
        Decided(
            item.id, row, item.at, str(answer), body.model, str(_at(rungs, row) or ""), _strongest(_at(moved, row)),
            {name: _plain(_at(values, row)) for name, values in columns.items()},
        )
        for row, answer in enumerate(body.fields["answer"])
        if answer not in {"", None}
    ]  # fmt: skip


def _columns(body: Body | None, protected: Sequence[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for tensor in body.tensors if body is not None else ():
        if tensor.name in protected and len(tensor.shape) == 1:
            try:
                found[tensor.name] = array(tensor).tolist()
            except InputError:
                continue
    return found


def _beside(one: Decided, said: dict[str, Value]) -> Decided:
    return msgspec.structs.replace(one, groups=one.groups | said) if said else one


def _strongest(credit: Any) -> str:
    """Return the field that moved an answer most, as the guard recorded it."""
    moved = credit.get("moved") if isinstance(credit, dict) else None
    first = moved[0] if isinstance(moved, list) and moved else None
    return str(first.get("field", "")) if isinstance(first, dict) else ""


def _at(values: Any, row: int) -> Any:
    return values[row] if isinstance(values, list) and row < len(values) else None


def _plain(value: Any) -> Value:
    """Return a value that JSON knows; None for what is missing or none of these."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool) else None
