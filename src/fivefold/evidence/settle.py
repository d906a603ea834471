"""Settling: which outcome counts for each check of a plan, once its finding has been held against the plan.

A finding counts only if it belongs to this plan: same plan digest, attempt, seed, manifest, model and data. Nothing
that a finding says can make a check inapplicable, and a pass counts only beside a canary that was noticed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fivefold.contract.outcome import Outcome, worst

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fivefold.contract.finding import Finding, Measure
    from fivefold.contract.plan import CheckPlan, Plan


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What counts for one check.

    Attributes:
        text: What decided, with value, interval and threshold where something was measured.
        remedy: What the finding advises; empty: nothing.
        gap: The check is planned but this version does not run it.
    """

    check: str
    outcome: Outcome
    text: str
    remedy: str = ""
    gap: bool = False


def settle(plan: Plan, findings: tuple[Finding, ...]) -> dict[str, Settled]:
    """Return what counts for every check of the plan, by id."""
    sealed = any(finding.mode == "sealed" for finding in findings)
    counting = [finding for finding in findings if finding.mode == "sealed" or not sealed]
    by_check: dict[str, list[Finding]] = {}
    for finding in counting:
        by_check.setdefault(finding.check, []).append(finding)
    return {check.check: _settle(plan, check, by_check.get(check.check, [])) for check in plan.checks}


def measured(measures: Iterable[Measure]) -> str:
    """Return the judged figures that are not a pass, at most three, with interval and threshold."""
    judged = [one for one in measures if one.outcome not in (None, Outcome.PASS, Outcome.NOT_APPLICABLE)]
    judged.sort(key=lambda one: one.outcome is not Outcome.FAIL)
    more = f"; and {len(judged) - 3} more" if len(judged) > 3 else ""
    return "; ".join(_figure(measure) for measure in judged[:3]) + more


def _settle(plan: Plan, check: CheckPlan, findings: list[Finding]) -> Settled:
    if check.status == "not-applicable":
        return Settled(check=check.check, outcome=Outcome.NOT_APPLICABLE, text=check.reason)
    if check.status != "run":
        return Settled(check=check.check, outcome=Outcome.NOT_RUN, text=check.reason, gap=check.status == "not-run")
    mine = [finding for finding in findings if _belongs(plan, check, finding)]
    if not mine:
        text = "A finding is there, but it belongs to another plan or attempt." if findings else "It was not finished."
        return Settled(check=check.check, outcome=Outcome.NOT_RUN, text=text)
    counted = [_counted(finding) for finding in mine]
    decisive = worst(one.outcome for one in counted)
    return next(one for one in counted if one.outcome == decisive)


def _belongs(plan: Plan, check: CheckPlan, finding: Finding) -> bool:
    digests = finding.digests
    same = digests.plan == plan.digest and digests.manifest == plan.manifest and digests.model == plan.model
    same = same and (finding.bare is msgspec.UNSET) == (check.guarded is msgspec.UNSET)
    same = same and all(plan.data.get(name) == value for name, value in digests.data.items())
    return same and (finding.mode != "sealed" or (finding.attempt == plan.attempt and finding.seed == check.seed))


def _counted(finding: Finding) -> Settled:
    result = finding.result
    outcome, text = result.outcome, result.reason
    if outcome is Outcome.NOT_APPLICABLE:
        outcome, text = Outcome.NOT_RUN, f"Only the plan's predicate can say that a check does not apply. {text}"
    elif outcome is Outcome.PASS and (result.canary is None or not result.canary.noticed):
        outcome, text = Outcome.INCONCLUSIVE, f"It passed, but its planted case went unnoticed. {text}"
    elif outcome is not Outcome.PASS and (figures := measured(result.measures)):
        text = f"{text} ({figures})"
    return Settled(check=finding.check, outcome=outcome, text=text, remedy=result.remedy)


def _figure(measure: Measure) -> str:
    where = f" ({measure.where})" if measure.where else ""
    value = "not measured" if measure.value is None else f"{measure.value:.3g}"
    bounds = ""
    if measure.low is not None or measure.high is not None:
        low = "open" if measure.low is None else f"{measure.low:.3g}"
        high = "open" if measure.high is None else f"{measure.high:.3g}"
        bounds = f" [{low}, {high}]"
    words = {"min": "at least", "max": "at most", None: ""}[measure.direction]
    threshold = "nothing" if measure.threshold is None else f"{measure.threshold:.3g}"
    return f"{measure.name}{where} {value}{bounds}, allowed {words} {threshold}"
