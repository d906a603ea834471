"""Check S6.audit: fresh devices are asked, and what their reports give away is held against the claimed loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.sharing.telemetry.asked import MAX_LOSS, SAID, devices, lost, measured, reporting
from fivefold.sharing.telemetry.declared import declared
from fivefold.sharing.telemetry.device import Device, Question, with_epsilon
from fivefold.sharing.telemetry.source import Source
from fivefold.sharing.telemetry.trial import learned, shown

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.sharing.telemetry.declared import Telemetry

_REMEDY = "Lower `epsilon` of the columns in controls.S6.collect until they add up to what is claimed, or claim more."
_NAME = "privacy loss of a fresh device's reports, as a multiple of the claim"
_NOTE = "Log odds of a right guess between two values; all columns of a person together."


def run(context: Context) -> Result:
    """Judge S6.audit.

    Threat: a device says that it adds noise, and adds too little, or reports so many columns that they add up.
    Limit: bounded from below by one attack, the likelihood ratio; what the audit cannot tell apart may still differ.

    Raises:
        UnsupportedError: ``telemetry.undeclared``, ``telemetry.declared``, ``telemetry.trial``.
    """
    told = declared(context)
    floor = context.thresholds[MAX_LOSS]
    if told.trial:
        return _of_trial(context, told, floor)
    count = devices(context.rows, told.epsilon, len(told.questions))
    ask = reporting(context.rng)
    whole = measured(_NAME, lost(ask, told.questions, count, context.rng), told.epsilon, floor, _NOTE)
    context.progress(0.4, "devices with too little noise")
    parts = _parts(context, told) if len(told.questions) > 1 else ()
    bird = _canary(context, told, max(count // 2, 100))
    outcome = whole.outcome or Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=_reason(bird, whole, told),
        measures=(whole, *parts),
        canary=bird,
        limits=(
            SAID,
            "That a device reports at all, and from where, is seen by whoever carries the report.",
        ),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def _of_trial(context: Context, told: Telemetry, floor: float) -> Result:
    """Judge the reports of other makers' devices that the owner brought."""
    try:
        table = context.tables(told.trial)
    except KeyError:
        raise UnsupportedError(
            "telemetry.trial", f"there is no data set {told.trial}.", remedy="Declare it under data."
        ) from None
    whole = measured(_NAME, shown(table), told.epsilon, floor, "Learned on half of the reports, shown on the others.")
    bird = _trial_canary(context, told, len(table))
    outcome = whole.outcome or Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=_reason(bird, whole, told),
        measures=(whole,),
        canary=bird,
        limits=("That the reports are of fresh devices, and of the values beside them, is their owner's word.",),
        remedy="" if outcome is Outcome.PASS else "Add more noise on the device, or claim more.",
    )


def _trial_canary(context: Context, told: Telemetry, count: int) -> Canary:
    """Reports of our client with too little noise must be caught by the same rule, such with as much as claimed not."""
    factor, found = float(context.rng.uniform(1.4, 1.8)), {}
    sides = context.rng.random(count) < 0.5
    for name, scale in (("bad", factor), ("good", 1.0)):
        question = Question("trial", "oue", min(told.epsilon * scale, 16.0), values=("one", "other", "third"))
        bits = Source(context.rng)
        held = ["one" if side else "other" for side in sides.tolist()]
        texts = [Device(question, most=math.inf, bits=bits).report(value) for value in held]
        loss = learned(texts, sides)
        found[name] = measured(_NAME, loss, told.epsilon, context.thresholds[MAX_LOSS], "").outcome
    caught, alarm = found["bad"] is Outcome.FAIL, found["good"] is Outcome.FAIL
    return Canary(
        kind="devices that add too little noise, their reports told apart by the same rule", planted=1,
        found=int(caught), clean=1, false_alarms=int(alarm), noticed=caught and not alarm,
        detail=f"{count:,} devices with {factor:.2f} times the claimed loss.",
    )  # fmt: skip


def _parts(context: Context, told: Telemetry) -> tuple[Measure, ...]:
    """Show each column by itself."""
    made = []
    for question in told.questions[:16]:
        loss = lost(reporting(context.rng), [question], min(context.rows, 20_000), context.rng)
        made.append(
            Measure(
                name="privacy loss",
                value=loss.value,
                low=loss.low,
                high=loss.high,
                n=loss.devices,
                where=f"column {question.name}",
                note=f"Set to {question.epsilon:g} ({question.way}).",
            )
        )
    return tuple(made)


def _canary(context: Context, told: Telemetry, count: int) -> Canary:
    """Devices whose noise is too small by a drawn factor must be caught, such with as much as claimed must not."""
    factor = float(context.rng.uniform(1.2, 1.6))
    share = told.epsilon / sum(question.epsilon for question in told.questions)
    found = {}
    for name, scale in (("bad", factor), ("good", 1.0)):
        asked = [with_epsilon(question, min(question.epsilon * share * scale, 16.0)) for question in told.questions]
        loss = lost(reporting(context.rng), asked, count, context.rng)
        found[name] = measured(_NAME, loss, told.epsilon, context.thresholds[MAX_LOSS], "").outcome
    caught, alarm = found["bad"] is Outcome.FAIL, found["good"] is Outcome.FAIL
    return Canary(
        kind="devices that add too little noise", planted=1, found=int(caught), clean=1, false_alarms=int(alarm),
        noticed=caught and not alarm, detail=f"{count:,} devices a column with {factor:.2f} times the claimed loss.",
    )  # fmt: skip


def _reason(bird: Canary, whole: Measure, told: Telemetry) -> str:
    if not bird.noticed:
        return "Devices with too little noise were not told from sound ones, so nothing is concluded."
    seen = "without bound" if whole.value is None else f"{whole.value * told.epsilon:.3f}"
    columns = f"{len(told.questions)} column{'s' * (len(told.questions) > 1)}"
    return f"{whole.n:,} fresh devices show a privacy loss of {seen} over {columns}; {told.epsilon:g} is claimed."
