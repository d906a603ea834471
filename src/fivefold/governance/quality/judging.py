"""Judging shares of cells: every row is read, so a share is exact and has no bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.contract.finding import Bar, Measure, Plot
from fivefold.contract.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = 12
_NAMED = 3


@dataclass(frozen=True)
class Part:
    """Cells (or rows) of one column of one data set, and how many of them are bad.

    Attributes:
        where: Which, for the reader.
        bad: How many.
        n: Of how many.
        note: What is bad about them.
    """

    where: str
    bad: int
    n: int
    note: str = ""

    @property
    def share(self) -> float:
        """Bad ones of all."""
        return self.bad / self.n if self.n else 0.0


def of_shares(name: str, parts: Sequence[Part], floor: float) -> tuple[Measure, ...]:
    """Return a measure for the worst part, then one for each other part above the floor, at most :data:`SHOWN`.

    Args:
        name: Of the figure.
        parts: At least one.
        floor: Largest share allowed in any part; reaching it is not above it.
    """
    ordered = sorted(parts, key=lambda part: (-part.share, part.where))
    over = [part for part in ordered if part.share > floor]
    return tuple(_measure(name, part, floor, len(parts)) for part in (over or ordered[:1])[:SHOWN])


def _measure(name: str, part: Part, floor: float, count: int) -> Measure:
    outcome = Outcome.FAIL if part.share > floor else Outcome.PASS
    return Measure(
        name=name,
        value=part.share,
        threshold=floor,
        direction="max",
        outcome=outcome,
        unit="share",
        n=part.n,
        where=part.where,
        note=part.note if part.bad else f"The largest of {count}.",
    )


def worst(measures: Sequence[Measure]) -> Outcome:
    """Return the outcome over all judged figures: one failure fails."""
    said = {measure.outcome for measure in measures if measure.outcome is not None}
    for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS):
        if outcome in said:
            return outcome
    return Outcome.INCONCLUSIVE


def named(measures: Sequence[Measure]) -> str:
    """Return the places of the failed figures, a few by name."""
    places = [measure.where for measure in measures if measure.outcome is Outcome.FAIL]
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    return ", ".join(places[:_NAMED]) + more


def picture(title: str, parts: Sequence[Part], floor: float, x_label: str) -> tuple[Plot, ...]:
    """Return the parts with the largest shares as bars; nothing where all are 0."""
    ordered = [part for part in sorted(parts, key=lambda part: (-part.share, part.where)) if part.bad][:SHOWN]
    if not ordered:
        return ()
    bars = tuple(Bar(label=part.where, value=part.share, n=part.n) for part in ordered)
    return (Plot(kind="intervals", title=title, x_label=x_label, bars=bars, threshold=floor),)
