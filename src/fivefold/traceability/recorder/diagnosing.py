"""Diagnosing: what sets a recorded decision apart from those before it: model, words, times, inputs, answer."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd

from fivefold.errors import InputError
from fivefold.traceability.recorder.contrasts import (
    Notes,
    Statement,
    answers_of,
    compare,
    compare_answers,
    listed,
    table,
)
from fivefold.traceability.recorder.replaying import Decision, decisions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fivefold.traceability.recorder.reading import Found, Reading

FEWEST = 99
"""Decisions before from which on a chance of 1 in 100 can be seen."""
MOST_ROWS = 3_000
"""Most rows of earlier decisions whose inputs are held, the newest: each is compared with each, in 72 MB."""

_ASKED = ("input", "output", "decision", "status")
_CHANGES = ("model-change", "data-operation", "approval", "gap")
_TROUBLE = ("alarm", "gap")
_AFTER = ("action", "approval", "outcome")
_LONGEST = 20
_TIME = "seconds to the answer"


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about one decision.

    Attributes:
        asked: Id of the record of what was asked.
        answered: Id of the record of what was answered.
        case: Its case.
        at: When it was answered, in nanoseconds since 1970.
        before: Decisions with the same columns before it, which it was held against.
        rows: Their rows.
        erased: Records among them that nobody can read.
        stands_out: What differs, facts first, then the least likely first.
        alike: What was compared and does not differ.
        afterwards: Actions, approvals and outcomes in the case after it.
        untold: What could not be compared, and why.
    """

    asked: str
    answered: str
    case: str
    at: int
    before: int
    rows: int
    erased: int
    stands_out: tuple[Statement, ...]
    alike: tuple[str, ...]
    afterwards: tuple[str, ...]
    untold: tuple[str, ...]


class _Seen(msgspec.Struct, kw_only=True):
    """One decision and what was said with it."""

    decision: Decision
    words: dict[str, Any]


def diagnose(reading: Reading, reference: str, most: int = 2000) -> Diagnosis:
    """Hold a decision against those before it and say what differs.

    Threat: an answer was wrong, and nobody can say what had changed.
    Limit: what is not recorded is not compared; a difference that is told need not be the cause.

    Args:
        reading: The record.
        reference: A record of the decision, or of its case: then the decision last before it.
        most: Most earlier decisions to hold it against, the newest ones.

    Raises:
        InputError: ``diagnose.none`` if there is no decision in the case, or it was erased; ``recorder.unknown``.
    """
    case = reading.trace(reference)
    decision = _meant(case, reading.get(reference))
    window, changes = _window(reading, decision, most)
    heard = list(_heard(window))
    seen = [item for item in heard if item.decision.answered.index < decision.answered.index][-most:]
    own = next((item for item in heard if item.decision.answered.id == decision.answered.id), None)
    own = own or _Seen(decision=decision, words=_words(decision, {}))
    notes = Notes()
    alike = _same_columns(own, seen, notes)
    _model(own, alike, changes, notes)
    after = _case(case, decision, notes)
    if len(alike) < FEWEST:
        notes.untold.append(
            f"words, input and answer: {len(alike)} decisions before it have its columns, and {FEWEST} are needed"
        )
    else:
        _said(own, alike, notes)
        alike = _asked_and_answered(own, alike, notes)
    told = sorted(notes.told, key=lambda one: -1.0 if one.chance is None else one.chance)
    return Diagnosis(
        asked=decision.asked.id,
        answered=decision.answered.id,
        case=case[0].body.case if case[0].body else "",
        at=decision.answered.at,
        before=len(alike),
        rows=sum(_rows(item) for item in alike),
        erased=sum(item.body is None for item in window),
        stands_out=tuple(told),
        alike=tuple(dict.fromkeys(notes.alike)),
        afterwards=tuple(after),
        untold=tuple(notes.untold),
    )


