"""P3.attribute: guess hidden columns of training rows with and without the model, and judge the lead."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from msgspec import structs
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome, worst
from fivefold.errors import UnsupportedError
from fivefold.protection.attribute import attack
from fivefold.protection.attribute.levels import Hidden, hidden
from fivefold.protection.membership.answers import Answers, ask, confidence
from fivefold.protection.membership.rows import encode, pool
from fivefold.protection.membership.student import widen
from fivefold.stats import paired
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject
    from fivefold.protection.attribute.attack import Guess, World
    from fivefold.protection.membership.rows import Pool

FLOOR = "max_advantage"
_FEWEST = 60
_MOST = 4
_REPLICATES = 3
_BOOST = 6.0


@dataclass(frozen=True)
class Found:
    """What one hidden column gives away.

    Attributes:
        column: The column.
        world: Member rows and split.
        fits: (n, levels) how well the true answer fits with each value.
        base: Guess without the model.
        best: Guess with it.
    """

    column: Hidden
    world: World
    fits: np.ndarray
    base: Guess
    best: Guess

    def lead(self, confidence: float) -> tuple[float, float, float, int]:
        """Return the paired lead on the held-back half, its bounds and rows."""
        held = ~self.world.fit
        one = (self.best.given == self.world.codes)[held]
        two = (self.base.given == self.world.codes)[held]
        low, high = paired.tango((one & ~two).sum(), (two & ~one).sum(), held.sum(), confidence)
        return float(one.mean() - two.mean()), float(low), float(high), int(held.sum())


def run(context: Context) -> Result:
    """Measure P3.attribute.

    Threat: somebody who knows most of a person's row asks the model for the rest.
    Limit: these attacks; columns that are declared personal or protected.

    Args:
        context: Needs a subject that answers for changed rows, ``train`` and ``test``; threshold ``max_advantage``.

    Raises:
        UnsupportedError: ``attribute.columns`` if no column of the training rows is declared;
            ``attribute.rows`` if too few rows are left.
        SubjectError: The model misbehaved.
    """
    # many small products: threads of BLAS would only wait for each other
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    subject = context.subject
    if subject is None:
        raise UnsupportedError("attribute.subject", "there is no model to ask.")
    rows = pool(context.tables("train"), context.tables("test"), context.rows, context.rng)
    names = _columns(context, rows)
    answers = ask(subject, rows)
    found = []
    for at, name in enumerate(names):
        context.progress(0.1 + 0.6 * at / len(names), f"guessing {name}")
        one = _measured(subject, rows, answers, name, context.rng)
        if one is not None:
            found.append(one)
    if not found:
        raise UnsupportedError(
            "attribute.rows",
            f"no declared column has two values and {_FEWEST} training rows to guess.",
            remedy="Bring more training rows; a few hundred are needed for a judgement.",
        )
    context.progress(0.8, "planting canaries")
    floor = float(context.thresholds[FLOOR])
    trial = _trial(found[0], floor, context.rng)
    return _result(found, floor, trial)


def _columns(context: Context, rows: Pool) -> list[str]:
    declared = dict.fromkeys([*context.settings.personal, *context.settings.protected])
    known = [*rows.members.features.columns, *rows.members.others.columns]
    found = [name for name in declared if name in known]
    if not found:
        raise UnsupportedError(
            "attribute.columns",
            "no column of the training rows is declared personal or protected.",
            remedy="Declare `label: {personal: [...]}` or `protected` for the training data.",
        )
    return sorted(found, key=lambda name: name not in rows.members.features.columns)[:_MOST]


def _measured(subject: Subject, rows: Pool, answers: Answers, name: str, rng: np.random.Generator) -> Found | None:
    """Ask about the members with each value, and guess; a column that the model does not see changes no answer."""
    members = rows.members
    column, is_seen = hidden(members.column(name)), name in members.features.columns
    if column is None or int((column.codes >= 0).sum()) < _FEWEST:
        return None
    said = None if answers.scores is None else answers.scores[: len(members)]
    mine = Answers(answers.task, members.target, said, answers.labels[: len(members)], answers.classes)
    fits = [] if is_seen else [confidence(mine)] * len(column.samples)
    for level in range(len(column.samples) if is_seen else 0):
        table = members.with_features(column.asked(members.features, level))
        if answers.scores is None:
            fits.append(confidence(replace(mine, labels=subject.predict(table))))
        else:
            fits.append(confidence(replace(mine, scores=subject.predict_proba(table))))
    known = np.flatnonzero(column.codes >= 0)
    truth = members.target[known].astype(np.float64)
    told = truth[:, None] if answers.task == "regression" else _indicators(members.target[known])
    spread = told.std(axis=0) + 1e-9
    others = encode(members.features.drop(columns=[name], errors="ignore").iloc[known], rng)
    design = widen(np.concatenate([others, (told - told.mean(axis=0)) / spread], axis=1), len(known) // 2, rng)
    fit = np.zeros(len(known), dtype=bool)
    fit[rng.permutation(len(known))[: len(known) // 2]] = True
    world = attack.World(design, column.codes[known], len(column.samples), fit, int(rng.integers(2**31)))
    base = attack.without(world, rng)
    taken = np.stack(fits, axis=1)[known]
    return Found(column, world, taken, base, attack.with_model(world, taken, base, rng))


def _indicators(target: np.ndarray) -> np.ndarray:
    """Return (n, c) indicators of the commonest classes, at most twelve."""
    names, counts = np.unique(target, return_counts=True)
    common = names[np.argsort(-counts, kind="stable")[:12]]
    return np.asarray((target[:, None] == common).astype(np.float64))


def _trial(found: Found, floor: float, rng: np.random.Generator) -> Canary:
    """Plant a model that gives the attribute of many rows away, and one whose answers belong to other rows."""
    noticed = alarms = 0
    told, n = [], len(found.fits)
    base_rate = float((found.base.given == found.world.codes).mean())
    for at in range(2 * _REPLICATES):
        fits = found.fits[rng.permutation(n)]
        if at < _REPLICATES:
            share = float(rng.uniform(0.8, 1.0))
            told.append(f"{share:.0%}")
            known = rng.random(n) < share
            top = fits.max(axis=1)
            fits = fits.copy()
            fits[known, found.world.codes[known]] = top[known] + _BOOST
        best = attack.with_model(found.world, fits, found.base, rng)
        low, high = replace(found, fits=fits, best=best).lead(0.95)[1:3]
        outcome = judge(low, high, floor, "max")
        noticed += at < _REPLICATES and outcome is not Outcome.PASS
        alarms += at >= _REPLICATES and outcome is Outcome.FAIL
    return Canary(
        kind="a model whose answer fits best with the true attribute",
        planted=_REPLICATES,
        found=noticed,
        clean=_REPLICATES,
        false_alarms=alarms,
        noticed=noticed == _REPLICATES and alarms == 0,
        detail=(
            f"Planted for {', '.join(told)} of {n} rows ({found.column.name}; right without the model: "
            f"{base_rate:.0%}). Known-good: the model's answers dealt out to other rows."
        ),
    )


def _result(found: list[Found], floor: float, trial: Canary) -> Result:
    judged, shown, bars = [], [], []
    for one in found:
        value, _, high, n = one.lead(0.95)
        low = one.lead(1 - 0.05 / len(found))[1]
        held = ~one.world.fit
        right = [float((guess.given == one.world.codes)[held].mean()) for guess in (one.base, one.best)]
        where = f"column {one.column.name}"
        judged.append(
            Measure(name="lead in guessing the attribute", value=value, low=low, high=high, threshold=floor,
                    direction="max", outcome=judge(low, high, floor, "max"), unit="share", n=n, where=where,
                    note=f"With the model: {one.best.name}. Without: {one.base.name}.")
        )  # fmt: skip
        shown += [
            Measure(name="right without the model", value=right[0], unit="share", n=n, where=where),
            Measure(name="right with the model", value=right[1], unit="share", n=n, where=where),
        ]
        bars.append(Bar(label=one.column.name, value=value, low=low, high=high, n=n))
    outcome = worst([one.outcome for one in judged if one.outcome is not None])
    if not trial.noticed:
        judged, outcome = [structs.replace(one, outcome=Outcome.INCONCLUSIVE) for one in judged], Outcome.INCONCLUSIVE
    top = max(judged, key=lambda one: one.value or 0.0)
    reason = (
        f"Most is told of {top.where.removeprefix('column ')}: with the model {top.value:+.1%} more training rows are "
        f"guessed rightly than without ({top.low:+.1%} to {top.high:+.1%}; at most {floor:.1%} is allowed)."
    )
    return Result(
        outcome=outcome,
        reason=reason if trial.noticed else f"The canary went unnoticed or a clean case was flagged. {reason}",
        measures=(*judged, *shown),
        canary=trial,
        plots=(
            Plot(kind="intervals", title="Training rows whose attribute is guessed only with the model",
                 x_label="lead over the best guess without it", bars=tuple(bars), threshold=floor),
        ),
        limits=(
            "The attacker knows other columns, the truth and half of the rows, but not what was said of the person.",
            "A lead may come of what the model knows of people in general, if half of the rows do not teach it.",
        ),
        remedy="" if outcome is Outcome.PASS else _remedy(outcome),
    )  # fmt: skip


def _remedy(outcome: Outcome) -> str:
    if outcome is Outcome.FAIL:
        return (
            "Leave the column out of the model, train with differential privacy (S2), or give labels or fewer digits "
            "(P2)."
        )
    return "Bring more training rows: the bound shrinks with their square root."
