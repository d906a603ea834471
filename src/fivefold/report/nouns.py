"""Document: everything that a report shows, in whichever form; the JSON form is this value."""

from __future__ import annotations

from typing import Literal

import msgspec

from fivefold.contract.finding import Finding
from fivefold.contract.plan import Plan
from fivefold.contract.verdict import Verdict

REPORT_VERSION = 1


class AttemptLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One attempt of this application, as the evidence holds it.

    Attributes:
        number: From 1, over all plans of the application.
        plan: Digest of its plan.
        started: UTC time at which its plan was signed; empty: not known.
        effort: ``quick``, ``standard`` or ``thorough``; empty: not known.
        attained: Level attained; None if the attempt was never closed.
        declared: Level declared in its plan; None: not known.
        counts: Outcome to number of checks; empty if it was never closed.
    """

    number: int
    plan: str = ""
    started: str = ""
    effort: str = ""
    attained: int | None = None
    declared: int | None = None
    counts: dict[str, int] = {}


class WaiverLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One exemption in force: the claim, its last day, the officers who signed, and why."""

    claim: str
    until: str
    officers: tuple[str, ...]
    reason: str = ""


class Trouble(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing that did not verify, or is in doubt: stable code, place and sentence."""

    code: str
    text: str
    where: str = ""


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a report shows.

    Attributes:
        plan: As signed before the run.
        findings: In check-id order.
        verdict: As judged.
        attempts: All attempts of the application, oldest first, this one included.
        waivers: Exemptions in force.
        signer: One line: who signed, in which role, and whether the reader's trust file knows the key.
        verified: ``yes``; ``doubt``: intact, but for example by an unknown signer; ``no``; ``unchecked``: written
            while its evidence was being sealed.
        troubles: What did not verify, or is in doubt.
    """

    plan: Plan
    findings: tuple[Finding, ...]
    verdict: Verdict
    attempts: tuple[AttemptLine, ...] = ()
    waivers: tuple[WaiverLine, ...] = ()
    signer: str = ""
    verified: Literal["yes", "doubt", "no", "unchecked"] = "unchecked"
    troubles: tuple[Trouble, ...] = ()
    version: int = REPORT_VERSION
