"""Guarding: checks measured a second time behind the application's guard, and what counts of both measurements.

The guarded measurement is what operation sees, so it is the one that counts; the bare one stands beside it. A guard
that keeps clean rows from the model passes nothing. The guard is loaded where a check needs it alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from fivefold.assess import outcomes
from fivefold.contract import registry
from fivefold.contract.finding import Measure, Result
from fivefold.contract.outcome import Outcome, worst
from fivefold.errors import FivefoldError
from fivefold.plan import guarding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.contract.plan import CheckPlan, Guarding, Plan
    from fivefold.guard.opening import Opened
    from fivefold.guard.rehearsal import Borrowed, Rehearsal, Tally
    from fivefold.subject.bench import Bench, Circumstances
    from fivefold.subject.way import Way
    from fivefold.subject.worker.running import Ended, Task

_ACCOUNTS, _MANY = {"P1": 1}, 20
"""Accounts for each row that is used: P1 has one for each attacked row; elsewhere more than there are questions, so
that no row is left out by its place in the order."""
COVERAGE = "clean rows that the model answers behind the guard"
"""Name of the figure by which a guard that refuses too much fails."""
_SILENT = (
    "Behind the guard; a row that nobody answers there tells nothing of itself: the check is given the shares of the "
    "classes, or the median."
)
_REMEDY = (
    "Find which control keeps clean rows from the model (the limits say it) and have it refuse less: more calibration "
    "rows, another threshold or budget."
)

Pair = tuple[Result, Result | msgspec.UnsetType]
"""What counts, and the bare measurement where that is another one."""


class Guards:
    """The guarded measurements of a run."""

    def __init__(self, bench: Bench, plan: Plan, circumstances: Circumstances) -> None:
        """Take where checks run, what is planned and what they are told."""
        self._bench, self._plan, self._circumstances = bench, plan, circumstances
        self._running: dict[str, Rehearsal] = {}
        self._shut: Result | None = None
        self._parts: dict[str, dict[bool, Result]] = {}
        self._checks: dict[str, CheckPlan] = {}

    def tasks(self, checks: Sequence[CheckPlan]) -> list[Task]:
        """Return the tasks of checks, bare and, where the plan says so, guarded.

        Raises:
            InternalError: ``worker.probe``.
        """
        found = [self._bench.task(check, self._plan, self._circumstances) for check in checks]
        behind = [(check, check.guarded) for check in checks if check.guarded is not msgspec.UNSET]
        self._checks = {check.check: check for check in checks}
        if not behind:
            return found
        from fivefold.guard.isolated import wayfound
        from fivefold.guard.opening import signed

        try:
            identity = signed(self._bench.snapshot)
            way = wayfound(self._bench, self._plan.facts)
        except FivefoldError as error:
            text = f"The guard opens no port: {error.message}"
            self._shut = Result(outcome=Outcome.NOT_RUN, reason=text, remedy=error.remedy)
            return found
        return [*found, *(self._task(check, guarded, identity, way) for check, guarded in behind if guarded)]

    def taken(self, ended: Ended) -> Pair | None:
        """Return what came of a check, once all of its measurements are there."""
        job = ended.task.job
        check = self._checks[job.check]
        result = outcomes.result(ended)
        if check.guarded is msgspec.UNSET:
            why = guarding.apart(registry.checks()[job.check], self._bench.manifest, self._plan.facts)
            limits = (*result.limits, why) if why else result.limits
            return msgspec.structs.replace(result, limits=limits), msgspec.UNSET
        if job.guarded:
            told = self._running.pop(job.check).finish()
            result = judged(result, told, check.guarded.min_coverage)
        parts = self._parts.setdefault(job.check, {})
        parts[bool(job.guarded)] = result
        if self._shut is not None:
            parts[True] = self._shut
        if len(parts) < 2:
            return None
        del self._parts[job.check]
        return parts[True], parts[False]

    def _task(self, check: CheckPlan, guarded: Guarding, identity: str, way: Way) -> Task:
        from fivefold.guard.opening import Opened
        from fivefold.guard.rehearsal import Rehearsal

        bench, plan = self._bench, self._plan
        secret = hashlib.sha256(f"answers of a guard\n{check.seed}\n".encode()).digest()

        def opened(model: Borrowed) -> Opened:
            return Opened(bench.manifest, model, plan.facts, bench.snapshot.digest, identity, secret)

        accounts = check.rows * _ACCOUNTS.get(check.technique, _MANY)
        self._running[check.check] = made = Rehearsal(opened, way, guarded.by, accounts)
        return replace(bench.task(check, plan, self._circumstances, guarded=guarded.by), front=made)


def judged(result: Result, told: Tally, least: float) -> Result:
    """Hold a guarded measurement against the share of clean rows that the model must answer.

    Args:
        result: As the check measured it.
        told: What came of the questions.
        least: Smallest share.

    Returns:
        The result with that share as its first figure; it passes only where the share is clear of ``least`` (exact
        one-sided 95 % bounds; Clopper and Pearson 1934).
    """
    from fivefold.guard.rehearsal import shown

    if result.outcome in (Outcome.ERROR, Outcome.NOT_RUN):
        return result
    figure = _coverage(told, least)
    outcome = worst((result.outcome, figure.outcome or Outcome.INCONCLUSIVE))
    held = figure.outcome is Outcome.PASS
    said = (
        f"Of {told.clean} clean rows the model answers {told.answered / max(told.clean, 1):.1%} behind the guard, and "
        f"{least:.0%} are needed. "
    )
    restarts = f"The model's process had to be replaced {told.restarts} times." if told.restarts else ""
    return msgspec.structs.replace(
        result,
        outcome=outcome,
        reason=result.reason if held else said + result.reason,
        measures=(figure, *result.measures),
        limits=tuple(text for text in (*result.limits, _SILENT, shown(told), restarts) if text),
        remedy=result.remedy if held else f"{_REMEDY} {result.remedy}".strip(),
    )


def _coverage(told: Tally, least: float) -> Measure:
    from fivefold.stats.judge import judge
    from fivefold.stats.proportion import clopper_pearson

    low, high = clopper_pearson(told.answered, told.clean) if told.clean else (0.0, 1.0)
    return Measure(
        name=COVERAGE,
        value=told.answered / told.clean if told.clean else None,
        low=float(low),
        high=float(high),
        threshold=least,
        direction="min",
        outcome=judge(float(low), float(high), least, "min"),
        unit="share",
        n=told.clean,
    )
