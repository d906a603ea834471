"""The verdict: which level is attained, what blocks the next one, which aims hold. Pure and deterministic.

A claim is satisfied by passes, by a predicate that the product tested, or by a waiver of two officers; by nothing else.
A row counts only if every check that it will ever need is built and passes. An alternative that does not apply
satisfies nothing as long as another one applies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from fivefold.contract.outcome import Outcome
from fivefold.contract.verdict import AimVerdict, Blocker, ClaimVerdict, Verdict
from fivefold.evidence import words
from fivefold.evidence.days import ended
from fivefold.evidence.settle import Settled, settle
from fivefold.keys.trust import person

if TYPE_CHECKING:
    from fivefold.catalogue.nouns import Aim, Catalogue, Claim
    from fivefold.contract.finding import Finding
    from fivefold.contract.plan import ClaimPlan, Plan


class ValidWaiver(msgspec.Struct, frozen=True, kw_only=True):
    """An exemption whose signatures hold; whether it counts at a time is judged here once more.

    Attributes:
        claim: Claim id.
        until: Last day, ISO date.
        officers: Names of both officers, as the verifier's trust file has them.
        ids: Digests of both waiver files.
        keys: Ids of both keys; empty if whoever paired them has compared them.
    """

    claim: str
    until: str
    officers: tuple[str, str]
    ids: tuple[str, str]
    keys: tuple[str, ...] = ()


def judge(
    plan: Plan, findings: tuple[Finding, ...], waivers: tuple[ValidWaiver, ...], now: str, catalogue: Catalogue
) -> Verdict:
    """Return the verdict over one attempt.

    Args:
        plan: The sealed plan; what its checks and claims say is taken as planned, what it lacks counts as not run.
        findings: In any order; those of other plans, attempts or seeds do not count.
        waivers: Exemptions whose signatures were verified.
        now: ISO time in UTC; a waiver counts up to and including its last day.
        catalogue: The one that the plan was made from.
    """
    settled = settle(plan, findings)
    planned = {claim.claim: claim for claim in plan.claims}
    levels = range(1, plan.level + 1)
    bound = [claim for claim in catalogue.claims if claim.level in levels]
    waived = {waiver.claim: waiver for waiver in sorted(waivers, key=_order) if _counts(waiver, now)}
    claims = tuple(
        _waive(_claim(claim, planned.get(claim.id), settled, catalogue), waived.get(claim.id)) for claim in bound
    )
    aims = tuple(_aim(aim, settled, catalogue) for aim in catalogue.aims)
    attained = _attained(claims, aims, plan.level)
    outcomes = [one.outcome for one in settled.values()]
    counts = {outcome.value: outcomes.count(outcome) for outcome in Outcome}
    used = tuple(words.waiver(waived[claim.claim]) for claim in claims if claim.status == "waived")
    faults = [fault for claim in plan.claims if claim.applies is not False for fault in claim.faults]
    failed = bool(counts[Outcome.FAIL] or faults)
    return Verdict(
        application=plan.application,
        attempt=plan.attempt,
        attained=attained,
        declared=plan.level,
        counts=counts,
        claims=claims,
        aims=aims,
        blocks=words.blocks(claims, aims),
        summary=words.summary(plan, attained, claims=claims, aims=aims, counts=counts, catalogue=catalogue),
        not_proved=words.NOT_PROVED,
        plan=plan.digest,
        exit_code=1 if failed else 0 if attained >= plan.level else 3,
        waivers=used,
    )


def _order(waiver: ValidWaiver) -> tuple[str, tuple[str, str]]:
    return waiver.until, waiver.ids


def _counts(waiver: ValidWaiver, now: str) -> bool:
    """Two people, two files, two keys, not expired."""
    names = {person(name) for name in waiver.officers}
    two_keys = not waiver.keys or len(set(waiver.keys)) == 2
    return len(names - {""}) == 2 and len(set(waiver.ids)) == 2 and two_keys and not ended(waiver.until, now)


def _claim(claim: Claim, planned: ClaimPlan | None, settled: dict[str, Settled], catalogue: Catalogue) -> ClaimVerdict:
    base = ClaimVerdict(claim=claim.id, level=claim.level, text=claim.text, status="blocked")
    if planned is None or planned.applies is None:
        text = "The plan leaves this claim out." if planned is None else f"It is not decided. {planned.reason}"
        blocker = Blocker(id=claim.id, outcome=Outcome.NOT_RUN.value, text=text, remedy="Assess the application again.")
        return msgspec.structs.replace(base, blockers=(blocker,))
    if planned.applies is False:
        return msgspec.structs.replace(base, status="not-applicable", by=(planned.reason,))
    blockers = [
        Blocker(id=claim.id, outcome=Outcome.FAIL.value, text=fault, remedy="Declare the path and turn its control on.")
        for fault in planned.faults
    ]
    by: list[str] = []
    for any_of in planned.needs:
        found, lacking = _any_of(any_of, settled, catalogue)
        by += found
        blockers += lacking
    if not planned.needs and not blockers:
        blockers.append(Blocker(id=claim.id, outcome=Outcome.NOT_RUN.value, text="Nothing is planned for this claim."))
    if blockers:
        return msgspec.structs.replace(base, blockers=_distinct(blockers))
    return msgspec.structs.replace(base, status="satisfied", by=tuple(dict.fromkeys(by)))


def _distinct(blockers: list[Blocker]) -> tuple[Blocker, ...]:
    """Each id once, the first one; faults of a claim share its id and all stay."""
    found: dict[tuple[str, str], Blocker] = {}
    for one in blockers:
        found.setdefault((one.id, one.text if one.outcome == Outcome.FAIL else ""), one)
    return tuple(found.values())


def _any_of(
    tokens: tuple[str, ...], settled: dict[str, Settled], catalogue: Catalogue
) -> tuple[list[str], list[Blocker]]:
    """Return what satisfies a need, or else what stands in the way of each alternative."""
    inapplicable: list[str] = []
    for token in tokens:
        entries = [(entry.id, settled.get(entry.id)) for entry in catalogue.members(token)]
        if all(one is not None and one.outcome.satisfies for _, one in entries):
            ids = [check for check, _ in entries]
            if any(one is not None and one.outcome is Outcome.PASS for _, one in entries):
                return ids, []
            inapplicable += ids
    if all(set(_ids(token, catalogue)) <= set(inapplicable) for token in tokens):
        return inapplicable, []
    lacking = [blocker for token in tokens for blocker in _blockers(token, settled, catalogue)]
    if len(tokens) > 1:
        hint = f" One of {', '.join(tokens)} suffices."
        lacking = [msgspec.structs.replace(blocker, text=blocker.text + hint) for blocker in lacking]
    return [], lacking


def _ids(token: str, catalogue: Catalogue) -> list[str]:
    return [entry.id for entry in catalogue.members(token)]


def _blockers(token: str, settled: dict[str, Settled], catalogue: Catalogue) -> list[Blocker]:
    """One blocker for each check that ran or should have, and one for all that this version lacks."""
    members = catalogue.members(token)
    row = catalogue.rows[members[0].technique]
    found, gaps = [], []
    for entry in members:
        one = settled.get(entry.id) or Settled(
            check=entry.id, outcome=Outcome.NOT_RUN, text="The plan leaves this check out."
        )
        if one.gap and entry.state == "gap":
            gaps.append(entry.id)
        elif not one.outcome.satisfies:
            remedy = one.remedy or row.remedy
            found.append(Blocker(id=one.check, outcome=one.outcome.value, text=one.text, remedy=remedy))
    if gaps:
        text = words.gaps(row, token, gaps, len(members))
        found.append(Blocker(id=token, outcome=Outcome.NOT_RUN.value, text=text, remedy=row.remedy))
    return found


def _waive(claim: ClaimVerdict, waiver: ValidWaiver | None) -> ClaimVerdict:
    if claim.status != "blocked" or waiver is None:
        return claim
    return msgspec.structs.replace(claim, status="waived", by=waiver.ids, blockers=())


def _aim(aim: Aim, settled: dict[str, Settled], catalogue: Catalogue) -> AimVerdict:
    entries = [entry for row in aim.rows for entry in catalogue.rows[row].checks]
    outcomes = {entry.id: settled[entry.id].outcome for entry in entries if entry.id in settled}
    binding = catalogue.binds(aim)
    failed = Outcome.FAIL in outcomes.values()
    held = binding and all(outcomes.get(entry.id, Outcome.NOT_RUN).satisfies for entry in entries)
    status: Literal["held", "failed", "failed-not-binding", "not-assessed"] = "not-assessed"
    if failed:
        status = "failed" if binding else "failed-not-binding"
    elif held:
        status = "held"
    text = words.aim(aim, outcomes, entries, catalogue)
    return AimVerdict(aim=aim.id, title=aim.title, binding=binding, status=status, text=text)


def _attained(claims: tuple[ClaimVerdict, ...], aims: tuple[AimVerdict, ...], declared: int) -> int:
    if any(aim.binding and aim.status != "held" for aim in aims):
        return 0
    blocked = [claim.level for claim in claims if claim.status == "blocked"]
    return min(blocked, default=declared + 1) - 1
