"""The three judged parts of the check: overall, scenarios, slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Measure
from fivefold.contract.outcome import Outcome, worst
from fivefold.protection.accuracy import canary, exclusion, figures, slices

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from fivefold.contract.subject import Table

_SCENARIO_ROWS = 30  # with fewer rows the errors of a scenario are not known
_SHOWN = 3  # slices that are reported
_MOST_COLUMNS = 300
_LEAST_ROWS = 100


@dataclass(frozen=True)
class Answers:
    """The measured rows with the model's answers.

    Attributes:
        table: The rows.
        predicted: (n,) class indices or numbers.
        target: (n,) truth.
        classes: Labels; empty for regression.
        tolerance: Regression: distance that counts as right.
        note: Where the tolerance comes from; empty if declared.
    """

    table: Table
    predicted: np.ndarray
    target: np.ndarray
    classes: tuple[str, ...]
    tolerance: float = 0.0
    note: str = ""

    @property
    def regression(self) -> bool:
        """Whether the answers are numbers."""
        return not self.classes

    @property
    def errors(self) -> np.ndarray:
        """(n,) bool: wrong class, or further off than the tolerance."""
        if self.regression:
            return np.asarray(np.abs(self.predicted - self.target) > self.tolerance)
        return np.asarray(self.predicted != self.target)

    def margin(self, predicted: np.ndarray) -> figures.Margin:
        """Margin of (r, n) answers for these rows over the best constant."""
        if self.regression:
            return figures.regressor_margin(predicted, self.target)
        return figures.classifier_margin(predicted, self.target, len(self.classes))


@dataclass(frozen=True)
class Part:
    """Figures of one part; ``outcome`` is None where nothing of it is judged."""

    measures: tuple[Measure, ...]
    trial: canary.Trial | None = None
    bars: tuple[Bar, ...] = ()
    limits: tuple[str, ...] = ()
    text: str = ""

    @property
    def outcome(self) -> Outcome | None:
        """Outcome over the judged measures; inconclusive if the planted cases went unnoticed."""
        judged = [measure.outcome for measure in self.measures if measure.outcome is not None]
        if not judged:
            return None
        if self.trial is not None and not self.trial.noticed:
            return Outcome.INCONCLUSIVE
        return worst(judged)


def overall(
    answers: Answers, floor: float, alarm: int | None, options: Mapping[str, object], rng: np.random.Generator
) -> Part:
    """Measure all rows and judge the margin over the best constant answer."""
    margin = answers.margin(answers.predicted[None])
    first = figures.margin_measure(margin, floor, len(answers.target), regression=answers.regression)
    shown = _shown(answers, np.ones(len(answers.target), dtype=bool), alarm, options, "")
    trial = canary.useless_models(answers.margin, answers.predicted, answers.target, floor, rng)
    return Part((first, *shown), trial, _bar("all rows", shown[0]))


def _shown(
    answers: Answers, rows: np.ndarray, alarm: int | None, options: Mapping[str, object], where: str
) -> list[Measure]:
    predicted, target = answers.predicted[rows], answers.target[rows]
    if answers.regression:
        measures = figures.regression(predicted, target, answers.tolerance, where, note=answers.note)
        least = options.get("min_within_tolerance")
        return [*measures[:-1], _within(measures[-1], least, answers)] if not where else measures
    measures = figures.classification(predicted, target, where)
    return measures + figures.alarms(predicted, target, answers.classes, alarm, options, where=where)


def _within(measure: Measure, least: object, answers: Answers) -> Measure:
    if least is not None and answers.note:
        note = "`min_within_tolerance` is declared, but `tolerance` is not: declare both."
        return figures.limited(Measure(name=measure.name, unit="share", n=measure.n, note=note), least, "min")
    return figures.limited(measure, least, "min")


def _bar(label: str, measure: Measure) -> tuple[Bar, ...]:
    if measure.value is None or measure.unit != "share":
        return ()
    return (Bar(label=label, value=measure.value, low=measure.low, high=measure.high, n=measure.n),)


def scenarios(
    answers: Answers, masks: Mapping[str, np.ndarray], alarm: int | None, options: Mapping[str, object]
) -> Part:
    """Measure the rows of each declared scenario; too few rows leave its errors unknown."""
    measures: list[Measure] = []
    bars: list[Bar] = []
    for name, rows in masks.items():
        where, n = f"scenario {name}", int(rows.sum())
        if n < _SCENARIO_ROWS:
            measures.append(
                Measure(
                    name="rows of the scenario",
                    value=float(n),
                    threshold=float(_SCENARIO_ROWS),
                    direction="min",
                    outcome=Outcome.INCONCLUSIVE,
                    unit="rows",
                    n=n,
                    where=where,
                    note="Too few rows to know how often the model is wrong here.",
                )
            )
        if n < figures.CELL:
            continue
        shown = _shown(answers, rows, alarm, options, where)
        at = -1 if answers.regression else 0
        shown[at] = figures.limited(shown[at], options.get("min_scenario_accuracy"), "min")
        measures += shown
        bars += _bar(f"{where}", shown[at])
    return Part(tuple(measures), bars=tuple(bars))


def sliced(answers: Answers, floor: float | None, smallest: float, effort: str, rng: np.random.Generator) -> Part:
    """Search slices; judge them only against a declared floor."""
    series, limits = _columns(answers.table)
    rows = np.arange(len(answers.target))
    most = slices.rows_for(max(len(series), 1))
    if len(rows) > most:
        rows = np.sort(rng.permutation(rows)[:most])
        limits.append(f"Slices were searched on {most} of the rows, drawn at random.")
    errors = answers.errors[rows]
    terrain = slices.survey([one.iloc[rows] for one in series], smallest, rng) if len(rows) >= _LEAST_ROWS else None
    if terrain is None:
        return _unsearched(floor, len(rows))
    found = slices.confirmed(terrain, errors, floor or 0.0)
    trial = canary.planted_slices(terrain, errors, floor or 0.0, canary.REPLICATES.get(effort, 8), rng)
    shown = _distinct(found)
    measures = [_confirmed(one, floor) for one in slices.failing(shown)[:_SHOWN]]
    bars = tuple(_slice_bar(one) for one in shown if one.n >= figures.CELL)
    if floor is None:
        return Part((*measures, _recall(trial)), None, bars, tuple(limits), _reported(measures, trial))
    bound = _highest(slices.ceiling(terrain, errors, floor))
    if not measures:
        measures = [_excluded(exclusion.test(terrain, errors, floor, rng), len(errors), floor)]
    return Part((*measures, bound), trial, bars, tuple(limits), _judged(measures, bound, floor))


def _columns(table: Table) -> tuple[list[pd.Series], list[str]]:
    """Return the columns that are searched, those the model does not see included."""
    names = [str(name) for name in table.features.columns]
    series = [table.features.iloc[:, at] for at in range(len(names))]
    series += [table.others[name] for name in table.others.columns if str(name) not in set(names)]
    limits = []
    if len(series) > _MOST_COLUMNS:
        limits.append(f"Only the first {_MOST_COLUMNS} of {len(series)} columns were searched for slices.")
    return series[:_MOST_COLUMNS], limits


def _slice_bar(one: slices.Slice) -> Bar:
    low, high = one.bounds()
    return Bar(label=one.text, value=one.excess, low=low, high=high, n=one.n)


def _distinct(found: list[slices.Slice]) -> list[slices.Slice]:
    """Drop slices that hold mostly the rows of one before them."""
    kept: list[slices.Slice] = []
    for one in found:
        if all((one.inside & other.inside).sum() < 0.5 * (one.inside | other.inside).sum() for other in kept):
            kept.append(one)
    return kept


def _unsearched(floor: float | None, n: int) -> Part:
    text = f"Slices were not searched: {n} rows are fewer than {_LEAST_ROWS}, or no column varies."
    if floor is None:
        return Part((), limits=(text,))
    measure = Measure(
        name="largest slice excess that is not excluded",
        threshold=floor,
        direction="max",
        outcome=Outcome.INCONCLUSIVE,
        n=n,
        note=text,
    )
    return Part((measure,), limits=(text,), text=text)


def _confirmed(one: slices.Slice, floor: float | None) -> Measure:
    low, high = one.bounds()
    note = "Found on one half, confirmed on the other; the lower bound is corrected for the slices tried."
    return Measure(
        name="error rate above that of the rest",
        value=one.excess,
        low=low,
        high=high,
        threshold=floor,
        direction=None if floor is None else "max",
        outcome=None if floor is None else Outcome.FAIL,
        unit="share",
        n=one.n,
        where=f"slice {one.text}",
        note=note if floor is not None else f"{note} Shown, not judged: no `max_slice_excess` is declared.",
    )


def _excluded(found: exclusion.Exclusion, n: int, floor: float) -> Measure:
    return Measure(
        name="chance that a slice at the floor looks no worse than these errors",
        value=found.p,
        threshold=exclusion.LEVEL,
        direction="max",
        outcome=Outcome.PASS if found.excluded else Outcome.INCONCLUSIVE,
        unit="share",
        n=n,
        note=f"{found.planted} slices of the smallest size with {floor:.1%} more errors, planted at random places.",
    )


def _highest(one: slices.Slice | None) -> Measure:
    high = one.bounds()[1] if one is not None else None
    return Measure(
        name="largest slice excess that is not excluded",
        value=one.excess if one is not None else None,
        high=high,
        unit="share",
        n=one.n if one is not None else 0,
        where=f"slice {one.text}" if one is not None else "",
        note="Of all slices on all rows the one with the largest upper bound of its own.",
    )


def _recall(trial: canary.Trial) -> Measure:
    return Measure(
        name="planted slices found",
        value=trial.found / trial.planted if trial.planted else None,
        unit="share",
        n=trial.planted,
        note=f"{trial.detail}; {trial.alarms} of {trial.clean} searches of shuffled errors raised an alarm.",
    )


def _reported(measures: list[Measure], trial: canary.Trial) -> str:
    if measures:
        return f"The model errs more often in {len(measures)} confirmed slice(s), shown but not judged."
    if not trial.noticed:
        return "No slice was confirmed, but these rows are too few to find one."
    return "No slice stands out."


def _judged(measures: list[Measure], bound: Measure, floor: float) -> str:
    first = measures[0]
    if first.outcome is Outcome.FAIL:
        return f"In the {first.where} the error rate exceeds the rest by {first.value:.1%}, more than {floor:.1%}."
    if first.outcome is Outcome.PASS:
        return f"A slice that exceeds the rest by {floor:.1%} or more would have shown, and none does."
    if bound.high is None:
        return "No slice of the class is large enough to be judged."
    return f"No slice is confirmed, but an excess of up to {bound.high:.1%} may be hidden; more rows are needed."
