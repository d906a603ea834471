"""P3.corruption: ask for rows that are worse, and say how many right answers are left and what is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import structs
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Canary, Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome, worst
from fivefold.errors import UnsupportedError
from fivefold.protection.accuracy.sample import stratified
from fivefold.protection.corruption import canary, figures, worse
from fivefold.protection.corruption.figures import Seen
from fivefold.stats.proportion import wilson

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table
    from fivefold.protection.corruption.worse import Way

FLOOR = "min_kept"
_FEWEST = 20
_CELL = 10
_DRAWN = 6


def run(context: Context) -> Result:
    """Measure P3.corruption.

    Threat: noise, weather, a bad lens or a broken sensor make the model miss what it should see.
    Limit: corruptions as drawn here, of test rows.

    Args:
        context: Needs a subject that answers for changed rows and ``test``; threshold ``min_kept``; options as in the
            pack.

    Raises:
        UnsupportedError: ``corruption.kind``, ``corruption.sensors``; ``corruption.rows`` if fewer than 20 rows are
            answered rightly; ``corruption.calls`` if an endpoint's budget is too small.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    subject = context.subject
    if subject is None:
        raise UnsupportedError("corruption.subject", "there is no model to ask.")
    table = stratified(context.tables("test"), context.rows, context.rng)
    if not len(table):
        raise UnsupportedError("corruption.rows", "no test row has a known target.")
    right_of, notes = _right(subject, table, context)
    clean = subject.predict(table)
    right = right_of(clean)
    if int(right.sum()) < _FEWEST:
        raise UnsupportedError(
            "corruption.rows",
            f"only {int(right.sum())} test rows are answered rightly.",
            remedy=f"At least {_FEWEST} are needed to see how many stay right.",
        )
    ways = worse.way(table)
    severity = int(context.options.get("severity") or 1)
    severities = _severities(subject, len(ways.names), len(table), severity)
    if len(severities) < worse.SEVERITIES:
        notes.append(f"The budget of calls allowed severities {', '.join(map(str, severities))} only.")
    alarm = context.settings.alarm if subject.classes else None
    wanted = np.zeros(len(table), dtype=bool) if alarm is None else table.target == alarm
    answers = _ask(subject, ways, severities, context)
    kept = np.stack([[right_of(one)[right] for one in some] for some in answers])
    missed = (
        None if int(wanted.sum()) < _CELL else np.stack([[one[wanted] != alarm for one in some] for some in answers])
    )
    seen = Seen(ways.names, severities, kept, missed, None if missed is None else clean[wanted] != alarm)
    floor = float(context.thresholds[FLOOR])
    trial = canary.trial(table, ways, severity, floor, context.rng)
    return _result(seen, severity, trial, context, notes)


def _right(subject: Subject, table: Table, context: Context) -> tuple[Callable[[np.ndarray], np.ndarray], list[str]]:
    """Return what tells right answers, and notes."""
    if subject.classes:
        return lambda answers: np.asarray(answers == table.target), []
    declared = context.options.get("tolerance")
    target = np.asarray(table.target, dtype=np.float64)
    usual = float(np.abs(target - np.median(target)).mean())
    tolerance = float(declared) if isinstance(declared, int | float) else usual
    notes = [] if isinstance(declared, int | float) else [
        f"No `tolerance` is declared: the best constant's mean absolute error, {usual:.4g}, is used."
    ]  # fmt: skip
    return lambda answers: np.asarray(np.abs(answers - target) <= tolerance), notes


