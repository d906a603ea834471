"""Check S6.repeats: many reports of one device give away no more than the first."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.sharing.telemetry.asked import MAX_LOSS, SAID, devices, lost, measured, reporting
from fivefold.sharing.telemetry.declared import declared
from fivefold.sharing.telemetry.device import Device
from fivefold.sharing.telemetry.source import Source
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.contract.check import Context
    from fivefold.sharing.telemetry.declared import Telemetry
    from fivefold.sharing.telemetry.device import Question
    from fivefold.sharing.telemetry.fleet import Value

LEAST_SAME = 0.95
"""Devices that repeat themselves: all of 100, which shows this."""
_DEVICES, _FEWEST, _MOST = 100, 4, 12
_NAME = "privacy loss of a device's repeated reports, as a multiple of the claim"
_REMEDY = "Leave `permanent` on: a device draws once a period and repeats itself."


def run(context: Context) -> Result:
    """Judge S6.repeats.

    Threat: whoever keeps all reports of a device takes their average, and the noise is gone.
    Limit: periods are public and each draws afresh: over a device's life the loss is at most epsilon times `draws`.

    Raises:
        UnsupportedError: ``telemetry.undeclared``, ``telemetry.declared``.
    """
    told = declared(context)
    times = int(context.rng.integers(_FEWEST, _MOST + 1))
    count = devices(context.rows, told.epsilon, len(told.questions))
    note = f"{times} reports of each device, added up by the likelihood ratio."
    ask = reporting(context.rng, times, permanent=told.permanent)
    loss = lost(ask, told.questions, count, context.rng)
    whole = measured(_NAME, loss, told.epsilon, context.thresholds[MAX_LOSS], note)
    context.progress(0.5, "devices that restart")
    same = _same(context, told)
    bird = _canary(context, told, times)
    found = {whole.outcome, same.outcome}
    outcome = next((one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE) if one in found), Outcome.PASS)
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=_reason(bird, whole, same, told),
        measures=(whole, same),
        canary=bird,
        limits=(
            f"A device draws {told.draws} times at most, one a period: {told.draws * told.epsilon:g} in all.",
            "A device whose state is deleted draws again.",
            SAID,
        ),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def _same(context: Context, told: Telemetry) -> Measure:
    """Count devices that say the same after they were started anew and their value has changed."""
    bits, hits = Source(context.rng), 0
    with tempfile.TemporaryDirectory(dir=context.scratch) as folder:
        for at in range(_DEVICES):
            question = told.questions[at % len(told.questions)]
            place, values = Path(folder) / f"{at}.json", _values(question)
            said = set()
            for step in range(3):
                device = Device(question, place if told.permanent else None, most=math.inf, bits=bits)
                said.add(device.report(values[step % len(values)]))
            hits += len(said) == 1
    low, high = (float(part) for part in clopper_pearson(hits, _DEVICES))
    return Measure(
        name="devices that say the same after a restart and with another value", value=hits / _DEVICES, low=low,
        high=high, threshold=LEAST_SAME, direction="min", unit="share", n=_DEVICES,
        outcome=judge(low, high, LEAST_SAME, "min"), note="Three starts in one period.",
    )  # fmt: skip


def _values(question: Question) -> Sequence[Value]:
    if question.way == "mean":
        return (question.low, question.high)
    return question.values[:2] if question.way != "top" else ("a", "bb", "ccc")


def _canary(context: Context, told: Telemetry, times: int) -> Canary:
    """A device that draws afresh each time must be caught; one that repeats itself must not."""
    count = min(max(context.rows // 5, 100), 20_000)
    caught = alarm = False
    for permanent in (False, True):
        loss = lost(reporting(context.rng, times, permanent=permanent), told.questions, count, context.rng)
        claim = sum(question.epsilon for question in told.questions)
        failed = measured(_NAME, loss, claim, context.thresholds[MAX_LOSS], "").outcome is Outcome.FAIL
        caught, alarm = (failed, alarm) if not permanent else (caught, failed)
    return Canary(
        kind="devices that draw afresh each time", planted=1, found=int(caught), clean=1, false_alarms=int(alarm),
        noticed=caught and not alarm, detail=f"{times} reports of each of {count:,} devices a column.",
    )  # fmt: skip


def _reason(bird: Canary, whole: Measure, same: Measure, told: Telemetry) -> str:
    if not bird.noticed:
        return "Devices that draw afresh were not told from such that repeat themselves, so nothing is concluded."
    seen = "without bound" if whole.value is None else f"{whole.value * told.epsilon:.3f}"
    kept = round((same.value or 0) * same.n)
    return (
        f"All reports of a period together show a privacy loss of {seen}, {told.epsilon:g} is claimed; "
        f"{kept} of {same.n} devices say the same after a restart."
    )
