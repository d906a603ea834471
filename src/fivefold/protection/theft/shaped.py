"""Check P2.shaping: what scores as they are let out tell a thief beyond labels alone, and what shaping costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Canary, Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.extraction import answers, students
from fivefold.protection.extraction.answers import Voice
from fivefold.protection.theft import trial
from fivefold.protection.theft.shaping import Shaping, identities
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context

FLOOR = "max_shaping_excess"
_NAMES = ("linear", "logistic", "boosted", "forest")
_PARTS = (16, 8, 4, 2, 1)
_FEWEST = 60
_Z = 1.6448536269514722
_BINS = 15
_PLANTED = 1200
_REMEDY = {
    Outcome.FAIL: "Declare `controls: {P2: {decimals: 0}}` (labels alone), or `noise` with few `decimals`.",
    Outcome.INCONCLUSIVE: "Bring more test rows: a part is asked, the others show how well copies agree.",
}


def run(context: Context) -> Result:
    """Measure the fidelity that scores as they are let out give a thief beyond what labels alone give.

    Threat: scores to the last digit hand the model over in a few questions.
    Limit: labels alone can be learnt from, too; only a budget and the detector limit that.

    Args:
        context: Needs a subject that answers for new rows and ``test``; threshold ``max_shaping_excess``.

    Raises:
        UnsupportedError: ``theft.subject``, ``theft.inputs``, ``theft.rows``; ``theft.scores`` for a model that gives
            none.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1):
        return _run(context)


def shaping_of(controls: Mapping[str, object]) -> Shaping | None:
    """Return what the control P2 does to scores; None: labels alone are let out."""
    decimals = controls.get("decimals")
    if decimals == 0:
        return None
    number = {key: value for key, value in controls.items() if isinstance(value, int | float)}
    return Shaping(
        float(number.get("noise", 0.0)), float(number.get("flips", 0.0)), int(number.get("top", 0)),
        int(decimals) if isinstance(decimals, int) else None,
    )  # fmt: skip


