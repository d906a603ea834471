"""Check E1.cost: what a readable model loses against a strong black box taught on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.explanation.antehoc import printed
from fivefold.explanation.antehoc.rival import lost, rival
from fivefold.explanation.antehoc.steps import Lesson, types
from fivefold.stats.judge import judge
from fivefold.stats.lacking import more_rows
from fivefold.subject import labels

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table
    from fivefold.explanation.antehoc.rival import Lost

FLOOR = "max_lost"
_FEWEST = 50
_CASES = 6
_WORSE = 0.15
_REMEDY = (
    "Give the model more columns or steps (controls.E1.terms, controls.E1.steps), or another form; or say what the "
    "black box sees that it does not (E3.permutation), and make a column of it."
)


def run(context: Context) -> Result:
    """Measure E1.cost.

    Threat: a model is made readable at the price of answers that are wrong more often, and nobody says so.
    Limit: the black box is ours, of two kinds, with the settings they come with.

    Args:
        context: Needs a subject, the data sets ``train`` and ``test`` with targets, and ``controls.E1.page``; threshold
            ``max_lost``.

    Raises:
        UnsupportedError: ``antehoc.undeclared``, ``antehoc.subject``, ``antehoc.inputs``, ``antehoc.rows``.
        SubjectError: The model misbehaved.
    """
    printed.require(context.settings)
    subject = context.subject
    if subject is None:
        raise UnsupportedError("antehoc.subject", "there is no model to ask.")
    test, seen = _known(context, "test", context.rows)
    context.progress(0.1, "asking the model")
    mine = np.asarray(subject.predict(test))
    lesson, taught = _lesson(context, subject)
    context.progress(0.3, "teaching a black box")
    name, ask = rival(lesson, context.rng)
    other = ask(test.features)
    found = lost(mine, other, test.target)
    bird = _canary(other, test.target, float(context.thresholds[FLOOR]), context.rng)
    return _result(context, (found, name, bird), test, (len(lesson.target), taught, seen))


def _known(context: Context, name: str, most: int) -> tuple[Table, int]:
    """Return drawn rows of known target, and how many there are."""
    table = context.tables(name)
    if table.kind != "table":
        raise UnsupportedError("antehoc.inputs", "the black box is taught on tables.")
    known = np.flatnonzero(labels.known(table.target))
    if len(known) < _FEWEST:
        raise UnsupportedError("antehoc.rows", f"only {len(known)} rows of data.{name} have a known target.",
                               remedy=f"Bring at least {_FEWEST}.")  # fmt: skip
    chosen = np.sort(context.rng.choice(known, min(most, len(known)), replace=False))
    return table.take(chosen), len(known)


def _lesson(context: Context, subject: Subject) -> tuple[Lesson, int]:
    """Return what the black box is taught, and how many training rows there are."""
    train, seen = _known(context, "train", context.rows)
    if len(np.unique(train.target)) < 2:
        raise UnsupportedError("antehoc.rows", "all training rows have the same target.",
                               remedy="Bring rows of other targets.")  # fmt: skip
    types_ = types(context.settings.features)
    return Lesson(train.features, train.target, subject.task, subject.classes, types_, {}), seen


def _judged(found: tuple[Lost, ...], floor: float) -> Outcome:
    outcomes = {judge(one.low, one.high, floor, "max") for one in found}
    if Outcome.FAIL in outcomes:
        return Outcome.FAIL
    return Outcome.PASS if outcomes == {Outcome.PASS} else Outcome.INCONCLUSIVE


def _canary(other: np.ndarray, target: np.ndarray, floor: float, rng: np.random.Generator) -> Canary:
    """Judge copies of the black box: some answer a drawn share of its rows by another row's truth, some are it."""
    found = alarms = 0
    n = len(target)
    for case in range(2 * _CASES):
        made = other.copy()
        if case < _CASES:
            made = _worsened(other, target, floor + _WORSE, rng)
        else:
            few = rng.random(n) < floor / 5
            made[few] = other[rng.permutation(n)][few]
        said = _judged(lost(made, other, target), floor)
        found += said is Outcome.FAIL and case < _CASES
        alarms += said is Outcome.FAIL and case >= _CASES
    return Canary(
        kind="models far worse than the black box", planted=_CASES, found=found, clean=_CASES, false_alarms=alarms,
        noticed=found >= 0.8 * _CASES and not alarms,
        detail=f"Copies of the black box that lose {floor + _WORSE:.0%} more at drawn rows, and copies that give a few "
        "rows each other's answers.",
    )  # fmt: skip


