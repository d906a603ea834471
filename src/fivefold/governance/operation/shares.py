"""Shares: how many of what is on record, with exact bounds, against a floor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fivefold.contract.finding import Measure
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Mapping


def share(name: str, count: int, n: int, key: str, floors: Mapping[str, float]) -> Measure:
    """Return a share of ``n``, judged.

    Args:
        name: Of what.
        count: How many of ``n``, which is at least 1.
        n: Of how many.
        key: Floor; its first word says its direction: ``min_`` or ``max_``.
        floors: Key to floor.
    """
    low, high = (float(bound) for bound in clopper_pearson(count, n))
    direction: Literal["min", "max"] = "min" if key.startswith("min_") else "max"
    return Measure(
        name=name, value=count / n, low=low, high=high, threshold=floors[key], direction=direction, unit="share", n=n,
        outcome=judge(low, high, floors[key], direction),
    )  # fmt: skip