def _run(context: Context) -> Result:
    if context.subject is None or not context.subject.capabilities.scores or context.subject.task == "regression":
        raise UnsupportedError("theft.scores", "the model gives no scores that could be shaped.")
    case, rng = trial.lay_out(context), context.rng
    budget = min(int(context.options.get("budget") or 1000), len(case.held) // 2)
    if budget < _FEWEST:
        raise UnsupportedError("theft.rows", f"{len(case.held)} test rows are too few to ask some and judge by others.")
    order = rng.permutation(len(case.held))
    asked, rest = case.held.take(order[:budget]), case.held.take(order[budget:])
    scores, held = answers.ask(case.subject, asked), answers.ask(case.subject, rest)
    shaping = shaping_of(trial.controls_of(context))
    key = rng.bytes(32)
    out = _let_out(scores, shaping, identities(trial.rows_of(asked), key))
    inputs = [case.start.inputs(case.start.space.encode(one)) for one in (asked, rest)]
    counts = sorted({max(_FEWEST // 2, budget // part) for part in _PARTS})
    mine = [_agreed(inputs, out, held, count, shaping is not None) for count in counts]
    labels = np.eye(scores.shape[1])[scores.argmax(axis=1)]
    bare = [_agreed(inputs, labels, held, count, has_scores=False) for count in counts]
    blind = min(case.blind, 1 - 1 / len(rest))
    value, low, high = _excess(mine[-1], bare[-1], blind)
    proof = _prove(inputs, rng)
    floor = context.thresholds[FLOOR]
    outcome = judge(low, high, floor, "max") if proof.noticed else Outcome.INCONCLUSIVE
    shaped = _let_out(held, shaping, identities(trial.rows_of(rest), key))
    main = Measure(
        name="fidelity beyond labels alone", value=value, low=low, high=high, threshold=floor, direction="max",
        outcome=outcome, unit="share", n=len(rest),
        note=f"Rescaled, after {budget} honest-looking questions; both copies are judged on the same rows.",
    )  # fmt: skip
    curves = [[float((one.mean() - blind) / (1 - blind)) for one in some] for some in (mine, bare)]
    text = (
        f"After {budget} questions, scores as they are let out give a copy {value:+.1%} of the way to the model beyond "
        f"labels alone; at most {floor:.0%} may be."
    )
    if not proof.noticed:
        text = f"Exact scores of a planted model were not told from its labels; this is not believed. {text}"
    plots = Plot(
        kind="curves", title="Fidelity against honest-looking questions", x_label="questions",
        y_label="rescaled fidelity",
        curves=tuple(
            Curve(name=name, x=tuple(map(float, counts)), y=tuple(curve))
            for name, curve in zip(("as let out", "labels alone"), curves, strict=True)
        ),
    )  # fmt: skip
    return Result(
        outcome=outcome, reason=text, measures=(main, *_costs(held, shaped, rest.target)), canary=proof, plots=(plots,),
        limits=(
            "Labels alone can be learnt from, too.",
            "The thief asks rows like the test rows; students are linear, logistic, boosted and forests.",
        ),
        remedy=_REMEDY.get(outcome, ""),
    )  # fmt: skip


def _let_out(scores: np.ndarray, shaping: Shaping | None, ids: np.ndarray) -> np.ndarray:
    if shaping is None:
        return np.asarray(np.eye(scores.shape[1])[scores.argmax(axis=1)])
    return shaping.scores(scores, ids)


def _agreed(inputs: list[np.ndarray], told: np.ndarray, held: np.ndarray, count: int, has_scores: bool) -> np.ndarray:
    """Return (n,) where the best student agrees; scores can also be learnt from as labels."""
    width, said = told.shape[1], held.argmax(axis=1)
    best = np.zeros(len(held), dtype=bool)
    voices: list[tuple[Any, np.ndarray]] = [(Voice("labels", width), np.eye(width)[told[:count].argmax(axis=1)])]
    if has_scores:
        voices.append((Voice("scores", width), told[:count]))
    for voice, learnt in voices:
        for name in _NAMES:
            student = students.fit(name, inputs[0][:count], learnt, voice, 0)
            if student is None:
                continue
            agreed = student(inputs[1]).argmax(axis=1) == said
            best = agreed if agreed.mean() > best.mean() else best
    return best


def _excess(mine: np.ndarray, bare: np.ndarray, blind: float) -> tuple[float, float, float]:
    """Return the difference of two rescaled fidelities on the same rows, with one-sided 95 % bounds (paired normal)."""
    gap = mine.astype(np.float64) - bare
    n, scale = len(gap), 1 - blind
    # one row of each kind more, so that no difference at all has an interval, too (Agresti and Min 2005)
    spread = np.sqrt((np.square(gap).sum() + 1) / (n + 2) - np.square(gap.sum() / (n + 2))) / np.sqrt(n + 2)
    value = float(gap.mean())
    return value / scale, float(value - _Z * spread) / scale, float(value + _Z * spread) / scale


def _costs(held: np.ndarray, shaped: np.ndarray, target: np.ndarray) -> list[Measure]:
    rows, found = np.arange(len(held)), []
    known = (target >= 0) & (target < held.shape[1])
    truth = np.clip(target, 0, held.shape[1] - 1)
    for where, scores in (("the model", held), ("as let out", shaped)):
        right = scores.argmax(axis=1) == truth
        brier = ((scores - np.eye(held.shape[1])[truth]) ** 2).sum(axis=1)
        made = {"accuracy": right[known].mean(), "Brier score": brier[known].mean()}
        made["calibration error"] = _calibration(scores[known], right[known])
        found += [
            Measure(name=name, value=float(value), n=int(known.sum()), where=where) for name, value in made.items()
        ]
    kept = shaped[rows, held.argmax(axis=1)] >= shaped.max(axis=1) - 1e-12
    changed = Measure(name="rows whose highest score is another one", value=float(1 - kept.mean()), n=len(held))
    return [*found, changed]


def _calibration(scores: np.ndarray, right: np.ndarray) -> float:
    """Return the expected calibration error in 15 bins (Naeini et al. 2015)."""
    sure = scores.max(axis=1)
    bins = np.clip((sure * _BINS).astype(np.int64), 0, _BINS - 1)
    gaps = np.bincount(bins, weights=right - sure, minlength=_BINS)
    return float(np.abs(gaps).sum() / max(len(sure), 1))


def _prove(inputs: list[np.ndarray], rng: np.random.Generator) -> Canary:
    """Judge a planted logistic model: exact scores must tell more than labels, labels must not."""
    asked, rest = inputs[0], inputs[1][:_PLANTED]
    weights = rng.normal(size=(asked.shape[1], 1))
    reach = np.concatenate([asked, rest]) @ weights
    middle, spread = np.median(reach), float(reach.std()) or 1.0
    made = [students.shares((one @ weights - middle) / spread * 2.0) for one in (asked, rest)]
    count = min(len(asked), 150)
    labels = np.eye(2)[made[0].argmax(axis=1)]
    bare = _agreed([asked, rest], labels, made[1], count, has_scores=False)
    exact = _agreed([asked, rest], made[0], made[1], count, has_scores=True)
    blind = float(max(np.bincount(made[1].argmax(axis=1), minlength=2)) / len(rest))
    blind = min(blind, 1 - 1 / len(rest))
    found = _excess(exact, bare, blind)[1] > 0
    alarm = _excess(bare, bare, blind)[1] > 0
    return Canary(
        kind="a logistic model with random weights whose exact scores are told",
        planted=1, found=int(found), clean=1, false_alarms=int(alarm), noticed=found and not alarm,
        detail=f"{count} questions of the same rows. Known-good: its labels alone.",
    )  # fmt: skip
