"""Admission: whether sealed evidence lets a build or a deployment through (row G7); a pure function of the document."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from fivefold.contract.outcome import Outcome

if TYPE_CHECKING:
    from fivefold.report.nouns import Document


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a gate.

    Attributes:
        attained: Level that the evidence attains.
        wanted: Level that was asked for.
        reasons: Why it is refused, one sentence each; empty: let through.
        failed: A check failed or the evidence does not hold, as against: nobody knows.
    """

    application: str
    attempt: int
    attained: int
    wanted: int
    reasons: tuple[str, ...]
    failed: bool


def admit(document: Document, now: str, *, min_level: int | None = None, days: float = 0.0) -> Admission:
    """Decide over one attempt.

    Args:
        document: The newest attempt with a verdict, read with the application beside it, so that evidence of other
            bytes does not verify.
        now: UTC time.
        min_level: Level that must be attained; None: the declared one.
        days: Most days since the attempt was begun; 0: any age.
    """
    verdict = document.verdict
    wanted = verdict.declared if min_level is None else min_level
    failed = [finding for finding in document.findings if finding.result.outcome in (Outcome.FAIL, Outcome.ERROR)]
    reasons = [f"{finding.check} {finding.result.outcome}: {finding.result.reason}" for finding in failed]
    broken = document.verified == "no"
    if document.verified != "yes":
        reasons += [f"{trouble.where}: {trouble.text}" for trouble in document.troubles[:5]]
        reasons.append(
            "The evidence does not hold." if broken else "The evidence is not a clean answer for your trust."
        )
    if verdict.attained < wanted:
        blocks = [why for level, why in sorted(verdict.blocks.items()) if int(level) <= wanted]
        reasons += [f"Level {verdict.attained} is attained, {wanted} is wanted.", *blocks]
    if days and (age := _age(document, now)) > timedelta(days=days):
        reasons.append(f"The attempt was begun {age.days} days ago, more than {days:g}.")
    return Admission(
        application=verdict.application,
        attempt=verdict.attempt,
        attained=verdict.attained,
        wanted=wanted,
        reasons=tuple(reasons),
        failed=bool(failed) or broken,
    )


def _age(document: Document, now: str) -> timedelta:
    """Return how long ago the attempt was begun; endless if that is not known or lies in the future."""
    started = next((line.started for line in document.attempts if line.number == document.verdict.attempt), "")
    try:
        age = _moment(now) - _moment(started)
    except ValueError:
        return timedelta.max
    return age if age >= timedelta(minutes=-5) else timedelta.max


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
