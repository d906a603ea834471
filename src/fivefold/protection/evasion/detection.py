"""Check P1.detection: attack the model with its detector in front; what is alarmed does the attacker no good."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, UnsupportedError
from fivefold.protection.evasion import blackbox, canary, pgd, setting
from fivefold.protection.evasion.hunt import Hunt, Limit
from fivefold.protection.evasion.oracle import Oracle
from fivefold.protection.evasion.result import share
from fivefold.stats.judge import judge
from fivefold.subject.rows import bare, of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.contract.check import Context
    from fivefold.contract.finding import Canary
    from fivefold.contract.subject import Loss, Subject, Table
    from fivefold.protection.evasion.hunt import Goal
    from fivefold.protection.evasion.planted import LinearModel
    from fivefold.subject.rows import Rows

    Answer = Callable[[np.ndarray, np.ndarray], np.ndarray]
    """Vectors (m, d) and the attacked row (m,) of each, to (m,) classes."""

FLOOR, RATIO = "min_robust_accuracy", "max_alarm_ratio"
DETECTOR = "ensemble.members"
"""Name under which the detector is handed in."""
_CALIBRATION, _TRAIN, _CLEAN = 5000, 10_000, 10_000
_STEPS, _RESTARTS = 20, 2
_POINTS = 60
_REMEDY = {
    Outcome.FAIL: "Raise controls.C2.members and bring more training rows for them, calibrate on rows of today, or "
    "train the model itself with changed rows (`model train --robust`).",
    Outcome.INCONCLUSIVE: "Bring more test and calibration rows, or assess with more effort.",
}


class _Judged(Protocol):
    alarm: np.ndarray


class _Members(Protocol):
    options: Any

    def judge(self, rows: Any, answers: np.ndarray, scores: np.ndarray | None) -> _Judged: ...


@dataclass(frozen=True)
class _Guard:
    """The model with its detector.

    Attributes:
        layout: What is attacked; its oracle is the bare model's.
        members: The detector.
        calls: What one question about rows costs, in calls.
    """

    layout: setting.Setting
    members: _Members
    calls: int

    def told(self, table: Table) -> tuple[np.ndarray, np.ndarray]:
        """Return (n,) answers and (n,) bool, alarmed."""
        answers, scores = _asked(self.layout.subject, table)
        return answers, np.asarray(self.members.judge(of(table), answers, scores).alarm)

    def quiet(self, values: np.ndarray, origin: np.ndarray) -> np.ndarray:
        """Return (m,) answers, where an alarm rings the truth: nobody acts upon what is alarmed."""
        answers, alarm = self.told(self.layout.space.decode(values, origin, self.layout.sample))
        return np.asarray(np.where(alarm, self.layout.sample.target[origin], answers))


@dataclass(frozen=True)
class _Seen:
    """What came of n rows and m of them that were attacked.

    Attributes:
        right: (n,) bool, answered rightly.
        held: (n,) bool, answered rightly and without an alarm.
        alone: (n,) bool, fallen with the model alone.
        noticed: Way of the attack to (k,) bool, which of the k rows that it felled are alarmed.
        through: (n,) bool, answered otherwise without an alarm by somebody who knows of the detector.
        at: (n,) questions of that attack.
        alone_at: (n,) questions of the attack on the model alone.
        rising: Share of held rows that fell in the last quarter of their questions.
        asked: Rows asked about in all.
        false: (c,) bool, clean rows alarmed.
    """

    right: np.ndarray
    held: np.ndarray
    alone: np.ndarray
    noticed: Mapping[str, np.ndarray]
    through: np.ndarray
    at: np.ndarray
    alone_at: np.ndarray
    rising: float
    asked: int
    false: np.ndarray


def run(context: Context) -> Result:
    """Measure robust accuracy with the detector in front (Tramer 2022, equation 1: right and quiet, or alarmed).

    Threat: small changes, each of them possible, make the model answer wrongly, and the detector says nothing.
    Limit: the attacker who knows of the detector sees its alarms and not its members; with those he may do more.

    Args:
        context: Needs a classifier that answers for changed rows, ``train``, ``test`` and ``controls.C2``; thresholds
            ``min_robust_accuracy`` and ``max_alarm_ratio``; ``uses`` the detector.

    Raises:
        UnsupportedError: ``evasion.detector`` where none is declared, ``evasion.classes`` for values,
            ``evasion.budget``; as :func:`fivefold.protection.evasion.setting.lay_out`; as the detector.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    subject = context.subject
    if "C2" not in (context.settings.controls or {}):
        raise UnsupportedError("evasion.detector", "no detector is declared.", remedy="Declare controls.C2.")
    if subject is None or not subject.capabilities.perturbable:
        raise UnsupportedError("evasion.subject", "there is no model that answers for changed rows.")
    if subject.task == "regression":
        raise UnsupportedError("evasion.classes", "the detector counts in classes, and this model gives values.")
    calibration, clean, notes = _halves(context)
    calls = 1 + int(subject.capabilities.scores)
    layout = setting.lay_out(replace(context, tables=lambda name: clean if name == "test" else context.tables(name)))
    most, sample = subject.capabilities.max_rows, len(layout.sample)
    asks = (len(calibration), min(len(clean), _CLEAN), sample, sample, sample)
    spent = calls * sum(-(-rows // most) for rows in asks)
    left = layout.oracle.calls_left
    if left is not None and left < 2 * spent:
        raise UnsupportedError(
            "evasion.budget", "the calls that are left do not even allow to calibrate the detector.",
            remedy="Raise `model.calls`.",
        )  # fmt: skip
    context.progress(0.05, "fitting the detector")
    guard = _Guard(layout, _members(context, subject, calibration), calls)
    context.progress(0.15, "asking the model")
    seen = _attacked(context, guard, clean, None if left is None else left - spent)
    context.progress(0.85, "attacking a planted model")
    return _result(context, guard, seen, _canary(context, guard), notes)


def _halves(context: Context) -> tuple[Table, Table, tuple[str, ...]]:
    """Return calibration rows, rows that are attacked and counted, and what the reader should know."""
    test, rng = context.tables("test"), context.rng
    try:
        return _some(context.tables("calibration"), _CALIBRATION, rng), test, ()
    except KeyError:
        order = rng.permutation(len(test))
        cut = len(test) // 2
        return (
            _some(test.take(np.sort(order[:cut])), _CALIBRATION, rng),
            test.take(np.sort(order[cut:])),
            ("No data.calibration is declared: half of the test rows calibrate, figures are stated on the others.",),
        )


def _some(table: Table, most: int, rng: np.random.Generator) -> Table:
    return table if len(table) <= most else table.take(np.sort(rng.choice(len(table), most, replace=False)))


def _asked(subject: Subject, table: Table) -> tuple[np.ndarray, np.ndarray | None]:
    scores = subject.predict_proba(table) if subject.capabilities.scores else None
    return subject.predict(table), scores


def _members(context: Context, subject: Subject, calibration: Table) -> _Members:
    """Fit and calibrate the detector as the guard does."""
    train = _some(context.tables("train"), _TRAIN, context.rng)

    def ask(rows: Rows) -> tuple[np.ndarray, np.ndarray | None]:
        return _asked(subject, bare(rows, subject.classes))

    make = cast("Callable[..., _Members]", context.uses[DETECTOR])
    try:
        return make(
            context.settings.controls or {}, (of(train), train.target), of(calibration), ask,
            width=len(subject.classes), rng=context.rng,
        )  # fmt: skip
    except InputError as error:
        raise UnsupportedError(error.code, error.message, remedy=error.remedy) from None


def _attacked(context: Context, guard: _Guard, clean: Table, left: int | None) -> _Seen:
    """Attack the model alone, then with its detector; a third of an endpoint's calls for the first."""
    layout, rng = guard.layout, context.rng
    most = layout.subject.capabilities.max_rows
    alone = Oracle(_bare(layout), None if left is None else left // 3, most)
    quiet = Oracle(guard.quiet, None if left is None else 2 * (left // 3) // guard.calls, most)
    here = np.arange(len(layout.values))
    if left is not None:
        here = np.sort(rng.choice(here, max(10, len(here) // 3), replace=False))
    n, held = len(here), np.zeros(len(here), dtype=bool)
    answers, alarm = guard.told(layout.sample.take(here))
    right = answers == layout.sample.target[here]
    held[right & ~alarm] = True
    context.progress(0.2, "attacking the model alone")
    known = layout.public_values
    told = alone(known, np.arange(len(known)) % len(layout.values)) if alone.can(len(known)) else np.empty(0)
    public = blackbox.Public(known[: len(told)], told)
    first = _hunt(guard, alone, here[right], public, rng)
    fell, noticed, evaded = np.zeros(n, dtype=bool), {}, np.zeros(n, dtype=bool)
    for way, hunt in first.items():
        rows = np.flatnonzero(hunt.fallen)
        fell[np.flatnonzero(right)[rows]] = True
        if len(rows):
            rung = guard.told(layout.space.decode(hunt.found[rows], hunt.origin[rows], layout.sample))[1]
            noticed[way] = rung
            evaded[np.flatnonzero(right)[rows[~rung]]] = True
    context.progress(0.5, "attacking model and detector")
    through, at, late = evaded & held, np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool)
    for hunt in _hunt(guard, quiet, here[held], public, rng).values():
        mine = np.flatnonzero(held)
        late[mine] |= hunt.fallen & ~through[mine] & (hunt.spent > 0.75 * hunt.limit.queries)
        through[mine] |= hunt.fallen
        at[mine] = np.maximum(at[mine], hunt.spent)
    alone_at = np.zeros(n, dtype=np.int64)
    for hunt in first.values():
        alone_at[right] = np.maximum(alone_at[right], hunt.spent)
    rung = guard.told(_some(clean, _CLEAN, rng))[1]
    return _Seen(
        right,
        held,
        fell,
        noticed,
        through,
        at,
        alone_at,
        float(late.sum()) / max(n, 1),
        alone.asked + quiet.asked,
        rung,
    )


def _bare(layout: setting.Setting) -> Answer:
    return lambda values, origin: layout.subject.predict(layout.space.decode(values, origin, layout.sample))


def _hunt(
    guard: _Guard, oracle: Oracle, rows: np.ndarray, public: blackbox.Public, rng: np.random.Generator
) -> dict[str, Hunt]:
    """Attack rows of the sample with answers alone and, where the model gives any, along gradients."""
    layout = guard.layout
    if not len(rows):
        return {}
    goal = layout.goal(layout.sample.target[rows])
    start = layout.values[rows]  # noqa: PD011 - a Setting, no frame
    blind = blackbox.attack(
        layout.space, oracle, start=start, origin=rows, goal=goal, limit=layout.limit, public=public, rng=rng
    )
    found = {"answers alone": blind}
    if layout.subject.capabilities.gradients:
        limit = Limit(layout.limit.epsilon, 0.0, _STEPS * _RESTARTS)
        hunt = Hunt(layout.space, oracle, start, rows, goal=goal, limit=limit)
        pgd.descend(hunt, _slopes(layout), steps=_STEPS, restarts=_RESTARTS, norm="linf", rng=rng)
        found["along gradients"] = hunt
    return found


def _slopes(layout: setting.Setting) -> pgd.Slopes:
    def slopes(values: np.ndarray, origin: np.ndarray, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        losses, found = layout.subject.gradient(layout.space.decode(values, origin, layout.sample), target, loss)
        return losses, np.asarray(found, dtype=np.float64).reshape(len(values), -1)

    return slopes


def _canary(context: Context, guard: _Guard) -> Canary:
    """Attack planted models through an alarm that looks at nothing, and through one that sees every change."""
    layout, rng = guard.layout, context.rng
    declared, key = float(guard.members.options.false_alarms), f"{int(rng.integers(10**15)):016}"

    def strike(model: LinearModel, start: np.ndarray, goal: Goal, *, sees: bool = False) -> np.ndarray:
        def answer(values: np.ndarray, origin: np.ndarray) -> np.ndarray:
            codes = pd.util.hash_pandas_object(pd.DataFrame(values), index=False, hash_key=key).to_numpy()
            rings = sees | ((codes >> np.uint64(11)) / 2.0**53 < declared)
            return np.where(rings, goal.answers[origin], model(values, origin))

        known = layout.public_values
        return blackbox.attack(
            layout.space, Oracle(answer), start=start, origin=np.arange(len(start)), goal=goal, limit=layout.limit,
            public=blackbox.Public(known, model(known, np.zeros(len(known), dtype=np.int64))), rng=rng,
        ).fallen  # fmt: skip

    proof = canary.prove(layout, strike, rng)
    one = canary.plant(layout, rng)
    some = np.flatnonzero(one.doomed)
    goal = type(one.goal)(one.goal.answers[some])
    still = int(strike(one.model, one.start[some], goal, sees=True).sum())
    return msgspec.structs.replace(
        proof,
        clean=proof.clean + len(some),
        false_alarms=proof.false_alarms + still,
        noticed=proof.noticed and not still,
        detail=f"{proof.detail} All of it behind an alarm that rings by a hash of the row, at the declared rate; "
        f"{len(some)} rows that fall also behind one that sees every change.",
    )


def _result(context: Context, guard: _Guard, seen: _Seen, proof: Canary, notes: tuple[str, ...]) -> Result:
    layout, floor = guard.layout, context.thresholds[FLOOR]
    declared = float(guard.members.options.false_alarms)
    robust = seen.held & ~seen.through
    main = share(
        "robust accuracy with the detector", robust, floor=floor,
        note=f"Right without an alarm, and right or alarmed when attacked; {layout.space.told(layout.limit.epsilon)}.",
    )  # fmt: skip
    false = _ratio(seen.false, declared, context.thresholds[RATIO])
    outcome, reason = _decide(main, false, seen, proof, floor)
    if outcome is Outcome.INCONCLUSIVE:
        main, false = (msgspec.structs.replace(one, outcome=outcome) for one in (main, false))
    shown = [
        share("right and not alarmed, without an attack", seen.held),
        share("robust accuracy of the model alone", seen.right & ~seen.alone, note="The same attacks, no detector."),
        *(
            share("attacks noticed", rung, where=way, note="Of the rows that somebody moved who knows of no detector.")
            for way, rung in seen.noticed.items()
        ),
        share(
            "attacks that get through", seen.through[seen.alone & seen.held], empty=not (seen.alone & seen.held).any(),
            note="Of the rows that fall with the model alone, by somebody who sees the alarms.",
        ),
        Measure(name="questions in all", value=float(seen.asked), unit="rows", n=seen.asked),
    ]  # fmt: skip
    limits = ["A stronger attack may get more through: the attacker sees alarms and not the members' weights.",
              "The rate of false alarms holds for rows drawn like those of the calibration."]  # fmt: skip
    return Result(
        outcome=outcome, reason=reason, measures=(main, false, *shown), canary=proof,
        plots=(_plot(layout, seen, floor),),
        limits=(*limits, *layout.notes, *notes), remedy=_REMEDY.get(outcome, ""),
    )  # fmt: skip


def _ratio(alarms: np.ndarray, declared: float, most: float) -> Measure:
    """Return alarms on clean rows over the declared rate."""
    plain = share("", alarms)
    value, low, high = ((one or 0.0) / declared for one in (plain.value, plain.low, plain.high))
    return Measure(
        name="false alarms against the declared rate", value=value, low=low, high=high, threshold=most, direction="max",
        outcome=judge(low, high, most, "max"), unit="ratio", n=len(alarms), note=f"Declared: {declared:.2%}.",
    )  # fmt: skip


def _decide(main: Measure, false: Measure, seen: _Seen, proof: Canary, floor: float) -> tuple[Outcome, str]:
    text = (
        f"With the detector the model is right without an alarm on {seen.held.mean():.1%} of {main.n} rows, and right "
        f"or alarmed on {main.value or 0.0:.1%} ({main.low or 0.0:.1%} to {main.high or 0.0:.1%}) of them after the "
        f"attack; the floor is {floor:.1%}."
    )
    if not proof.noticed:
        told = "Planted rows did not fall behind an alarm that looks at nothing, or rows fell that cannot fall."
        return Outcome.INCONCLUSIVE, f"{told} {text}"
    if false.outcome is Outcome.FAIL:
        text += f" Clean rows are alarmed {false.value or 0.0:.1f} times as often as declared."
    if Outcome.FAIL in (main.outcome, false.outcome):
        return Outcome.FAIL, text
    if main.outcome is Outcome.PASS and (main.low or 0.0) - seen.rising <= floor:
        return Outcome.INCONCLUSIVE, f"{seen.rising:.1%} of the rows fell in the last quarter of the questions. {text}"
    if (main.outcome, false.outcome) == (Outcome.PASS, Outcome.PASS):
        return Outcome.PASS, text
    return Outcome.INCONCLUSIVE, f"{text} The bounds reach over a floor."


def _plot(layout: setting.Setting, seen: _Seen, floor: float) -> Plot:
    grid = np.unique(np.round(np.geomspace(1, layout.limit.queries, _POINTS)))

    def curve(name: str, kept: np.ndarray, fell: np.ndarray, at: np.ndarray) -> Curve:
        n, start = max(len(kept), 1), float(kept.mean())
        later = tuple(start - float((fell & (at <= x)).sum()) / n for x in grid)
        return Curve(name=name, x=(0.0, *grid.tolist()), y=(start, *later))

    return Plot(
        kind="curves",
        title="Right or alarmed, against the questions that an attacker asks",
        x_label="questions per row",
        y_label="share of rows",
        curves=(
            curve("the model alone", seen.right, seen.alone, seen.alone_at),
            curve("with the detector, of which the attacker knows", seen.held, seen.through, seen.at),
        ),
        threshold=floor,
    )
