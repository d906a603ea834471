"""P3.accuracy: measure the errors, judge them against the best constant answer and declared limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Canary, Plot, Result
from fivefold.contract.outcome import Outcome, worst
from fivefold.errors import UnsupportedError
from fivefold.protection.accuracy import parts, sample, scenarios
from fivefold.stats.lacking import more_rows
from fivefold.stats.repeats import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

_LEAST_ROWS = 10
_RARE = 0.05
_MOST_UNKNOWN = 0.1


def run(context: Context) -> Result:
    """Measure P3.accuracy.

    Threat: a model that looks right on average is relied on where it is wrong.
    Limit: only the test rows' distribution, only slices over one or two columns, labels taken as true.

    Args:
        context: Needs a subject and the data set ``test``; threshold ``min_margin``; options as in the pack.

    Returns:
        Figures, planted cases and the judgement.

    Raises:
        UnsupportedError: ``accuracy.rows`` with fewer than ten rows of known target; ``accuracy.subject``: no model.
        SubjectError: The model misbehaved.
    """
    if context.subject is None:
        raise UnsupportedError("accuracy.subject", "there is no model to ask.")
    stored = context.tables("test")
    repeats = counted(stored, lambda: _train(context))
    kept = stored.take(repeats.keep) if repeats.once else stored
    table = sample.stratified(kept, context.rows, context.rng)
    rows, known = len(kept), int(sample.usable(kept.target).sum())
    del stored, kept  # the whole set is large, and the rest needs the sample alone
    if len(table) < _LEAST_ROWS:
        raise UnsupportedError(
            "accuracy.rows",
            f"only {len(table)} test rows have a known target.",
            remedy=f"Give at least {_LEAST_ROWS}; a few hundred are needed for a judgement.",
        )
    context.progress(0.1, "asking the model")
    answers = _answers(table, context.subject.predict(table), context.subject.classes, context.options)
    # the products of the search are many and small: threads of BLAS would only wait for each other
    with threadpool_limits(limits=1, user_api="blas"):
        result = _measured(context, answers, _limits(context, answers, rows, known))
    return _held(
        msgspec.structs.replace(result, limits=(repeats.limit, *result.limits)) if repeats.once else result,
        unknown=rows - known,
        rows=rows,
    )


def _train(context: Context) -> Table | None:
    try:
        return context.tables("train")
    except KeyError:
        return None


def _held(result: Result, *, unknown: int, rows: int) -> Result:
    """Hold back a pass where the truth of many rows is not known: those left out may be the wrong ones."""
    if result.outcome is not Outcome.PASS or unknown <= _MOST_UNKNOWN * rows:
        return result
    reason = f"{unknown} of {rows} test rows have no known target, so nothing is concluded for all of them. "
    remedy = "Give the truth of these rows, or take a text that is a label out of `missing:`."
    return msgspec.structs.replace(result, outcome=Outcome.INCONCLUSIVE, reason=reason + result.reason, remedy=remedy)


def _measured(context: Context, answers: parts.Answers, limits: list[str]) -> Result:
    floor = float(context.thresholds.get("min_margin", 0.0))
    alarm = context.settings.alarm
    context.progress(0.3, "overall figures and scenarios")
    whole = parts.overall(answers, floor, alarm, context.options, context.rng)
    masks = scenarios.masks(context.settings.scenarios or {}, answers.table)
    places = parts.scenarios(answers, masks, alarm, context.options)
    context.progress(0.5, "searching slices")
    limit = _limit(context)
    smallest = _number(context.options, "min_slice", None) or 0.10
    slices = parts.sliced(answers, limit, smallest, context.effort, context.rng)
    return _result(answers, (whole, places, slices), limits)


def _limit(context: Context) -> float | None:
    return _number(context.thresholds, "max_slice_excess", _number(context.options, "max_slice_excess", None))


def _number(values: Mapping[str, object], key: str, default: float | None) -> float | None:
    value = values.get(key)
    return float(value) if isinstance(value, int | float) else default


def _answers(
    table: Table, predicted: np.ndarray, classes: tuple[str, ...], options: Mapping[str, object]
) -> parts.Answers:
    if classes:
        return parts.Answers(table, predicted, table.target, classes)
    target = np.asarray(table.target, dtype=np.float64)
    declared = _number(options, "tolerance", None)
    if declared is not None:
        return parts.Answers(table, predicted, target, (), declared)
    usual = float(np.abs(target - np.median(target)).mean())
    note = "No `tolerance` is declared: the best constant's mean absolute error is used."
    return parts.Answers(table, predicted, target, (), usual, note)


def _result(answers: parts.Answers, found: tuple[parts.Part, ...], limits: list[str]) -> Result:
    whole, _, slices = found
    outcomes = [part.outcome for part in found if part.outcome is not None]
    measures = sorted((m for part in found for m in part.measures), key=lambda m: m.outcome is None)
    outcome = worst(outcomes)
    return Result(
        outcome=outcome,
        reason=" ".join(text for text in (_headline(answers, whole), _unknown(found), slices.text) if text),
        measures=tuple(measures),
        canary=_canary(found, outcome),
        plots=_plots(found, regression=answers.regression),
        limits=(*limits, *(text for part in found for text in part.limits)),
        remedy=_remedy(outcome, slices, answers),
    )


def _headline(answers: parts.Answers, whole: parts.Part) -> str:
    first = whole.measures[0]
    if first.value is None or first.low is None or first.high is None:
        return first.note
    words = {
        Outcome.PASS: "is clear of the floor",
        Outcome.FAIL: "is below the floor",
        Outcome.INCONCLUSIVE: "is not clear of the floor",
    }
    verdict = words[first.outcome or Outcome.INCONCLUSIVE]
    span = f"{first.value:+.1%} ({first.low:+.1%} to {first.high:+.1%})"
    text = f"On {first.n} rows {first.name} is {span} and {verdict} of {first.threshold:.1%}."
    if not answers.regression and first.outcome is not Outcome.PASS:
        rare = 1 - np.bincount(answers.target).max() / len(answers.target)
        if not rare:
            text += " All rows are of one class, so a useful model cannot be told from a constant answer."
        elif rare < _RARE:
            text += (
                f" The most frequent class alone is right in {1 - rare:.1%} of the rows, which leaves little room:"
                " look at balanced accuracy and missed detections, and bring more rows of the rare classes."
            )
    if whole.trial is not None and not whole.trial.noticed:
        text += " Planted useless models went unnoticed, so this is not believed."
    others = [m for m in whole.measures[1:] if m.outcome not in (None, Outcome.PASS)]
    return text + "".join(f" The {m.name} is not within its limit ({m.outcome})." for m in others)


def _unknown(found: tuple[parts.Part, ...]) -> str:
    _, places, slices = found
    few = [m.where for m in places.measures if m.name == "rows of the scenario"]
    bad = [m.where for m in places.measures if m.outcome is Outcome.FAIL]
    text = f"Too few rows to know the errors of {', '.join(few)}." if few else ""
    text += f" Below its limit: {', '.join(bad)}." if bad else ""
    if slices.trial is not None and not slices.trial.noticed:
        text += " Planted slices went unnoticed, so slices are not judged."
    return text.strip()


def _canary(found: tuple[parts.Part, ...], outcome: Outcome) -> Canary:
    trials = [part.trial for part in found if part.trial is not None]
    noticed = all(trial.noticed for trial in trials)
    return Canary(
        kind="useless models" if len(trials) == 1 else "useless models and slices where the model is wrong",
        planted=sum(trial.planted for trial in trials),
        found=sum(trial.found for trial in trials),
        clean=sum(trial.clean for trial in trials),
        false_alarms=sum(trial.alarms for trial in trials),
        # a failure rests on a part whose own planted cases were noticed
        noticed=noticed or outcome is Outcome.FAIL,
        detail="; ".join(f"{trial.detail}: {trial.found} of {trial.planted} noticed" for trial in trials),
    )


def _plots(found: tuple[parts.Part, ...], *, regression: bool) -> tuple[Plot, ...]:
    whole, places, slices = found
    name = "share within the tolerance" if regression else "accuracy"
    plots = []
    if len(bars := (*whole.bars, *places.bars)) > 1:
        plots.append(Plot(kind="intervals", title=f"{name}, overall and per scenario", x_label=name, bars=bars[:24]))
    if slices.bars:
        floor = next((m.threshold for m in slices.measures if m.threshold is not None), None)
        title = "error rate of found slices above the rest, on the half not searched"
        plots.append(
            Plot(kind="intervals", title=title, x_label="error rate above the rest", bars=slices.bars, threshold=floor)
        )
    return tuple(plots)


def _limits(context: Context, answers: parts.Answers, rows: int, known: int) -> list[str]:
    texts = ["The figures hold for rows like the test rows, and the labels are taken as true."]
    if known < rows:
        texts.append(f"{rows - known} rows without a known target were left out.")
    if known > len(answers.table):
        texts.append(f"{len(answers.table)} of {known} rows were drawn, in proportion to the target.")
    if context.settings.alarm is None and not answers.regression:
        texts.append("No class to detect is declared (`alarm`): rates are shown for each class against the rest.")
    if _limit(context) is None:
        texts.append("Slices are shown, not judged: no `max_slice_excess` is declared.")
    texts.append("Slices over three columns or more, or smaller than `min_slice`, are not searched.")
    return texts


def _remedy(outcome: Outcome, slices: parts.Part, answers: parts.Answers) -> str:
    if outcome is Outcome.PASS:
        return ""
    if slices.outcome is Outcome.FAIL:
        return "Collect and train on more rows of the slice, or let the model fall back there (C3)."
    if outcome is Outcome.FAIL:
        return "Retrain the model; it is no better than an answer that ignores the input, or misses a declared limit."
    usual = "Bring more test rows (the bounds shrink with their square root), or test with more effort."
    return more_rows(answers.target, answers.classes, usual)
