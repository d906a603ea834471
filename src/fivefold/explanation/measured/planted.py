"""Check E4.planted: credit goes to columns that the model was made to lean on, not to those it was made blind to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.explanation import asking, explainer, known
from fivefold.explanation.measured import deaf, plants, rounds, verdict
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.explanation.asking import Ask, Setting
    from fivefold.explanation.explainer import Explainer

AUC, CREDIT = "min_auc", "max_credit"
ROWS = {"quick": 64, "standard": 96, "thorough": 160}
_PAIRS = 12
_BACKGROUND = 300
_ROUNDS = 32
_CANARY_ROUNDS = 4
_CANARY_ROWS = 5


@dataclass(frozen=True)
class Credit:
    """What an explainer gave to planted models.

    Attributes:
        auc: Per round (n,) AUC of leant against idle players.
        idle: Per round (n,) share of the credit that idle players got.
        off: Per round (n, leant) credit of leant players less the exact one, in units of what a rule adds.
    """

    auc: list[np.ndarray]
    idle: list[np.ndarray]
    off: list[np.ndarray]


def run(context: Context) -> Result:
    """Plant what the model goes by, in the user's own rows, and see whether the reasons say so.

    Threat: reasons name columns that the model does not use, and leave out those that it does.
    Limit: the planted rules are simple steps; a reason may be right about those and wrong about subtler ones.

    Args:
        context: Needs a subject that answers for rows put together anew and the data set ``test``; thresholds
            ``min_auc`` and ``max_credit``; ``uses["explainer"]`` measures another explainer than ours.

    Raises:
        UnsupportedError: See :func:`fivefold.explanation.asking.lay_out`.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    rows = min(ROWS[context.effort], context.rows)
    layout = asking.lay_out(
        context, rows=rows, pairs=_PAIRS, asks=_ROUNDS + 2, least=rounds.LEAST, background_rows=_BACKGROUND
    )
    verdict.check_players(layout)
    explain, who = explainer.chosen(context)
    parts = rounds.cut(layout, _ROUNDS)
    made = _credit(layout, (layout.ask, layout.scores), explain, parts, context)
    context.progress(0.85, "explaining known functions")
    proof = _prove(layout, context)
    return _result(layout, made, proof, who, context)


def _credit(
    layout: Setting, answers: tuple[Ask, np.ndarray], explain: Explainer, parts: list[rounds.Round], context: Context
) -> Credit:
    made, (ask, scores) = Credit([], [], []), answers
    for at, part in enumerate(parts):
        planted = plants.plant(ask, layout.store.codes, scores, context.rng)
        column = np.full(len(part.rows), 0 if planted.pair is None else planted.pair[1])
        given = explain(rounds.question(layout, part, planted, column), context.rng)
        size = np.abs(given)
        some = size.sum(axis=1) > 0
        made.auc.append(plants.roc(size[:, planted.leant], size[:, planted.idle]))
        made.idle.append(size[some][:, planted.idle].sum(axis=1) / size[some].sum(axis=1))
        exact = planted.exact(part.rows, np.arange(layout.store.explained, len(layout.store.codes)))
        made.off.append((given[:, planted.leant] - exact) / planted.unit)
        context.progress(0.1 + 0.7 * (at + 1) / len(parts), "explaining planted models")
    return made


def _prove(layout: Setting, context: Context) -> Canary:
    """Judge a deaf explainer and ours on planted known functions of the user's columns; no question is asked."""
    codes, n = layout.store.codes, layout.store.explained
    found, alarms, cases = 0, 0, _CANARY_ROUNDS
    background, quiet = np.arange(n, len(codes)), replace(context, progress=lambda _share, _text: None)
    for _ in range(cases):
        g = known.draw(codes, context.rng)
        scores = g(asking.pure(np.arange(len(codes)), codes.shape[1]))
        rows = [context.rng.choice(n, min(_CANARY_ROWS, n), replace=False) for _ in range(rounds.LEAST)]
        parts = [rounds.Round(part, np.concatenate([part, background])) for part in rows]
        for explain in (deaf.deaf, explainer.ours):
            made = _credit(layout, (g, scores), explain, parts, quiet)
            auc, idle = _mean(made.auc), _mean(made.idle)
            flagged = auc < context.thresholds[AUC] or idle > context.thresholds[CREDIT]
            found += flagged and explain is deaf.deaf
            alarms += flagged and explain is explainer.ours
    return Canary(
        kind="an explainer that never asks the model",
        planted=cases,
        found=found,
        clean=cases,
        false_alarms=alarms,
        noticed=found == cases and alarms <= 0,
        detail=f"{cases} known functions of these very columns, planted in the same way, explained by what the data "
        "alone suggest (to be noticed) and by this product's explainer.",
    )


def _mean(each: list[np.ndarray]) -> float:
    return float(np.concatenate(each).mean()) if any(len(part) for part in each) else 0.5


def _result(layout: Setting, made: Credit, proof: Canary, who: str, context: Context) -> Result:
    rows = sum(len(part) for part in made.auc)
    measures = [
        _measure("AUC of credit, leant-on against blinded columns", made.auc, (AUC, "min"), context, rows),
        _measure("credit given to blinded columns", made.idle, (CREDIT, "max"), context, rows),
    ]
    off = np.concatenate(made.off)
    shown = [
        Measure(
            name="mean error of the credit of a planted rule",
            value=float(np.abs(off).mean()),
            n=rows,
            note="Of what the rule adds where it holds; its exact attribution is known.",
        ),
        verdict.questions(layout, rows),
    ]
    outcome, reason = verdict.decide(measures, proof)
    auc, idle = (measure.value for measure in measures)
    text = (
        "The credit tells columns that the model was made to lean on from columns that it was made blind to with AUC "
        f"{verdict.figure(auc)}; blinded columns get {verdict.figure(idle)} of all credit ({who})."
    )
    return verdict.finish(layout, (outcome, f"{reason}{text}"), (*measures, *shown), proof, _plots(made), context)


def _measure(name: str, each: list[np.ndarray], floor: tuple[str, str], context: Context, rows: int) -> Measure:
    key, side = floor
    direction: Literal["min", "max"] = "min" if side == "min" else "max"
    value, low, high = rounds.bounds(each, (0.0, 1.0))
    return Measure(
        name=name,
        value=value,
        low=low,
        high=high,
        threshold=context.thresholds[key],
        direction=direction,
        outcome=Outcome.INCONCLUSIVE if value is None else judge(low, high, context.thresholds[key], direction),
        unit="share",
        n=rows,
        note=f"Over {len(each)} planted models.",
    )


def _plots(made: Credit) -> tuple[Plot, ...]:
    bars = tuple(
        Bar(label=f"planted model {at + 1}", value=float(part.mean()), low=float(part.min()), high=float(part.max()))
        for at, part in enumerate(made.auc)
        if len(part)
    )
    title = "How well credit tells leant-on from blinded columns, in each planted model (least to largest row)"
    return (Plot(kind="intervals", title=title, x_label="AUC", bars=bars),)
