"""Markdown: the verdict and every finding on one screen, for a pull request or a build's page (well under 1 MiB)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from fivefold.contract.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.contract.finding import Finding
    from fivefold.manifest.nouns import Manifest
    from fivefold.report.nouns import Document

_ORDER = (
    Outcome.FAIL, Outcome.ERROR, Outcome.INCONCLUSIVE, Outcome.NOT_RUN, Outcome.PASS, Outcome.NOT_APPLICABLE,
)  # fmt: skip
_MOST = 600


def write(document: Document, manifest: Manifest | None = None, place: str = "fivefold.yaml") -> bytes:  # noqa: ARG001
    """Return the summary; see :meth:`fivefold.report.formats.Format.write`."""
    return ("\n".join(_lines(document)) + "\n").encode()


def _lines(document: Document) -> Iterator[str]:
    verdict = document.verdict
    yield f"## Fivefold: level {verdict.attained} of {verdict.declared} attained\n"
    yield f"`{verdict.application}`, attempt {verdict.attempt}. {_text(verdict.summary)}\n"
    if document.verified != "yes":
        yield f"**Evidence verifies: {document.verified}.**\n"
    yield ", ".join(f"{count} {name}" for name, count in verdict.counts.items() if count) + "\n"
    yield "| outcome | check | in words |\n|---|---|---|"
    for finding in sorted(document.findings, key=lambda item: _ORDER.index(item.result.outcome)):
        yield _row(finding)
    blocked = [claim for claim in verdict.claims if claim.status == "blocked"]
    if blocked:
        yield "\n| blocked claim | what it says | first thing to do |\n|---|---|---|"
        for claim in blocked:
            remedy = next((blocker.remedy for blocker in claim.blockers if blocker.remedy), "")
            yield f"| {claim.claim} | {_text(claim.text)} | {_text(remedy)} |"
    yield f"\n{_text(document.signer)}"


def _row(finding: Finding) -> str:
    said = finding.result
    canary = "" if said.canary is None or said.canary.noticed else " (planted cases went unnoticed)"
    bare = "" if finding.bare is UNSET else f" (behind the guard; bare: {finding.bare.outcome})"
    return f"| **{said.outcome}** | {finding.check} | {_text(said.reason)}{canary}{bare} |"


def _text(text: str) -> str:
    """Return text that cannot break a table, start markup or a mention."""
    flat = " ".join(text.split())[:_MOST]
    for mark in "\\|<>`*_[]@#":
        flat = flat.replace(mark, f"\\{mark}" if mark not in "<>@" else {"<": "&lt;", ">": "&gt;", "@": "&#64;"}[mark])
    return flat
