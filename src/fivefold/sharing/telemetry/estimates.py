"""Check S6.estimates: intervals of the estimates cover the truth of the application's own rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.sharing.telemetry import estimate
from fivefold.sharing.telemetry.asked import SAID, reporting
from fivefold.sharing.telemetry.declared import declared
from fivefold.sharing.telemetry.device import prefix
from fivefold.sharing.telemetry.fleet import Values
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fivefold.contract.check import Context
    from fivefold.sharing.telemetry.declared import Telemetry
    from fivefold.sharing.telemetry.device import Question
    from fivefold.sharing.telemetry.estimate import Estimates
    from fivefold.sharing.telemetry.fleet import Value
    from fivefold.sharing.telemetry.reports import Reports

COVERAGE = "min_coverage"
STATED = 0.95
_ROUNDS = {"quick": 600, "standard": 600, "thorough": 1000}
"""Intervals that hold as often as stated stay open in 0.3 % of runs of 600 rounds; of 300 it were 12 %, of 150 48 %."""
_FEWEST = 50
_BIRDS = 60
_REMEDY = "Declare ranges, values and lengths that hold what people have: what lies outside is cut off on the device."


def run(context: Context) -> Result:
    """Judge S6.estimates.

    Threat: figures made of noisy reports are taken for exact, or their intervals miss the truth.
    Limit: devices report honestly; such that lie move a figure by their share, and more where epsilon is small.

    Raises:
        UnsupportedError: ``telemetry.undeclared``, ``telemetry.declared``, ``telemetry.column`` for a column that is
            not there or not of the kind, ``telemetry.rows`` for too few rows.
    """
    told = declared(context)
    people = {question.name: _people(context, told, question) for question in told.questions}
    floor, rounds = context.thresholds[COVERAGE], _ROUNDS[context.effort]
    measures: list[Measure] = []
    covers: dict[str, _Cover] = {}
    for done, question in enumerate(told.questions):
        own = people[question.name]
        count = told.counts.get(question.name, 10)
        covers[question.name] = _covered(context, (question, count), own, _truth(question, own), rounds)
        measures += _measures(question, covers[question.name], floor)
        context.progress(0.8 * (done + 1) / len(told.questions), question.name)
    bird = _canary(context, told, people, covers)
    judged = [one for one in measures if one.threshold is not None]
    found_ = {one.outcome for one in judged}
    outcome = next((one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE) if one in found_), Outcome.PASS)
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=_reason(bird, judged),
        measures=(*judged, *(one for one in measures if one.threshold is None)),
        canary=bird,
        limits=("Rows of the data stand for people; people who report may be others.", SAID),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def text_of(value: object) -> str | None:
    """Return a cell as the texts of the manifest name it; None: missing."""
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA or value is pd.NaT:
        return None
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)


def _people(context: Context, told: Telemetry, question: Question) -> list[Value]:
    try:
        table = context.tables(told.data)
        column = table.column(question.name)
    except KeyError:
        raise UnsupportedError(
            "telemetry.column", f"data set {told.data} has no column {question.name!r}.",
            remedy="Name a column that is no target.",
        ) from None  # fmt: skip
    if len(column) < _FEWEST:
        raise UnsupportedError("telemetry.rows", f"{told.data} has {len(column)} rows.", remedy=f"Give {_FEWEST}.")
    if question.way != "mean":
        return [text_of(value) for value in column.astype(object)]
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isfinite(numbers).sum() < (column.notna().sum() + 1) / 2:
        raise UnsupportedError("telemetry.column", f"{question.name} does not hold numbers, so it has no mean.")
    return [float(value) if np.isfinite(value) else None for value in numbers]


@dataclass(frozen=True)
class _Cover:
    """How often all intervals of a round held.

    Attributes:
        held: Rounds in which they did.
        rounds: Rounds.
        width: Mean half width; None: no round found anything.
        figures: Figures of all rounds.
        n: Devices of a round.
    """

    held: int
    rounds: int
    width: float | None
    figures: int
    n: int


def _covered(
    context: Context, asked: tuple[Question, int], people: Sequence[Value], truth: Mapping[str, float], rounds: int
) -> _Cover:  # fmt: skip
    """Ask devices of people who are drawn anew in each round, and hold the estimates against the truth."""
    question, count = asked
    ask, rng, held, figures, widths = reporting(context.rng)(Values(question, people)), context.rng, 0, 0, 0.0
    n = min(len(people), context.rows) if question.way != "top" else min(8 * len(people), 8 * context.rows)
    for _ in range(rounds):
        found = _estimated(question, ask(rng.integers(0, len(people), n))[0], count)
        exact = np.array([truth.get(name, 0.0) for name in found.names])
        held += bool(((found.low <= exact) & (exact <= found.high)).all())
        widths += float((found.high - found.low).sum() / 2)
        figures += len(found.names)
    return _Cover(held, rounds, widths / figures if figures else None, figures, n)


def _estimated(question: Question, reports: Reports, count: int) -> Estimates:
    if question.way == "mean":
        return estimate.mean(reports, STATED)
    return estimate.top(reports, count, STATED) if question.way == "top" else estimate.frequencies(reports, STATED)


def _truth(question: Question, people: list[Value]) -> Mapping[str, float]:
    """Return the exact figures of the rows: nothing is cut off here."""
    if question.way == "mean":
        return {question.name: float(np.mean([value for value in people if value is not None]))}
    values, counts = np.unique([str(value) for value in people if value is not None], return_counts=True)
    return dict(zip(values.tolist(), (counts / len(people)).tolist(), strict=True))


def _measures(question: Question, cover: _Cover, floor: float) -> list[Measure]:
    low, high = (float(part) for part in clopper_pearson(cover.held, cover.rounds))
    where = f"column {question.name}"
    what = {"mean": "the mean", "top": "the strings found"}.get(question.way, f"{len(question.values)} values")
    first = Measure(
        name="rounds in which all intervals held", value=cover.held / cover.rounds, low=low, high=high, threshold=floor,
        direction="min", unit="share", n=cover.rounds, where=where,
        outcome=judge(low, high, floor, "min") if cover.figures >= cover.rounds else Outcome.INCONCLUSIVE,
        note=f"Of {what}, {cover.n:,} devices a round, each time other people; stated {STATED:g}."
        + ("" if cover.figures >= cover.rounds else " Too few strings were found to judge."),
    )  # fmt: skip
    second = Measure(
        name="half width of an interval", value=cover.width, n=cover.n, where=where,
        note="In units of the column." if question.way == "mean" else "Share of people.",
    )  # fmt: skip
    return [first, second]


def _canary(
    context: Context, told: Telemetry, people: Mapping[str, list[Value]], covers: Mapping[str, _Cover]
) -> Canary:
    """Devices that report other values than people have must be caught; people whom nothing is cut off must not."""
    question = told.questions[int(context.rng.integers(len(told.questions)))]
    own, cover, count = people[question.name], covers[question.name], told.counts.get(question.name, 10)
    whole = [_within(question, value) for value in own]
    truth = _truth(question, whole)
    scale = question.high - question.low if question.way == "mean" else 1.0
    share = min(0.9, float(context.rng.uniform(0.25, 0.4)) + 4.0 * (cover.width or 0.0) / scale)
    other = _other(question, truth)
    wrong = [other if pick else value for pick, value in zip(context.rng.random(len(own)) < share, whole, strict=True)]
    floor = context.thresholds[COVERAGE]
    bad = _measures(question, _covered(context, (question, count), wrong, truth, _BIRDS), floor)[0].outcome
    good = _measures(question, _covered(context, (question, count), whole, truth, _BIRDS), floor)[0].outcome
    caught, alarm = bad is Outcome.FAIL, good is Outcome.FAIL
    return Canary(
        kind="devices that report another value than people have", planted=1, found=int(caught), clean=1,
        false_alarms=int(alarm), noticed=caught and not alarm,
        detail=f"A share of {share:.2f} of the people of column {question.name}, {_BIRDS} rounds.",
    )  # fmt: skip


def _within(question: Question, value: Value) -> Value:
    """Return the value without what the device cuts off."""
    if value is None:
        return value if question.way != "mean" else (question.low + question.high) / 2
    if question.way == "mean":
        return min(max(float(value), question.low), question.high)
    return prefix(question, str(value), question.groups - 1)[:-1] if question.way == "top" else value


def _other(question: Question, truth: Mapping[str, float]) -> Value:
    """Return a value that few people have."""
    if question.way == "mean":
        middle = (question.low + question.high) / 2
        return question.low if truth[question.name] > middle else question.high
    listed: tuple[str, ...] = question.values  # noqa: PD011  a question's, not a frame's
    names = listed if question.way != "top" else tuple(truth)
    return min(names, key=lambda name: truth.get(name, 0.0))


def _reason(bird: Canary, judged: list[Measure]) -> str:
    if not bird.noticed:
        return "Devices that report other values were not found out at this many people, so nothing is concluded."
    worst = min(judged, key=lambda one: one.value or 0.0)
    return (
        f"At worst ({worst.where}) all intervals held in {round((worst.value or 0) * worst.n)} of {worst.n} rounds; "
        f"{STATED:g} is stated."
    )
