"""Verdict and waiver: which level is attained, what blocks the next, and what two officers let pass."""

from __future__ import annotations

from typing import Literal

import msgspec

VERDICT_VERSION = 1
WAIVER_VERSION = 1


class Blocker(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why a claim is not satisfied: one check or technique.

    Attributes:
        id: Check or technique id.
        outcome: One of the six outcomes.
        text: What failed, in words, with value, interval and threshold where measured.
        remedy: Which control to turn on or what to do.
    """

    id: str
    outcome: str
    text: str
    remedy: str = ""


class ClaimVerdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One claim, judged.

    Attributes:
        status: ``satisfied``, ``blocked``, ``not-applicable`` or ``waived``.
        by: What satisfied it: check ids, predicate, or waiver ids.
        blockers: Empty unless ``blocked``.
    """

    claim: str
    level: int
    text: str
    status: Literal["satisfied", "blocked", "not-applicable", "waived"]
    by: tuple[str, ...] = ()
    blockers: tuple[Blocker, ...] = ()


class AimVerdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of the seven aims.

    Attributes:
        status: ``held``, ``failed``, ``failed-not-binding`` or ``not-assessed``.
        text: In words: what was and what was not assessed.
    """

    aim: str
    title: str
    binding: bool
    status: Literal["held", "failed", "failed-not-binding", "not-assessed"]
    text: str


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The judgement over one attempt; a pure function of plan, findings, waivers and ``now``.

    Attributes:
        attained: Highest level whose every applicable claim, and all below, is satisfied; 0: none.
        declared: Level that the manifest declares.
        counts: Outcome to number of checks in the plan, all six keys.
        claims: In order 1a to 5d, up to the declared level.
        aims: O1 to O7.
        blocks: Level to one sentence that says what blocks it.
        summary: Two or three sentences for the first screen.
        not_proved: What self-signed evidence does not prove.
        plan: Digest of the plan.
        exit_code: 0 attained as declared and no check failed, 1 some check failed, 3 otherwise.
    """

    application: str
    attempt: int
    attained: int
    declared: int
    counts: dict[str, int]
    claims: tuple[ClaimVerdict, ...]
    aims: tuple[AimVerdict, ...]
    blocks: dict[str, str]
    summary: str
    not_proved: tuple[str, ...]
    plan: str
    exit_code: int
    waivers: tuple[str, ...] = ()
    version: int = VERDICT_VERSION


class Waiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One officer's half of an exemption; two with different names and keys make it count.

    Attributes:
        application: Application id.
        claim: Claim id such as ``2b``.
        reason: Why, in the officer's words.
        until: Last day, ISO date, at most one year ahead.
        role: ``privacy-officer`` or ``legal-officer``.
        issued: ISO time in UTC.
    """

    application: str
    claim: str
    reason: str
    until: str
    role: Literal["privacy-officer", "legal-officer"]
    issued: str
    version: int = WAIVER_VERSION
