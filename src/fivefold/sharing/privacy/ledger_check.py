"""Check S2.ledger: what is planned fits the budget, and no storm of releases or crashes spends more than there is."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.sharing.privacy import measured
from fivefold.sharing.privacy.ledger import source_name
from fivefold.sharing.privacy.loss import DELTA, Loss
from fivefold.sharing.privacy.storm import After, Unlocked, storm
from fivefold.sharing.privacy.training import plan
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context

PLANNED = "max_planned"
_OVERDRAWN = 0.5
_MANY = {"quick": 4, "standard": 8, "thorough": 16}
_EACH = 25
_REMEDY = "Ask for less, less often, or with more noise: lower controls.S2.release.loss or times. A budget never grows."


def run(context: Context) -> Result:
    """Judge the budget and the ledger.

    Threat: many small releases, or two at the same moment, spend more of people's privacy than was promised.
    Limit: the storm is in a scratch file by threads of one process; the ledger that is in use is not opened, and who
    releases past it is not seen.

    Args:
        context: ``controls.S2``; threshold ``max_planned``.

    Raises:
        UnsupportedError: ``privacy.undeclared``.
        InputError: ``privacy.source`` where the data set does not say where it is from.
    """
    told, asked = measured.own(context)
    release = asked.release
    label = (context.settings.labels or {}).get(release.data, {})
    source = source_name(str(label.get("source", "")))
    budget = told.budget
    learned = Loss(0, 0) if told.training is None else plan(told.training).loss
    planned = max(
        (told.times * asked.loss.rho + learned.rho) / budget.rho,
        (told.times * asked.loss.delta + learned.delta) / max(budget.delta, 1),
    )
    fits = Measure(
        name="share of the budget that is planned", value=planned, low=planned, high=planned,
        threshold=context.thresholds[PLANNED], direction="max", unit="share",
        outcome=judge(planned, planned, context.thresholds[PLANNED], "max"), where=f"source {source}",
        note=f"{told.times} releases of epsilon {asked.loss.epsilon(told.delta):.3g}, of a budget of {told.epsilon:g} "
        f"at delta {told.delta:g}; thresholds take {asked.loss.delta / DELTA:.2g} of it each.",
    )  # fmt: skip
    many = _MANY[context.effort]
    cost = max(1, min(asked.loss.rho, budget.rho // (many * 8)))  # so that the budget runs out in the storm
    with tempfile.TemporaryDirectory(dir=context.scratch) as folder:
        after = storm(Path(folder) / "storm.sqlite", many * 8 * cost + cost // 2, cost, many=many, each=_EACH)
        proof = _prove(Path(folder), many)
    over = float(after.overdrawn + after.lost)
    kept = Measure(
        name="units overdrawn or lost in a storm", value=over, low=over, high=over, unit="units",
        threshold=_OVERDRAWN, direction="max",
        outcome=judge(over, over, _OVERDRAWN, "max"), n=after.granted,
        note=f"{many} at once, of whom every second breaks off now and then, until the budget of {many * 8} was spent.",
    )  # fmt: skip
    outcomes = {fits.outcome, kept.outcome}
    outcome = next(one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS) if one in outcomes)
    outcome = outcome if proof.noticed else Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, planned, after),
        measures=(fits, kept),
        canary=proof,
        limits=("The ledger in use is not opened here, and who releases past it is not seen.",),
        remedy=_REMEDY if outcome is Outcome.FAIL else "",
    )


def _prove(folder: Path, many: int) -> Canary:
    """Storm a ledger that looks first and spends then; and the product's own with room for everybody."""
    meet = threading.Barrier(many)
    bad = storm(folder / "bad.sqlite", 3, 1, many=many, each=2, make=lambda place: Unlocked(place, meet))
    good = storm(folder / "good.sqlite", 10_000, 1, many=many, each=3)
    found = int(bad.overdrawn > 0 or bad.lost > 0)
    alarms = int(bool(good.overdrawn or good.lost))
    return Canary(
        kind="a ledger without a lock", planted=1, found=found, clean=1, false_alarms=alarms,
        noticed=bool(found) and not alarms,
        detail=f"{many} at once from a budget of 3; the clean case is a budget that has enough for all.",
    )  # fmt: skip


def _reason(outcome: Outcome, proof: Canary, planned: float, after: After) -> str:
    if not proof.noticed:
        return (
            "A ledger without a lock was not noticed, or one with room was called overdrawn, so nothing is concluded."
        )
    if outcome is Outcome.FAIL and (after.overdrawn or after.lost):
        return "The ledger granted more than the budget, or lost what it had granted."
    if outcome is Outcome.FAIL:
        return f"The declared releases need {planned:.0%} of the budget of their source: some will be refused."
    return (
        f"The declared releases need {planned:.0%} of their budget, and a storm of {after.granted} grants took no more."
    )
