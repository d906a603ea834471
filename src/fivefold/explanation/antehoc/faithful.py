"""Check E1.faithful: every row is answered anew from the printed page alone, and held against the model's answer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.explanation import asking
from fivefold.explanation.antehoc import page, printed
from fivefold.explanation.antehoc.spoiled import KINDS, WAYS, reworded, spoiled
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson
from fivefold.subject import labels

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table
    from fivefold.explanation.antehoc.form import Model

FLOOR = "max_differing"
_HAIR = 1e-6
_FEWEST = 20
_PLANTED = 6
_TRIED = 60
_LEAST_PLANTED = 0.01
_AT_CUTS = 0.1
_REMEDY = {
    Outcome.FAIL: "Print the page from the model that is deployed (`fivefold model train --explainable`), deploy that "
    "file, and sign both.",
    Outcome.INCONCLUSIVE: "Bring at least 300 test rows.",
}


@dataclass(frozen=True)
class Told:
    """Answers to n rows: (n,) codes or values, and (n, K) chances where the model gives any."""

    answers: np.ndarray
    scores: np.ndarray | None


def run(context: Context) -> Result:
    """Measure E1.faithful.

    Threat: people read a page that says other than the model does: rounded, out of date, or with a part left out.
    Limit: rows that are like the test rows, and such that are put together from their cells.

    Args:
        context: Needs a subject, the data set ``test``, and ``controls.E1.page`` among the model's files; threshold
            ``max_differing``.

    Raises:
        UnsupportedError: ``antehoc.undeclared``, ``antehoc.unsigned``, ``antehoc.subject``, ``antehoc.rows``.
        InputError: ``antehoc.page`` if the page cannot be read.
        SubjectError: The model misbehaved.
    """
    model = printed.read(context)
    subject = context.subject
    if subject is None:
        raise UnsupportedError("antehoc.subject", "there is no model to ask.")
    test = context.tables("test")
    if len(test) < _FEWEST:
        raise UnsupportedError("antehoc.rows", f"only {len(test)} test rows.", remedy="Bring more test rows.")
    asker, rng = asking.Asker(subject), context.rng
    able = asker.allowance(context.effort) // 4
    size = min(len(test), context.rows, max(able, 1))
    sample = test.take(np.sort(rng.choice(len(test), size, replace=False)))
    seen = len(test)
    del test  # the whole set is large
    context.progress(0.2, "answering from the page")
    told = _told(asker, sample)
    floor = float(context.thresholds[FLOOR])
    measures = [_measure(differing(model, sample.features, told, subject.classes), floor, "")]
    if subject.capabilities.perturbable:
        context.progress(0.5, "answering rows put together anew")
        anew = sample.with_features(_anew(sample, model, rng))
        other = differing(model, anew.features, _told(asker, anew), subject.classes)
        measures.append(_measure(other, floor, "rows put together anew"))
    context.progress(0.8, "planted pages")
    bird = _canary(model, sample, told.scores is not None, rng)
    return _result(model, sample, subject, (measures, bird), seen)


def _told(asker: asking.Asker, table: Table) -> Told:
    scored = asker.subject.task != "regression" and asker.subject.capabilities.scores
    return Told(asker.told(table), asker(table) if scored else None)


def differing(model: Model, frame: pd.DataFrame, told: Told, classes: tuple[str, ...]) -> np.ndarray:
    """Return (n,) bool: rows that the page answers otherwise; all of them where it asks for what is not there.

    Args:
        model: As read from the page.
        frame: n rows.
        told: Answers of the model under test.
        classes: Its labels.
    """
    if any(name not in frame.columns for name, _ in model.columns) or (model.task == "regression") != (not classes):
        return np.ones(len(frame), dtype=bool)
    answers = model.answers(frame)
    if not classes:
        spread = float(np.std(told.answers))
        return np.asarray(~np.isclose(answers[:, 0], told.answers, rtol=_HAIR, atol=_HAIR * spread + 1e-12))
    places = np.array([-1 if (at := labels.find(name, classes)) is None else at for name in model.classes])
    # of equal chances either may be told: what counts is the page's chance of the class that was
    chance = np.where(places == told.answers[:, None], answers, -np.inf).max(axis=1)
    other = chance < answers.max(axis=1) - _HAIR
    if told.scores is None:
        return np.asarray(other)
    if (places < 0).any() or len(places) != len(classes):
        return np.ones(len(frame), dtype=bool)
    return np.asarray(other | (np.abs(told.scores[:, places] - answers) > _HAIR).any(axis=1))


def _measure(differs: np.ndarray, floor: float, where: str) -> Measure:
    n, k = len(differs), int(differs.sum())
    low, high = (float(one) for one in clopper_pearson(k, n))
    # one row that differs disproves the claim; none has to be shown of enough rows
    outcome = Outcome.FAIL if k else judge(low, high, floor, "max")
    return Measure(name="rows that the page answers otherwise", value=k / n, low=low, high=high, threshold=floor,
                   direction="max", outcome=outcome, unit="share", n=n, where=where)  # fmt: skip


def _anew(sample: Table, model: Model, rng: np.random.Generator) -> pd.DataFrame:
    """Return as many rows whose cells are dealt out anew, a tenth of the numbers on the very edges of the page."""
    n = len(sample)
    made = {}
    kinds = dict(model.columns)
    cuts: dict[str, list[float]] = {term.column: list(term.cuts) for term in model.terms}
    for rule in model.rules:
        for one in rule.when:
            cuts.setdefault(one.column, []).extend([one.cut] if one.test in ("from", "below") else [])
    for name in sample.features.columns:
        column = sample.features[name].iloc[rng.permutation(n)].reset_index(drop=True)
        marks = cuts.get(str(name), [])
        if (
            marks
            and kinds.get(str(name)) == "number"
            and isinstance(column.dtype, np.dtype)
            and column.dtype.kind in "fiu"
        ):
            edge = rng.choice(np.array(marks), n)
            edge = edge if column.dtype.kind == "f" else np.ceil(edge)
            on = (rng.random(n) < _AT_CUTS) & column.notna().to_numpy()
            column = pd.Series(np.where(on, edge, column.to_numpy()).astype(column.dtype))
        made[name] = column
    return pd.DataFrame(made)


def _canary(model: Model, sample: Table, scored: bool, rng: np.random.Generator) -> Canary:
    """Look in one half of the rows for faults that show in the other; pages that say the same may have none."""
    half = rng.permutation(len(sample)) % 2 == 0
    one, two = sample.features[half], sample.features[~half]
    classes = model.classes
    able = all(name in sample.features.columns for name, _ in model.columns)
    planted = found = alarms = tried = 0
    seen: list[str] = []
    for at in range(_TRIED if able else 0):
        if planted == _PLANTED:
            break
        tried, kind = at, KINDS[at % len(KINDS)]
        bad = spoiled(model, kind, rng)
        if differing(bad, one, _own(model, one, scored), classes).mean() < _LEAST_PLANTED:
            continue
        planted += 1
        seen.append(kind)
        found += bool(differing(page.read(page.render(bad)), two, _own(model, two, scored), classes).any())
    same = [reworded(model, way) for way in WAYS] if able else []
    for good, part in product(same, (one, two)):
        alarms += bool(differing(page.read(page.render(good)), part, _own(model, part, scored), classes).any())
    clean = 2 * len(same)
    return Canary(
        kind="pages that are rounded, out of date, or lack a part", planted=planted, found=found, clean=clean,
        false_alarms=alarms, noticed=planted >= _PLANTED // 2 and found == planted and not alarms and clean > 0,
        detail=f"Of {tried + 1} faults tried on the page, those that change the answer to at least one row in a "
        f"hundred of one half are looked for in the other: {', '.join(dict.fromkeys(seen)) or 'none'}. Pages that say "
        "the same in another order, or with a constant in the base, have none.",
    )  # fmt: skip


def _own(model: Model, frame: pd.DataFrame, scored: bool) -> Told:
    answers = model.answers(frame)
    if model.task == "regression":
        return Told(answers[:, 0], None)
    return Told(answers.argmax(axis=1), answers if scored else None)


def _result(model: Model, sample: Table, subject: Subject, found: tuple[list[Measure], Canary], seen: int) -> Result:
    measures, bird = found
    outcomes = [one.outcome for one in measures]
    outcome = (Outcome.FAIL if Outcome.FAIL in outcomes else
               Outcome.PASS if set(outcomes) == {Outcome.PASS} else Outcome.INCONCLUSIVE)  # fmt: skip
    if outcome is Outcome.PASS and not bird.noticed:
        outcome = Outcome.INCONCLUSIVE
    lacking = [name for name, _ in model.columns if name not in sample.features.columns]
    wrong = sum(round((one.value or 0) * one.n) for one in measures)
    rows = sum(one.n for one in measures)
    reason = f"The page, {len(model.columns)} columns, answers {rows - wrong:,} of {rows:,} rows as the model does."
    if lacking:
        reason = f"The page asks for {lacking[0][:60]}, which the model is not given. {reason}"
    elif set(model.classes) != set(subject.classes):
        reason = f"The page names other classes than the model does. {reason}"
    elif not bird.noticed and outcome is not Outcome.FAIL:
        reason = f"Faults planted on the page did not show in so few rows, so nothing is concluded. {reason}"
    unprinted = len(sample.features.columns) - len(model.columns)
    shown = [Measure(name="columns on the page", value=float(len(model.columns)), n=len(sample.features.columns),
                     note=f"{max(unprinted, 0)} more are given to the model and must not matter."),
             Measure(name="lines on the page", value=float(model.lines), n=model.lines)]  # fmt: skip
    limits = ["Held against the page are the answers to these rows; a part that acts in none of them does not show."]
    if not subject.capabilities.perturbable:
        limits.append("The model answers for its own rows alone, so none was put together anew.")
    if len(sample) < seen:
        limits.append(f"{len(sample):,} of {seen:,} rows were drawn at random.")
    if subject.task != "regression" and not subject.capabilities.scores:
        limits.append("The model tells labels alone: chances on the page were not compared.")
    return Result(outcome=outcome, reason=reason, measures=(*measures, *shown), canary=bird, limits=tuple(limits),
                  remedy=_REMEDY.get(outcome, ""))  # fmt: skip
