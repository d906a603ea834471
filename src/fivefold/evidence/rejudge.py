"""Rejudge: the newest closed attempt judged once more, with the waivers that count now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.catalogue import load
from fivefold.contract.codec import canonical
from fivefold.errors import InputError
from fivefold.evidence.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.verdict import Verdict
    from fivefold.evidence.folder import Evidence
    from fivefold.keys.trust import Trust


def rejudge(evidence: Evidence, trust: Trust, now: str) -> tuple[Verdict, str] | None:
    """Judge the newest closed attempt again and log the verdict if it changed.

    Args:
        evidence: Opened by somebody who may append.
        trust: Says which officers count.
        now: UTC time for which waivers are looked at.

    Returns:
        The verdict and its path; an empty path: nothing changed, nothing was logged. None: there is no closed attempt.

    Raises:
        InputError: ``evidence.other-catalogue`` if the attempt was made with another catalogue.
        TrustError: The evidence is not as it was left.
    """
    plan = evidence.latest()
    if plan is None:
        return None
    catalogue = load()
    if plan.catalogue != catalogue.digest:
        message = "the newest attempt was made with another catalogue and cannot be judged again."
        raise InputError("evidence.other-catalogue", message, remedy="Run: fivefold assess.")
    findings = tuple(item for _, item in sorted(evidence.findings(plan.attempt).items()))
    verdict = judge(plan, findings, evidence.exemptions(trust, now), now, catalogue)
    before = evidence.verdict(plan.attempt)
    if before is not None and canonical(before) == canonical(verdict):
        return verdict, ""
    return verdict, evidence.add_verdict(plan, verdict, now)
