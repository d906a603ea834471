"""Check P1.standard: the worst of a standard set of attacks, row by row, chosen after a look at the model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Measure
from fivefold.errors import UnsupportedError
from fivefold.protection.evasion import blackbox, canary, result, setting
from fivefold.protection.evasion.engine import fab, hopskip, signs
from fivefold.protection.evasion.engine import standard as ensemble
from fivefold.protection.evasion.engine.trial import Trial
from fivefold.protection.evasion.hunt import Goal, Hunt, Limit
from fivefold.protection.evasion.oracle import Oracle
from fivefold.protection.evasion.vectors import Asked, Vectors

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Canary, Result
    from fivefold.contract.subject import Loss
    from fivefold.protection.evasion.pgd import Slopes
    from fivefold.protection.evasion.planted import LinearModel
    from fivefold.protection.evasion.vectors import Scores

_DEFAULTS = {"steps": 100, "queries": 500}
_COPIES, _REPEATS = 8, 9
_SHORT = 40
_FEW = 200
DECISION = "labels alone"
_TINY = 1e-300


@dataclass(frozen=True)
class Stage:
    """The model under attack, as this check sees it.

    Attributes:
        layout: Rows, space, budget.
        norm: Of the changes.
        effort: Of the ensemble.
        white: The model gives gradients.
        grey: It gives probabilities.
    """

    layout: setting.Setting
    norm: str
    effort: ensemble.Effort
    white: bool
    grey: bool


def run(context: Context) -> Result:
    """Measure robust accuracy against the worst of several attacks on each row.

    Threat: somebody who tries hard, with the gradients where the model gives them, makes small changes that are
    possible.
    Limit: an upper bound; a model that hides its gradients is found out as far as the signs show.

    Args:
        context: Needs a classifier that answers for changed rows, and ``test``; threshold ``min_robust_accuracy``.

    Raises:
        UnsupportedError: See :func:`fivefold.protection.evasion.setting.lay_out`; ``evasion.quantity`` for values,
            ``evasion.norm``, ``evasion.fixed`` where no number may move.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _number(context: Context, key: str) -> int:
    value = context.options.get(key)
    return int(value) if isinstance(value, int | float) else _DEFAULTS[key]


