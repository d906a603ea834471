"""P3.inversion: rebuild inputs from the model's answers, and see whether training rows come out oftener than others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.inversion import chart as charts
from fivefold.protection.inversion.climb import Attempts, Climb, Peaks
from fivefold.protection.membership.rows import pool
from fivefold.stats import proportion
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table
    from fivefold.protection.inversion.chart import Chart

FLOOR = "max_rebuilt"
_ATTEMPTS = {"quick": 160, "standard": 256, "thorough": 640}
_TRIAL = 64
_FEWEST = 40
_PUBLIC = 1000
_STRANGERS = 300
_CLASSES = 24
_STEPS = 40, 240
_LEAST = 24
_CLOSE = 0.02
_LEVEL = 0.975  # each of two bounds; together 0.95
_LUCK = 0.05


@dataclass(frozen=True)
class World:
    """Who is who.

    Attributes:
        members: Training rows.
        held: Test rows, as many as are left.
        chart: Coordinates, laid out from public rows, which are test rows as well.
        near: Distance up to which an input is the row itself; strangers are seldom as near.
        usual: Median distance from a stranger to the nearest training row.
    """

    members: Table
    held: Table
    chart: Chart
    near: float
    usual: float


@dataclass(frozen=True)
class Rebuilt:
    """What came of attempts.

    Attributes:
        attempts: How many.
        members: How many ended at a training row.
        held: How many ended at a held-back one.
        rows: Distinct training and held-back rows among these.
        ratio: Training rows for each held-back one.
        own: Share whose nearest training row has the class that was aimed at.
    """

    attempts: int
    members: int
    held: int
    rows: tuple[int, int]
    ratio: float
    own: float

    def lead(self) -> tuple[float, float, float]:
        """Return the share that ended at training rows beyond what chance gives them, and its 95 % bounds.

        Where the model knows nothing of who was in training, the row that an input is nearest to is a training row as
        often as such rows are more.
        """
        low, high = proportion.clopper_pearson([self.members, self.held], self.attempts, _LEVEL)
        value = (self.members - self.ratio * self.held) / self.attempts
        return value, float(low[0] - self.ratio * high[1]), float(high[0] - self.ratio * low[1])

    def outcome(self, floor: float) -> Outcome:
        """Judge: walks may all end at the same few rows, so a failure also takes more distinct rows than luck gives."""
        from scipy.stats import binom

        _, low, high = self.lead()
        found = judge(low, high, floor, "max")
        luck = float(binom.sf(self.rows[0] - 1, sum(self.rows), self.ratio / (1 + self.ratio)))
        return Outcome.INCONCLUSIVE if found is Outcome.FAIL and luck > _LUCK else found


def run(context: Context) -> Result:
    """Measure P3.inversion.

    Threat: somebody who may query the model walks to where it is surest, and reads a training row off.
    Limit: this search, classifiers, and rows that tell people apart.

    Args:
        context: Needs a subject that answers for changed rows, ``train`` and ``test``; threshold ``max_rebuilt``.

    Raises:
        UnsupportedError: ``inversion.subject``, ``inversion.rows``, ``inversion.twins``, ``inversion.fixed`` or
            ``inversion.calls``.
        SubjectError: The model misbehaved.
    """
    # many small products: threads of BLAS would only wait for each other
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    subject = context.subject
    if subject is None or not subject.capabilities.perturbable or subject.task == "regression":
        raise UnsupportedError("inversion.subject", "there is no classifier that answers for changed rows.")
    rng = context.rng
    world = _world(context)
    trial = _peaks(world, rng)
    aims = _aims(world.members, _ATTEMPTS[context.effort])
    runs = [Attempts(aims)]
    runs += [Attempts(np.resize(one.classes, _TRIAL), one, asks=at == 0) for at, one in enumerate(trial)]
    climb = Climb(subject, world.chart, runs, rng)
    steps = _steps(subject, climb, 3 * len(world.chart.used))
    context.progress(0.1, "walking to where the model is surest")
    ends = climb.to_the_top(steps, lambda share: context.progress(0.1 + 0.7 * share, "walking"))
    context.progress(0.85, "comparing with training rows")
    begun = _rebuilt(world, climb.begun[0], aims)
    found, planted, fresh = (_rebuilt(world, end, run.aims) for end, run in zip(ends, runs, strict=True))
    floor = float(context.thresholds[FLOOR])
    return _result(world, (begun, found), floor, _canary(planted, fresh, floor), steps)


def _world(context: Context) -> World:
    rng = context.rng
    rows = pool(context.tables("train"), context.tables("test"), context.rows, rng)
    members, others = rows.members, rows.others
    if min(len(members), len(others) // 2) < _FEWEST:
        raise UnsupportedError(
            "inversion.rows",
            f"{len(members)} training and {len(others)} test rows are left that are in one set alone.",
            remedy=f"Bring {_FEWEST} training and {2 * _FEWEST} test rows or more, with their targets.",
        )
    order = rng.permutation(len(others))
    split = min(max(_FEWEST, len(others) // 4), _PUBLIC)
    public, held = others.take(np.sort(order[:split])), others.take(np.sort(order[split:]))
    chart = charts.draw(public, context.settings.features or {})
    asked = held.take(np.sort(rng.permutation(len(held))[:_STRANGERS]))
    gaps = chart.nearest(chart.coordinates(asked), members)[0]
    apart = gaps[gaps > 0]
    if len(apart) < len(gaps) / 2:
        raise UnsupportedError(
            "inversion.twins",
            f"{len(gaps) - len(apart)} of {len(gaps)} test rows are in every cell like a training row: rows tell "
            "nobody apart, and rebuilding one gives nobody away.",
        )
    usual = float(np.median(apart))
    return World(members, held, chart, min(float(np.quantile(apart, _CLOSE)), usual / 2), usual)


def _aims(members: Table, attempts: int) -> np.ndarray:
    names, counts = np.unique(members.target, return_counts=True)
    return np.resize(names[np.argsort(-counts, kind="stable")][:_CLASSES], attempts)


def _peaks(world: World, rng: np.random.Generator) -> tuple[Peaks, Peaks]:
    """Return what a model that remembers some training rows knows of them, and one that knows public rows alone."""
    made = []
    for table in (world.members, world.chart.like):
        rows = table.take(np.sort(rng.permutation(len(table))[: min(_TRIAL, max(_FEWEST // 2, len(table) // 4))]))
        made.append(Peaks(world.chart.coordinates(rows), rows.target, world.usual))
    return made[0], made[1]


def _steps(subject: Subject, climb: Climb, wanted: int) -> int:
    """Return how many steps are taken, within the calls that an endpoint's budget has left."""
    steps, able = int(np.clip(wanted, *_STEPS)), subject.capabilities
    if able.calls_left is None:
        return steps
    each = climb.calls(max(able.max_rows, 1))
    affordable = able.calls_left // each - 1
    if affordable < _LEAST:
        raise UnsupportedError(
            "inversion.calls",
            f"{able.calls_left} calls are left, and {_LEAST} steps take {each} each.",
            remedy="Raise `model.calls`, or have the endpoint take more rows at a time.",
        )
    return min(steps, affordable)


