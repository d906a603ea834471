"""Mapping: what evidence says to each clause of a law or standard; never a claim of conformity (row R3).

A pure function of the document, the manifest that was assessed and the standard. A clause is answered only by checks of
evidence that verifies: in evidence that does not, nothing is met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from fivefold import catalogue
from fivefold.contract.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fivefold.catalogue.standards import Clause, Standard
    from fivefold.manifest.nouns import Manifest
    from fivefold.report.nouns import Document

MAPPING_VERSION = 1

State = Literal["met", "failed", "open", "not built", "outside"]

STATES: dict[State, str] = {
    "met": "answered by evidence, nothing against it",
    "failed": "a check that it names failed",
    "open": "a check is inconclusive, was not run or ended in an error, or a field is not filled",
    "not built": "this version lacks a check that it names",
    "outside": "not assessed: nothing that this product measures answers it",
}
"""State of a clause, in words."""

NO_CLAIM = (
    "This lists which clauses machine evidence answers. It is no claim of conformity: a clause may ask more than its "
    "checks measure, and those marked outside need other proof."
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One clause and its answer.

    Attributes:
        id: With the standard's prefix.
        asks: In our words; empty where the clause is outside.
        state: See :data:`STATES`.
        evidence: Check id to outcome (``not built`` for a gap), in the mapping's order.
        unfilled: Fields of the manifest that it asks and that are empty.
        why: What decided, where that is not plain from the rest.
    """

    id: str
    asks: str
    state: State
    evidence: dict[str, str] = {}
    unfilled: tuple[str, ...] = ()
    why: str = ""


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """A standard answered from one attempt's evidence.

    Attributes:
        counts: State to number of clauses, all five keys.
        unfilled: Fields that at least one clause asks and that are empty, with how many clauses ask each.
        answerable: Clauses that checks of the catalogue answer once all of them are built.
        application: Application id.
        attempt: Number of the attempt.
        verified: Whether the evidence verifies, as in the document.
        dates: Day to duty, as looked up.
    """

    standard: str
    name: str
    version: str
    source: str
    looked_up: str
    application: str
    attempt: int
    verified: str
    counts: dict[str, int]
    answerable: int
    unfilled: dict[str, int]
    lines: tuple[Line, ...]
    dates: dict[str, str] = {}
    statement: str = NO_CLAIM
    mapping_version: int = MAPPING_VERSION


def answer(standard: Standard, document: Document, manifest: Manifest | None) -> Answers:
    """Answer every clause of a standard.

    Args:
        standard: The clauses.
        document: One attempt's evidence, as read and verified.
        manifest: The manifest of that attempt; None: it cannot be read, and every field counts as unfilled.
    """
    outcomes = _outcomes(document)
    lines = tuple(_lines(standard, document, outcomes, manifest))
    unfilled: dict[str, int] = {}
    for line in lines:
        for name in line.unfilled:
            unfilled[name] = unfilled.get(name, 0) + 1
    return Answers(
        standard=standard.id,
        name=standard.name,
        version=standard.version,
        source=standard.source,
        looked_up=standard.looked_up,
        application=document.verdict.application,
        attempt=document.verdict.attempt,
        verified=document.verified,
        counts={state: sum(line.state == state for line in lines) for state in STATES},
        answerable=sum(bool(clause.checks) for clause in standard.clauses),
        unfilled=dict(sorted(unfilled.items(), key=lambda item: (-item[1], item[0]))),
        lines=lines,
        dates={item.day: item.duty for item in standard.dates},
    )


def _lines(
    standard: Standard, document: Document, outcomes: Mapping[str, str], manifest: Manifest | None
) -> Iterator[Line]:
    for clause in standard.clauses:
        yield _line(clause, standard.prefix, document, outcomes, manifest)
    for group in standard.outside:
        yield from (Line(id=standard.prefix + id_, asks="", state="outside", why=group.why) for id_ in group.ids)


def _line(
    clause: Clause, prefix: str, document: Document, outcomes: Mapping[str, str], manifest: Manifest | None
) -> Line:
    evidence = {check: outcomes.get(check, "not built") for check in clause.checks}
    unfilled = tuple(field for field in clause.fields if not filled(manifest, field))
    state: State = _state(set(evidence.values()), unfilled=bool(unfilled))
    why = clause.always or clause.note
    if document.verified in ("no", "doubt") and state == "met":
        state, why = "open", "The evidence does not verify, so it answers nothing."
    return Line(id=prefix + clause.id, asks=clause.asks, state=state, evidence=evidence, unfilled=unfilled, why=why)


def _state(found: set[str], *, unfilled: bool) -> State:
    if Outcome.FAIL in found:
        return "failed"
    lacking = found - {str(Outcome.PASS), str(Outcome.NOT_APPLICABLE)}
    if lacking == {"not built"}:
        return "not built"
    return "open" if lacking or unfilled else "met"


def _outcomes(document: Document) -> dict[str, str]:
    """Return what became of every check that this version has; one that the plan left out counts as not run."""
    built = {check.id for row in catalogue.load().techniques for check in row.checks if check.state == "built"}
    found = dict.fromkeys(built, str(Outcome.NOT_RUN))
    found |= {check.check: check.status for check in document.plan.checks if check.check in built}
    found |= {finding.check: str(finding.result.outcome) for finding in document.findings}
    return {check: str(Outcome.NOT_RUN) if state in ("run", "undecided") else state for check, state in found.items()}


def filled(manifest: Manifest | None, field: str) -> bool:
    """Whether a field is filled: for ``data.*`` in any data set, for ``a|b`` any one of them."""
    if manifest is None:
        return False
    return any(_filled(manifest, one.split(".")) for one in field.split("|"))


def _filled(manifest: Manifest, words: list[str]) -> bool:
    if words[0] == "data":
        sets = list(manifest.data.values())
        return bool(sets) and any(_present(_get(item, words[1:])) for item in sets)
    if words == ["training", "factory"]:
        return bool(manifest.training)
    return _present(_get(manifest, words))


def _get(value: Any, words: list[str]) -> Any:
    for word in words:
        value = value.get(word) if isinstance(value, dict) else getattr(value, word, None)
    return value


def _present(value: Any) -> bool:
    return value not in (None, "", (), [], {}) or value is False