def lay_out(context: Context) -> Stage:
    """Read data and options and find out what the model gives.

    Raises:
        UnsupportedError: See :func:`run`.
    """
    layout = setting.lay_out(context)
    norm = str(context.options.get("norm") or "linf")
    if norm not in ("linf", "l2"):
        raise UnsupportedError("evasion.norm", f"there is no norm {norm!r}; say linf or l2.")
    if layout.tolerance is not None:
        raise UnsupportedError(
            "evasion.quantity", "these attacks change classes, and the model answers with quantities.",
            remedy="P1.gradient and P1.blackbox attack quantities.",
        )  # fmt: skip
    if not (layout.space.moves & (layout.space.unit > 0)).any():
        raise UnsupportedError("evasion.fixed", "no number may be changed; P1.blackbox swaps categories.")
    able = layout.subject.capabilities
    steps, queries = _number(context, "steps"), _number(context, "queries")
    layout = replace(layout, limit=Limit(layout.limit.epsilon, 0.0, queries))
    return Stage(
        layout, norm, ensemble.Effort(steps=steps, heat=max(steps // 5, 1), queries=queries), able.gradients,
        able.scores and context.guarded is None,
    )  # fmt: skip


def _run(context: Context) -> Result:
    stage, rng = lay_out(context), context.rng
    layout = stage.layout
    context.progress(0.05, "asking the model")
    answers = layout.oracle(layout.values, np.arange(len(layout.values)))
    right = np.flatnonzero(layout.is_right(answers))
    hunt = Hunt(
        layout.space, layout.oracle, layout.values[right], right, goal=layout.goal(answers[right]), limit=layout.limit
    )
    vectors = Vectors.of(hunt)
    trial = Trial(vectors.field(stage.norm), victim(stage, vectors), answers[right].astype(np.int64))
    seen, nearest, late = assail(stage, trial, hunt, context)
    told = doubts(stage, trial, seen)
    outcome = _confirmed(layout, trial, vectors, late, " ".join(told))
    context.progress(0.85, "attacking a planted model")
    shown = proof(stage, rng)
    spent = Limit(layout.limit.epsilon, 0.0, max(int(hunt.spent.max(initial=0)), 1))
    layout = replace(layout, limit=spent)  # what was asked for a row at most, gradients among it
    made = result.result(layout, answers, right, outcome, proof=shown, context=context)
    return msgspec.structs.replace(
        made, measures=(*made.measures, *_cost(trial, nearest, stage)), limits=(*seen.notes(), *told, *made.limits)
    )


def victim(stage: Stage, vectors: Vectors) -> Asked:
    """Return the user's model as the engine asks it."""
    layout = stage.layout
    return Asked(
        vectors, stage.norm, len(layout.subject.classes), slopes=slopes_of(layout) if stage.white else None,
        scores=_scores(layout) if stage.grey else None,
    )  # fmt: skip


def doubts(stage: Stage, trial: Trial, seen: signs.Signs) -> tuple[str, ...]:
    """Return what takes a pass away, in words, after the attack."""
    if not stage.white or seen.wants_answers:
        return seen.reasons()
    return (*seen.reasons(), *signs.stronger(trial, ("Square", DECISION)))


def assail(stage: Stage, trial: Trial, hunt: Hunt, context: Context) -> tuple[signs.Signs, fab.Nearest, np.ndarray]:
    """Look for signs of a weak attack and run the members that they call for.

    Args:
        stage: What the model gives, and how hard to try.
        trial: Rows that stand.
        hunt: The same rows, of which labels alone are asked.
        context: Source of all choices; told of progress.

    Returns:
        The signs, the nearest changes, and (n,) bool: rows that fell late.
    """
    rng = context.rng
    seen = signs.look(trial, rng, gradients=stage.white, scores=stage.grey)
    if seen.is_random:
        trial.copies, trial.repeats = _COPIES, _REPEATS
    nearest, white, late = fab.none_found(trial), None, np.zeros(len(trial.own), dtype=bool)
    if stage.white:
        white = ensemble.gradients(
            trial, stage.effort, rng, lambda share: context.progress(0.1 + 0.4 * share, "following gradients")
        )
        nearest, late = white.nearest, white.late & (trial.by == len(trial.attacks) - 1)
    if stage.grey:
        context.progress(0.55, "asking for scores")
        late = ensemble.questions(trial, stage.effort, rng, None if seen.wants_answers else white)
    context.progress(0.7, "asking for answers")
    alone = seen.wants_answers or not (stage.white or stage.grey)
    _decide(stage, trial, hunt, nearest, (stage.effort.queries if alone else _SHORT, rng))
    return seen, nearest, late


def _decide(
    stage: Stage, trial: Trial, hunt: Hunt, nearest: fab.Nearest, plan: tuple[int, np.random.Generator]
) -> None:
    """Attack with labels alone: in linf the whole of P1.blackbox (surrogate, rays), in l2 HopSkipJump."""
    (queries, rng), layout = plan, stage.layout
    rows = trial.begin(DECISION)
    rows = rows if queries > _SHORT else rows[:_FEW]
    known = layout.public_values
    if not len(rows) or not hunt.oracle.can(trial.repeats * (len(known) + queries * len(rows))):
        return
    if stage.norm != "linf":
        found = hopskip.search(trial, queries=queries, rng=rng, pool=Vectors.of(hunt).encode(known))
        better = found.size < nearest.size
        nearest.size[better], nearest.values[better] = found.size[better], found.values[better]
        return
    oracle = voting(hunt.oracle, trial.repeats)
    made = blackbox.attack(
        layout.space,
        oracle,
        start=hunt.start[rows],
        origin=hunt.origin[rows],
        goal=Goal(hunt.goal.answers[rows]),
        limit=Limit(layout.limit.epsilon, 0.0, queries),
        public=blackbox.Public(known, oracle(known, np.arange(len(known)) % len(layout.values))),
        rng=rng,
    )
    trial.answers[rows] += made.spent * trial.repeats
    hit = np.flatnonzero(made.fallen)
    trial.ask(rows[hit], Vectors.of(hunt).encode(made.found[hit]))


def voting(oracle: Oracle, repeats: int) -> Oracle:
    """Return an oracle whose answer is the commonest of so many; calls are counted by the one that is asked."""
    if repeats == 1:
        return oracle

    def answer(values: np.ndarray, origin: np.ndarray) -> np.ndarray:
        told = np.stack([oracle(values, origin) for _ in range(repeats)])
        known = np.unique(told)
        return np.asarray(known[(told[:, :, None] == known).sum(axis=0).argmax(axis=1)])

    return Oracle(answer, max_rows=oracle.max_rows)


def _confirmed(layout: setting.Setting, trial: Trial, vectors: Vectors, late: np.ndarray, doubt: str) -> result.Fell:
    """Hand what fell to the hunt, and have it asked again; of random models most of several answers were asked."""
    rows, hunt = np.flatnonzero(trial.fallen), vectors.hunt
    hunt.spent[:] = trial.answers + trial.gradients
    if trial.repeats > 1:
        none = np.zeros((0, len(trial.own)), dtype=bool)
        return result.Fell(trial.fallen, hunt.spent, (), none, 0, layout.oracle.asked, float(late.mean()), doubt)
    hunt.fell(rows, vectors.decode(trial.found[rows], rows, trial.field.norm, inside=True))
    rising = float(late.mean()) if len(late) else 0.0
    return replace(result.confirm(layout, hunt.origin, hunt), rising=rising, doubt=doubt)


def slopes_of(layout: setting.Setting) -> Slopes:
    """Return the gradients of the user's model over a space."""

    def slopes(values: np.ndarray, origin: np.ndarray, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        losses, found = layout.subject.gradient(layout.space.decode(values, origin, layout.sample), target, loss)
        layout.oracle.charge(len(values))
        return losses, np.asarray(found).reshape(len(values), -1)

    return slopes


def _scores(layout: setting.Setting) -> Scores:
    def scores(values: np.ndarray, origin: np.ndarray) -> np.ndarray:
        chance = layout.subject.predict_proba(layout.space.decode(values, origin, layout.sample))
        return np.asarray(np.log(np.maximum(chance, _TINY)))

    return scores


def _cost(trial: Trial, nearest: fab.Nearest, stage: Stage) -> list[Measure]:
    """Return what the attack costs: which member felled how many rows, how far, in how many calls."""
    n = len(trial.own)
    made = [
        Measure(
            name="rows felled by this attack first", value=float((trial.by == at).sum()), unit="rows", n=n, where=name
        )
        for at, name in enumerate(trial.attacks)
        if name not in trial.attacks[:at]
    ]
    known = nearest.size[np.isfinite(nearest.size)]
    if len(known):
        made.append(
            Measure(
                name="smallest change that changes the answer",
                value=float(np.median(known)),
                unit="share of the range",
                n=len(known),
                note=f"The median, in {stage.norm}, of the rows that were walked to the boundary; an upper bound.",
            )
        )
    made.append(Measure(name="gradients per row", value=float(trial.gradients.mean()) if n else 0.0, n=n))
    made.append(Measure(name="answers per row", value=float(trial.answers.mean()) if n else 0.0, n=n))
    made.append(Measure(name="calls of the model", value=float(stage.layout.oracle.calls), n=stage.layout.oracle.asked))
    return made


def proof(stage: Stage, rng: np.random.Generator) -> Canary:
    """Attack the planted models with the members that the user's model met."""
    layout = stage.layout

    def strike(model: LinearModel, start: np.ndarray, goal: Goal) -> np.ndarray:
        hunt = Hunt(
            layout.space, Oracle(model), start, np.zeros(len(start), dtype=np.int64), goal=goal, limit=layout.limit
        )
        vectors = Vectors.of(hunt)
        own = np.asarray(goal.answers, dtype=np.int64)
        trial = Trial(vectors.field(stage.norm), linear(stage, vectors, model), own)
        if stage.white:
            ensemble.gradients(trial, stage.effort, rng)
        elif stage.grey:
            ensemble.questions(trial, stage.effort, rng)
        if not stage.white:
            _decide(stage, trial, hunt, fab.none_found(trial), (stage.effort.queries, rng))
        return trial.fallen

    return canary.prove(layout, strike, rng, norm=stage.norm)


def linear(stage: Stage, vectors: Vectors, model: LinearModel, slopes: Slopes | None = None) -> Asked:
    """Return a planted model as the engine asks it; it gives what the user's model gives, and scores.

    Args:
        stage: What the user's model gives.
        vectors: Of its rows.
        model: The planted one.
        slopes: Gradients that it gives; None: its own.
    """

    def scores(values: np.ndarray, origin: np.ndarray) -> np.ndarray:
        del origin
        score = model.score(values)
        return np.stack([-score, score], axis=1) / 2

    given = (slopes or model.slopes_of) if stage.white else None
    return Asked(vectors, stage.norm, 2, slopes=given, scores=scores)
