"""Figures: shares with exact bounds, as measures of a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from fivefold.contract.finding import Measure
from fivefold.contract.outcome import Outcome
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    import numpy as np


def share(
    name: str,
    hits: np.ndarray,
    *,
    over: float = 1.0,
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
        over: What the share is divided by; 1: it is shown as it is.
        floor: What it is judged against; None: it is shown.
        direction: Of the floor.
        where: Part of the data.
        note: For the reader.
        confidence: Of each bound.
    """
    n, k = len(hits), int(hits.sum())
    low, high = (float(bound) / over for bound in clopper_pearson(k, n, confidence))
    outcome = None if floor is None or direction is None else judge(low, high, floor, direction)
    return Measure(
        name=name, value=k / n / over if n else None, low=low, high=high, threshold=floor, direction=direction,
        outcome=outcome, unit="share" if over == 1 else "ratio", n=n, where=where, note=note,
    )  # fmt: skip


def opened(*measures: Measure) -> tuple[Measure, ...]:
    """Return judged figures as inconclusive: the check's own outcome is."""
    return tuple(
        msgspec.structs.replace(one, outcome=Outcome.INCONCLUSIVE) if one.outcome is not None else one
        for one in measures
    )
