"""Consistency: what a result says of itself that cannot be true, whatever was measured.

Only what holds for every check is asked: a figure judged as passed does not lie with its whole interval on the wrong
side of its threshold, a pass is not made of failed figures, and a planted case that nobody found was not noticed.
Figures that are consistent and invented are not told from measured ones here; running the check again tells them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.contract.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.contract.finding import Canary, Measure, Result


def contradictions(result: Result) -> list[str]:
    """Return what contradicts itself, in words; empty if nothing does."""
    return [*_figures(result), *_canary(result)]


def _figures(result: Result) -> Iterator[str]:
    for measure in result.measures:
        if measure.outcome is Outcome.PASS and _wrong_side(measure):
            yield f"{measure.name} is called a pass and lies on the wrong side of {measure.threshold}"
        if result.outcome is Outcome.PASS and measure.outcome is Outcome.FAIL:
            yield f"it passes although {measure.name} failed"


def _wrong_side(measure: Measure) -> bool:
    """Whether the whole interval, or the value where there is none, breaks the threshold."""
    if measure.threshold is None:
        return False
    if measure.direction == "min":
        best = measure.high if measure.high is not None else measure.value
        return best is not None and best < measure.threshold
    best = measure.low if measure.low is not None else measure.value
    return measure.direction == "max" and best is not None and best > measure.threshold


def _canary(result: Result) -> Iterator[str]:
    bird: Canary | None = result.canary
    if bird is None:
        return
    if not (0 <= bird.found <= bird.planted and 0 <= bird.false_alarms <= bird.clean):
        yield "its planted cases are miscounted"
    if result.outcome is Outcome.PASS and bird.noticed and bird.planted and not bird.found:
        yield "no planted case was found, and it is called noticed"
    if result.outcome is Outcome.PASS and bird.noticed and bird.clean and bird.false_alarms == bird.clean:
        yield "every clean case was flagged, and it is called noticed"
