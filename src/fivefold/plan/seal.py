"""Sealing a plan: its digest, and the seeds that follow from what is measured, the attempt and the check.

A seed hangs on the bytes of model and data, not on the words around them: a comment in the manifest, a threshold or
another name for the application buys no other draw. Plans of version 1 drew from the plan's digest.
"""

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


def basis(plan: Plan) -> str:
    """Return the digest of what a plan measures, from which its seeds follow; of a plan of version 1 its own digest.

    It is the SHA-256 of the canonical JSON of the model's digest and those of the data sets ``train`` and ``test``
    (empty if absent); where neither is there, of all distinct data digests. Other sets are left out, so that naming
    one more file draws nothing anew.
    """
    if plan.version == 1:
        return plan.digest
    main = [plan.data.get("train", ""), plan.data.get("test", "")]
    return digest(canonical([plan.model, *(main if any(main) else sorted(set(plan.data.values())))]))


def seed(basis_: str, attempt: int, check: str) -> str:
    """Return the seed of a check: SHA-256 over basis, attempt number and check id, hexadecimal.

    Each part ends with a newline, so that no two triples share their bytes.
    """
    return hashlib.sha256(f"{basis_}\n{attempt}\n{check}\n".encode()).hexdigest()


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
    source = basis(plan)
    checks = tuple(
        _seeded(check, seed(source, attempt, check.check)) if check.status == "run" else check for check in plan.checks
    )
    return msgspec.structs.replace(plan, checks=checks, attempt=attempt)


def _seeded(check: CheckPlan, value: str) -> CheckPlan:
    return msgspec.structs.replace(check, seed=value)
