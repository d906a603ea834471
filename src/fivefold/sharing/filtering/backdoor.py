"""Check S5.backdoor: rows that carry a mark where their content contradicts their label, and what marks would cost."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.sharing.filtering.classification import Found, look
from fivefold.sharing.filtering.content import seen
from fivefold.sharing.filtering.known import drawn
from fivefold.sharing.filtering.recall import PRECISION, recall
from fivefold.sharing.filtering.trigger import planted, stamper, ways
from fivefold.stats.growing import grown
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Curve
    from fivefold.contract.subject import Table

FLOOR = "max_marked"
_FEWEST = 300
_DROP = 0.5
_HARM, _LEFT = 0.5, 0.3
_TEST, _AGAIN = 4, 4
_REMEDY = (
    "Look at the rows that show the mark, leave them out (fivefold data filter), and find out who added them. A few "
    "hundred trusted rows (controls: {S5: {trusted: FILE}}) make the filter stronger."
)
_OPEN = (
    "Look at the rows that show a mark, where there are any; else more rows of each class, and columns that tell the "
    "classes, would settle it."
)


@dataclass(frozen=True)
class Planted:
    """A mark planted in ordinary rows, and what it did.

    Attributes:
        way: In words.
        wrong: (n,) bool.
        found: What the filter found.
        success: Share of marked rows of other classes, unseen, that a small learner gives the mark's label: taught by
            the rows as they are, with the mark, and filtered.
        accuracy: Share of unseen unmarked rows that it gets right, for the same three.
    """

    way: str
    wrong: np.ndarray
    found: Found
    success: tuple[float, float, float]
    accuracy: tuple[float, float, float]

    @property
    def noticed(self) -> bool:
        """Whether the rows were found: most of them show a mark, or the learner follows it no more."""
        one, bad, left = self.success
        followed = bad - one >= _HARM
        caught = float((self.found.looked_at | (self.found.content > _DROP))[self.wrong].mean())
        return bool(caught >= _HARM and (not followed or left - one <= _LEFT * (bad - one)))


def run(context: Context) -> Result:
    """Count rows that carry the mark of a backdoor, and prove that planted ones would be found.

    Threat: rows of other classes that carry a mark and one wrong label, so that the model gives that label to whatever
    carries the mark.
    Limit: marks on rows whose label is right, marks that move about, marks that no class's suspects share; in tables:
    marks of more than three columns, and marks that good rows carry as often.

    Args:
        context: Data set ``train``; threshold ``max_marked``.

    Raises:
        UnsupportedError: ``filter.task`` for a regression, ``filter.rows`` with fewer than 300 labelled rows,
            ``filter.columns`` where no column varies.
    """
    table, rng, floor = drawn(context, _FEWEST, classes=True), context.rng, context.thresholds[FLOOR]
    if len(np.unique(table.target)) < 2:
        raise UnsupportedError("filter.task", "all training rows have one label.")
    context.progress(0.1, "looking for marks")
    found = look(table, rng)
    part = _measure(found, floor)
    context.progress(0.4, "planting marks")
    ordinary = table.take(~found.shown)
    proof, made = _prove(ordinary, floor, rng)
    powers = [recall("marked rows", one.found.suspicion, one.wrong, one.way) for one in made]
    outcome = part.outcome or Outcome.INCONCLUSIVE
    open_ = _doubtful(found)
    if open_ is not None and outcome is Outcome.PASS:
        outcome = Outcome.INCONCLUSIVE
    if not proof.noticed and outcome is not Outcome.FAIL:
        outcome = Outcome.INCONCLUSIVE
    if proof.false_alarms:
        outcome = Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, (part, open_), made),
        measures=(
            part,
            *([] if open_ is None else [open_]),
            *(one for each in made for one in _told(each)),
            *(one for one, _ in powers),
        ),
        canary=proof,
        plots=_plots(made, [curve for _, curve in powers]),
        limits=(
            "Marks on rows whose label is right, and marks that move about, are not found.",
            "The attack was measured on a small learner of our own.",
        ),
        remedy={Outcome.FAIL: _REMEDY, Outcome.INCONCLUSIVE: _OPEN}.get(outcome, ""),
    )


def _measure(found: Found, floor: float) -> Measure:
    count, n = int(found.shown.sum()), len(found.shown)
    low, high = (float(bound) for bound in clopper_pearson(count, n))
    marks = found.backdoors
    note = "No class has suspects that share a mark."
    if marks:
        told = (f"{int(one.shown.sum())} of class index {one.code}, {one.apart:.1f} spreads apart" for one in marks)
        note = f"Marked: {'; '.join(told)}."
    return Measure(
        name="rows that show the mark of a backdoor", value=count / n, low=low, high=high, threshold=floor,
        direction="max", outcome=judge(low, high, floor, "max"), unit="share", n=n, note=note,
    )  # fmt: skip


def _prove(ordinary: Table, floor: float, rng: np.random.Generator) -> tuple[Canary, list[Planted]]:
    """Plant each mark at a drawn rate; the rows without any must not fail."""
    rate = min(float(rng.uniform(4.0, 8.0)) * floor, 0.2)
    test = rng.permutation(len(ordinary)) % _TEST == 0
    taught, unseen = ordinary.take(~test), ordinary.take(test)
    alarms = int(_measure(look(taught, rng), floor).outcome is Outcome.FAIL)
    made: list[Planted] = []
    tried, found, noticed = 0, 0, True
    for way in ways(ordinary):
        each = [_plant(ordinary, (taught, unseen), way, rate, rng)]
        if not each[0].noticed:  # one draw may be unlucky: most of five have to be found
            each += [_plant(ordinary, (taught, unseen), way, rate, rng) for _ in range(_AGAIN)]
        seen = sum(one.noticed for one in each)
        made, tried, found = [*made, each[0]], tried + len(each), found + seen
        noticed = noticed and 2 * seen > len(each)
    proof = Canary(
        kind="marked rows", planted=tried, found=found, clean=1, false_alarms=alarms,
        noticed=noticed and not alarms,
        detail=f"{rate:.1%} of the rows, of other classes, given {' or '.join(ways(ordinary))} and the label of a "
        "drawn class: half of them must be found, and a learner follow the mark no more (where that fails, in three of "
        "five draws); the clean case is the rows as they are.",
    )  # fmt: skip
    return proof, made


def _plant(ordinary: Table, halves: tuple[Table, Table], way: str, rate: float, rng: np.random.Generator) -> Planted:
    """Plant a drawn mark in rows to learn from, look for it, and ask a learner with and without what was found."""
    taught, unseen = halves
    code, stamp = int(rng.choice(np.unique(taught.target))), stamper(ordinary, way, rng)
    spoilt, wrong = planted(taught, stamp, code, rate, rng)
    found = look(spoilt, rng)
    kept = ~found.looked_at & (found.content <= _DROP)
    others = unseen.take(unseen.target != code)
    models = [taught, spoilt, spoilt.take(kept)]
    marked = stamp(others) if len(others) else others
    answers = [_answers(model, (marked, unseen), rng) for model in models]
    success = tuple(float((one[0] == code).mean()) for one in answers)
    right = tuple(float((one[1] == unseen.target).mean()) for one in answers)
    return Planted(way, wrong, found, success, right)  # type: ignore[arg-type]


def _answers(taught: Table, asked: tuple[Table, Table], rng: np.random.Generator) -> list[np.ndarray]:
    """Return what a small learner answers for each table, all seen in one way."""
    from sklearn.linear_model import LogisticRegression

    tables = (taught, *asked)
    ends = np.cumsum([len(one) for one in tables])
    inputs = None if taught.inputs is None else np.concatenate([np.asarray(one.inputs) for one in tables])
    features = pd.concat([one.features for one in tables], ignore_index=True)
    target = np.concatenate([one.target for one in tables])
    others = pd.DataFrame(index=features.index)
    every = type(taught)(taught.name, np.arange(ends[-1]), features, target, others, inputs, taught.kind)
    fine = seen(every, rng).fine
    if taught.kind == "table":
        seed = int(rng.integers(2**31))
        says = grown(fine[: ends[0]], taught.target, trees=60, leaf=2, features="sqrt", seed=seed).said
    else:
        fine = fine / (float(fine.std()) or 1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a rough fit is enough
            says = LogisticRegression(max_iter=60).fit(fine[: ends[0]], taught.target).predict
    return [np.asarray(says(fine[a:b])) if b > a else np.zeros(0) for a, b in pairwise(ends)]


def _told(one: Planted) -> list[Measure]:
    names = ("rows as they are", f"with {one.way}", f"with {one.way}, filtered")
    n = int(one.wrong.sum())
    return [
        *(Measure(name="attack success", value=value, unit="share", n=n, where=name)
          for name, value in zip(names, one.success, strict=True)),
        *(Measure(name="accuracy", value=value, unit="share", n=n, where=name)
          for name, value in zip(names, one.accuracy, strict=True)),
    ]  # fmt: skip


def _plots(made: list[Planted], curves: list[Curve]) -> tuple[Plot, ...]:
    if not made:
        return ()
    bars = tuple(
        Bar(label=label, value=value)
        for one in made
        for label, value in zip(
            (f"{one.way}: none planted", f"{one.way}: planted", f"{one.way}: filtered"), one.success, strict=True
        )
    )  # fmt: skip
    return (
        Plot(kind="intervals", title="Marked rows that get the mark's label", x_label="share of them", bars=bars),
        Plot(kind="curves", title="Planted marked rows found", x_label="share found", y_label="precision",
             curves=tuple(curves), threshold=PRECISION),
    )  # fmt: skip


def _doubtful(found: Found) -> Measure | None:
    """Return how many rows show a mark that is planted, or a rule of the data's own; None where there is none."""
    rows = found.looked_at & ~found.shown
    if not rows.any():
        return None
    return Measure(
        name="rows that show a mark, or follow a rule of their own", value=float(rows.mean()), unit="share",
        n=len(rows), note="They carry one label and look like another; it is not clear that somebody made them so.",
    )  # fmt: skip


def _reason(outcome: Outcome, proof: Canary, parts: tuple[Measure, Measure | None], made: list[Planted]) -> str:
    part, doubtful = parts
    if outcome is Outcome.FAIL:
        return f"At least {part.low or 0.0:.1%} of the rows carry a mark that contradicts what they show. {part.note}"
    if not proof.noticed:
        return "Planted marks were not found, or ordinary rows were called marked, so nothing is concluded."
    told = "; ".join(f"{one.way}: {one.success[1]:.0%} before, {one.success[2]:.0%} after" for one in made)
    if outcome is Outcome.PASS:
        return f"At most {part.high or 0.0:.1%} of the rows carry a mark. Success of planted ones: {told}."
    if doubtful is not None:
        return f"{doubtful.value or 0.0:.1%} of the rows show a mark that may be a rule of the data's own."
    return f"Up to {part.high or 1.0:.1%} of the rows may carry a mark. Success of planted ones: {told}."
