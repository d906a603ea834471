"""Consistency: what a finding says that cannot be true, whatever was measured.

Of every check, of any version: a figure judged as passed does not lie with its whole interval on the wrong side of its
threshold, a pass is not made of figures that did not pass, a failed figure is not left out of the outcome once the
planted cases were noticed, and planted cases of which none was found were not noticed.

Of this version's own checks besides: the protections are those that it knows; the checks of
:data:`JUDGE_EVERY_FLOOR` judge a pass by every threshold of their plan; those of :data:`JUDGE_BY_BOUNDS` judge it by
the bound on the bad side. Other checks have rules of their own (corrections over many comparisons, figures without
bounds).

Figures that are consistent and invented are not told from measured ones here; running the check again tells them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fivefold.contract.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.contract.finding import Canary, Finding, Measure, Result
    from fivefold.contract.plan import CheckPlan, Plan

JUDGE_EVERY_FLOOR = frozenset(
    {
        "C2.adaptive",
        "C2.detection",
        "C2.drift",
        "C3.ladder",
        "C3.queue",
        "C3.risk",
        "C3.shift",
        "C5.stages",
        "E1.constraints",
        "E1.cost",
        "E1.faithful",
        "F1.gaps",
        "P1.blackbox",
        "P1.certificate",
        "P1.detection",
        "P1.gradient",
        "P1.honesty",
        "P1.images",
        "P1.series",
        "P1.standard",
        "P1.text",
        "P2.benign",
        "P2.detection",
        "P2.extraction",
        "P2.isolation",
        "P2.shaping",
        "P3.accuracy",
        "P3.attribute",
        "P3.backdoor",
        "P3.corruption",
        "P3.faults",
        "P3.identification",
        "P3.inversion",
        "P3.membership",
        "P3.operating-point",
        "P3.property",
        "S2.ledger",
        "S2.noise",
        "S2.release",
        "S2.training",
        "S2.utility",
        "S3.accuracy",
        "S3.aggregation",
        "S3.leakage",
        "S3.membership",
        "S3.poisoning",
        "S3.server",
        "S4.inference",
        "S4.key",
        "S4.parameters",
        "S4.training",
        "S5.backdoor",
        "S5.regression",
        "S5.removals",
        "S5.stream",
        "S6.audit",
        "S6.estimates",
        "S6.repeats",
    }
)
"""Checks that pass only if each threshold of their plan stands at a judged figure (F1 for classes only)."""
JUDGE_BY_BOUNDS = JUDGE_EVERY_FLOOR - {"F1.gaps", "P2.extraction"}
"""Checks whose judged figures pass only if the bound on the bad side is clear of the threshold."""

_PROTECTION = re.compile(r"processes|limits|no-new-privileges|landlock-[0-9]{1,3}|seccomp")


def contradictions(result: Result) -> list[str]:
    """Return what contradicts itself, in words; empty if nothing does."""
    return [*_figures(result), *_canary(result)]


def departures(finding: Finding, plan: Plan) -> list[str]:
    """Return in what a finding, said to be made by this version, cannot be by its checks; empty if nothing.

    Args:
        finding: Of a check that the plan runs.
        plan: Made by this version: its ``code`` is ours.
    """
    planned = next(item for item in plan.checks if item.check == finding.check)
    odd = [name for name in finding.sandbox if not _PROTECTION.fullmatch(name)]
    found = [f"there is no protection {name[:40]!r}" for name in odd]
    if finding.result.outcome is Outcome.PASS:
        found += _missing_floors(finding, planned, plan)
        if finding.check in JUDGE_BY_BOUNDS:
            found += [
                f"{one.name} is called a pass and is not clear of {one.threshold}"
                for one in finding.result.measures
                if one.outcome is Outcome.PASS and _unclear(one)
            ]
    return found


def _missing_floors(finding: Finding, planned: CheckPlan, plan: Plan) -> list[str]:
    model = plan.facts.model
    own = finding.check == "F1.gaps" and (model is None or model.task == "regression")
    if finding.check not in JUDGE_EVERY_FLOOR or own:
        return []
    judged = {one.threshold for one in finding.result.measures if one.outcome is not None}
    return [
        f"nothing is judged by the planned {key} {value:g}"
        for key, value in sorted(planned.thresholds.items())
        if value not in judged
    ]


def _figures(result: Result) -> Iterator[str]:
    noticed = result.canary is not None and result.canary.noticed
    for measure in result.measures:
        if measure.outcome is Outcome.PASS and _beyond(measure):
            yield f"{measure.name} is called a pass and lies on the wrong side of {measure.threshold}"
        if result.outcome is Outcome.PASS and measure.outcome not in (None, Outcome.PASS, Outcome.NOT_APPLICABLE):
            yield f"it passes although {measure.name} is {measure.outcome}"
        if result.outcome is Outcome.INCONCLUSIVE and measure.outcome is Outcome.FAIL and noticed:
            yield f"it is left open although {measure.name} failed"


def _bounds(measure: Measure) -> tuple[float | None, float | None]:
    """Return the bound on the good side and the one on the bad side, upside down where more is worse."""
    low = measure.value if measure.low is None else measure.low
    high = measure.value if measure.high is None else measure.high
    if measure.direction == "min":
        return high, low
    return (None if low is None else -low), (None if high is None else -high)


def _floor(measure: Measure) -> float | None:
    if measure.threshold is None or measure.direction is None:
        return None
    return measure.threshold if measure.direction == "min" else -measure.threshold


def _beyond(measure: Measure) -> bool:
    """Whether the whole interval, or the value where there is none, breaks the threshold."""
    good, floor = _bounds(measure)[0], _floor(measure)
    return good is not None and floor is not None and good < floor


def _unclear(measure: Measure) -> bool:
    """Whether the bound on the bad side, or the value where there is no bound, breaks the threshold."""
    bad, floor = _bounds(measure)[1], _floor(measure)
    return floor is not None and (bad is None or bad < floor)


def _canary(result: Result) -> Iterator[str]:
    bird: Canary | None = result.canary
    if bird is None:
        return
    if not (0 <= bird.found <= bird.planted and 0 <= bird.false_alarms <= bird.clean):
        yield "its planted cases are miscounted"
    if result.outcome is Outcome.PASS and bird.noticed and not bird.found:
        yield "no planted case was found, and it is called noticed"
    if result.outcome is Outcome.PASS and bird.noticed and bird.clean and bird.false_alarms == bird.clean:
        yield "every clean case was flagged, and it is called noticed"
