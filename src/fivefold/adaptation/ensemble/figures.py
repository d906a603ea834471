"""Figures: shares with exact bounds, and false alarms against what was declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from fivefold.contract.finding import Measure
from fivefold.contract.outcome import Outcome
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    import numpy as np

    from fivefold.adaptation.ensemble.options import Options

LIMITS = (
    "Attacks of one kind, with labels alone and within `epsilon`; others may be noticed more or less often.",
    "The rate of false alarms holds for rows drawn like those of the calibration.",
)


def share(
    name: str,
    hits: np.ndarray,
    *,
    floor: float | None = None,
    direction: Literal["min", "max"] | None = None,
    where: str = "",
    note: str = "",
    confidence: float = 0.95,
) -> Measure:
    """Return a share with exact one-sided bounds (Clopper and Pearson 1934).

    Args:
        name: Of the figure.
        hits: (n,) bool.
        floor: What it is judged against; None: it is shown.
        direction: Of the floor.
        where: Part of the data.
        note: For the reader.
        confidence: Of each bound.
    """
    n, k = len(hits), int(hits.sum())
    low, high = (float(bound) for bound in clopper_pearson(k, n, confidence))
    outcome = None if floor is None or direction is None else judge(low, high, floor, direction)
    return Measure(
        name=name, value=k / n if n else None, low=low, high=high, threshold=floor, direction=direction,
        outcome=outcome, unit="share", n=n, where=where, note=note,
    )  # fmt: skip


def alarm_ratio(
    alarms: np.ndarray, declared: float, most: float, *, where: str = "", confidence: float = 0.95
) -> Measure:
    """Return how many times as often as declared clean rows, (n,) bool, are alarmed, against the most that may be."""
    found = share("", alarms, confidence=confidence)
    low, high = (found.low or 0.0) / declared, (1.0 if found.high is None else found.high) / declared
    return Measure(
        name="false alarms against the declared rate",
        value=None if found.value is None else found.value / declared,
        low=low, high=high, threshold=most, direction="max", outcome=judge(low, high, most, "max"),
        unit="ratio", n=found.n, where=where, note=f"Declared: {declared:.2%}.",
    )  # fmt: skip


def opened(*measures: Measure) -> tuple[Measure, ...]:
    """Return judged figures as inconclusive: the check's own outcome is."""
    return tuple(
        msgspec.structs.replace(one, outcome=Outcome.INCONCLUSIVE) if one.outcome is not None else one
        for one in measures
    )


def remedy(outcome: Outcome, options: Options | None) -> str:
    """Return what to do; empty after a pass."""
    if outcome is Outcome.PASS:
        return ""
    if options is None:
        return "Declare controls.C2 with `members:` and serve the model behind the guard."
    if outcome is Outcome.INCONCLUSIVE:
        return "Bring more test and calibration rows, or assess with more effort."
    return "Raise controls.C2.members, bring more training rows for them, or make the model itself more robust (P1)."
