"""Check P5.throughput: how many flows a second model and detector answer, against the traffic."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.protection.threats import figures
from fivefold.protection.threats.known import required
from fivefold.protection.threats.setting import lay_out
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context

HEADROOM = "min_headroom"
_PEAK, _DAY, _RUNS = 10.0, 86_400.0, 5
_REMEDY = "Spread the traffic over several guards, ask many flows at once, or take a smaller model."


def run(context: Context) -> Result:
    """Measure flows a second at the stated accuracy.

    Threat: flows come faster than they are judged, and go through unseen.
    Limit: on this machine, asked many at once; times differ from run to run, so figures are rounded down to a power of
    two. Other programs on the machine slow it down.

    Args:
        context: Needs a classifier and ``test``; threshold ``min_headroom``.

    Raises:
        UnsupportedError: As :func:`fivefold.protection.threats.setting.lay_out`.
        SubjectError: The model misbehaved.
    """
    subject, setting = required(context), lay_out(context)
    beside = setting.detector(context.rng)
    most = subject.capabilities.max_rows
    calls = subject.capabilities.calls_left
    table = setting.test.take(np.arange(min(len(setting.test), most)))
    runs = _RUNS if calls is None else max(2, min(_RUNS, calls // 4))
    speeds, alarmed = [], np.zeros(len(table), dtype=bool)
    for at in range(runs):
        context.progress(at / runs, "asking")
        began = time.perf_counter()
        alarmed = setting.alarms(subject, table)
        if beside is not None:
            alarmed = alarmed | beside.alarms(table.features)
        speeds.append(len(table) / max(time.perf_counter() - began, 1e-9))
    traffic = float(context.options.get("traffic") or 1e6)
    need, floor = traffic / _DAY * _PEAK, context.thresholds[HEADROOM]
    # the first run warms caches up; the slowest of the others must be enough
    low, high = _rounded(min(speeds[1:])), _rounded(max(speeds[1:])) * 2
    outcome = judge(low / need, high / need, floor, "min")
    proof = _prove(need, floor, context.rng)
    outcome = outcome if proof.noticed else Outcome.INCONCLUSIVE
    accuracy = figures.share("accuracy", np.where(setting.bad[: len(table)], alarmed, ~alarmed))
    main = Measure(
        name="flows a second over those of the busiest hour", value=low / need, low=low / need, high=high / need,
        threshold=floor, direction="min", outcome=outcome, unit="ratio", n=len(table),
        note=f"At {traffic:,.0f} flows a day and {_PEAK:g} times the mean in the busiest hour.",
    )  # fmt: skip
    note = "Rounded down to a power of two."
    speed = Measure(name="flows a second", value=low, unit="flows", n=len(table), note=note)
    return Result(
        outcome=outcome,
        reason=f"At least {low:,.0f} flows a second are judged, with an accuracy of {accuracy.value:.2%}; the busiest "
        f"hour brings {need:,.0f}.",
        measures=(main, speed, accuracy), canary=proof,
        limits=(*figures.LIMITS, f"On this machine, {len(table)} flows at once; one by one it is slower."),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )  # fmt: skip


def _rounded(speed: float) -> float:
    return float(2.0 ** np.floor(np.log2(max(speed, 1e-3))))


def _prove(need: float, floor: float, rng: np.random.Generator) -> Canary:
    """Judge a wait that was planted, long enough for the traffic to overtake, and none to speak of."""
    planted = float(rng.uniform(0.02, 0.05))
    flows = need * floor * planted / float(rng.uniform(4.0, 8.0))
    began = time.perf_counter()
    time.sleep(planted)
    took = max(time.perf_counter() - began, planted)
    slow = _rounded(flows / took) * 2 / need
    fast = need * floor * 8
    bad, good = judge(slow / 2, slow, floor, "min"), judge(fast / need, 2 * fast / need, floor, "min")
    return Canary(
        kind="a wait before the answer", planted=1, found=int(bad is Outcome.FAIL), clean=1,
        false_alarms=int(good is Outcome.FAIL), noticed=bad is Outcome.FAIL and good is Outcome.PASS,
        detail="Known-good: a stream eight times as fast as the busiest hour.",
    )  # fmt: skip
