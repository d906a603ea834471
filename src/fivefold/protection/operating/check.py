"""P3.operating-point: thresholds chosen on one half and stated on the other, and what the one in use costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.contract.finding import Canary, Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome, worst
from fivefold.errors import UnsupportedError
from fivefold.protection.accuracy.sample import stratified, usable
from fivefold.protection.operating import canary, point
from fivefold.protection.operating.halves import halve
from fivefold.protection.operating.scores import Scores, of
from fivefold.stats.judge import judge
from fivefold.stats.repeats import counted

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table
    from fivefold.protection.operating.point import Rate, Stated

FLOOR = "max_equal_error"
LIMITS = {"max_false_match": "false-match rate", "max_false_non_match": "false-non-match rate"}
_TARGETS = (0.1, 0.01, 0.001)
_POINTS = 120


def run(context: Context) -> Result:
    """Measure P3.operating-point.

    Threat: a threshold is trusted because it did well on the rows that it was chosen on.
    Limit: rows like the test rows; persons who are not named count as a person each.

    Args:
        context: Needs a subject and the data set ``test``; threshold ``max_equal_error``; options as in the pack.

    Raises:
        InputError: ``operating.column``.
        UnsupportedError: ``operating.rows``, ``operating.scores`` or ``operating.class``.
        SubjectError: The model misbehaved.
    """
    stored = context.tables("test")
    repeats = counted(stored, lambda: _train(context))
    table = stratified(stored.take(repeats.keep) if repeats.once else stored, context.rows, context.rng)
    if not len(table):
        raise UnsupportedError("operating.rows", "no test row has a known target.")
    unknown = int((~usable(stored.target)).sum())
    context.progress(0.1, "asking for scores")
    scores = of(context, table)
    chosen, other = halve(scores, context.rng)
    best = other.stated(point.equal(*_sides(chosen)))
    floor = float(context.thresholds[FLOOR])
    measures = [_judged("equal error rate", best.equal_error, floor, _where(best, scores))]
    used = scores.in_use()
    for key, name in LIMITS.items():
        measures += _limited(key, name, context.options.get(key), used, scores)
    measures += _shown(chosen, other, used)
    promise, text = _promise(chosen, other, context.options.get("max_false_match"), scores)
    measures += promise
    context.progress(0.6, "planting canaries")
    trial = canary.trial(chosen, other, scores, context)
    outcome = worst([one.outcome for one in measures if one.outcome is not None])
    if not trial.noticed:
        measures, outcome = _held(measures), Outcome.INCONCLUSIVE
    notes = [repeats.limit] if repeats.once else []
    notes += [f"{unknown} rows without a known target left out."] if unknown else []
    return Result(
        outcome=outcome,
        reason=_reason(measures, trial),
        measures=tuple(measures),
        canary=trial,
        plots=_det(other, chosen),
        limits=(*notes, *scores.notes, *_limits(scores)),
        remedy=_remedy(outcome, text),
    )


def _train(context: Context) -> Table | None:
    try:
        return context.tables("train")
    except KeyError:
        return None


def _sides(scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    return scores.value[scores.genuine], scores.value[~scores.genuine]


def _where(stated: Stated, scores: Scores) -> str:
    one, two = stated.false_match, stated.false_non_match
    return (
        f"At {scores.sign * stated.threshold:.4g}, chosen on other rows: false-match rate {one.value:.2%} "
        f"({one.low:.2%} to {one.high:.2%}), false-non-match rate {two.value:.2%} ({two.low:.2%} to {two.high:.2%})."
    )


def _judged(name: str, rate: Rate, limit: float, note: str) -> Measure:
    return Measure(
        name=name,
        value=rate.value,
        low=rate.low,
        high=rate.high,
        threshold=limit,
        direction="max",
        outcome=judge(rate.low, rate.high, limit, "max"),
        unit="share",
        n=rate.n,
        note=note,
    )


def _plain(name: str, rate: Rate, where: str, note: str = "") -> Measure:
    return Measure(
        name=name, value=rate.value, low=rate.low, high=rate.high, unit="share", n=rate.n, where=where, note=note
    )


def _limited(key: str, name: str, limit: object, used: Stated | None, scores: Scores) -> list[Measure]:
    """Judge the decisions of now against a declared limit; nothing without one."""
    if not isinstance(limit, int | float):
        return []
    if not scores.declared or used is None:
        note = f"`{key}` is declared, but no class to detect is: name it as `alarm` in the manifest."
        return [
            Measure(name=name, threshold=float(limit), direction="max", outcome=Outcome.INCONCLUSIVE, unit="share",
                    note=note)
        ]  # fmt: skip
    rate = used.false_match if key == "max_false_match" else used.false_non_match
    return [_judged(name, rate, float(limit), f"Rows taken for {scores.name} as it is decided now.")]


def _shown(chosen: Scores, other: Scores, used: Stated | None) -> list[Measure]:
    """Return rates as decided now, and misses at usual false-match rates, chosen on one half, stated on the other."""
    made = []
    if used is not None:
        made = [
            _plain("false-match rate", used.false_match, "as decided now"),
            _plain("false-non-match rate", used.false_non_match, "as decided now"),
        ]
    genuine, impostor = _sides(chosen)
    at = point.cuts(genuine, impostor)
    false = point.curve(genuine, impostor, at)[0]
    for target in _TARGETS:
        if len(impostor) * target < 1:
            continue
        stated = other.stated(float(at[np.flatnonzero(false <= target)[0]]))
        where = f"threshold for {target:.1%} false matches"
        made.append(_plain("false-non-match rate", stated.false_non_match, where, _where(stated, other)))
    return made


def _promise(chosen: Scores, other: Scores, limit: object, scores: Scores) -> tuple[list[Measure], str]:
    """Return what a threshold costs that keeps the declared false-match rate with confidence, and how to use it."""
    if not isinstance(limit, int | float) or not 0 < limit < 1 or not scores.declared:
        return [], ""
    genuine, impostor = _sides(chosen)
    kept = point.promised(genuine, impostor, int((~other.genuine).sum()), float(limit))
    if kept is None:
        return [], f"{len(impostor)} impostors are too few to choose a threshold for {limit:.2%} false matches."
    stated = other.stated(kept)
    where = "threshold that keeps `max_false_match`"
    made = [
        _plain("false-match rate", stated.false_match, where, _where(stated, scores)),
        _plain("false-non-match rate", stated.false_non_match, where),
    ]
    edge = f"{scores.sign * kept:.6g}"
    text = f"Decide at {edge} ({'at most' if scores.sign < 0 else 'at least'}): {made[0].note}"
    return made, text


def _held(measures: list[Measure]) -> list[Measure]:
    """Leave open what was judged: planted cases went unnoticed."""
    return [
        one if one.outcome is None else msgspec.structs.replace(one, outcome=Outcome.INCONCLUSIVE) for one in measures
    ]


def _reason(measures: list[Measure], trial: Canary) -> str:
    words = {Outcome.PASS: "is clear of", Outcome.FAIL: "breaks", Outcome.INCONCLUSIVE: "is not clear of"}
    told = [
        f"The {one.name} is {one.value:.2%} ({one.low:.2%} to {one.high:.2%}) and {words[one.outcome]} "
        f"{one.threshold:.2%}."
        for one in measures
        if one.outcome in words and one.value is not None
    ]
    told += [one.note for one in measures if one.outcome is Outcome.INCONCLUSIVE and one.value is None]
    if not trial.noticed:
        told.append("Planted cases went unnoticed, so this is not believed.")
    return " ".join(told)


def _limits(scores: Scores) -> list[str]:
    texts = ["The figures hold for rows like the test rows; targets are taken as true."]
    if not scores.groups:
        texts.append(
            "Rows are taken as independent; if people occur in several rows, name them (`probe`, `reference`)."
        )
    return texts


def _remedy(outcome: Outcome, promise: str) -> str:
    if outcome is Outcome.PASS:
        return ""
    usual = {
        Outcome.FAIL: "Choose the threshold again, or use scores that tell the two apart better.",
        Outcome.INCONCLUSIVE: "Bring more rows of both kinds: bounds shrink with their square root.",
    }.get(outcome, "")
    return f"{usual} {promise}".strip()


def _det(other: Scores, chosen: Scores) -> tuple[Plot, ...]:
    """Return the detection error trade-off on either half; none where no threshold errs on both sides."""
    curves = []
    for name, half in (("stated on", other), ("chosen on", chosen)):
        genuine, impostor = _sides(half)
        at = point.cuts(genuine, impostor)
        false, missed = point.curve(genuine, impostor, at)
        real = np.flatnonzero((false > 0) & (missed > 0))
        if len(real):
            few = real[np.unique(np.linspace(0, len(real) - 1, min(len(real), _POINTS)).astype(int))]
            curves.append(Curve(name=f"half {name}", x=tuple(false[few].tolist()), y=tuple(missed[few].tolist())))
    if not curves:
        return ()
    return (
        Plot(
            kind="curves",
            title="Rows missed against rows taken wrongly, at each threshold",
            x_label="false-match rate",
            y_label="false-non-match rate",
            curves=tuple(curves),
            log=True,
        ),
    )
