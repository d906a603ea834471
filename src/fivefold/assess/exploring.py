"""Exploring: a plan narrowed to some checks or given another seed; its findings are never sealed."""

from __future__ import annotations

import difflib
import hashlib
from typing import TYPE_CHECKING

import msgspec

from fivefold.errors import InputError
from fivefold.plan.seal import seed as derived

if TYPE_CHECKING:
    from fivefold.contract.plan import CheckPlan, Plan


def narrow(plan: Plan, only: tuple[str, ...], seed: str, *, bare: bool = False) -> Plan:
    """Return the plan with the wanted checks alone, seeded; it has no attempt.

    Args:
        plan: As made.
        only: Check ids, or technique ids for all of their checks; empty: all.
        seed: Any text or number; empty: the seeds of an attempt 0, which no sealed run has.
        bare: Nothing is measured behind a guard.

    Raises:
        InputError: ``assess.only`` if a name is no check of the plan, or one that does not run.
    """
    wanted = _wanted(plan, only)
    checks = tuple(
        msgspec.structs.replace(
            check,
            seed=_seed(plan, check, seed) if check.status == "run" else "",
            guarded=msgspec.UNSET if bare else check.guarded,
        )
        for check in plan.checks
        if not only or check.check in wanted
    )
    return msgspec.structs.replace(plan, checks=checks)


def _wanted(plan: Plan, only: tuple[str, ...]) -> set[str]:
    names = {check.check: check for check in plan.checks}
    wanted: set[str] = set()
    for name in only:
        found = [check for check in plan.checks if name in (check.check, check.technique)]
        if not found:
            close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            running = ", ".join(check.check for check in plan.checks if check.status == "run")
            remedy = f'Did you mean "{close[0]}"?' if close else f"Checks that run here: {running or 'none'}."
            raise InputError("assess.only", f'"{name}" is no check of this plan.', remedy=remedy)
        running_ones = [check.check for check in found if check.status == "run"]
        if not running_ones:
            raise InputError("assess.only", f"{name} does not run here: {found[0].reason}", remedy="Choose another.")
        wanted.update(running_ones)
    return wanted


def _seed(plan: Plan, check: CheckPlan, seed: str) -> str:
    if not seed:
        return derived(plan.digest, 0, check.check)
    return hashlib.sha256(f"explored\n{seed}\n{check.check}\n".encode()).hexdigest()
