"""Figures: shares of flows and means over families, with bounds, as measures of a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from fivefold.contract.finding import Canary, Measure
from fivefold.contract.outcome import Outcome, worst
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson, wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FALSE = "max_false_alarms"
LIMITS = ("Flows are those of the data sets; what comes on a network next month is not among them.",)


def share(
    name: str,
    hits: np.ndarray,
    floor: float | None = None,
    direction: Literal["min", "max"] | None = None,
    *,
    where: str = "",
    note: str = "",
) -> Measure:
    """Return a share of flows with exact one-sided bounds (Clopper and Pearson 1934).

    Args:
        name: Of the figure.
        hits: (n,) bool.
        floor: What it is judged against; None: it is shown.
        direction: Of the floor.
        where: Part of the data.
        note: For the reader.
    """
    n, k = len(hits), int(hits.sum())
    low, high = (float(bound) for bound in clopper_pearson(k, n))
    outcome = None if floor is None or direction is None else judge(low, high, floor, direction)
    return Measure(
        name=name, value=k / n if n else None, low=low, high=high, threshold=floor, direction=direction,
        outcome=outcome, unit="share", n=n, where=where, note=note,
    )  # fmt: skip


def mean_of_families(name: str, hits: Mapping[str, np.ndarray], floor: float, note: str = "") -> Measure:
    """Return the mean over families of a share of their flows, at most ``floor``.

    Bounds are put together from those of each family (Wilson 1927; Zou and Donner 2008), the families being given.

    Args:
        name: Of the figure.
        hits: Family to (n,) bool.
        floor: What it is judged against.
        note: For the reader.
    """
    n = np.array([len(mine) for mine in hits.values()])
    k = np.array([int(mine.sum()) for mine in hits.values()])
    low, high = wilson(k, n)
    rate = k / n
    mean, many = float(rate.mean()), len(n)
    below = mean - float(np.sqrt(((rate - low) ** 2).sum())) / many
    above = mean + float(np.sqrt(((high - rate) ** 2).sum())) / many
    return Measure(
        name=name, value=mean, low=max(below, 0.0), high=min(above, 1.0), threshold=floor, direction="max",
        outcome=judge(below, above, floor, "max"), unit="share", n=int(n.sum()), note=note,
    )  # fmt: skip


def drawn(n: int, rate: float) -> np.ndarray:
    """Return (n,) bool, a share of them true."""
    return np.asarray(np.arange(n) < round(rate * n))


def per_day(false: Measure, traffic: float) -> Measure:
    """Return false alarms a day at a traffic of so many flows a day, all but a few of which are benign."""
    value, low, high = (None if part is None else part * traffic for part in (false.value, false.low, false.high))
    return Measure(name="false alarms a day", value=value, low=low, high=high, unit="alarms", n=false.n,
                   note=f"At {traffic:,.0f} flows a day.")  # fmt: skip


def opened(*measures: Measure) -> tuple[Measure, ...]:
    """Return judged figures as inconclusive: the check's own outcome is."""
    return tuple(
        msgspec.structs.replace(one, outcome=Outcome.INCONCLUSIVE) if one.outcome is not None else one
        for one in measures
    )


def decided(*measures: Measure) -> Outcome:
    """Return the outcome over judged figures."""
    return worst(one.outcome for one in measures if one.outcome is not None)


def proven(verdict: Callable[[float, float], Outcome], rng: np.random.Generator, rate: float, detail: str) -> Canary:
    """Put an alarm that looks at nothing, one that always rings, and a perfect one through the same counting.

    Args:
        verdict: The judgement of alarms that ring for a share of threats and for a share of benign flows.
        rng: Draws how often the blind alarm rings.
        rate: At most so often.
        detail: What was judged.
    """
    ring = float(rng.uniform(rate / 2, rate))
    bad = [verdict(ring, ring), verdict(1.0, 1.0)]
    good = verdict(1.0, 0.0)
    found = sum(one is Outcome.FAIL for one in bad)
    return Canary(
        kind="an alarm that looks at nothing, and one that always rings", planted=2, found=found, clean=1,
        false_alarms=int(good is Outcome.FAIL), noticed=found == 2 and good is Outcome.PASS,
        detail=f"The first rings for {ring:.2%} of all flows. Known-good: an alarm for every threat alone. {detail}",
    )  # fmt: skip
