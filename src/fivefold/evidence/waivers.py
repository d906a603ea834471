"""Waivers: when two officers' signatures make an exemption count.

A claim is waived at a time if two waivers for it, both issued by then and not expired, were signed by two keys that the
verifier's trust file gives to two different names in two different officer roles. Half an exemption counts for nothing.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations
from typing import TYPE_CHECKING

from fivefold.contract.codec import digest
from fivefold.errors import FivefoldError, InputError
from fivefold.evidence import envelope, statements
from fivefold.evidence.chain import WaiverRecord
from fivefold.evidence.days import day, ended
from fivefold.evidence.judge import ValidWaiver
from fivefold.evidence.statements import WaiverStatement
from fivefold.keys import trust as trust_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fivefold.contract.verdict import Verdict, Waiver
    from fivefold.keys.signing import PublicKey

LONGEST = timedelta(days=366)
"""Longest time from issue to end."""

__all__ = ["check", "counted", "counting", "day", "ended", "in_force", "opened", "supposed", "why_not"]


def check(waiver: Waiver) -> None:
    """Check one waiver's own dates and words.

    Raises:
        InputError: ``waiver.until``, ``waiver.reason`` or ``trust.time``.
    """
    issued = trust_file.moment(waiver.issued).date()
    until = day(waiver.until)
    if not issued <= until <= issued + LONGEST:
        raise InputError("waiver.until", "a waiver ends within one year, and not in the past.", remedy="Choose a day.")
    if len(waiver.reason.split()) < 3:
        raise InputError("waiver.reason", "a waiver needs a reason of at least three words.", remedy="Say why.")


def counting(records: Iterable[WaiverRecord], trust: trust_file.Trust, at: str, now: str) -> tuple[ValidWaiver, ...]:
    """Return the exemptions that count at the time ``at``, as the verifier sees it at ``now``; one for each claim."""
    halves: dict[str, list[tuple[WaiverRecord, str]]] = {}
    for record in records:
        try:
            check(record.waiver)
            entry = trust_file.standing(trust, record.key, record.waiver.role, record.waiver.issued, now)
        except FivefoldError:
            continue
        issued = trust_file.moment(record.waiver.issued)
        if issued <= trust_file.moment(at) and not ended(record.waiver.until, at):
            halves.setdefault(record.waiver.claim, []).append((record, entry.name))
    found = (_pair(claim, halves[claim]) for claim in sorted(halves))
    return tuple(exemption for exemption in found if exemption is not None)


def why_not(record: WaiverRecord, trust: trust_file.Trust, now: str) -> str:
    """Return in words why a waiver cannot count for this verifier; empty if it only lacks its second half."""
    try:
        check(record.waiver)
        trust_file.standing(trust, record.key, record.waiver.role, record.waiver.issued, now)
    except FivefoldError as error:
        return error.message
    if ended(record.waiver.until, now):
        return f"it ended on {record.waiver.until}."
    return ""


def in_force(halves: Iterable[WaiverRecord], at: str) -> bool:
    """Whether waivers are well-formed, issued by ``at`` and not ended, whoever signed them."""
    for record in halves:
        try:
            check(record.waiver)
        except FivefoldError:
            return False
        if trust_file.moment(record.waiver.issued) > trust_file.moment(at) or ended(record.waiver.until, at):
            return False
    return True


def supposed(halves: Sequence[WaiverRecord]) -> ValidWaiver:
    """Return two halves as a waiver whose officers nobody has vouched for, to see what would follow if it held."""
    first, second = halves
    return ValidWaiver(
        claim=first.waiver.claim,
        until=min(first.waiver.until, second.waiver.until, key=day),
        officers=(f"{first.waiver.role} unknown", f"{second.waiver.role} unknown"),
        ids=(first.digest, second.digest),
        keys=(first.key, second.key),
    )


def opened(files: Mapping[str, bytes], keys: Mapping[str, PublicKey]) -> tuple[WaiverRecord, ...]:
    """Read logged waiver files, path to bytes, in the order of the log.

    Raises:
        TrustError: A signature does not hold.
    """
    found = []
    for index, (path, data) in enumerate(files.items()):
        opened_ = envelope.unseal(data, dict(keys), where=path)
        said = statements.read(opened_, statements.WAIVER_TYPE, WaiverStatement, where=path)
        found.append(WaiverRecord(digest(data), opened_.key, said.waiver, index))
    return tuple(found)


def _pair(claim: str, halves: list[tuple[WaiverRecord, str]]) -> ValidWaiver | None:
    best: ValidWaiver | None = None
    for (first, name), (second, other) in combinations(halves, 2):
        same = first.key == second.key or trust_file.person(name) == trust_file.person(other)
        if same or first.waiver.role == second.waiver.role:
            continue
        until = min(first.waiver.until, second.waiver.until, key=day)
        if best is None or day(until) > day(best.until):
            best = ValidWaiver(
                claim=claim,
                until=until,
                officers=(name, other),
                ids=(first.digest, second.digest),
                keys=(first.key, second.key),
            )
    return best


def counted(verdict: Verdict) -> tuple[str, ...]:
    """Return the digests of the waiver files that a verdict counts, in order."""
    return tuple(sorted({name for claim in verdict.claims if claim.status == "waived" for name in claim.by}))
