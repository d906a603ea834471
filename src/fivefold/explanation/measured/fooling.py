"""Check E4.fooling: a model that shows explainers another face than it shows real rows is caught."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.explanation import asking, known
from fivefold.explanation import players as who_plays
from fivefold.explanation.measured import faces, verdict
from fivefold.explanation.store import Store
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.explanation.asking import Ask

FLOOR = "max_hidden"
PERTURBED = {"quick": 4_000, "standard": 12_000, "thorough": 30_000}
"""Perturbed rows of each kind, by effort."""
_LEAST = 2
_FEWEST = 1_000
_CANARY_ROUNDS = 2
_CANARY_ROWS = 2_000
_REMEDY = (
    "Read how the model tells rows apart before it answers; do not rely on its reasons, and measure what it goes by on "
    "real rows alone."
)


@dataclass(frozen=True)
class Real:
    """Real rows and what is learned of their answers.

    Attributes:
        codes: (n, P) ranks of cells.
        answers: (n,) the score that varies most.
        own: See :func:`faces.own_loss`.
    """

    codes: np.ndarray
    answers: np.ndarray
    own: np.ndarray


def run(context: Context) -> Result:
    """Learn what the model answers to perturbed rows, and see whether it answers real rows alike.

    Threat: a model notices that it is explained and shows another face (Slack et al. 2020): an unfair model is told as
    a fair one.
    Limit: a model that answers cautiously whatever it does not know has two faces as well.

    Args:
        context: Needs a subject that answers for rows put together anew and the data set ``test``; threshold
            ``max_hidden``.

    Raises:
        UnsupportedError: ``explanation.subject``, ``explanation.inputs``, ``explanation.columns``,
            ``explanation.rows`` or ``explanation.budget``.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    subject, test = asking.plain_rows(context, _LEAST)
    rng, asker = context.rng, asking.Asker(subject)
    allowed = asker.allowance(context.effort)
    n = min(len(test), context.rows, allowed // 5)
    m = min(PERTURBED[context.effort], (allowed - n) // 2)
    if m < _FEWEST:
        raise asking.too_few(f"{allowed} questions are too few to learn how perturbed rows are answered.")
    rows = test.take(np.sort(rng.choice(len(test), n, replace=False)))
    del test  # the whole set is large
    group = who_plays.of(rows)
    if len(group) < _LEAST:
        raise UnsupportedError("explanation.columns", "the model sees one column, or one group of them.")
    store = Store(rows, n, group, who_plays.codes(rows, group))
    context.progress(0.05, "asking the model")
    scores = asker(rows)
    column = int(scores.var(axis=0).argmax())

    def ask(cells: np.ndarray) -> np.ndarray:
        return asker(store.mixed(cells))[:, column : column + 1]

    plain = scores[:, column]
    if plain.var() <= 1e-18 * (plain**2).mean():
        return _constant(_prove(store.codes, context))
    real = Real(store.codes, plain, faces.own_loss(store.codes, plain, rng))
    found = {}
    for at, kind in enumerate(faces.KINDS):
        context.progress(0.1 + 0.3 * at, f"asking about rows with {kind}")
        found[kind] = _face(real, ask, kind, m, rng)
    context.progress(0.7, "learning known functions")
    return _result(real, found, _prove(store.codes, context), group.names, context)


def _face(real: Real, ask: Ask, kind: str, m: int, rng: np.random.Generator) -> faces.Face:
    cells = faces.PERTURB[kind](real.codes, m, rng)
    around = real.codes[cells, np.arange(real.codes.shape[1])]
    return faces.face((real.codes, real.answers), real.own, (around, ask(cells)[:, 0]))


def _outcome(face: faces.Face, floor: float) -> Outcome:
    """Judge one face; answers that hardly vary around real rows are no face of their own, and noise is none either."""
    outcome = judge(face.low, face.high, floor, "max")
    if outcome is Outcome.PASS and face.untold > faces.UNLEARNED:
        return Outcome.INCONCLUSIVE
    return Outcome.INCONCLUSIVE if outcome is Outcome.FAIL and face.varied < faces.CONSTANT else outcome


@dataclass(frozen=True)
class _TwoFaced:
    """One function for rows as they are, another one for rows put together."""

    real: Ask
    other: Ask

    def __call__(self, cells: np.ndarray) -> np.ndarray:
        whole = (cells == cells[:, :1]).all(axis=1)[:, None]
        return np.where(whole, self.real(cells), self.other(cells))


def _prove(codes: np.ndarray, context: Context) -> Canary:
    """Judge known functions with two faces, and with one; no question is asked."""
    rng, floor, found, alarms = context.rng, context.thresholds[FLOOR], 0, 0
    whole, m = asking.pure(np.arange(len(codes)), codes.shape[1]), min(_CANARY_ROWS, PERTURBED[context.effort])
    for at in range(_CANARY_ROUNDS):
        kind, one = faces.KINDS[at % 2], known.draw(codes, rng)
        answers = one(whole)[:, 0]
        if answers.var() == 0:  # no column varies
            continue
        real = Real(codes, answers, faces.own_loss(codes, answers, rng))
        found += _outcome(_face(real, _TwoFaced(one, _other(one, codes, rng)), kind, m, rng), floor) is Outcome.FAIL
        alarms += _outcome(_face(real, one, kind, m, rng), floor) is Outcome.FAIL
    return Canary(
        kind="known functions with another face for perturbed rows",
        planted=_CANARY_ROUNDS, found=found, clean=_CANARY_ROUNDS, false_alarms=alarms,
        noticed=found == _CANARY_ROUNDS and not alarms,
        detail=f"{_CANARY_ROUNDS} known functions of these very columns, another one for rows that are put together "
        "(to be noticed), and the same one for all (not to be).",
    )  # fmt: skip


def _other(one: known.Known, codes: np.ndarray, rng: np.random.Generator) -> known.Known:
    """Return another function, as spread out as the first."""
    other = known.draw(codes, rng)
    spread = float(other.parts.sum(axis=1).std())
    scale = float(one.parts.sum(axis=1).std()) / spread if spread > 0 else 1.0
    return known.Known(other.parts * scale, other.pairs, other.strength / max(scale, 1e-9))


def _constant(proof: Canary) -> Result:
    reason = "The model gives all real rows the same answer: there is no face to compare."
    return Result(outcome=Outcome.INCONCLUSIVE, reason=reason, canary=proof)


def _result(
    real: Real, found: dict[str, faces.Face], proof: Canary, names: tuple[str, ...], context: Context
) -> Result:
    floor, n = context.thresholds[FLOOR], len(real.codes)
    judged = [
        Measure(
            name="answers to real rows that perturbed rows hide", value=one.hidden, low=one.low, high=one.high,
            threshold=floor, direction="max", outcome=_outcome(one, floor), unit="share", n=n, where=kind,
            note="Of their variation; beyond what answers to perturbed rows do not tell of each other.",
        )
        for kind, one in found.items()
    ]  # fmt: skip
    outcome, begin = verdict.decide(judged, proof)
    worst = max(found, key=lambda kind: found[kind].low)
    said = _gone_by(real, found[worst], names, context.rng)
    text = (
        f"What the model answers to rows with {worst} leaves {max(found[worst].hidden, 0.0):.0%} more of its answers "
        f"to real rows untold than of such rows (allowed: {floor:.0%}). It goes by {said[0].where} on real rows, and "
        f"by {said[1].where} on perturbed ones."
    )
    if outcome is Outcome.INCONCLUSIVE and found[worst].varied < faces.CONSTANT:
        text = f"Perturbed rows get nearly the same answer all: explainers that ask them tell little. {text}"
    unlearned = max(one.untold for one in found.values())
    if outcome is Outcome.INCONCLUSIVE and unlearned > faces.UNLEARNED:
        text = f"What trees learn of perturbed rows leaves {unlearned:.0%} of the answers to real rows untold. {text}"
    result = Result(
        outcome=outcome, reason=f"{begin}{text}", measures=(*judged, *said), canary=proof, plots=(_plot(found, floor),),
        limits=("Two ways to perturb rows are tried; a model may know others.",),
        remedy="Assess with more effort, or bring more test rows." if outcome is Outcome.INCONCLUSIVE else "",
    )  # fmt: skip
    return msgspec.structs.replace(result, remedy=_REMEDY) if outcome is Outcome.FAIL else result


def _gone_by(real: Real, face: faces.Face, names: tuple[str, ...], rng: np.random.Generator) -> list[Measure]:
    """Return which column each face goes by most, real rows first."""
    made = []
    for what, told in (("real", faces.learn(real.codes, real.answers)), ("perturbed", face.told)):
        weight = faces.weights(told, real.codes, rng)
        at = int(weight.argmax())
        made.append(Measure(name=f"weight of the column that answers to {what} rows go by most", where=names[at],
                            value=float(weight[at]), unit="share", n=len(real.codes)))  # fmt: skip
    return made


def _plot(found: dict[str, faces.Face], floor: float) -> Plot:
    bars = tuple(
        Bar(label=kind, value=one.hidden, low=one.low, high=one.high)
        for kind, one in found.items()
        if np.isfinite([one.low, one.high]).all()
    )
    title = "What answers to perturbed rows do not tell of those to real rows"
    return Plot(kind="intervals", title=title, x_label="share of their variation", bars=bars, threshold=floor)