def _worsened(other: np.ndarray, target: np.ndarray, by: float, rng: np.random.Generator) -> np.ndarray:
    """Return answers with ``by`` of all right ones made wrong, or values moved off by that share of the usual error."""
    if target.dtype.kind == "f":
        usual = float(np.abs(target - np.median(target)).mean()) or 1.0
        away = np.where(other >= target, 1.0, -1.0)
        return np.asarray(other + away * by * usual * rng.exponential(size=len(target)))
    made = other.copy()
    right = np.flatnonzero(other == target)
    kinds = np.unique(target)
    spoiled = rng.choice(right, min(len(right), int(by * len(target))), replace=False)
    made[spoiled] = kinds[(np.searchsorted(kinds, target[spoiled]) + 1) % len(kinds)]
    return made


def _result(
    context: Context, found: tuple[tuple[Lost, ...], str, Canary], test: Table, rows: tuple[int, int, int]
) -> Result:
    told, name, bird = found
    floor = float(context.thresholds[FLOOR])
    outcome = _judged(told, floor)
    measures = [
        Measure(name=one.name, value=one.value, low=one.low, high=one.high, threshold=floor, direction="max",
                outcome=judge(one.low, one.high, floor, "max"), unit="share", n=one.n, where=f"against {name}")
        for one in told
    ]  # fmt: skip
    what = "error" if context.subject is not None and context.subject.task == "regression" else "accuracy"
    measures += [Measure(name=f"{what} of the model", value=told[0].mine, unit="share", n=told[0].n),
                 Measure(name=f"{what} of {name}", value=told[0].rival, unit="share", n=told[0].n)]  # fmt: skip
    reason = "; ".join(f"{one.name} {one.value:.1%} ({one.low:.1%} to {one.high:.1%})" for one in told)
    reason = f"Against {name} taught on {rows[0]:,} rows: {reason}; allowed: at most {floor:.0%}."
    if not bird.noticed and outcome is not Outcome.INCONCLUSIVE:
        outcome = Outcome.INCONCLUSIVE
        reason = f"Planted models that are far worse were not told from equal ones, so nothing is concluded. {reason}"
    classes = context.subject.classes if context.subject is not None else ()
    remedy = {Outcome.PASS: "", Outcome.FAIL: _REMEDY}.get(
        outcome, more_rows(test.target, classes, "Bring more test rows.")
    )
    limits = [
        "The black box is boosted trees or a forest, whichever did better on rows held back; another may do better.",
        f"{rows[0]:,} of {rows[1]:,} training rows were taught.",
    ]
    if len(told) > 1:
        limits.append("Two measures are held against the bound at 95 % each, and either fails: of models that lose "
                      "just as much as is allowed up to one in ten fails.")  # fmt: skip
    if rows[2] > len(test):
        limits.append(f"{len(test):,} of {rows[2]:,} test rows were drawn at random.")
    plot = Plot(kind="intervals", title=f"what is lost against {name}", x_label="share lost", threshold=floor,
                bars=tuple(Bar(label=one.name, value=one.value, low=one.low, high=one.high, n=one.n)
                           for one in told))  # fmt: skip
    return Result(outcome=outcome, reason=reason, measures=tuple(measures), canary=bird, plots=(plot,), remedy=remedy,
                  limits=tuple(limits))  # fmt: skip