def _meant(case: list[Found], named: Found) -> Decision:
    """Return the decision that a record belongs to: as question or answer, else the one last before it."""
    every = list(decisions(case))
    exact = [item for item in every if named.id in (item.asked.id, item.answered.id)]
    earlier = [item for item in every if item.answered.index < named.index]
    if not every:
        why = "was erased" if any(item.body is None for item in case) else "holds no answer with its question"
        remedy = "Look: fivefold record search --kind output."
        raise InputError("diagnose.none", f"the case of this record {why}.", remedy=remedy)
    return (exact or earlier[-1:] or every[:1])[-1]


def _window(reading: Reading, decision: Decision, most: int) -> tuple[list[Found], list[Found]]:
    """Return the newest records up to the decision that matter, and changes recorded among them; two walks."""
    last = decision.answered.index
    places: deque[int] = deque(maxlen=4 * most + 4)
    for index, leaf in reading.leaves():
        if index > last:
            break
        if leaf.kind in _ASKED:
            places.append(index)
    wanted, window, changes = set(places), [], []
    for index, leaf in reading.leaves():
        if index > last:
            break
        if index in wanted:
            window.append(reading.found(index, leaf))
        elif index >= places[0] and leaf.kind in _CHANGES:
            changes.append(reading.found(index, leaf))
    return window, changes


def _heard(window: Iterable[Found]) -> Iterator[_Seen]:
    """Yield decisions with the words of their question, their answer, and the newest status of their case."""
    status: dict[str, dict[str, Any]] = {}

    def noted() -> Iterator[Found]:
        for item in window:
            if item.kind == "status" and item.body is not None:
                status[item.body.case] = status.get(item.body.case, {}) | item.body.fields
            yield item

    for decision in decisions(noted()):
        case = decision.answered.body.case if decision.answered.body else ""
        yield _Seen(decision=decision, words=_words(decision, status.get(case, {})))


def _words(decision: Decision, status: dict[str, Any]) -> dict[str, Any]:
    parts = {"status": status}
    for item in (decision.asked, decision.answered):
        parts[item.kind] = item.body.fields if item.body else {}
    plain = {
        f"{kind} {name}": value
        for kind, fields in parts.items()
        for name, value in fields.items()
        if isinstance(value, str | bool | int | float)
    }
    return plain | {_TIME: (decision.answered.at - decision.asked.at) / 1e9}


def _form(item: _Seen) -> tuple[Any, ...]:
    """Return names and kinds of the columns of a decision: numbers of any width are numbers."""
    given = item.decision.asked.body.tensors if item.decision.asked.body else ()
    return tuple((one.name, "text" if one.dtype == "text" else one.dtype[1:2], one.shape[1:]) for one in given)


def _same_columns(own: _Seen, seen: list[_Seen], notes: Notes) -> list[_Seen]:
    """Return the decisions with the same columns; where most had others, say which."""
    form = _form(own)
    names = {one[0] for one in form}
    alike = [item for item in seen if {one[0] for one in _form(item)} == names]
    if len(alike) < len(seen) / 2:
        usual, count = Counter(_form(item) for item in seen).most_common(1)[0]
        more, less = names - {one[0] for one in usual}, {one[0] for one in usual} - names
        parts = [f"{word} {listed(sorted(which))}" for word, which in (("it has", more), ("it lacks", less)) if which]
        said = f"{count:,} of the {len(seen):,} decisions before it were asked with other columns: {'; '.join(parts)}."
        notes.told.append(Statement(about="columns", said=said))
    types = dict(zip((one[0] for one in form), form, strict=True))
    usual_types = {one[0]: one for item in alike for one in _form(item)}
    other = [
        f"{name} ({_type(types[name])}, before {_type(one)})"
        for name, one in usual_types.items()
        if one != types[name] and sum(dict(_pairs(item)).get(name) == types[name] for item in alike) * 100 <= len(alike)
    ]
    if other:
        notes.told.append(Statement(about="columns", said=f"Other types than before: {listed(other)}."))
    elif seen:
        notes.alike.append("columns")
    return alike


def _pairs(item: _Seen) -> list[tuple[str, Any]]:
    return [(one[0], one) for one in _form(item)]


def _type(one: tuple[Any, ...]) -> str:
    kinds = {"text": "text", "f": "number", "i": "whole number", "u": "whole number", "b": "truth value", "M": "date"}
    shape = f" of shape {list(one[2])}" if one[2] else ""
    return kinds.get(one[1], "other") + shape


