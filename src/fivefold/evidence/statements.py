"""Statements: which predicate each signed file carries, and how it is sealed and read.

Findings, plans and verdicts do not depend on time; the wrapper around them does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from fivefold.contract.codec import digest
from fivefold.contract.finding import Finding
from fivefold.contract.plan import Plan
from fivefold.contract.verdict import Verdict, Waiver
from fivefold.errors import TrustError
from fivefold.evidence import envelope
from fivefold.evidence.layout import REPORT_SUBJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.keys.signing import Signer

T = TypeVar("T")

_BASE = "https://fivefold.dev/"
PLAN_TYPE = f"{_BASE}plan/v1"
FINDING_TYPE = f"{_BASE}finding/v1"
VERDICT_TYPE = f"{_BASE}verdict/v1"
WAIVER_TYPE = f"{_BASE}waiver/v1"
MODEL_FILE = "model/"
"""Start of the subject name of one file of the model."""


class PlanStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A sealed plan and the time of its signature, which is the start of the attempt."""

    plan: Plan
    signed: str


class FindingStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A finding and the time of its signature."""

    finding: Finding
    signed: str


class VerdictStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A verdict, the ``now`` for which it was judged, and the digests of the waiver files that it counts."""

    verdict: Verdict
    now: str
    signed: str
    waivers: tuple[str, ...] = ()


class WaiverStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One officer's half of an exemption; its time is inside the waiver."""

    waiver: Waiver


def plan_subjects(plan: Plan) -> dict[str, str]:
    """Return the subjects of all statements of an attempt: manifest, model (if any) and data, by digest."""
    found = {"manifest": plan.manifest, **{f"data/{name}": value for name, value in plan.data.items()}}
    return found | ({"model": plan.model} if plan.model else {})


def application_subject(application: str) -> dict[str, str]:
    """Return the subject of a waiver: the application, by the digest of its id."""
    return {"application": digest(application.encode())}


def model_subjects(files: Mapping[str, str]) -> dict[str, str]:
    """Return the subjects that a plan's statement carries for each file of the model's signed set."""
    return {f"{MODEL_FILE}{name}": value for name, value in files.items()}


def model_files(subjects: Mapping[str, str]) -> dict[str, str]:
    """Return the signed set, name to digest, that a plan's subjects carry; the reverse of :func:`model_subjects`."""
    return {name.removeprefix(MODEL_FILE): value for name, value in subjects.items() if name.startswith(MODEL_FILE)}


def seal_plan(plan: Plan, signed: str, signer: Signer, files: Mapping[str, str]) -> bytes:
    """Return the file ``plan.json``; ``files`` is the model's signed set, name to digest, so that a change is named."""
    subjects = plan_subjects(plan) | model_subjects(files)
    return envelope.seal(PLAN_TYPE, subjects, PlanStatement(plan=plan, signed=signed), signer)


def seal_finding(plan: Plan, finding: Finding, signed: str, signer: Signer) -> bytes:
    """Return the file of one finding."""
    return envelope.seal(FINDING_TYPE, plan_subjects(plan), FindingStatement(finding=finding, signed=signed), signer)


def seal_verdict(plan: Plan, statement: VerdictStatement, report: bytes | None, signer: Signer) -> bytes:
    """Return the file of a verdict; the digest of its report, if there is one, is among its subjects."""
    subjects = plan_subjects(plan) | ({REPORT_SUBJECT: digest(report)} if report is not None else {})
    return envelope.seal(VERDICT_TYPE, subjects, statement, signer)


def seal_waiver(waiver: Waiver, signer: Signer) -> bytes:
    """Return the file of one officer's waiver."""
    return envelope.seal(WAIVER_TYPE, application_subject(waiver.application), WaiverStatement(waiver=waiver), signer)


def read(opened: envelope.Opened, predicate_type: str, kind: type[T], *, where: str) -> T:
    """Read the predicate of an opened envelope.

    Raises:
        TrustError: ``evidence.newer`` for a later version of the predicate, ``evidence.malformed`` for another one or
            one that cannot be read.
    """
    if opened.kind != predicate_type:
        base, _, version = predicate_type.rpartition("/v")
        other, _, found = opened.kind.rpartition("/v")
        if other == base and found.isdecimal() and int(found) > int(version):
            raise TrustError(
                "evidence.newer", "written by a newer version.", where=where, remedy="Use a newer Fivefold."
            )
        raise TrustError("evidence.malformed", "the statement is of another kind.", where=where)
    try:
        return msgspec.json.decode(opened.predicate, type=kind)
    except (msgspec.DecodeError, RecursionError):
        raise TrustError("evidence.malformed", "the statement's predicate cannot be read.", where=where) from None
