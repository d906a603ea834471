"""Check E4.randomisation: the reasons must change when the model's function is destroyed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import SubjectError
from fivefold.explanation import asking, explainer, known
from fivefold.explanation.measured import deaf, destroyed, rounds, verdict
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.explanation.asking import Ask, Setting
    from fivefold.explanation.explainer import Explainer

FLOOR = "max_similarity"
ROWS = {"quick": 40, "standard": 64, "thorough": 160}
_PAIRS = 24
_BACKGROUND = 300
_CANARY_ROUNDS = 4
_CANARY_ROWS = 5
_MOST_TRAINING = 20_000
_RETRAINED_ROWS = 24


def run(context: Context) -> Result:
    """Explain the model and copies with their function destroyed, and compare.

    Threat: reasons look convincing and come from the data alone; whatever the model did, they would be the same.
    Limit: reasons that change need not be right; E4.planted looks at that.

    Args:
        context: Needs a subject that answers for rows put together anew and the data set ``test``; threshold
            ``max_similarity``; ``uses["explainer"]`` measures another explainer than ours.

    Raises:
        UnsupportedError: See :func:`fivefold.explanation.asking.lay_out`.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    rows = min(ROWS[context.effort], context.rows)
    layout = asking.lay_out(
        context,
        rows=rows,
        pairs=_PAIRS,
        rounds=2,
        asks=rounds.ROUNDS + 2,
        least=rounds.LEAST,
        background_rows=_BACKGROUND,
    )
    verdict.check_players(layout)
    explain, who = explainer.chosen(context)
    similar, first = [], []
    parts = rounds.cut(layout)
    for at, part in enumerate(parts):
        broken = destroyed.destroy(layout.ask, layout.store.codes, context.rng)
        column = layout.column[part.rows]
        own = explain(rounds.question(layout, part, layout.ask, column, layout.scores[part.kept]), context.rng)
        other = explain(rounds.question(layout, part, broken, column), context.rng)
        similar.append(destroyed.alike(own, other))
        first.append(own)
        context.progress(0.1 + 0.6 * (at + 1) / len(parts), "explaining destroyed models")
    trained = _retrained(layout, parts, first, explain, context)
    context.progress(0.9, "explaining known functions")
    return _result(layout, similar, (_prove(layout, context), trained, who), context)


def _retrained(
    layout: Setting, parts: list[rounds.Round], first: list[np.ndarray], explain: Explainer, context: Context
) -> Measure | None:
    """Compare with a model that the application's own training made of shuffled labels; None without training."""
    if not layout.subject.capabilities.retrains:
        return None
    try:
        train = context.tables("train")
    except KeyError:
        return None
    rng = context.rng
    some = train.take(np.sort(rng.choice(len(train), min(len(train), _MOST_TRAINING), replace=False)))
    shuffled = replace(some, target=some.target[rng.permutation(len(some))])
    try:
        other = layout.subject.retrain(shuffled, int(rng.integers(2**31)))
    except SubjectError:
        return None
    changed = replace(layout, asker=asking.Asker(other))
    each: list[np.ndarray] = []
    for part, own in zip(parts, first, strict=True):
        if sum(len(one) for one in each) < _RETRAINED_ROWS:
            asked = rounds.question(changed, part, changed.ask, layout.column[part.rows])
            each.append(destroyed.alike(own, explain(asked, rng)))
    values = np.concatenate(each)
    return Measure(
        name="rank correlation with the reasons of a model trained on shuffled labels",
        value=float(values.mean()) if len(values) else None,
        n=len(values),
        note="One training; shown, not judged: a single other model may agree by chance.",
    )


def _prove(layout: Setting, context: Context) -> Canary:
    """Judge a deaf explainer and ours on known functions of the user's columns; no question is asked."""
    codes, n = layout.store.codes, layout.store.explained
    background, found, alarms = np.arange(n, len(codes)), 0, 0
    for _ in range(_CANARY_ROUNDS):
        g = known.draw(codes, context.rng)
        for explain in (deaf.deaf, explainer.ours):
            values = []
            for _ in range(rounds.LEAST):
                chosen = context.rng.choice(n, min(_CANARY_ROWS, n), replace=False)
                part = rounds.Round(chosen, np.concatenate([chosen, background]))
                values.append(_similar(layout, part, g, explain, context.rng))
            flagged = any(map(len, values)) and np.concatenate(values).mean() > context.thresholds[FLOOR]
            found += bool(flagged) and explain is deaf.deaf
            alarms += bool(flagged) and explain is explainer.ours
    return Canary(
        kind="an explainer that never asks the model",
        planted=_CANARY_ROUNDS,
        found=found,
        clean=_CANARY_ROUNDS,
        false_alarms=alarms,
        noticed=found == _CANARY_ROUNDS and alarms <= 1,
        detail=f"{_CANARY_ROUNDS} known functions of these very columns, destroyed in the same way, explained by what "
        "the data alone suggest (to be noticed) and by this product's explainer.",
    )


def _similar(layout: Setting, part: rounds.Round, g: Ask, explain: Explainer, rng: np.random.Generator) -> np.ndarray:
    column = np.zeros(len(part.rows), dtype=np.int64)
    broken = destroyed.destroy(g, layout.store.codes, rng)
    own = explain(rounds.question(layout, part, g, column), rng)
    return destroyed.alike(own, explain(rounds.question(layout, part, broken, column), rng))


def _result(
    layout: Setting, similar: list[np.ndarray], said: tuple[Canary, Measure | None, str], context: Context
) -> Result:
    proof, trained, who = said
    rows = sum(len(part) for part in similar)
    value, low, high = rounds.bounds(similar, (-1.0, 1.0))
    floor = context.thresholds[FLOOR]
    main = Measure(
        name="rank correlation with the reasons of a destroyed model",
        value=value,
        low=low,
        high=high,
        threshold=floor,
        direction="max",
        outcome=Outcome.INCONCLUSIVE if value is None else judge(low, high, floor, "max"),
        n=rows,
        note=f"Mean over rows and {len(similar)} destroyed models; 1: the same reasons, 0: nothing in common.",
    )
    shown = [] if trained is None else [trained]
    outcome, reason = verdict.decide([main], proof)
    if value is None:
        text = "Too few rows have a reason at all: the model gives them the same answer whatever it is told."
    else:
        text = (
            f"Reasons of the model and of copies whose function was destroyed have a rank correlation of {value:.2f} "
            f"({low:.2f} to {high:.2f}; allowed: at most {floor:.2f}), with {who}."
        )
    measures = (main, *shown, verdict.questions(layout, rows, 2))
    return verdict.finish(layout, (outcome, f"{reason}{text}"), measures, proof, _plots(similar, floor), context)


def _plots(similar: list[np.ndarray], floor: float) -> tuple[Plot, ...]:
    bars = tuple(
        Bar(label=f"destroyed model {at + 1}", value=float(part.mean()), low=float(part.min()), high=float(part.max()))
        for at, part in enumerate(similar)
        if len(part)
    )
    title = "How much the reasons stay the same when the model is destroyed (least to largest row)"
    plot = Plot(kind="intervals", title=title, x_label="rank correlation of the reasons", bars=bars, threshold=floor)
    return (plot,) if bars else ()
