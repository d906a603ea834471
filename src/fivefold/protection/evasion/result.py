"""Result: what fell, once confirmed, in figures, words and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Canary
    from fivefold.protection.evasion.hunt import Hunt
    from fivefold.protection.evasion.setting import Setting

FLOOR = "min_robust_accuracy"
_SHRUNK = (0.25, 0.5, 0.75)
_CLASSES = 6
_POINTS = 60

_REMEDY = {
    Outcome.FAIL: "Train with changed rows (`model train --robust`), coarsen or cap the features named in the ranges, "
    "declare what people cannot change as `immutable`, or put a detector in front (P1).",
    Outcome.INCONCLUSIVE: "Bring more test rows, or assess with more effort.",
}


@dataclass(frozen=True)
class Fell:
    """What became of the rows that were attacked (those answered rightly).

    Attributes:
        fallen: (m,) bool, confirmed by asking again.
        at: (m,) questions asked for each row.
        shares: Shares of epsilon.
        within: (len(shares), m) bool, whether the same change, shrunk so far, already changes the answer.
        unsteady: Rows whose answer changed when the same was asked again.
        asked: Rows asked of the model in all.
        rising: Share of attacked rows that fell in the last quarter of their questions.
        doubt: Why the attack may be too weak; empty: no sign of it.
    """

    fallen: np.ndarray
    at: np.ndarray
    shares: tuple[float, ...]
    within: np.ndarray
    unsteady: int
    asked: int
    rising: float
    doubt: str = ""


def confirm(setting: Setting, right: np.ndarray, hunt: Hunt) -> Fell:
    """Ask again for what fell (a model may flicker), and for the same changes shrunk."""
    rows = np.flatnonzero(hunt.fallen)
    fallen, oracle, unsteady = hunt.fallen.copy(), setting.oracle, 0
    if len(rows) and not oracle.refuses and oracle.can(2 * len(rows)):
        again = oracle(np.concatenate([hunt.found[rows], hunt.start[rows]]), np.tile(right[rows], 2))
        held = hunt.goal.met(rows, again[: len(rows)]) & ~hunt.goal.met(rows, again[len(rows) :])
        unsteady = int((~held).sum())
        fallen[rows[~held]] = False
        rows = rows[held]
    shares, within = [], []
    for part in _SHRUNK:
        if not len(rows) or not oracle.can(len(rows)):
            break
        moved = hunt.start[rows] + part * (hunt.found[rows] - hunt.start[rows])
        low, high = setting.space.ball(hunt.start[rows], part * hunt.limit.epsilon)
        moved = setting.space.settle(moved, hunt.start[rows], low, high)
        values = np.where(setting.space.swaps, hunt.found[rows], np.where(setting.space.moves, moved, hunt.start[rows]))
        mask = np.zeros(len(fallen), dtype=bool)
        mask[rows] = hunt.goal.met(rows, oracle(values, right[rows]))
        shares.append(part)
        within.append(mask)
    late = float((fallen & (hunt.spent > 0.75 * hunt.limit.queries)).sum()) / max(len(fallen), 1)
    return Fell(
        fallen,
        hunt.spent,
        tuple(shares),
        np.array(within).reshape(len(shares), len(fallen)),
        unsteady,
        oracle.asked,
        late,
    )


def result(
    setting: Setting, answers: np.ndarray, right: np.ndarray, fell: Fell, *, proof: Canary, context: Context
) -> Result:
    """Judge robust accuracy over all sampled rows.

    Args:
        setting: What was attacked.
        answers: (n,) the model's answers.
        right: Positions of rows that were answered rightly.
        fell: What became of them.
        proof: Canary.
        context: Floors and classes.
    """
    n, floor = len(answers), context.thresholds[FLOOR]
    robust = np.zeros(n, dtype=bool)
    robust[right[~fell.fallen]] = True
    main = share("robust accuracy", robust, floor=floor, note=_given(setting))
    outcome, reason = _decide(main, fell, proof, len(right) / n, floor)
    if outcome is Outcome.INCONCLUSIVE:
        main = share("robust accuracy", robust, floor=floor, note=_given(setting), outcome=outcome)
    is_right = np.isin(np.arange(n), right)
    shown = [
        share("accuracy without an attack", is_right),
        share(
            "attack success rate", fell.fallen, note="Of the rows that the model answers rightly.", empty=not len(right)
        ),
        *_classes(setting, is_right, robust, context),
        Measure(
            name="questions per row that fell",
            value=float(np.median(fell.at[fell.fallen])) if fell.fallen.any() else None,
            n=int(fell.fallen.sum()),
            note="The median; questions about public rows are not counted.",
        ),
        Measure(name="questions in all", value=float(fell.asked), unit="rows", n=fell.asked),
    ]
    return Result(
        outcome=outcome,
        reason=reason,
        measures=(main, *shown),
        canary=proof,
        plots=_plots(setting, robust, right, fell, floor),
        limits=_limits(setting, fell),
        remedy=_REMEDY.get(outcome, ""),
    )


def _given(setting: Setting) -> str:
    limit = setting.limit
    swaps = f", {limit.swaps:g} swapped categories" if setting.space.swaps.any() else ""
    return f"{setting.space.told(limit.epsilon)}{swaps}; at most {limit.queries} questions a row."


def share(
    name: str,
    hits: np.ndarray,
    *,
    floor: float | None = None,
    note: str = "",
    outcome: Outcome | None = None,
    where: str = "",
    empty: bool = False,
) -> Measure:
    """Return the share of ``hits``, (n,) bool, with exact bounds, judged against a smallest value if one is given."""
    if empty or not len(hits):
        return Measure(name=name, n=0, where=where, note="There are no such rows.")
    low, high = (float(one) for one in clopper_pearson(int(hits.sum()), len(hits)))
    judged = None if floor is None else outcome or judge(low, high, floor, "min")
    return Measure(
        name=name,
        value=float(hits.mean()),
        low=low,
        high=high,
        threshold=floor,
        direction=None if floor is None else "min",
        outcome=judged,
        unit="share",
        n=len(hits),
        where=where,
        note=note,
    )


def _decide(main: Measure, fell: Fell, proof: Canary, clean: float, floor: float) -> tuple[Outcome, str]:
    text = (
        f"The model is right on {clean:.1%} of {main.n} rows, and still on {main.value or 0.0:.1%} "
        f"({main.low or 0.0:.1%} to {main.high or 0.0:.1%}) after the attack; the floor is {floor:.1%}."
    )
    if clean < floor:
        text += " It is below the floor without any attack."
    if not proof.noticed:
        told = "The planted model did not fall as it must, or a model that cannot fall did; the attack is not believed."
        return Outcome.INCONCLUSIVE, f"{told} {text}"
    outcome = main.outcome or Outcome.INCONCLUSIVE
    if outcome is Outcome.PASS and fell.doubt:
        return Outcome.INCONCLUSIVE, f"{fell.doubt} {text}"
    if outcome is Outcome.PASS and (main.low or 0.0) - fell.rising * clean <= floor:
        told = f"{fell.rising:.1%} of the rows fell in the last quarter of the questions: more would fell more."
        return Outcome.INCONCLUSIVE, f"{told} {text}"
    return outcome, text


def _classes(setting: Setting, right: np.ndarray, robust: np.ndarray, context: Context) -> list[Measure]:
    """Return robust accuracy in each class: in rare classes it may be quite another than over all rows."""
    classes = setting.subject.classes
    target, alarm = setting.sample.target, context.settings.alarm
    some = range(len(classes)) if len(classes) <= _CLASSES else [alarm] if alarm is not None else []
    found = []
    for code in some:
        mine = target == code
        if mine.any():
            told = "the class to detect" if code == alarm else ""
            note = f"{told}{'; ' if told else ''}without an attack {right[mine].mean():.1%}."
            found.append(share("robust accuracy", robust[mine], where=f"class {classes[code]}", note=note))
    return found


def _plots(setting: Setting, robust: np.ndarray, right: np.ndarray, fell: Fell, floor: float) -> tuple[Plot, ...]:
    n = len(robust)
    clean, most = len(right) / n, setting.limit.queries
    grid = np.unique(np.round(np.geomspace(1, most, _POINTS)))
    by_question = tuple(clean - float((fell.fallen & (fell.at <= x)).sum()) / n for x in grid)
    plots = [
        Plot(
            kind="curves",
            title="Robust accuracy against the questions that an attacker asks",
            x_label="questions per row",
            y_label="robust accuracy",
            curves=(Curve(name="this attack", x=(0.0, *grid.tolist()), y=(clean, *by_question)),),
            threshold=floor,
        )
    ]
    if fell.shares:
        x = (0.0, *(part * setting.limit.epsilon for part in fell.shares), setting.limit.epsilon)
        y = (clean, *(clean - float(mask.sum()) / n for mask in fell.within), float(robust.mean()))
        plots.append(
            Plot(
                kind="curves",
                title="Robust accuracy against the size of the change (for smaller changes an upper bound)",
                x_label="epsilon, share of each range",
                y_label="robust accuracy",
                curves=(Curve(name="this attack", x=x, y=y),),
                threshold=floor,
            )
        )
    return tuple(plots)


def _limits(setting: Setting, fell: Fell) -> tuple[str, ...]:
    space = setting.space
    told = ["A stronger attack may fell more rows: the figure bounds this attack, with this budget."]
    if setting.total > len(setting.values):
        told.append(f"{len(setting.values)} of {setting.total} rows were drawn at random.")
    kept = int((~space.moves & ~space.swaps).sum())
    if kept:
        told.append(f"{kept} of {len(space.moves)} features are left as they are (immutable, constant or free text).")
    stuck = int((space.moves & (space.step > 0) & (setting.limit.epsilon * space.unit < space.cost * space.step)).sum())
    if stuck:
        told.append(f"{stuck} features of whole numbers have so small a range that epsilon allows no step.")
    if fell.unsteady:
        told.append(f"{fell.unsteady} changed answers did not hold when asked again, and are not counted.")
    return (*told, *setting.notes)
