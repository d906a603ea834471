"""P3.property: tell from a model's answers what its training set was made of, and whether a data set was in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from msgspec import structs
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome, worst
from fivefold.errors import UnsupportedError
from fivefold.protection.accuracy.sample import stratified
from fivefold.protection.membership.rows import pool
from fivefold.protection.property import told
from fivefold.protection.property.complaint import complaints
from fivefold.protection.property.student import Student
from fivefold.protection.property.worlds import groups, said, worlds
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table
    from fivefold.protection.property.complaint import Complaints
    from fivefold.protection.property.worlds import Group, Worlds

FLOOR = "max_told"
_MOST = 2
_ASKED = 300
_MODELS = (24, 48, 96)
_EFFORTS = ("quick", "standard", "thorough")
_FEWEST = 80
_REPLICATES = 3
_TOLD = "training sets told apart by the share of the group"


def run(context: Context) -> Result:
    """Measure P3.property.

    Threat: whoever asks the model learns how many of a group it was trained on, which its owner keeps to himself.
    Limit: these attacks; the shares of declared groups, moved by a half.

    Args:
        context: Needs ``train`` and ``test``; threshold ``max_told``.

    Raises:
        UnsupportedError: ``property.columns`` if no column of the training rows is declared; ``property.rows`` if too
            few rows are left.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    subject = context.subject
    if subject is None:
        raise UnsupportedError("property.subject", "there is no model to ask.")
    names = _columns(context)
    train = stratified(context.tables("train"), context.rows, context.rng)
    asked = stratified(context.tables("test"), _ASKED, context.rng)
    # drawn before anything is trained: no other step needs both data sets whole
    sample = pool(context.tables("train"), context.tables("test"), context.rows, context.rng)
    retrains = subject.capabilities.retrains
    if not retrains:  # somebody who trains models of his own has no training rows of the application
        train = stratified(context.tables("test"), context.rows, context.rng)
    if min(len(train), len(asked)) < _FEWEST:
        raise UnsupportedError(
            "property.rows",
            f"only {min(len(train), len(asked))} rows have a known target.",
            remedy=f"At least {_FEWEST} training and test rows are needed.",
        )
    found = groups(train, asked, names, subject.classes)
    if not any(one.judged for one in found):
        raise UnsupportedError(
            "property.rows",
            "no declared column has a value with twenty rows in it and twenty outside.",
            remedy="Bring more training rows, or declare a column that splits them.",
        )
    sizes = (_MODELS[_EFFORTS.index(context.effort)], context.rows)
    trainer = _retrained(subject, asked) if retrains else Student(train, asked, subject, context.rng).answers
    context.progress(0.1, f"training {sizes[0]} models")
    made = worlds(train, found, sizes, trainer, context.rng)
    context.progress(0.7, "trying complaints")
    tried = complaints(subject, sample, context.rng) if len(sample.members) and len(sample.others) else None
    context.progress(0.9, "planting canaries")
    floor = float(context.thresholds[FLOOR])
    trial = _trial(made, found, floor, context.rng)
    measures, bars = _figures(made, found, floor, believed=retrains)
    if not retrains:
        measures += _estimates(subject, context, asked, (made, found))
    measures += _complained(tried)
    return _result(measures, bars, trial, floor, retrains=retrains)


def _columns(context: Context) -> list[str]:
    train = context.tables("train")
    known = [*train.features.columns, *train.others.columns]
    declared = dict.fromkeys([*context.settings.protected, *context.settings.personal])
    found = [name for name in declared if name in known]
    if not found:
        raise UnsupportedError(
            "property.columns",
            "no column of the training rows is declared personal or protected.",
            remedy="Declare `label: {personal: [...]}` or `protected` for the training data.",
        )
    return sorted(found, key=lambda name: name not in train.features.columns)[:_MOST]


def _retrained(subject: Subject, asked: Table) -> Callable[[Table, int], np.ndarray]:
    def answer(rows: Table, seed: int) -> np.ndarray:
        return said(subject.retrain(rows, seed), asked)

    return answer


def _figures(made: Worlds, found: list[Group], floor: float, *, believed: bool) -> tuple[list[Measure], list[Bar]]:
    judged, shown, bars = [], [], []
    several = sum(one.judged for one in found)
    for at, group in enumerate(found):
        right = told.right(made, group, at)
        value, n = float(right.mean()), len(right)
        high = float(clopper_pearson(right.sum(), n)[1])
        low = float(clopper_pearson(right.sum(), n, 1 - 0.05 / several)[0])
        note = f"{group.share - group.reach:.0%} against {group.share + group.reach:.0%}; guessing: 50 %."
        bars.append(Bar(label=group.name[:60], value=value, low=low, high=high, n=n))
        one = Measure(name=_TOLD, value=value, low=low, high=high, unit="share", n=n, where=group.name, note=note)
        if group.judged and believed:
            outcome = judge(low, high, floor, "max")
            judged.append(structs.replace(one, threshold=floor, direction="max", outcome=outcome))
        elif group.judged:
            text = f"{note} Of models that the attacker trains; the application's is one, which shows nothing."
            held = structs.replace(one, threshold=floor, direction="max", outcome=Outcome.INCONCLUSIVE, note=text)
            judged.append(held)
        else:
            text = f"{note} Whoever answers well tells how usual each class is."
            shown.append(structs.replace(one, note=text))
    return [*judged, *shown], bars