def _model(own: _Seen, seen: list[_Seen], changes: list[Found], notes: Notes) -> None:
    """Say whether another model answered, since when, and whether the change was recorded."""
    mine = own.decision.model
    if not mine:
        notes.untold.append("model: who records did not name it (`recorder.open(..., model=digest)`)")
        return
    others = [item for item in seen if item.decision.model != mine]
    if not seen:
        return
    if len(others) * 2 < len(seen):
        notes.alike.append("model")
        return
    usual, count = Counter(item.decision.model for item in others).most_common(1)[0]
    last = max(item.decision.answered.index for item in others)
    first = min(
        (item.decision.answered.index for item in seen if item.decision.model == mine),
        default=own.decision.answered.index,
    )
    between = [
        item for item in changes if item.kind == "model-change" and min(last, first) < item.index <= max(last, first)
    ]
    recorded = (
        f"A model change was recorded in between ({between[-1].id})."
        if between
        else "No model change was recorded in between."
    )
    before = f"model {usual[:16]}" if usual else "a model that was not named"
    said = (
        f"Answered by model {mine[:16]}, which gave {len(seen) - len(others):,} of the {len(seen):,} answers before; "
        f"{count:,} came from {before}. {recorded}"
    )
    notes.told.append(Statement(about="model", said=said))


def _case(case: list[Found], decision: Decision, notes: Notes) -> list[str]:
    """Say what went wrong in the case; return what people and the world did with the answer afterwards."""
    after = []
    for item in case:
        if item.body is None:
            continue
        said = ", ".join(f"{name}={value}" for name, value in item.body.fields.items())[:200]
        later = item.index > decision.answered.index
        if item.kind in _TROUBLE:
            when = "after" if later else "before"
            notes.told.append(Statement(about="case", said=f"{item.kind.capitalize()} {when} the answer: {said}."))
        elif later and item.kind in _AFTER:
            after.append(f"{item.kind}: {said}")
    if not any(one.about == "case" for one in notes.told):
        notes.alike.append("case: no alarm and no gap")
    return after


def _said(own: _Seen, seen: list[_Seen], notes: Notes) -> None:
    """Compare what was said with the decision: status, words of question and answer, seconds to the answer."""
    frame = pd.DataFrame([*(item.words for item in seen), own.words])
    frame = frame[[name for name in frame.columns if name in own.words or frame[name].iloc[:-1].notna().mean() > 0.5]]
    compare(frame, len(seen), "words", notes)


def _asked_and_answered(own: _Seen, seen: list[_Seen], notes: Notes) -> list[_Seen]:
    """Compare the input with inputs, and the answer with answers to the inputs most like it; return those held."""
    held: list[_Seen] = []
    inputs: list[pd.DataFrame] = []
    rows = 0
    for item in reversed(seen):
        made = table(item.decision)
        if rows + len(made) > MOST_ROWS:
            notes.untold.append(f"inputs before the newest {rows:,} rows")
            break
        held.insert(0, item)
        inputs.insert(0, made)
        rows += len(made)
    whole = table(own.decision)
    mine = whole.iloc[:_LONGEST]
    if rows < FEWEST or not len(mine):
        notes.untold.append("input: it has no rows, or those before it have too few")
        return seen
    if len(whole) > _LONGEST:
        notes.untold.append(f"rows after the first {_LONGEST} of the batch")
    frame = pd.concat([*inputs, mine], ignore_index=True)
    near = compare(frame, rows, "input", notes)
    answers = [answers_of(item.decision, len(made)) for item, made in zip(held, inputs, strict=True)]
    answers.append(answers_of(own.decision, len(whole)).iloc[:_LONGEST])
    if near is not None and all(len(part) for part in answers):
        compare_answers(pd.concat(answers, ignore_index=True), frame, near, notes)
    else:
        notes.untold.append("answer: not every recorded answer has a value for each row of its question")
    return held


def _rows(item: _Seen) -> int:
    given = item.decision.asked.body.tensors if item.decision.asked.body else ()
    return given[0].shape[0] if given and given[0].shape else 0
