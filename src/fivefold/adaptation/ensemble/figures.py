"""Figures of an ensemble: false alarms against what was declared, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.adaptation.figures import share
from fivefold.contract.outcome import Outcome

if TYPE_CHECKING:
    import numpy as np

    from fivefold.adaptation.ensemble.options import Options
    from fivefold.contract.finding import Measure

LIMITS = (
    "Attacks of one kind, with labels alone and within `epsilon`; others may be noticed more or less often.",
    "The rate of false alarms holds for rows drawn like those of the calibration.",
)


def alarm_ratio(
    alarms: np.ndarray, declared: float, most: float, *, where: str = "", confidence: float = 0.95
) -> Measure:
    """Return how many times as often as declared clean rows, (n,) bool, are alarmed, against the most that may be."""
    return share(
        "false alarms against the declared rate", alarms, over=declared, floor=most, direction="max", where=where,
        note=f"Declared: {declared:.2%}.", confidence=confidence,
    )  # fmt: skip


def remedy(outcome: Outcome, options: Options | None) -> str:
    """Return what to do; empty after a pass."""
    if outcome is Outcome.PASS:
        return ""
    if options is None:
        return "Declare controls.C2 with `members:` and serve the model behind the guard."
    if outcome is Outcome.INCONCLUSIVE:
        return "Bring more test and calibration rows, or assess with more effort."
    return "Raise controls.C2.members, bring more training rows for them, or make the model itself more robust (P1)."
