"""F1.mitigation: what it would cost to bring the groups' rates within the floor, as a curve; judged on other rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from fivefold.contract.finding import Canary, Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.fairness.mitigation.aims import gap
from fivefold.fairness.mitigation.curve import Point, Rows, chosen, point, ways
from fivefold.fairness.mitigation.weights import resampled
from fivefold.fairness.proxies.telling import chances
from fivefold.fairness.rows import cuts, known_target, sample, scores_of
from fivefold.stats.judge import judge
from fivefold.stats.paired import tango

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table
    from fivefold.fairness.gaps.groups import Field
    from fivefold.fairness.mitigation.aims import Aim

_REPLICATES = {"quick": 3, "standard": 5, "thorough": 10}
_FEWEST = 200
_MORE = "Give more test rows, and calibration rows, of the smaller groups."
_REMEDY = (
    "No way of mending the scores is cheap enough: look at the labels, gather features that say more about the worse "
    "group, or learn under constraints: fivefold model train --fair."
)
_WORDS = {"selection": "selection ratio", "tpr": "true-positive rate gap"}


def run(context: Context) -> Result:
    """Measure F1.mitigation.

    Threat: a gap is known and stays, because nobody knows what mending it would cost.
    Limit: the field with the widest gap; what is mended is the answer, not the life behind it.

    Raises:
        UnsupportedError: ``mitigation.positive`` without a favourable class; ``mitigation.task`` for values;
            ``mitigation.protected``, ``mitigation.rows``, ``mitigation.subject``.
        SubjectError: The model misbehaved.
    """
    subject, positive = context.subject, context.settings.positive
    if subject is None:
        raise UnsupportedError("mitigation.subject", "there is no model to ask.")
    if subject.task == "regression":
        raise UnsupportedError("mitigation.task", "mending is measured of classes; for values see F1.metrics.")
    if positive is None:
        raise UnsupportedError("mitigation.positive", "no favourable class is declared.",
                               remedy="Declare data.test.positive.")  # fmt: skip
    aim = cast("Aim", str(context.options.get("aim") or "selection"))
    table, _, _ = sample(context, "mitigation")
    fields = [one for one in cuts(context, table, (table.target == positive).astype(np.int64), "mitigation")
              if not one.extra and len(one.labels) > 1]  # fmt: skip
    scores = scores_of(context, subject, table, positive)
    if scores is None or not fields:
        raise UnsupportedError("mitigation.rows", "there are no scores, or no two groups.")
    truth = (table.target == positive).astype(np.int64)
    # of more than two classes the favourable one is given where it leads: scores are set off by what leads without it
    answers = np.asarray(subject.predict(table)) == positive
    score = _aligned(scores, answers)
    half = np.zeros(len(table), dtype=bool)
    half[context.rng.permutation(len(table))[: len(table) // 2]] = True
    field = max(fields, key=lambda one: gap(answers[half], one.codes[half], truth[half], aim))
    context.progress(0.3, "telling the groups from the features")
    columns = [str(name) for name in table.features.columns if name not in context.settings.protected]
    chance = chances(table, columns, field.codes, context.rng) if columns else None
    rows = Rows(score, truth, field.codes, chance)
    fitted, judged = rows.take(half), rows.take(~half)
    context.progress(0.5, "mending")
    found = ways(fitted, judged, aim)
    if subject.capabilities.retrains:
        pair = _retrained(context, table, field, (half, fitted, judged), aim)
        if pair:
            found["reweighed training"] = [pair]
    context.progress(0.8, "canaries")
    bird = _canary(rows, half, aim, context)
    return _result(context, field, found, (fitted, judged), aim=aim, bird=bird)


def _aligned(scores: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return scores for which one half is where the model's own answers change, as nearly as one cut allows."""
    if not answers.any() or answers.all() or ((scores >= 0.5) == answers).all():
        return scores
    order = np.argsort(scores)
    wrong = (
        np.concatenate([[0], np.cumsum(answers[order])])
        + (~answers).sum()
        - np.concatenate([[0], np.cumsum(~answers[order])])
    )
    at = int(np.argmin(wrong))
    cut = scores[order[at]] if at < len(order) else np.inf
    return np.asarray(scores - cut + 0.5)


