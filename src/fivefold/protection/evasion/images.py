"""Check P1.images: a patch anywhere, transformations and bounded noise, each against the same pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.evasion import moved, patch, pictures, standard
from fivefold.protection.evasion.engine.trial import Trial
from fivefold.protection.evasion.hunt import Hunt
from fivefold.protection.evasion.vectors import Vectors
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Canary

FLOOR = "min_robust_accuracy"
WAYS = ("patch", "transformation", "noise")
_PLACES = 4
_DEFAULTS = {"patch": 0.15, "rotation": 15.0, "shift": 0.1, "scale": 0.1, "brightness": 0.1}
_REMEDY = {
    Outcome.FAIL: "Train with what felled it: changed rows (`model train --robust`) for noise and patches, turned, "
    "shifted and brightened copies for transformations; or put a detector and a fallback beside the model (C2, C3).",
    Outcome.INCONCLUSIVE: "Bring more test pictures, or assess with more effort.",
}


@dataclass(frozen=True)
class _Struck:
    """What came of one way of attack on the rows that are answered rightly: (m,) bool, and words of doubt."""

    fallen: np.ndarray
    doubt: str = ""


def run(context: Context) -> Result:
    """Measure robust accuracy against a patch of declared size, declared transformations, and bounded noise.

    Threat: a sticker on the thing, another angle or light, or a disturbed sensor makes the model answer wrongly.
    Limit: upper bounds, as of every attack; one square patch in the picture itself, not printed and photographed.

    Args:
        context: Needs a classifier that answers for changed pictures, and ``test``; threshold ``min_robust_accuracy``.

    Raises:
        UnsupportedError: See :func:`fivefold.protection.evasion.standard.lay_out`; ``evasion.picture`` where inputs
            are no pictures of channels, height and width.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    stage, rng = standard.lay_out(context), context.rng
    layout = stage.layout
    if len(layout.space.shape) != 3:
        raise UnsupportedError(
            "evasion.picture", "patches and transformations need pictures of channels, height and width."
        )
    queries = stage.effort.queries
    stage = replace(
        stage,
        effort=replace(stage.effort, queries=max(queries // 2, 5)),
        layout=replace(layout, limit=replace(layout.limit, queries=max(queries // 2, 5))),
    )
    given = {name: _option(context, name) for name in _DEFAULTS}
    bounds = moved.Bounds(given["rotation"], given["shift"], given["scale"], given["brightness"])
    plan = patch.Plan(
        side=patch.side_of(given["patch"], layout.space.shape), places=_PLACES, steps=stage.effort.steps,
        pastes=max(queries // 4, 5), white=stage.white, grey=stage.grey,
    )  # fmt: skip
    tries = max(queries // 4, 12)
    context.progress(0.05, "asking the model")
    answers = layout.oracle(layout.values, np.arange(len(layout.values)))
    right = np.flatnonzero(layout.is_right(answers))
    hunt = Hunt(
        layout.space, layout.oracle, layout.values[right], right, goal=layout.goal(answers[right]), limit=layout.limit
    )
    vectors = Vectors.of(hunt)
    field, victim, own = vectors.field("linf"), standard.victim(stage, vectors), answers[right].astype(np.int64)
    context.progress(0.1, "putting patches")
    struck = {"patch": _Struck(_held(patch.attack(hunt, victim, plan, layout.public_values, rng)))}
    context.progress(0.4, "turning and shifting")
    struck["transformation"] = _Struck(_held(moved.attack(field, victim, own, (bounds, tries), rng)))
    context.progress(0.5, "adding noise")
    trial = Trial(field, victim, own)
    seen, _, _ = standard.assail(stage, trial, hunt, replace(context, progress=lambda _share, _text: None))
    struck["noise"] = _Struck(_held(trial), " ".join(standard.doubts(stage, trial, seen)))
    context.progress(0.8, "attacking planted models")
    proof = pictures.prove(stage, (plan, bounds, tries), rng)
    notes = {
        "patch": f"One square of {plan.side} x {plan.side} of {layout.space.shape[1]} x {layout.space.shape[2]} "
        "pixels, any contents, at the place that is worst.",
        "transformation": f"Turned by at most {bounds.rotation:g} degrees, shifted by {bounds.shift:g} of the width, "
        f"scaled by {bounds.scale:g}, brighter or darker by {bounds.brightness:g}; worst of {tries}.",
        "noise": f"Each pixel moves by at most {layout.limit.epsilon:g} of its range.",
    }
    return _result(context, (len(answers), right), struck, proof, (notes, layout.notes))


def _option(context: Context, name: str) -> float:
    value = context.options.get(name)
    return float(value) if isinstance(value, int | float) else _DEFAULTS[name]


def _held(trial: Trial) -> np.ndarray:
    """Return (m,) bool: what fell and is answered otherwise when asked again."""
    held, rows = trial.fallen.copy(), np.flatnonzero(trial.fallen)
    if trial.repeats == 1 and len(rows) and trial.victim.can(len(rows)):
        held[rows] = trial.victim.labels(trial.found[rows], rows) != trial.own[rows]
    return held


def _result(
    context: Context,
    rows: tuple[int, np.ndarray],
    struck: dict[str, _Struck],
    proof: Canary,
    told: tuple[dict[str, str], tuple[str, ...]],
) -> Result:
    (n, right), floor, (notes, limits) = rows, context.thresholds[FLOOR], told
    stands = {way: np.zeros(n, dtype=bool) for way in WAYS}
    for way, one in struck.items():
        stands[way][right[~one.fallen]] = True
    judged = [_share("robust accuracy", stands[way], way, (notes[way], floor)) for way in WAYS]
    doubts = " ".join(one.doubt for one in struck.values() if one.doubt)
    outcome, reason = _decide(judged, doubts, proof, len(right) / n)
    if outcome is Outcome.INCONCLUSIVE:
        judged = [_opened(one) for one in judged]
    worst = np.logical_and.reduce(list(stands.values()))
    shown = (
        _share("robust accuracy", worst, "the worst of the three", ("Row by row.", None)),
        _share("accuracy without an attack", np.isin(np.arange(n), right), "", ("", None)),
    )
    bars = tuple(
        Bar(label=one.where or one.name, value=one.value or 0.0, low=one.low, high=one.high, n=n, outcome=one.outcome)
        for one in (*judged, *shown)
    )
    plot = Plot(
        kind="intervals", title="Robust accuracy against each way of attack", x_label="robust accuracy", bars=bars,
        threshold=floor,
    )  # fmt: skip
    return Result(
        outcome=outcome, reason=reason, measures=(*judged, *shown), canary=proof, plots=(plot,),
        limits=("A stronger attack may fell more rows: the figures bound these attacks.",
                *([doubts] if doubts else []), *limits),
        remedy=_REMEDY.get(outcome, ""),
    )  # fmt: skip


def _share(name: str, hits: np.ndarray, where: str, how: tuple[str, float | None]) -> Measure:
    (note, floor), (low, high) = how, (float(one) for one in clopper_pearson(int(hits.sum()), len(hits)))
    return Measure(
        name=name, value=float(hits.mean()), low=low, high=high, threshold=floor,
        direction=None if floor is None else "min", outcome=None if floor is None else judge(low, high, floor, "min"),
        unit="share", n=len(hits), where=where, note=note,
    )  # fmt: skip


def _opened(one: Measure) -> Measure:
    return Measure(
        name=one.name, value=one.value, low=one.low, high=one.high, threshold=one.threshold, direction="min",
        outcome=Outcome.INCONCLUSIVE, unit=one.unit, n=one.n, where=one.where, note=one.note,
    )  # fmt: skip


def _decide(judged: list[Measure], doubts: str, proof: Canary, clean: float) -> tuple[Outcome, str]:
    each = ", ".join(f"{one.value:.1%} ({one.low:.1%} to {one.high:.1%}) against {one.where}" for one in judged)
    text = f"The model is right on {clean:.1%} of {judged[0].n} pictures, and still on {each}; the floor is "
    text += f"{judged[0].threshold:.1%}."
    if not proof.noticed:
        return Outcome.INCONCLUSIVE, f"Planted models did not fall as they must; the attacks are not believed. {text}"
    outcomes = {one.outcome for one in judged}
    if Outcome.FAIL in outcomes:
        return Outcome.FAIL, text
    if outcomes == {Outcome.PASS}:
        return (Outcome.INCONCLUSIVE, f"{doubts} {text}") if doubts else (Outcome.PASS, text)
    return Outcome.INCONCLUSIVE, text
