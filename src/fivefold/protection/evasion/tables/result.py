"""Result: what fell, asked again and held against the validator, in figures, words and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson
from fivefold.subject.possible.faults import faults

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Canary
    from fivefold.protection.evasion.tables.layout import Layout
    from fivefold.protection.evasion.tables.search import Search

FLOOR = "min_robust_accuracy"
_POINTS = 60
_CLASSES = 6
_SHARES = (0.25, 0.5, 0.75)
_LATE = 0.75

_REMEDY = {
    Outcome.FAIL: "Train again with attacked rows among the training rows, coarsen or cap the fields that carry the "
    "attack, have what people state of them confirmed, or declare what they cannot change as `immutable`.",
    Outcome.INCONCLUSIVE: "Bring more test rows, or assess with more effort.",
}


@dataclass(frozen=True)
class Fell:
    """What became of the m rows that were attacked.

    Attributes:
        fallen: (m,) bool, confirmed.
        price: (m,) cost of the cheapest change found; infinity where there is none.
        at: (m,) question at which each first fell.
        unsteady: Rows whose changed answer did not hold when asked again.
        faults: What the validator found wrong: words to a count of rows.
        carried: Name of a field to the share of fallen rows in which it was changed.
        late: Share of attacked rows that fell in the last quarter of their questions.
        asked: Rows asked in all.
    """

    fallen: np.ndarray
    price: np.ndarray
    at: np.ndarray
    unsteady: int
    faults: dict[str, int]
    carried: dict[str, float]
    late: float
    asked: int


def confirm(layout: Layout, right: np.ndarray, searches: list[Search]) -> Fell:
    """Ask again for what fell, and have every changed row looked at by the validator.

    Args:
        layout: What was attacked.
        right: (m,) positions in the sample.
        searches: Over these rows, in order.
    """
    given, oracle = layout.given, layout.given.oracle
    fallen = np.concatenate([one.fallen for one in searches]) if searches else np.zeros(0, dtype=bool)
    if not len(fallen):
        return Fell(fallen, np.zeros(0), np.zeros(0), 0, {}, {}, 0.0, oracle.asked)
    found, price, at = (np.concatenate([getattr(one, key) for one in searches]) for key in ("found", "price", "at"))
    rows, unsteady = np.flatnonzero(fallen), 0
    start = given.values[right]
    goal = given.goal(layout.answers[right])
    if len(rows) and not oracle.refuses and oracle.can(2 * len(rows)):
        again = oracle(np.concatenate([found[rows], start[rows]]), np.tile(right[rows], 2))
        held = goal.met(rows, again[: len(rows)]) & ~goal.met(rows, again[len(rows) :])
        unsteady = int((~held).sum())
        fallen[rows[~held]] = False
        rows = rows[held]
    wrong = _wrong(layout, right[rows], found[rows])
    bad = np.any(list(wrong.values()), axis=0) if wrong else np.zeros(len(rows), dtype=bool)
    fallen[rows[bad]] = False
    names = [str(column.name) for column in layout.domain.space.columns]
    moved = (found[rows] != start[rows]) & ~(np.isnan(found[rows]) & np.isnan(start[rows]))
    share = moved.mean(axis=0) if len(rows) else np.zeros(len(names))
    late = (fallen & (at > _LATE * layout.purse.queries)).mean()
    return Fell(
        fallen, np.where(fallen | (price > layout.purse.budget), price, np.inf), at, unsteady,
        {what: int(one.sum()) for what, one in wrong.items() if one.any()},
        {names[i]: float(share[i]) for i in np.argsort(-share, kind="stable")[:3] if share[i] > 0},
        float(late), oracle.asked,
    )  # fmt: skip


def _wrong(layout: Layout, rows: np.ndarray, found: np.ndarray) -> dict[str, np.ndarray]:
    if not len(rows):
        return {}
    given, domain = layout.given, layout.domain
    names = [column.name for column in domain.space.columns]
    before = given.sample.features.iloc[rows].reset_index(drop=True)
    after = given.space.decode(found, rows, given.sample).features
    groups = [[str(names[at]) for at in block.columns] for block in domain.blocks if len(block.columns) > 1]
    told = faults(before, after, layout.seen(), layout.declared, rules=domain.rules, groups=groups)
    told["cost"] = domain.cost(given.values[rows], found) > layout.purse.budget * (1 + 1e-6)
    return told


def result(layout: Layout, right: np.ndarray, fell: Fell, proof: Canary, context: Context) -> Result:
    """Judge robust accuracy over all sampled rows.

    Args:
        layout: What was attacked.
        right: (m,) positions of rows that are answered rightly.
        fell: What became of them.
        proof: Canary.
        context: Floor and classes.
    """
    n, floor = len(layout.answers), context.thresholds[FLOOR]
    robust = np.zeros(n, dtype=bool)
    robust[right[~fell.fallen]] = True
    main = _share("robust accuracy", robust, floor=floor, note=_given(layout))
    outcome, reason = _decide(main, fell, proof, len(right) / n, floor)
    if outcome is not main.outcome:
        main = _share("robust accuracy", robust, floor=floor, note=_given(layout), outcome=outcome)
    is_right = np.isin(np.arange(n), right)
    dearest = fell.price[np.isfinite(fell.price)]
    shown = [
        _share("accuracy without an attack", is_right),
        _share("attack success rate", fell.fallen, note="Of the rows that the model answers rightly."),
        Measure(
            name="possible rows", unit="share", n=int(fell.fallen.sum()) + sum(fell.faults.values()),
            value=1.0 if not fell.faults else 1.0 - min(1.0, sum(fell.faults.values()) / max(1, len(fell.fallen))),
            note="Of the changed rows that fell, by a validator that shares no code with the attack.",
        ),
        *(_share("robust accuracy", _within(n, right, fell, share * layout.purse.budget),
                 where=f"budget {share * layout.purse.budget:g}", note="An upper bound: the attack aimed at all of it.")
          for share in _SHARES),
        *_classes(layout, is_right, robust, context),
        Measure(
            name="cost to the attacker", value=float(np.median(dearest)) if len(dearest) else None, n=len(dearest),
            note="The median over rows for which a change was found at all; 1 is a number's whole range.",
        ),
        Measure(
            name="questions per row that fell", n=int(fell.fallen.sum()),
            value=float(np.median(fell.at[fell.fallen])) if fell.fallen.any() else None,
            note="The median; questions about known rows are not counted.",
        ),
        Measure(name="questions in all", value=float(fell.asked), unit="rows", n=fell.asked),
        *(Measure(name="changed in fallen rows", where=name, value=share, unit="share", n=int(fell.fallen.sum()))
          for name, share in fell.carried.items()),
    ]  # fmt: skip
    return Result(
        outcome=outcome, reason=reason, measures=(main, *shown), canary=proof,
        plots=_plots(layout, right, fell, n, floor), limits=_limits(layout, fell), remedy=_REMEDY.get(outcome, ""),
    )  # fmt: skip


def _within(n: int, right: np.ndarray, fell: Fell, budget: float) -> np.ndarray:
    robust = np.zeros(n, dtype=bool)
    robust[right] = fell.price > budget * (1 + 1e-9)
    return robust


def _given(layout: Layout) -> str:
    known = "with scores" if layout.model.scored else "with answers alone"
    return (
        f"Changes of one row cost at most {layout.purse.budget:g}; at most {layout.purse.queries} questions, {known}."
    )


def _share(
    name: str, hits: np.ndarray, *, floor: float | None = None, note: str = "", where: str = "",
    outcome: Outcome | None = None,
) -> Measure:  # fmt: skip
    if not len(hits):
        return Measure(name=name, n=0, where=where, note="There are no such rows.")
    low, high = (float(one) for one in clopper_pearson(int(hits.sum()), len(hits)))
    judged = None if floor is None else outcome or judge(low, high, floor, "min")
    return Measure(
        name=name, value=float(hits.mean()), low=low, high=high, threshold=floor, outcome=judged, unit="share",
        direction=None if floor is None else "min", n=len(hits), where=where, note=note,
    )  # fmt: skip


def _decide(main: Measure, fell: Fell, proof: Canary, clean: float, floor: float) -> tuple[Outcome, str]:
    text = (
        f"The model is right on {clean:.1%} of {main.n} rows, and still on {main.value or 0.0:.1%} "
        f"({main.low or 0.0:.1%} to {main.high or 0.0:.1%}) after the attack; the floor is {floor:.1%}."
    )
    if clean < floor:
        text += " It is below the floor without any attack."
    if fell.faults:
        told = ", ".join(f"{what} ({count})" for what, count in fell.faults.items())
        return Outcome.INCONCLUSIVE, f"The attack made rows that cannot be: {told}; it is not believed. {text}"
    if not proof.noticed:
        told = "The planted model did not fall as it must, or a model that cannot fall did; the attack is not believed."
        return Outcome.INCONCLUSIVE, f"{told} {text}"
    outcome = main.outcome or Outcome.INCONCLUSIVE
    if outcome is Outcome.PASS and (main.low or 0.0) - fell.late * clean <= floor:
        told = f"{fell.late:.1%} of the rows fell in the last quarter of the questions: more would fell more."
        return Outcome.INCONCLUSIVE, f"{told} {text}"
    return outcome, text


def _classes(layout: Layout, right: np.ndarray, robust: np.ndarray, context: Context) -> list[Measure]:
    classes, target = layout.given.subject.classes, layout.given.sample.target
    alarm = context.settings.alarm
    found = []
    for code in range(len(classes)) if len(classes) <= _CLASSES else [alarm] if alarm is not None else []:
        mine = target == code
        if mine.any():
            told = "the class to detect; " if code == alarm else ""
            note = f"{told}without an attack {right[mine].mean():.1%}."
            found.append(_share("robust accuracy", robust[mine], where=f"class {classes[code]}", note=note))
    return found


def _plots(layout: Layout, right: np.ndarray, fell: Fell, n: int, floor: float) -> tuple[Plot, ...]:
    clean, budget = len(right) / n, layout.purse.budget
    grid = np.linspace(0.0, budget, _POINTS)
    by_cost = tuple(clean - float((fell.price <= x * (1 + 1e-9)).sum()) / n for x in grid)
    asked = np.unique(np.round(np.geomspace(1, layout.purse.queries, _POINTS)))
    by_question = tuple(clean - float((fell.fallen & (fell.at <= x)).sum()) / n for x in asked)

    def plot(title: str, label: str, x: np.ndarray, y: tuple[float, ...]) -> Plot:
        curve = Curve(name="this attack", x=tuple(x.tolist()), y=y)
        return Plot(
            kind="curves", title=title, x_label=label, y_label="robust accuracy", curves=(curve,), threshold=floor
        )

    return (
        plot("Robust accuracy against what an attacker spends on a row (an upper bound)", "cost", grid, by_cost),
        plot("Robust accuracy against the questions that he asks", "questions per row", asked, by_question),
    )


def _limits(layout: Layout, fell: Fell) -> tuple[str, ...]:
    domain, given = layout.domain, layout.given
    told = ["A stronger attack may fell more rows: the figure bounds this attack, with this budget."]
    if given.total > len(given.values):
        told.append(f"{len(given.values)} of {given.total} rows were drawn at random.")
    moved = len(domain.numbers) + sum(len(block.columns) for block in domain.blocks)
    if moved < len(domain.unit):
        told.append(f"{len(domain.unit) - moved} of {len(domain.unit)} fields are left as they are.")
    dear = sum(block.price > layout.purse.budget for block in domain.blocks)
    if dear:
        told.append(f"The budget buys no swap of {dear} of {len(domain.blocks)} categories.")
    if not domain.rules:
        told.append("No `rules:` across fields are declared: changed rows may contradict themselves.")
    if fell.unsteady:
        told.append(f"{fell.unsteady} changed answers did not hold when asked again, and are not counted.")
    return (*told, *domain.notes, *given.notes)
