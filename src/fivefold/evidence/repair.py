"""Repair: which unlogged files the owner of an evidence folder may take up after a crash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.contract.codec import digest
from fivefold.errors import TrustError
from fivefold.evidence import envelope, layout, statements
from fivefold.evidence.layout import attempt_path
from fivefold.evidence.statements import FindingStatement, PlanStatement, VerdictStatement, WaiverStatement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.plan import Plan
    from fivefold.keys.signing import PublicKey


@dataclass(frozen=True)
class Owner:
    """Who repairs: application, own public key, all keys that the folder carries, and known officers' keys by role."""

    application: str
    own: PublicKey
    keys: Mapping[str, PublicKey]
    officers: Mapping[str, Mapping[str, PublicKey]]


def ours(path: str, data: bytes, files: Mapping[str, bytes], owner: Owner) -> bool:
    """Whether an unlogged file is one that the owner made, or an officer's waiver for this application.

    Raises:
        TrustError: It is no such file.
    """
    place = layout.place(path)
    if place is None:
        return False
    if place.kind == "key":
        known = {owner.own.id, *(name for keys in owner.officers.values() for name in keys)}
        return place.id in known & owner.keys.keys() and owner.keys[place.id].pem == data
    if place.kind == "manifest":
        return _plan_of(place.attempt, files, owner).manifest == digest(data)
    if place.kind == "report":
        path = attempt_path(place.attempt, "verdict.json")
        opened = envelope.unseal(files.get(path, b""), {owner.own.id: owner.own}, where=path)
        return opened.subjects.get(layout.REPORT_SUBJECT) == digest(data)
    if place.kind == "waiver":
        officers = {name: key for keys in owner.officers.values() for name, key in keys.items()}
        opened = envelope.unseal(data, officers, where=path)
        waiver = statements.read(opened, statements.WAIVER_TYPE, WaiverStatement, where=path).waiver
        return waiver.application == owner.application and opened.key in owner.officers.get(waiver.role, {})
    return _signed(place, path, files, owner)


def _signed(place: layout.Place, path: str, files: Mapping[str, bytes], owner: Owner) -> bool:
    opened = envelope.unseal(files[path], {owner.own.id: owner.own}, where=path)
    if place.kind == "plan":
        plan = statements.read(opened, statements.PLAN_TYPE, PlanStatement, where=path).plan
        return (plan.application, plan.attempt) == (owner.application, place.attempt)
    if place.kind == "finding":
        # A finding that appears after the verdict was not lost in a crash.
        if attempt_path(place.attempt, "verdict.json") in files:
            return False
        finding = statements.read(opened, statements.FINDING_TYPE, FindingStatement, where=path).finding
        plan = _plan_of(place.attempt, files, owner)
        return (finding.attempt, finding.check, finding.digests.plan) == (place.attempt, place.id, plan.digest)
    verdict = statements.read(opened, statements.VERDICT_TYPE, VerdictStatement, where=path).verdict
    plan = _plan_of(verdict.attempt, files, owner)
    fits = (verdict.application, verdict.plan) == (owner.application, plan.digest)
    return fits and place.attempt in (0, verdict.attempt)


def _plan_of(attempt: int, files: Mapping[str, bytes], owner: Owner) -> Plan:
    path = attempt_path(attempt, "plan.json")
    if path not in files:
        raise TrustError("evidence.missing", "the plan is missing.", where=path)
    opened = envelope.unseal(files[path], {owner.own.id: owner.own}, where=path)
    return statements.read(opened, statements.PLAN_TYPE, PlanStatement, where=path).plan
