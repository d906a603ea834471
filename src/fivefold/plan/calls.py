"""Calls: how the budget of calls of an endpoint or command is shared out, before anything is asked (pure).

A fifth (at most 400) is for the probe, a tenth is a reserve for calls made again, the rest is parted equally among the
checks that ask the model: what one check can ask never hangs on what another asked before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from fivefold.contract.plan import CheckPlan, Plan

_PART, _PROBE_PART = 10, 5
_PROBE_LEAST, _PROBE_MOST = 14, 400
_RESERVE_LEAST = 2
ASKING = frozenset({"model.predict", "model.scores", "model.perturbable", "model.gradients"})
"""Needs of checks that ask the model."""


def probe_share(total: int) -> int:
    """Return the calls that the probe may make; 0: no budget, no limit."""
    return min(total, max(_PROBE_LEAST, min(_PROBE_MOST, total // _PROBE_PART))) if total else 0


def reserve(total: int) -> int:
    """Return the calls that are kept for questions asked again; 0 without a budget."""
    left = total - probe_share(total)
    return min(left, max(_RESERVE_LEAST, total // _PART)) if total else 0


def share(total: int, checks: int) -> int:
    """Return the calls of each of so many checks; 0 without a budget."""
    return (total - probe_share(total) - reserve(total)) // checks if total and checks else 0


def asks(needs: Iterable[str]) -> bool:
    """Return whether a check with these needs asks the model."""
    return not ASKING.isdisjoint(needs)


def asking(plan: Plan, needs: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Return the checks of a plan that run and ask the model, given the needs of each."""
    return tuple(check.check for check in plan.checks if check.status == "run" and asks(needs.get(check.check, ())))


def stated(checks: Sequence[CheckPlan], needs: Mapping[str, Collection[str]], total: int) -> tuple[CheckPlan, ...]:
    """Return checks whose cost also says how many calls each may make."""
    names = {check.check for check in checks if check.status == "run" and asks(needs.get(check.check, ()))}
    each = share(total, len(names))
    said = f"At most {each:,} of the budget of {total:,} calls."
    return tuple(
        msgspec.structs.replace(check, cost=f"{check.cost} {said}".strip()) if total and check.check in names else check
        for check in checks
    )