def _rebuilt(world: World, inputs: np.ndarray, aims: np.ndarray) -> Rebuilt:
    mine, row = world.chart.nearest(inputs, world.members)
    theirs, other = world.chart.nearest(inputs, world.held)
    at_member = (mine <= world.near) & (mine < theirs)
    at_held = (theirs <= world.near) & (theirs < mine)
    return Rebuilt(
        attempts=len(inputs),
        members=int(at_member.sum()),
        held=int(at_held.sum()),
        rows=(len(np.unique(row[at_member])), len(np.unique(other[at_held]))),
        ratio=len(world.members) / len(world.held),
        own=float((world.members.target[row] == aims).mean()),
    )


def _canary(planted: Rebuilt, fresh: Rebuilt, floor: float) -> Canary:
    noticed = float(proportion.clopper_pearson(planted.members, planted.attempts, _LEVEL)[0]) > floor
    alarmed = fresh.outcome(floor) is Outcome.FAIL
    return Canary(
        kind="the model, made surer towards training rows",
        planted=1,
        found=int(noticed),
        clean=1,
        false_alarms=int(alarmed),
        noticed=noticed and not alarmed,
        detail=(
            f"Of {planted.attempts} walks on the model made surer at training rows {planted.members} ended at one. "
            f"Known-good: one that is sure of public rows alone; there {fresh.members} ended at a training row."
        ),
    )


def _result(world: World, told: tuple[Rebuilt, Rebuilt], floor: float, trial: Canary, steps: int) -> Result:
    begun, ended = told
    value, low, high = ended.lead()
    outcome = ended.outcome(floor) if trial.noticed else Outcome.INCONCLUSIVE
    n = ended.attempts
    reason = (
        f"{ended.members} of {n} walks ended at one of {len(world.members):,} training rows ({ended.rows[0]} different "
        f"ones), {ended.held} at one of {len(world.held):,} others: {value:+.1%} beyond chance ({low:+.1%} to "
        f"{high:+.1%}; at most {floor:.1%} is allowed)."
    )
    near = f"{world.near / world.usual:.0%} of the usual distance between strangers"
    return Result(
        outcome=outcome,
        reason=reason if trial.noticed else f"The canary went unnoticed or a clean case was flagged. {reason}",
        measures=(
            Measure(name="training rows rebuilt", value=value, low=low, high=high, threshold=floor, direction="max",
                    outcome=outcome, unit="share", n=n, note=f"{steps} steps; a walk is at a row within {near}."),
            Measure(name="walks that began at a training row", value=begun.members / n, unit="share", n=n),
            Measure(name="walks whose nearest training row has the class aimed at", value=ended.own, unit="share", n=n,
                    note="Where a class is a person, this is how often the person is hit."),
        ),
        canary=trial,
        plots=(
            Plot(kind="intervals", title="Walks that end at a training row, beyond chance", x_label="share of walks",
                 bars=(Bar(label="the model", value=value, low=low, high=high, n=n),), threshold=floor),
        ),
        limits=(
            "One search, from public rows and dealt-out cells to where the model is surest: others may do more.",
            "What is known of a whole class is not counted, though where a class is a person it is that person.",
        ),
        remedy="" if outcome is Outcome.PASS else _remedy(outcome, trial),
    )  # fmt: skip


def _remedy(outcome: Outcome, trial: Canary) -> str:
    if outcome is Outcome.FAIL:
        return "Train with differential privacy (S2), smooth or prune the model, or give labels or fewer digits (P2)."
    if not trial.noticed:
        return "Raise the effort: the search did not find rows that a planted model was sure of."
    return "Raise the effort: more attempts narrow the bounds."
