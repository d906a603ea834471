"""C3.ladder: whether each step of the ladder answers when what stands above it is gone, in the declared order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fivefold.adaptation.fallback import falls
from fivefold.adaptation.fallback.falls import Fall
from fivefold.adaptation.fallback.ladder import Descent
from fivefold.adaptation.fallback.rules import ASK
from fivefold.adaptation.fallback.setting import Setting, gather
from fivefold.adaptation.figures import share
from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome, worst
from fivefold.errors import InputError, UnsupportedError
from fivefold.subject.rows import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.adaptation.fallback.ladder import Ladder
    from fivefold.adaptation.fallback.terms import Terms
    from fivefold.contract.check import Context
    from fivefold.subject.rows import Rows

STEPPED, MISPLACED = "min_stepped", "max_misplaced"
LADDER, MEMBERS = "fallback.ladder", "ensemble.members"
"""Names under which ladder and ensemble are handed in."""
RULES = "controls.C3.rules"
"""Fact: the text of the decision table."""
_TRIALS = 3
_ORDER = "rows answered by another step than the order says"
_STEP = "rows that a step decides when what stands above it is gone"
_MEMBER_ROWS = 5000


def run(context: Context) -> Result:
    """Judge C3.ladder.

    Threat: the model is gone, and nobody answers, or somebody who may not.
    Limit: rungs are taken away within the ladder; the death of a real process is one of the attacks of C5.stages.

    Raises:
        UnsupportedError: As :func:`fivefold.adaptation.fallback.setting.gather`; ``fallback.rules`` if the decision
            table cannot be read; a ladder that cannot be kept.
        SubjectError: The model misbehaved.
    """
    setting = gather(context)
    context.progress(0.4, "building the ladder")
    ladder = setting.ladder() if setting.options is None else _declared(setting, context)
    context.progress(0.6, "taking rungs away")
    trial = _trial(setting, ladder, context.rng)
    found = {fall: trial.descend(fall) for fall in trial.falls}
    measures = judged(trial, found, context.thresholds) if setting.options is not None else _none(setting, context)
    context.progress(0.9, "planting broken ladders")
    bird = _canary(trial, context)
    outcome = worst([one.outcome for one in measures if one.outcome is not None])
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=_reason(setting, measures, trial, bird),
        measures=measures,
        canary=bird,
        limits=(
            "Rungs are taken away within the ladder; that a process really dies is tried by the drill (C5.stages).",
        ),
        remedy="" if outcome is Outcome.PASS else _remedy(setting, measures),
    )


@dataclass(frozen=True)
class Trial:
    """A ladder, the rows that go down it, and who has to answer them.

    Attributes:
        ladder: With nothing gone.
        rows: (n, ...) what is asked.
        model: What the served model says to them.
        suspect: (n,) rows that look like an attack where a fall says so.
        falls: What may be gone.
        wanted: Fall to who has to answer, and what.
    """

    ladder: Ladder
    rows: Rows
    model: tuple[np.ndarray, np.ndarray | None]
    suspect: np.ndarray
    falls: tuple[Fall, ...]
    wanted: Mapping[Fall, tuple[np.ndarray, np.ndarray]]

    def descend(self, fall: Fall) -> Descent:
        """Return who answers."""
        model = None if "model" in fall.gone else self.model
        suspect = self.suspect if fall.suspect else None
        return self.ladder.killed(*fall.gone).descend(self.rows, model, suspect, watch=False)


def judged(trial: Trial, found: Mapping[Fall, Descent], floors: Mapping[str, float]) -> tuple[Measure, ...]:
    """Return which rows are misplaced in any fall, and what each step decides when all above it are gone."""
    wrong = np.zeros(len(trial.rows), dtype=bool)
    for fall, descent in found.items():
        wrong |= falls.misplaced(descent, *trial.wanted[fall])
    return (
        share(_ORDER, wrong, floor=floors[MISPLACED], direction="max"),
        *(
            share(
                _STEP, found[fall].by == place,
                floor=floors[STEPPED], direction="min", where=trial.ladder.terms.levels[place],
            )
            for place, fall in steps(trial.ladder.terms)
        ),
    )  # fmt: skip


def steps(terms: Terms) -> list[tuple[int, Fall]]:
    """Return each step below the model, and what is gone when it is its turn; below people nothing is ever left."""
    killable = [level for level in terms.levels if level in falls.KILLABLE]
    return [(place, Fall(tuple(killable[:place]))) for place in range(1, min(len(killable) + 1, len(terms.levels)))]


def _none(setting: Setting, context: Context) -> tuple[Measure, ...]:
    """Return the figures where no ladder is declared: a model that is gone leaves every row to nobody."""
    everything = np.ones(len(setting.test), dtype=bool)
    floors = context.thresholds
    return (
        share(_ORDER, everything, floor=floors[MISPLACED], direction="max"),
        share(
            _STEP, ~everything, floor=floors[STEPPED],
            direction="min", where="nobody stands below the model",
        ),
    )  # fmt: skip


def _declared(setting: Setting, context: Context) -> Ladder:
    """Return the ladder as declared, with its rules and its ensemble, as the guard builds it.

    Raises:
        UnsupportedError: It cannot be built here.
    """
    options, calibration = dict(setting.options or {}), setting.calibration
    text = str((context.settings.facts or {}).get(RULES) or "")
    if options.get("rules") and not text:
        raise UnsupportedError(
            "fallback.rules", "the table of rules cannot be read.",
            remedy="Name a file of at most 1 MiB below the application's folder in controls.C3.rules.",
        )  # fmt: skip
    levels = options.get("levels", ())
    ensemble = _members(setting, context) if isinstance(levels, list | tuple) and "ensemble" in levels else None
    make = cast("Callable[..., Ladder]", context.uses[LADDER])
    try:
        return make(
            options, setting.classes, (calibration.rows, calibration.truth), calibration.model,
            training=setting.training, rules=text.encode(), ensemble=ensemble,
        )  # fmt: skip
    except InputError as error:
        raise UnsupportedError(error.code, error.message, remedy=error.remedy) from None


def _members(setting: Setting, context: Context) -> Any:
    """Return the ensemble that ``controls.C2`` declares.

    Raises:
        UnsupportedError: ``fallback.rung`` where there is none, or nothing to fit it to.
    """
    controls, part = context.settings.controls or {}, setting.calibration
    if "C2" not in controls or setting.training is None or not setting.classes:
        raise UnsupportedError(
            "fallback.rung", "there is no ensemble.", remedy="Declare controls.C2 and data.train, or leave it out."
        )
    few = part.rows[:_MEMBER_ROWS]

    def ask(rows: Rows) -> tuple[np.ndarray, np.ndarray | None]:
        if len(rows) != len(few):
            raise UnsupportedError("ensemble.rows", "too few training rows have a known answer.")
        answers, scores = part.model
        return answers[: len(few)], None if scores is None else scores[: len(few)]

    make = cast("Callable[..., Any]", context.uses[MEMBERS])
    try:
        return make(controls, setting.training, few, ask, width=len(setting.classes), rng=context.rng)
    except InputError as error:
        raise UnsupportedError(error.code, error.message, remedy=error.remedy) from None


def _trial(setting: Setting, ladder: Ladder, rng: np.random.Generator) -> Trial:
    rows, model = setting.test.rows, setting.test.model
    judges = model[1] is None or not setting.classes
    suspect = rng.random(len(rows)) < 0.5
    told, nobody = falls.said(ladder, rows, model), np.zeros(len(rows), dtype=bool)
    every = falls.falls(ladder.terms, judges=judges)
    wanted = {fall: falls.expected(ladder, rows, told, fall, suspect if fall.suspect else nobody) for fall in every}
    return Trial(ladder, rows, model, suspect, every, wanted)


def _canary(trial: Trial, context: Context) -> Canary:
    """Plant ladders on which the dead answer, a step is passed over, or what must be refused is answered.

    They are made of the way down as it has to be, so that a broken ladder of the application hides none of them.
    """
    rng, noticed, alarms = context.rng, 0, 0
    every, sound = steps(trial.ladder.terms), {fall: _sound(*trial.wanted[fall]) for fall in trial.falls}
    last = every[-1][1]
    for _ in range(_TRIALS):
        place, fall = every[int(rng.integers(len(every)))]
        some = np.sort(rng.choice(len(trial.rows), max(1, len(trial.rows) // 2), replace=False))
        order = slice(0, 1)
        for broken, at, mine in (
            (_deaf(trial, sound[fall], rng), fall, order),
            (_unrefused(trial, sound[last], rng), last, order),
            (_passed(sound[fall], place), fall, slice(1, None)),
        ):
            measures = judged(trial, {**sound, at: broken}, context.thresholds)[mine]
            noticed += any(one.outcome is Outcome.FAIL for one in measures)
        half = judged(_part(trial, some), {fall: _cut(one, some) for fall, one in sound.items()}, context.thresholds)
        alarms += half[0].outcome is Outcome.FAIL
    return Canary(
        kind="ladders on which the dead answer, a step is passed over, or what must be refused is answered",
        planted=3 * _TRIALS, found=noticed, clean=_TRIALS, false_alarms=alarms,
        noticed=noticed == 3 * _TRIALS and not alarms,
        detail="The way down as it has to be, changed for a tenth to a half of these rows; unchanged for half of them.",
    )  # fmt: skip


def _sound(by: np.ndarray, answers: np.ndarray) -> Descent:
    return Descent(answers, by, np.full(len(by), ASK), np.full(len(by), np.nan))


def _deaf(trial: Trial, descent: Descent, rng: np.random.Generator) -> Descent:
    """Return a way down on which the model answers some rows although it is gone."""
    some = rng.random(len(trial.rows)) < rng.uniform(0.1, 0.5)
    by, answers = np.where(some, 0, descent.by), np.where(some, trial.model[0], descent.answers)
    return descent._replace(by=by, answers=answers)


def _unrefused(trial: Trial, descent: Descent, rng: np.random.Generator) -> Descent:
    """Return a way down on which the model's answer is given to some rows that must be refused."""
    some = rng.random(len(trial.rows)) < rng.uniform(0.1, 0.5)
    return descent._replace(answers=np.where(some, trial.model[0], descent.answers))


