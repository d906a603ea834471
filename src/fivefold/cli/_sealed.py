"""The page that is sealed with a verdict, made from the evidence while its attempt is still open."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fivefold.contract.finding import Finding
    from fivefold.contract.plan import Plan
    from fivefold.contract.verdict import Verdict
    from fivefold.evidence.chain import Chain
    from fivefold.evidence.folder import Evidence
    from fivefold.report.nouns import AttemptLine, WaiverLine


def sealed_page(plan: Plan, findings: tuple[Finding, ...], verdict: Verdict, evidence: Evidence) -> bytes:  # noqa: ARG001
    """Return the report of an attempt that is about to be closed."""
    from fivefold.evidence import chain, ledger
    from fivefold.evidence.application import read_folder
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file

    files, keys = read_folder(evidence.path), evidence.keys()
    found = chain.read(ledger.read(files, keys), keys, trust_file.Trust(), store.utc_now())
    return page(plan.attempt, verdict, found)


def page(attempt: int, verdict: Verdict, found: Chain) -> bytes:
    """Return the report of an attempt from its evidence as it stands before the verdict; nothing else enters it.

    Raises:
        InputError: ``report.attempt`` if the attempt is not there.
    """
    from fivefold.errors import InputError
    from fivefold.evidence.pages import plain
    from fivefold.report.html import render

    record = found.attempts.get(attempt)
    if record is None or record.plan is None:
        raise InputError("report.attempt", f"the plan of attempt {attempt} is not in the evidence.")
    verdict = plain(verdict)
    return render(
        record.plan,
        tuple(record.findings[check] for check in sorted(record.findings)),
        verdict,
        _attempts(found, verdict),
        f"Signed with key {record.key[:12]} when this page was made; `fivefold verify` says whose key that is.",
        waivers=_waivers(found, verdict),
    )


def _attempts(found: Chain, verdict: Verdict) -> tuple[AttemptLine, ...]:
    from fivefold.report.nouns import AttemptLine

    lines = []
    verdicts = {item.statement.verdict.attempt: item.statement.verdict for item in found.verdicts}
    verdicts[verdict.attempt] = verdict
    for number, record in sorted(found.attempts.items()):
        said = verdicts.get(number)
        lines.append(
            AttemptLine(
                number=number,
                plan=record.plan.digest if record.plan else "",
                started=record.started,
                effort=record.plan.effort if record.plan else "",
                attained=said.attained if said else None,
                declared=record.plan.level if record.plan else None,
                counts=said.counts if said else {},
            )
        )
    return tuple(lines)


def _waivers(found: Chain, verdict: Verdict) -> tuple[WaiverLine, ...]:
    """Return the waivers that the verdict counts, with their reasons."""
    from fivefold.report.nouns import WaiverLine

    counted = {name: claim.claim for claim in verdict.claims if claim.status == "waived" for name in claim.by}
    lines: dict[str, WaiverLine] = {}
    for record in found.waivers:
        if record.digest in counted:
            lines[counted[record.digest]] = WaiverLine(
                claim=counted[record.digest], until=record.waiver.until, officers=(), reason=record.waiver.reason
            )
    return tuple(lines[claim] for claim in sorted(lines))
