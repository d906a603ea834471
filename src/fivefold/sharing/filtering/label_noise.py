"""Check S5.label-noise: the share of wrong labels, told where the features leave no doubt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.sharing.filtering.columns import alike, encoded
from fivefold.sharing.filtering.harm import harm
from fivefold.sharing.filtering.known import drawn
from fivefold.sharing.filtering.recall import PRECISION, recall
from fivefold.sharing.filtering.suspects import Opinion, opinion
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context

FLOOR = "max_mislabelled"
_FEWEST = 200
_FEW = 60
_RARE = 30
_SURE = 0.5
_GUESS = 0.27
_OF_SUREST = 1.4
_OF_SURE = 1.3
_SHOWN = 12
_FLAGGED = 0.5
_REMEDY = (
    "Look at the rows whose label the others contradict most, correct or drop them, and find out how wrong labels got "
    "in: who labels, which step joins labels to rows."
)

_OPEN = (
    "No label is known to be wrong. Features that tell the classes better would settle it; until then look at some of "
    "the rows whose label the others contradict most."
)


@dataclass(frozen=True)
class Region:
    """Rows of one expected class (or of all) whose class the features tell surely.

    Attributes:
        where: Which class; ``all classes``.
        bad: Sure rows with another label.
        n: Sure rows.
        surest_bad: Those of ``bad`` among the surer half of the sure rows.
        surest_n: Rows of that surer half.
        contradicted: Share of all rows of that expected class with another label, sure or not.
        failing: Confidence of a failure, corrected for the number of classes.
    """

    where: str
    bad: int
    n: int
    surest_bad: int
    surest_n: int
    contradicted: float
    failing: float

    @property
    def share(self) -> float:
        """Contradicted labels of the sure rows."""
        return self.bad / self.n if self.n else 0.0

    @property
    def low(self) -> float:
        """Corrected lower bound of :attr:`share`."""
        return float(clopper_pearson(self.bad, self.n, self.failing)[0])

    def flat(self, floor: float) -> bool:
        """Return whether contradiction is as frequent where the models are surest as it is everywhere.

        Wrong labels stand everywhere alike; honest doubt thins out where the models are surest.
        """
        surest = self.surest_bad / max(self.surest_n, 1)
        low = float(clopper_pearson(self.surest_bad, self.surest_n)[0])
        alike = self.contradicted <= min(_OF_SUREST * surest, _OF_SURE * self.share)
        return self.share <= _GUESS and low > floor and alike

    def measure(self, floor: float) -> Measure:
        """Judge: a failure needs the corrected bound and :meth:`flat`, a pass the plain upper bound."""
        low, high = self.low, float(clopper_pearson(self.bad, self.n)[1])
        outcome = judge(low, high, floor, "max")
        note = "Counted on rows whose class the others leave no doubt of."
        if outcome is Outcome.FAIL and not self.flat(floor):
            outcome = Outcome.INCONCLUSIVE
            note = "The features do not tell the classes apart well enough to call these labels wrong."
        return Measure(
            name="labels that the other rows contradict", value=self.share, low=low, high=high, threshold=floor,
            direction="max", outcome=outcome, unit="share", n=self.n, where=self.where, note=note,
        )  # fmt: skip


def run(context: Context) -> Result:
    """Estimate the share of wrong labels in the training data and prove that planted ones would be found.

    Threat: wrong labels, by carelessness or on purpose, are learned as if they were true.
    Limit: labels that are wrong by a rule which the features show (a whole group, a trigger) are learned by every
    model, this one too; and rows between the classes say nothing.

    Args:
        context: Data set ``train``; threshold ``max_mislabelled``.

    Raises:
        UnsupportedError: ``filter.task`` for a regression, ``filter.rows`` with fewer than 200 labelled rows,
            ``filter.columns`` where no column varies.
    """
    table = drawn(context, _FEWEST, classes=True)
    inputs, same = encoded(table), alike(table)
    if not inputs.shape[1]:
        raise UnsupportedError("filter.columns", "no column of the training data varies.")
    codes, label = np.unique(table.target, return_inverse=True)
    names = _names(context, codes)
    if len(names) < 2:
        raise UnsupportedError("filter.task", "all training rows have one label.")
    floor, classes = context.thresholds[FLOOR], len(names)

    def ask(given: np.ndarray) -> Opinion:
        return opinion(inputs, given, same, classes, context.rng)

    context.progress(0.1, "asking the other rows")
    found = ask(label)
    parts = _measures(found, names, floor)
    context.progress(0.4, "planting wrong labels")
    proof, planted, wrong = _prove(found, names, ask, floor, context.rng)
    power, curve = recall("wrong labels", planted.suspicion, wrong)
    spoilt = replace(table, target=codes[planted.label])
    cost = harm(context, table, spoilt, planted.suspicion <= _FLAGGED, "wrong labels")
    outcome = _overall(parts) if proof.noticed else Outcome.INCONCLUSIVE
    bars = tuple(
        Bar(label=one.where, value=one.value or 0.0, low=one.low, high=one.high, n=one.n) for one in parts[:_SHOWN]
    )
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, parts, power),
        measures=(*parts[:_SHOWN], power, _flagged(found), *cost.measures),
        canary=proof,
        plots=(
            Plot(kind="intervals", title="Labels that the other rows contradict", x_label="share of the sure rows",
                 bars=bars, threshold=floor),
            Plot(kind="curves", title="Planted wrong labels found", x_label="share found", y_label="precision",
                 curves=(curve,), threshold=PRECISION),
            *cost.plots,
        ),
        limits=("Labels that are wrong by a rule which the features show are not found.", *_rare(parts, classes),
                *cost.limits),
        remedy={Outcome.FAIL: _REMEDY, Outcome.INCONCLUSIVE: _OPEN}.get(outcome, ""),
    )  # fmt: skip


def _names(context: Context, codes: np.ndarray) -> list[str]:
    """Return the labels as the data write them, where the model or the data have told them."""
    told = context.settings.classes
    return [told[code] if code < len(told) else str(code) for code in codes.tolist()]


def _regions(found: Opinion, names: list[str]) -> list[Region]:
    """Return all classes together, then each class that has enough sure rows."""
    expected, sure, surest = found.expected, found.surest(_SURE), found.surest(_SURE / 2)
    odd = expected != found.label
    counts = np.bincount(expected[sure], minlength=len(names))
    judged = [code for code in range(len(names)) if counts[code] >= _FEW]
    corrected = 1 - 0.05 / (len(judged) + 1)

    def region(where: str, rows: np.ndarray) -> Region:
        near, nearest = rows & sure, rows & surest
        return Region(where, int(odd[near].sum()), int(near.sum()), int(odd[nearest].sum()), int(nearest.sum()),
                      float(odd[rows].mean()), corrected)  # fmt: skip

    every = region("all classes", np.ones(len(odd), dtype=bool))
    return [every, *(region(f"class {names[code]}", expected == code) for code in judged)]


def _measures(found: Opinion, names: list[str], floor: float) -> list[Measure]:
    every, *each = (region.measure(floor) for region in _regions(found, names))
    order = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)
    each += _unseen(found, names, floor)
    return [every, *sorted(each, key=lambda one: (order.index(one.outcome or Outcome.PASS), -(one.value or 0.0)))]


def _unseen(found: Opinion, names: list[str], floor: float) -> list[Measure]:
    """Return classes with rows enough that are hardly ever expected: whether their labels are right is unknown."""
    given = np.bincount(found.label, minlength=len(names))
    expected = np.bincount(found.expected, minlength=len(names))
    return [
        Measure(name="labels that the other rows contradict", threshold=floor, direction="max", unit="share",
                outcome=Outcome.INCONCLUSIVE, n=int(expected[code]), where=f"class {names[code]}",
                note="The features do not tell this class from the others.")
        for code in range(len(names)) if given[code] >= _RARE and 4 * expected[code] < given[code]
    ]  # fmt: skip


def _rare(parts: list[Measure], classes: int) -> tuple[str, ...]:
    """Say how many classes count in the total only."""
    alone = len({one.where for one in parts[1:]})
    if alone == classes:
        return ()
    return (f"{classes - alone} of {classes} classes have fewer than {_FEW} sure rows and count in the total only.",)


def _overall(parts: list[Measure]) -> Outcome:
    said = {one.outcome for one in parts}
    return next(one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS) if one in said)


def _prove(
    found: Opinion, names: list[str], ask: Callable[[np.ndarray], Opinion], floor: float, rng: np.random.Generator
) -> tuple[Canary, Opinion, np.ndarray]:
    """Plant wrong labels at a drawn rate, anywhere and in the commonest class; labels by a rule must not fail.

    A planted case is noticed where contradiction is clear of the floor *and* of what stood there before: doubt that was
    there without it proves nothing.
    """
    rate = min(float(rng.uniform(3.0, 5.0)) * floor, 0.3)
    noticed, made = 0, []
    common = int(np.bincount(found.label).argmax())
    before = {region.where: region.share for region in _regions(found, names)}
    places = {
        "all classes": np.arange(len(found.label)),
        f"class {names[common]}": np.flatnonzero(found.label == common),
    }
    for where, place in places.items():
        wrong = np.zeros(len(found.label), dtype=bool)
        wrong[rng.choice(place, int(np.ceil(rate * len(place))), replace=False)] = True
        shifted = (found.label + rng.integers(1, len(names), len(wrong))) % len(names)
        said = ask(np.where(wrong, shifted, found.label))
        after = next((region.low for region in _regions(said, names) if region.where == where), 0.0)
        noticed += after > max(floor, before.get(where, 0.0))
        made.append((said, wrong))
    ruled = found.expected
    clean = int(len(np.unique(ruled)) > 1)  # else there is no rule to label by
    alarms = int(clean and _overall(_measures(ask(ruled), names, floor)) is Outcome.FAIL)
    proof = Canary(
        kind="wrong labels", planted=2, found=noticed, clean=clean, false_alarms=alarms,
        noticed=noticed == 2 and clean == 1 and not alarms,
        detail=f"{rate:.1%} of the labels of drawn rows changed, once anywhere and once in the commonest class; the "
        "clean case is labels by a rule.",
    )  # fmt: skip
    return proof, *made[0]


def _flagged(found: Opinion) -> Measure:
    bad = int((found.suspicion > _FLAGGED).sum())
    return Measure(
        name="rows to look at", value=bad / len(found.label), unit="share", n=len(found.label),
        note=f"{bad} rows whose label the other rows contradict by more than half of the probability.",
    )  # fmt: skip


def _reason(outcome: Outcome, proof: Canary, parts: list[Measure], power: Measure) -> str:
    if not proof.noticed:
        return "Planted wrong labels were not noticed, or labels by a rule were called wrong, so nothing is concluded."
    found = f"of labels planted wrong, {power.value or 0.0:.0%} are found at {PRECISION:.0%} precision"
    worst = max(parts, key=lambda one: (one.outcome is outcome, one.value or 0.0))
    if worst.value is None:
        return (
            f"It stays open how many labels are wrong: the features do not tell {worst.where} from the others; {found}."
        )
    where = f"{worst.value or 0.0:.1%} (at least {worst.low or 0.0:.1%}) of the sure rows of {worst.where}"
    if outcome is Outcome.FAIL:
        return f"Labels are wrong: the other rows contradict {where}; {found}."
    if outcome is Outcome.PASS:
        return f"Where the features leave no doubt, labels are right but for {parts[0].value or 0.0:.1%}; {found}."
    return f"It stays open how many labels are wrong: the other rows contradict {where}; {found}."
