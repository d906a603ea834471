"""Check S5.regression: training targets that the other rows contradict, and what planted ones cost before and after."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.sharing.filtering.bending import WAYS
from fivefold.sharing.filtering.columns import alike, encoded
from fivefold.sharing.filtering.harm import harm
from fivefold.sharing.filtering.known import drawn
from fivefold.sharing.filtering.recall import PRECISION, recall
from fivefold.sharing.filtering.regression import Judged, fitted, judged
from fivefold.sharing.filtering.robust import KEEP
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.check import Context

FLOOR = "max_contradicted"
_FEWEST = 200
_FAR = 5.0
_GAP = 1 / 3
_SHUFFLES, _CHANCE = 200, 0.01
_HALF = 0.5
_TEST = 3
_REMEDY = (
    "Leave out the rows whose target the others contradict (fivefold data filter), and find out how they got in: who "
    "reports targets, and in which unit."
)
_OPEN = (
    "No target is known to be wrong. Columns that tell more of the target would settle it; until then look at some of "
    "the rows whose target the others contradict most."
)


@dataclass(frozen=True)
class Share:
    """Targets that the other rows contradict.

    Attributes:
        far: Rows whose target lies over five spreads of the noise off.
        n: Rows.
        between: Rows that lie three to five spreads off.
        chance: Chance of pulling in one direction as hard, were the targets of the far rows dealt out anew.
    """

    far: int
    n: int
    between: int
    chance: float

    @property
    def acting(self) -> bool:
        """Whether they pull together, or stand apart from all others: honest noise of any size does neither."""
        return self.chance < _CHANCE or self.between < _GAP * self.far

    def measure(self, floor: float) -> Measure:
        """Judge: a failure needs the lower bound and :attr:`acting`, a pass the upper bound."""
        low, high = (float(bound) for bound in clopper_pearson(self.far, self.n))
        outcome = judge(low, high, floor, "max")
        note = f"Over {_FAR:g} spreads of the noise off; {self.between} rows lie {KEEP:g} to {_FAR:g} off."
        if outcome is Outcome.FAIL and not self.acting:
            outcome = Outcome.INCONCLUSIVE
            note += " They do not pull together and thin out on the way there: the noise may have a long tail."
        return Measure(
            name="targets that the other rows contradict", value=self.far / self.n, low=low, high=high,
            threshold=floor, direction="max", outcome=outcome, unit="share", n=self.n, note=note,
        )  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """Targets bent in one way, judged as the rows themselves are.

    Attributes:
        way: In words.
        target: (n,) what was made of the targets.
        wrong: (n,) bool.
        found: How they were judged.
        errors: Mean squared errors on rows that no fit saw, over their noise: of a fit to the rows as they are, to
            all with planted ones, to those that the filter leaves.
    """

    way: str
    target: np.ndarray
    wrong: np.ndarray
    found: Judged
    errors: tuple[float, float, float]

    @property
    def removed(self) -> float:
        """Share of the excess error that the filter takes away; 1 where there was none."""
        one, bad, left = self.errors
        return 1.0 if bad - one <= 0 else float(np.clip((bad - left) / (bad - one), -1.0, 1.0))


def run(context: Context) -> Result:
    """Count training targets that the other rows contradict, and prove that planted ones would be found.

    Threat: targets made to bend a regression are learned as if they were true.
    Limit: bad targets within the noise; bad rows that are most of their region; another population with a rule of its
    own looks bad, and whether it belongs is for people to say.

    Args:
        context: Data set ``train``; threshold ``max_contradicted``.

    Raises:
        UnsupportedError: ``filter.task`` for classes, ``filter.rows`` with fewer than 200 rows with a target,
            ``filter.columns`` where no column or no target varies.
    """
    table = drawn(context, _FEWEST, classes=False)
    inputs, same = encoded(table).astype(np.float64), alike(table)
    if not inputs.shape[1] or np.ptp(table.target) == 0:
        raise UnsupportedError("filter.columns", "no column of the training data varies, or the target does not.")
    rng, floor = context.rng, context.thresholds[FLOOR]
    context.progress(0.1, "asking the other rows")
    found = judged(inputs, table.target, same, rng)
    part = _share(found, inputs, rng).measure(floor)
    context.progress(0.3, "bending targets")
    plain = np.flatnonzero(found.away <= _FAR)
    proof, made = _prove(inputs[plain], table.target[plain], same[plain], floor, rng)
    outcome = (part.outcome or Outcome.INCONCLUSIVE) if proof.noticed else Outcome.INCONCLUSIVE
    if outcome is Outcome.PASS and found.shape != "linear":
        outcome = Outcome.INCONCLUSIVE  # trees learn bent targets, where they are many, as a rule of the rows
    powers = [recall("bent targets", one.found.away, one.wrong, one.way) for one in made]
    worst = min(made, key=lambda one: one.removed)
    ordinary = table.take(plain)
    cost = harm(context, ordinary, replace(ordinary, target=worst.target), worst.found.away <= KEEP, "bent targets")
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, part, made),
        measures=(part, *(_removed(one) for one in made), *(one for one, _ in powers), *cost.measures),
        canary=proof,
        plots=(
            Plot(kind="intervals", title="Error of a fit on rows that it never saw, over that of the rows as they are",
                 x_label="times", bars=tuple(_bars(made))),
            Plot(kind="curves", title="Planted bent targets found", x_label="share found", y_label="precision",
                 curves=tuple(curve for _, curve in powers), threshold=PRECISION),
            *cost.plots,
        ),
        limits=(
            f"Judged by a fit of the shape {found.shape}, on the target {found.scale}.",
            "Bad targets within three spreads of the noise are not told from honest ones, and bend a fit as little.",
            *cost.limits,
        ),
        remedy={Outcome.FAIL: _REMEDY, Outcome.INCONCLUSIVE: _OPEN}.get(outcome, ""),
    )  # fmt: skip


def _share(found: Judged, inputs: np.ndarray, rng: np.random.Generator) -> Share:
    far = found.away > _FAR
    between = (found.away > KEEP) & ~far
    return Share(int(far.sum()), len(far), int(between.sum()), _chance(inputs[far], found.signed[far], rng))


def _chance(inputs: np.ndarray, signed: np.ndarray, rng: np.random.Generator) -> float:
    """Return how often signs dealt out anew pull as hard along the columns as they do."""
    if len(signed) < 10 or np.ptp(np.sign(signed)) == 0:
        return 1.0
    pull = np.sign(signed) - np.sign(signed).mean()
    spread = inputs.std(axis=0)
    sides = (inputs - inputs.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    real = float(((sides.T @ pull) ** 2).sum())
    dealt = np.array([rng.permutation(pull) for _ in range(_SHUFFLES)])
    return float((1 + (((dealt @ sides) ** 2).sum(axis=1) >= real).sum()) / (1 + _SHUFFLES))


def _prove(
    inputs: np.ndarray, target: np.ndarray, same: np.ndarray, floor: float, rng: np.random.Generator
) -> tuple[Canary, list[Planted]]:
    """Bend targets of ordinary rows at a drawn rate, in each way; the rows as they are must not fail."""
    rate = min(float(rng.uniform(2.0, 3.0)) * floor, 0.2)
    clean = _share(judged(inputs, target, same, rng), inputs, rng)
    alarms = int(clean.measure(floor).outcome is Outcome.FAIL)
    made, noticed = [], 0
    test = rng.permutation(len(target)) % _TEST == 0
    for way, bend in WAYS.items():
        wrong = rng.random(len(target)) < rate
        spoilt = bend(inputs, target, wrong, rng)
        found = judged(inputs, spoilt, same, rng)
        errors = _errors(inputs, (target, spoilt), found, test, rng)
        one = Planted(way, spoilt, wrong, found, errors)
        low = float(clopper_pearson(int((found.away > _FAR).sum()), len(target))[0])
        share = int(((found.away > KEEP) & wrong).sum()) / max(int(wrong.sum()), 1)
        noticed += one.removed >= _HALF and share >= _HALF and low > clean.far / clean.n
        made.append(one)
    proof = Canary(
        kind="bent targets", planted=len(WAYS), found=noticed, clean=1, false_alarms=alarms,
        noticed=noticed == len(WAYS) and not alarms,
        detail=f"{rate:.1%} of the targets bent in rows that look ordinary, once {' and once '.join(WAYS)}: half of "
        "them must be found and half of the excess error go; the clean case is those rows as they are.",
    )  # fmt: skip
    return proof, made


def _errors(
    inputs: np.ndarray, targets: tuple[np.ndarray, np.ndarray], found: Judged, test: np.ndarray,
    rng: np.random.Generator,
) -> tuple[float, float, float]:  # fmt: skip
    """Return errors of three fits on the rows of ``test``, whose targets are as they were, over the least of them."""
    target, spoilt = targets
    taught = ~test
    fits = ((target, taught), (spoilt, taught), (spoilt, taught & (found.away <= KEEP)))
    errors = [
        float(np.mean((fitted(inputs[rows], goal[rows], inputs[test], found.shape, rng) - target[test]) ** 2))
        for goal, rows in fits
    ]
    least = max(min(errors), 1e-12)
    return errors[0] / least, errors[1] / least, errors[2] / least


def _removed(one: Planted) -> Measure:
    return Measure(
        name="excess error that the filter takes away",
        value=one.removed,
        unit="share",
        n=int(one.wrong.sum()),
        where=f"targets bent {one.way}",
        note=f"Mean squared error {one.errors[1]:.3g} times the least with bent targets, {one.errors[2]:.3g} filtered.",
    )


def _bars(made: list[Planted]) -> list[Bar]:
    names = ("as they are", "bent {way}", "bent {way}, filtered")
    bars = [Bar(label=names[0], value=made[0].errors[0])]
    for one in made:
        bars += [Bar(label=names[at].format(way=one.way), value=one.errors[at]) for at in (1, 2)]
    return bars


def _reason(outcome: Outcome, proof: Canary, part: Measure, made: list[Planted]) -> str:
    if not proof.noticed:
        return "Planted bent targets were not noticed, or ordinary rows were called bent, so nothing is concluded."
    least = min(one.removed for one in made)
    power = f"of the excess error that planted ones cause, the filter takes away at least {least:.0%}"
    if outcome is Outcome.FAIL:
        return f"At least {part.low or 0.0:.1%} of the targets are contradicted by the other rows; {power}."
    if outcome is Outcome.PASS:
        return f"At most {part.high or 0.0:.1%} of the targets are contradicted by the other rows; {power}."
    if part.outcome is Outcome.PASS:
        return f"No line fits the rows, and bent targets, if they are many, may have become the rule itself; {power}."
    return f"Up to {part.high or 1.0:.1%} of the targets may be bent; it stays open whether any are; {power}."