def _estimates(subject: Subject, context: Context, asked: Table, made: tuple[Worlds, list[Group]]) -> list[Measure]:
    """Guess the shares of the one model's training set, beside the share that public rows have."""
    shadows, found = made
    real = groups(context.tables("train"), asked, _columns(context), ())
    own = said(subject, asked)
    if own.shape != shadows.answers.shape[1:]:
        return []
    everything = np.concatenate([shadows.answers, own[None]])
    teach, measures = np.arange(len(shadows.halves)), []
    for at, group in enumerate(found):
        truth = next((one.share for one in real if one.name == group.name), None)
        if not group.judged or truth is None:
            continue
        lean = float(np.clip(told.guesses(everything, group, np.where(shadows.more[at], 1.0, -1.0), teach)[-1], -2, 2))
        guess = float(np.clip(group.share + lean * group.reach, 0.0, 1.0))
        measures.append(
            Measure(name="share guessed from the model's answers", value=guess, unit="share", n=1, where=group.name,
                    note=f"It is {truth:.1%}; public rows have {group.share:.1%}.")
        )  # fmt: skip
    return measures


def _complained(tried: Complaints | None) -> list[Measure]:
    if tried is None:
        return []
    n, made = len(tried.used), []
    for name, count in (
        ("complaints about training rows that are upheld", tried.recognised),
        ("complaints about other rows that are upheld", tried.mistaken),
    ):
        low, high = (float(one) for one in clopper_pearson(count, n))
        note = f"{tried.rows} rows each, p at most 0.05 against test rows (permutation test of the calibrated fit)."
        made.append(Measure(name=name, value=count / n, low=low, high=high, unit="share", n=n, note=note))
    return made


def _trial(made: Worlds, found: list[Group], floor: float, rng: np.random.Generator) -> Canary:
    """Plant answers that move with the share, and deal the shares out to other models."""
    at = next(at for at, one in enumerate(found) if one.judged)
    noticed = alarms = 0
    spread, size = float(made.answers.std()) or 1.0, made.answers.shape[1:]
    told_of = []
    for replicate in range(2 * _REPLICATES):
        if replicate < _REPLICATES:
            strength = float(rng.uniform(1.0, 2.0))
            told_of.append(f"{strength:.1f}")
            step = strength * spread * rng.normal(size=size)
            world = replace(made, answers=made.answers + np.where(made.more[at], 1.0, -1.0)[:, None, None] * step)
        else:
            more = made.more.copy()
            for half in (False, True):
                own = np.flatnonzero(made.halves == half)
                more[at, own] = rng.permutation(more[at, own])
            world = replace(made, more=more)
        right = told.right(world, found[at], at)
        low, high = (float(one) for one in clopper_pearson(right.sum(), len(right)))
        outcome = judge(low, high, floor, "max")
        noticed += replicate < _REPLICATES and outcome is not Outcome.PASS
        alarms += replicate >= _REPLICATES and outcome is Outcome.FAIL
    return Canary(
        kind="models whose answers move with the share of the group",
        planted=_REPLICATES,
        found=noticed,
        clean=_REPLICATES,
        false_alarms=alarms,
        noticed=noticed == _REPLICATES and alarms == 0,
        detail=(
            f"Moved by {', '.join(told_of)} spreads of the answers ({found[at].name}, {len(made.halves)} models). "
            "Known-good: shares dealt out to other models."
        ),
    )


def _result(measures: list[Measure], bars: list[Bar], trial: Canary, floor: float, *, retrains: bool) -> Result:
    outcome = worst([one.outcome for one in measures if one.outcome is not None])
    if not trial.noticed:
        outcome = Outcome.INCONCLUSIVE
        measures = [
            structs.replace(one, outcome=Outcome.INCONCLUSIVE) if one.outcome is not None else one for one in measures
        ]
    top = max((one for one in measures if one.outcome is not None), key=lambda one: one.value or 0.0)
    reason = (
        f"Most is told of {top.where}: of {top.n} models, {top.value:.1%} are told rightly to be trained on more or "
        f"fewer of it ({top.low:.1%} to {top.high:.1%}; guessing gives 50 %, at most {floor:.0%} is allowed)."
    )
    if not retrains:
        reason = f"The application cannot train again, and one model alone shows nothing for sure. {reason}"
    return Result(
        outcome=outcome,
        reason=reason if trial.noticed else f"The canary went unnoticed or a clean case was flagged. {reason}",
        measures=tuple(measures),
        canary=trial,
        plots=(
            Plot(kind="intervals", title="Training sets told apart by what they are made of",
                 x_label="share of models told rightly", bars=tuple(bars), threshold=floor),
        ),
        limits=(
            "Sets are told that hold half as many of the group, or half as many again; smaller steps are told less.",
            "Complaints are upheld on the assumption that the complainant's rows are like the reference rows.",
        ),
        remedy=_remedy(outcome, top, retrains=retrains),
    )  # fmt: skip


def _remedy(outcome: Outcome, top: Measure, *, retrains: bool) -> str:
    if outcome is Outcome.PASS:
        return ""
    if outcome is Outcome.FAIL:
        return (
            f"Draw training rows to a published share of the group ({top.where}), leave the column out, or give "
            "labels only (P2). Differential privacy (S2) hides rows, not shares."
        )
    return (
        "Test with more effort: bounds shrink with the number of models."
        if retrains
        else "Name `training.factory`, so that the attack can be tried on more than one model."
    )