def _passed(descent: Descent, place: int) -> Descent:
    """Return a way down on which a step is passed over, whatever it would decide."""
    by = np.where(descent.by == place, place + 1, descent.by)
    return descent._replace(by=by)


def _cut(descent: Descent, some: np.ndarray) -> Descent:
    return Descent(descent.answers[some], descent.by[some], descent.rule[some], descent.certainty[some])


def _part(trial: Trial, some: np.ndarray) -> Trial:
    """Return some of the rows, and who has to answer them."""
    wanted = {fall: (by[some], told[some]) for fall, (by, told) in trial.wanted.items()}
    return replace(trial, rows=cut(trial.rows, some), wanted=wanted)


def _reason(setting: Setting, measures: tuple[Measure, ...], trial: Trial, bird: Canary) -> str:
    if setting.options is None:
        return "controls.C3 is not declared: where the model is gone, nobody below it answers or refuses."
    if not bird.noticed:
        return (
            "Planted broken ladders were not told from sound ones: there are too few rows, or the ladder is not sound."
        )
    order, *each = measures
    wrong = round((order.value or 0.0) * order.n)
    said = ", ".join(f"{one.where} {one.value or 0:.1%}" for one in each)
    return (
        f"With rungs gone in {len(trial.falls)} ways, {wrong:,} of {order.n:,} rows are answered by another step than "
        f"the order says. When all above it are gone, a step decides: {said}."
    )


def _remedy(setting: Setting, measures: tuple[Measure, ...]) -> str:
    if setting.options is None:
        return "Declare controls.C3 with who decides where the model is unsure or gone."
    order, *each = measures
    if order.outcome is Outcome.FAIL:
        return "Another step answers than the declared order says: do not serve with this ladder, and report it."
    idle = [one.where for one in each if one.outcome is not Outcome.PASS]
    return (
        f"Mend {', '.join(idle)}, or leave it out: more calibration rows let a model answer, more rules decide more."
        if idle
        else "Give more test rows."
    )