def _severities(subject: Subject, names: int, rows: int, judged: int) -> tuple[int, ...]:
    """Return the severities that the budget of calls allows, the judged one always.

    Raises:
        UnsupportedError: ``corruption.calls``.
    """
    able = subject.capabilities
    if able.calls_left is None:
        return tuple(range(1, worse.SEVERITIES + 1))
    each = names * -(-rows // max(able.max_rows, 1))
    affordable = int(able.calls_left * 0.5) // each
    if affordable < 1:
        raise UnsupportedError(
            "corruption.calls",
            f"{able.calls_left} calls are left, and one severity takes {each}.",
            remedy="Raise `model.calls`, or assess with less effort.",
        )
    others = sorted(
        (at for at in range(1, worse.SEVERITIES + 1) if at != judged), key=lambda at: (-abs(at - judged), at)
    )
    return tuple(sorted([judged, *others[: affordable - 1]]))


def _ask(subject: Subject, ways: Way, severities: tuple[int, ...], context: Context) -> list[list[np.ndarray]]:
    """Return the answers for each corruption and severity."""
    found, done = [], 0
    for name in ways.names:
        row = []
        for severity in severities:
            context.progress(0.1 + 0.8 * done / (len(ways.names) * len(severities)), f"{name}, severity {severity}")
            row.append(subject.predict(ways.make(name, severity - 1, context.rng)))
            done += 1
        found.append(row)
    return found


def _result(seen: Seen, severity: int, trial: Canary, context: Context, notes: list[str]) -> Result:
    floor = float(context.thresholds[FLOOR])
    first = figures.judged(seen, severity, floor)
    limit = context.options.get("max_missed")
    detected = figures.missed(seen, severity, limit, "missed-detection rate")
    measures = [first, *detected, *figures.each(seen)]
    if isinstance(limit, int | float) and not detected:
        measures.insert(1, _undeclared(float(limit)))
    outcome = worst([one.outcome for one in measures if one.outcome is not None])
    if not trial.noticed:
        measures, outcome = _held(measures), Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome,
        reason=_reason(measures, seen, trial),
        measures=tuple(measures),
        canary=trial,
        plots=_plots(seen, severity, floor),
        limits=(
            *notes,
            "Corruptions are drawn by this program; real weather, lenses and sensors differ.",
            "Rows that are answered wrongly as they are do not count here; P3.accuracy counts them.",
        ),
        remedy=_remedy(outcome, seen),
    )


def _undeclared(limit: float) -> Measure:
    return Measure(
        name="missed-detection rate", threshold=limit, direction="max", outcome=Outcome.INCONCLUSIVE, unit="share",
        note="`max_missed` is declared, but no class to detect is (`alarm`), or the rows hold fewer than ten of it.",
    )  # fmt: skip


def _held(measures: list[Measure]) -> list[Measure]:
    return [one if one.outcome is None else structs.replace(one, outcome=Outcome.INCONCLUSIVE) for one in measures]


def _worst(seen: Seen) -> int:
    return int(seen.kept.mean(axis=(1, 2)).argmin())


def _reason(measures: list[Measure], seen: Seen, trial: Canary) -> str:
    first, at = measures[0], _worst(seen)
    words = {Outcome.PASS: "is clear of", Outcome.FAIL: "breaks", Outcome.INCONCLUSIVE: "is not clear of"}
    share = f"{first.value:.1%} ({first.low:.1%} to {first.high:.1%})" if first.value is not None else "unknown"
    text = (
        f"Of {first.n} rightly answered rows {share} stay right, which {words[first.outcome or Outcome.INCONCLUSIVE]} "
        f"{first.threshold:.1%}. The worst is {seen.names[at]}: {seen.kept[at, 0].mean():.1%} at severity "
        f"{seen.severities[0]}, {seen.kept[at, -1].mean():.1%} at {seen.severities[-1]}."
    )
    for one in measures[1:]:
        if one.outcome not in (None, Outcome.PASS):
            text += f" The {one.name} is not within its limit ({one.outcome}; {one.where or one.note})."
    return text if trial.noticed else f"{text} Planted models went unnoticed, so this is not believed."


def _remedy(outcome: Outcome, seen: Seen) -> str:
    if outcome is Outcome.PASS:
        return ""
    if outcome is Outcome.FAIL:
        return (
            f"Train on rows made worse in these ways (first: {seen.names[_worst(seen)]}), refuse what is out of range "
            "at admission (D1), and fall back where the model is unsure (C3)."
        )
    return "Bring more test rows, or test with more effort: bounds shrink with their square root."


def _plots(seen: Seen, severity: int, floor: float) -> tuple[Plot, ...]:
    """Return the worst corruptions against severity, and all of them at the judged one."""
    order = np.argsort(seen.kept.mean(axis=(1, 2)), kind="stable")
    at = seen.severities.index(severity)
    means = seen.kept.mean(axis=2)
    x = tuple(float(one) for one in seen.severities)
    curves = tuple(Curve(name=seen.names[one], x=x, y=tuple(means[one].tolist())) for one in order[:_DRAWN].tolist())
    bars = []
    for one in order.tolist():
        low, high = wilson(int(seen.kept[one, at].sum()), seen.rows)
        bars.append(
            Bar(label=seen.names[one], value=float(means[one, at]), low=float(low), high=float(high), n=seen.rows)
        )
    label = "share of rightly answered rows that stay right"
    made = [
        Plot(kind="intervals", title=f"Right answers left at severity {severity}", x_label=label, bars=tuple(bars),
             threshold=floor)
    ]  # fmt: skip
    if len(x) > 1:
        made.append(
            Plot(kind="curves", title="The worst corruptions", x_label="severity", y_label=label, curves=curves)
        )
    return tuple(made)
