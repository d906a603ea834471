"""Sealing a plan: its digest, and the seeds that follow from it, the attempt and the check."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from fivefold.contract.codec import canonical, digest
from fivefold.errors import InputError

if TYPE_CHECKING:
    from fivefold.contract.plan import CheckPlan, Plan


def plan_digest(plan: Plan) -> str:
    """Return the SHA-256 of everything that is fixed before the run: all but digest, attempt and seeds."""
    checks = tuple(_seeded(check, "") for check in plan.checks)
    return digest(canonical(msgspec.structs.replace(plan, checks=checks, digest="", attempt=0)))


def seed(digest_: str, attempt: int, check: str) -> str:
    """Return the seed of a check: SHA-256 over plan digest, attempt number and check id, hexadecimal.

    Each part ends with a newline, so that no two triples share their bytes.
    """
    return hashlib.sha256(f"{digest_}\n{attempt}\n{check}\n".encode()).hexdigest()


def seal(plan: Plan, attempt: int) -> Plan:
    """Return the plan with its attempt number and the seeds of the checks that run.

    Raises:
        InputError: ``plan.attempt`` if the number is below 1; ``plan.changed`` if the plan's digest is not its own;
            ``plan.undecided`` if a check or claim still waits for a fact.
    """
    if attempt < 1:
        raise InputError("plan.attempt", f"an attempt is numbered from 1, not {attempt}.")
    if plan.digest != plan_digest(plan):
        raise InputError("plan.changed", "the plan was changed after it was made.", remedy="Make it again.")
    waiting = [check.check for check in plan.checks if check.status == "undecided"]
    waiting += [f"claim {claim.claim}" for claim in plan.claims if claim.applies is None]
    if waiting:
        raise InputError("plan.undecided", f"not decided yet: {', '.join(waiting)}.", remedy="Read the facts first.")
    checks = tuple(
        _seeded(check, seed(plan.digest, attempt, check.check)) if check.status == "run" else check
        for check in plan.checks
    )
    return msgspec.structs.replace(plan, checks=checks, attempt=attempt)


def _seeded(check: CheckPlan, value: str) -> CheckPlan:
    return msgspec.structs.replace(check, seed=value)