def _retrained(
    context: Context, table: Table, field: Field, parts: tuple[np.ndarray, Rows, Rows], aim: Aim
) -> tuple[Point, Point] | None:
    """Retrain the application's own model on rows drawn by weight; None: the training rows do not hold the field."""
    positive = context.settings.positive
    if context.subject is None or positive is None:
        return None
    try:
        train = context.tables("train")
        places, codes = known_groups(train, field.name)
    except KeyError:
        return None
    if len(np.unique(codes)) > 20:
        return None  # a field of numbers: its bands were made of the test rows
    seed = int(context.rng.integers(1 << 31))
    drawn = train.take(places[resampled(codes, (train.target[places] == positive).astype(np.int64), context.rng)])
    del train  # the whole set is large
    model = context.subject.retrain(drawn, seed)
    answers = np.asarray(model.predict(table)) == positive
    half, fitted, judged = parts
    return (point("reweighed training", 1.0, answers[half], fitted, aim),
            point("reweighed training", 1.0, answers[~half], judged, aim))  # fmt: skip


def known_groups(train: Table, field: str) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of the m rows of known target, and (m,) int64 codes of their groups.

    Args:
        train: n rows.
        field: The protected column; a missing value is a group of its own.

    Raises:
        KeyError: There is no such column.
    """
    column = train.column(field)
    places = known_target(train)
    texts = column.astype(str).where(column.notna(), "").to_numpy(dtype=object)[places]
    return places, np.unique(texts, return_inverse=True)[1].ravel()


def _floor(context: Context, aim: Aim) -> float:
    return float(context.options["min_mended_ratio" if aim == "selection" else "max_mended_gap"])


def _judged(
    found: dict[str, list[tuple[Point, Point]]], judged: Rows, aim: Aim, floors: tuple[float, float]
) -> tuple[Point, tuple[float, float, float], Outcome]:
    """Return the chosen point on the judged rows, the accuracy that it costs with bounds, and the judgement."""
    floor, most = floors
    mended = chosen(found, floor, aim)[1]
    before = judged.score >= 0.5
    lost = ((before == judged.truth) & (mended.chosen != judged.truth)).sum()
    won = ((before != judged.truth) & (mended.chosen == judged.truth)).sum()
    n = len(judged.truth)
    low, high = tango(int(lost), int(won), n)
    cost = (float(lost - won) / n, float(low), float(high))
    if mended.beyond(floor, aim) or cost[1] > most:
        return mended, cost, Outcome.FAIL
    if mended.clear(floor, aim) and cost[2] < most and n >= _FEWEST:
        return mended, cost, Outcome.PASS
    return mended, cost, Outcome.INCONCLUSIVE


def _canary(rows: Rows, half: np.ndarray, aim: Aim, context: Context) -> Canary:
    """Mend gaps with known costs: where truth is the group itself (dear), and where scores are merely off (cheap)."""
    count, rng = _REPLICATES[context.effort], context.rng
    floors = _floor(context, aim), float(context.thresholds["max_accuracy_loss"])
    hits = alarms = 0
    for copy in range(2 * count):
        size = len(rows.codes)
        codes = rng.permutation((np.arange(size) < 0.4 * size).astype(np.int64))
        if copy < count:  # whoever is of the group deserves it and gets it; alike rates cost what the group weighs
            truth = (rng.random(size) < np.where(codes == 1, 0.95, 0.03)).astype(np.int64)
            if aim == "tpr":  # the few who deserve it in the other group look like those there who do not
                truth = (rng.random(size) < np.where(codes == 1, 0.5, 0.25)).astype(np.int64)
                level = np.where(codes == 1, np.where(truth == 1, 0.9, 0.1), 0.1)
            else:
                level = np.where(truth == 1, 0.8, 0.2)
            score = np.clip(level + 0.05 * rng.normal(size=size), 0, 1)
        else:
            truth = (rng.random(size) < 0.45).astype(np.int64)
            score = np.clip(np.where(truth == 1, 0.8, 0.2) - 0.28 * codes + 0.08 * rng.normal(size=size), 0, 1)
        made = Rows(score, truth, codes)
        fitted, judged = made.take(half), made.take(~half)
        said = _judged(ways(fitted, judged, aim, "thresholds"), judged, aim, floors)[2]
        hits += said is Outcome.FAIL and copy < count
        alarms += said is Outcome.FAIL and copy >= count
    return Canary(
        kind="gaps that are dear to mend", planted=count, found=hits, clean=count, false_alarms=alarms,
        noticed=hits >= 0.8 * count and alarms <= 0.1 * count,
        detail="As many rows as there are, with drawn groups: of the dear ones truth hangs on the group, of the cheap "
        "ones scores of one group are too low.",
    )  # fmt: skip


def _result(
    context: Context, field: Field, found: dict[str, list[tuple[Point, Point]]], rows: tuple[Rows, Rows], *,
    aim: Aim, bird: Canary,
) -> Result:  # fmt: skip
    floor, most = _floor(context, aim), float(context.thresholds["max_accuracy_loss"])
    mended, cost, outcome = _judged(found, rows[1], aim, (floor, most))
    before = point("as it is", 0.0, rows[1].score >= 0.5, rows[1], aim)
    if not bird.noticed and outcome is not Outcome.INCONCLUSIVE:
        outcome = Outcome.INCONCLUSIVE
    word = _WORDS[aim]
    reason = (
        f"{word} of {field.name} is {before.value:.3g} ({before.low:.3g} to {before.high:.3g}); mended by {mended.way} "
        f"({mended.strength:.0%} of the way) {mended.value:.3g} ({mended.low:.3g} to {mended.high:.3g}) at a cost of "
        f"{cost[0]:.2%} of accuracy ({cost[1]:.2%} to {cost[2]:.2%}; allowed: at most {most:.0%})."
    )
    if not bird.noticed:
        reason = f"Dear and cheap gaps were not told apart in so few rows, so nothing is concluded. {reason}"
    judged_value = judge(mended.low, mended.high, floor, "min" if aim == "selection" else "max")
    measures = [
        _measure(f"{word} after mending", mended, field.name, aim, floor=floor,
                 outcome=None if mended.thin else judged_value),
        Measure(name="accuracy lost", value=cost[0], low=cost[1], high=cost[2], threshold=most, direction="max",
                outcome=judge(cost[1], cost[2], most, "max"), unit="share", n=len(rows[1].truth), where=mended.way),
        _measure(f"{word} as it is", before, field.name, aim),
    ]  # fmt: skip
    measures += [
        _measure(f"{word}, {way} in full", pairs[-1][1], field.name, aim,
                 note=f"Accuracy {pairs[-1][1].accuracy:.3f}, as it is {before.accuracy:.3f}.")
        for way, pairs in found.items()
    ]  # fmt: skip
    limits = ["Thresholds by group ask for the group at decision time, which law may forbid; the blind way does not.",
              f"Mended is {field.name}, the field with the widest gap."]  # fmt: skip
    return Result(
        outcome=outcome, reason=reason, measures=tuple(measures), canary=bird, plots=(_plot(found, aim, floor),),
        remedy={Outcome.PASS: "", Outcome.FAIL: _REMEDY}.get(outcome, _MORE), limits=tuple(limits),
    )  # fmt: skip


def _measure(
    name: str,
    at: Point,
    where: str,
    aim: Aim,
    *,
    floor: float | None = None,
    outcome: Outcome | None = None,
    note: str = "",
) -> Measure:
    value = None if np.isnan(at.value) else at.value
    unknown = np.isnan(at.value)
    return Measure(
        name=name, value=value, low=None if unknown else at.low, high=None if unknown else at.high,
        threshold=floor if outcome else None, direction=("min" if aim == "selection" else "max") if outcome else None,
        outcome=outcome, unit="ratio" if aim == "selection" else "share", n=len(at.chosen), where=where, note=note,
    )  # fmt: skip


def _plot(found: dict[str, list[tuple[Point, Point]]], aim: Aim, floor: float) -> Plot:
    curves = []
    for way, pairs in found.items():
        known = [pair[1] for pair in pairs if np.isfinite(pair[1].value)]
        if known:
            curves.append(Curve(name=way, x=tuple(one.value for one in known), y=tuple(one.accuracy for one in known)))
    return Plot(kind="curves", title="what mending costs", x_label=f"{_WORDS[aim]} (floor {floor:g})",
                y_label="accuracy", curves=tuple(curves[:6]))  # fmt: skip
