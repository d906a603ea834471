"""Asked: fresh devices of ours, under random numbers of a check's seed, and their loss against what is claimed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fivefold.contract.finding import Measure
from fivefold.sharing.telemetry.device import Device
from fivefold.sharing.telemetry.fleet import ITSELF, Fleet
from fivefold.sharing.telemetry.game import Loss, play
from fivefold.sharing.telemetry.source import Source
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from fivefold.sharing.telemetry.device import Bits, Question
    from fivefold.sharing.telemetry.fleet import Value
    from fivefold.sharing.telemetry.game import Ask

MAX_LOSS = "max_loss"
SAID = (
    f"The code of our client is asked, under random numbers of this run's seed, by {ITSELF:,} devices a column; what "
    "it makes of such numbers is worked out for the others. A device draws its own."
)
MOST_DEVICES = 400_000


def reporting(rng: np.random.Generator, times: int = 1, *, permanent: bool = True) -> Ask:
    """Return how fresh devices report so many times: within one period, or drawing afresh if they are not permanent."""
    source = Source(rng)

    def client(question: Question, value: Value, bits: Bits) -> list[str]:
        device = Device(question, most=math.inf, bits=bits)
        if permanent:
            return [device.report(value) for _ in range(times)]
        return [Device(question, most=math.inf, bits=bits).report(value) for _ in range(times)]

    return lambda values: Fleet(values, client, source, 1 if permanent else times, times)


def devices(rows: int, claim: float, questions: int) -> int:
    """Return how many devices are asked on each question: more where the claim is small or split."""
    return int(min(rows * max(1.0, questions * claim**-2.0), max(MOST_DEVICES, rows)))


def total(losses: Sequence[Loss]) -> Loss:
    """Return the loss of all questions together: reports are drawn independently, so the losses add up.

    The bounds are those of a sum of independent figures (Zou and Donner 2008, MOVER).
    """
    value = sum(loss.value for loss in losses)
    if not math.isfinite(value):
        low = sum(max(loss.low, 0.0) for loss in losses)
        return Loss(value, low, math.inf, sum(one.guesses for one in losses), losses[0].devices)
    below = math.sqrt(sum((loss.value - loss.low) ** 2 for loss in losses))
    above = math.sqrt(sum((loss.high - loss.value) ** 2 for loss in losses))
    return Loss(value, value - below, value + above, sum(one.guesses for one in losses), losses[0].devices)


def lost(ask: Ask, questions: Sequence[Question], count: int, rng: np.random.Generator) -> Loss:
    """Ask ``count`` fresh devices on each question, and add up."""
    return total([play(ask, [question], count, rng) for question in questions])


def measured(name: str, loss: Loss, claim: float, floor: float, note: str) -> Measure:
    """Return the loss as a multiple of the claim, judged."""
    value, low, high = (part / claim for part in (loss.value, loss.low, loss.high))
    return Measure(
        name=name, value=_finite(value), low=_finite(low), high=_finite(high), threshold=floor, direction="max",
        unit="ratio", n=loss.devices, outcome=judge(_finite(low), _finite(high), floor, "max"), note=note,
    )  # fmt: skip


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
