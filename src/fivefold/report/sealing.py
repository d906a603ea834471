"""Sealing: the report that goes into the evidence as the last leaf of its attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.evidence.application import read_folder
from fivefold.keys import store
from fivefold.report import html, read
from fivefold.report.nouns import Document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fivefold.contract.finding import Finding
    from fivefold.contract.plan import Plan
    from fivefold.contract.verdict import Verdict
    from fivefold.evidence.folder import Evidence


def render(plan: Plan, findings: Iterable[Finding], verdict: Verdict, evidence: Evidence) -> bytes:
    """Render the report of an attempt that is about to be closed; hand it to ``assess`` as its ``render``.

    It lists the attempts that the evidence holds so far. It cannot say that the evidence verifies, being part of it:
    that is what ``fivefold verify`` and ``fivefold report`` are for.

    Returns:
        The page, UTF-8.
    """
    chain = read.opened(read_folder(evidence.path), b"", store.utc_now())
    record = chain.attempts.get(plan.attempt)
    key = f" Its plan is signed with key {record.key[:12]}." if record and record.key else ""
    return html.render_document(
        Document(
            plan=plan,
            findings=tuple(sorted(findings, key=lambda finding: finding.check)),
            verdict=verdict,
            attempts=read.lines(chain),
            signer=f"This attempt is sealed by its assessor.{key}",
        )
    )
