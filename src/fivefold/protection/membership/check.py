"""Check P3.membership: attack, compare with a blind attack, prove with canaries that a leak is noticed, judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.membership import bounds, canary, queries
from fivefold.protection.membership.answers import Answers, ask
from fivefold.protection.membership.attack import Halves, attack, halve
from fivefold.protection.membership.blind import blind
from fivefold.protection.membership.result import AUC, Leak, result
from fivefold.protection.membership.rows import encode, pool
from fivefold.protection.membership.student import widen

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.protection.membership.rows import Pool

_FEWEST = 20
_REPLICATES = 3
_CANARY_ROWS = 4000


def run(context: Context) -> Result:
    """Measure what membership leaks.

    Raises:
        UnsupportedError: ``membership.rows`` if training or test data have fewer than 20 rows that can be compared.
        SubjectError: The model misbehaved.
    """
    subject = context.subject
    if subject is None:
        raise UnsupportedError("membership.subject", "there is no model to ask.")
    rows = pool(context.tables("train"), context.tables("test"), context.rows, context.rng)
    if min(len(rows.members), len(rows.others)) < _FEWEST:
        raise UnsupportedError(
            "membership.rows",
            f"only {len(rows.members)} training and {len(rows.others)} test rows can be compared "
            f"({rows.shared} test rows are in the training data too). {rows.left_out(subject.classes)}".strip(),
            remedy=_mending(rows),
        )
    context.progress(0.1, "asking the model")
    answers = ask(subject, rows)
    if subject.capabilities.perturbable:
        answers = queries.with_neighbours(subject, rows, answers, context.rng)
    if subject.capabilities.retrains and queries.holds_all_classes(answers):

        def told(done: int) -> None:
            context.progress(0.2 + 0.1 * done, f"shadow model {done + 1} of {queries.SHADOWS}")

        answers = queries.with_shadows(subject, rows, answers, context.rng, told)
    context.progress(0.6, "attacking")
    halves = halve(rows.is_member, context.rng)
    design = widen(encode(rows.features, context.rng), len(rows.others) // 2, context.rng)
    found = measure(answers, design, halves, context.rng)
    seen = blind(answers, design, halves, context.rng)
    context.progress(0.8, "planting canaries")
    proof = prove(answers, design, halves, context)
    return result(
        rows=rows,
        answers=answers,
        halves=halves,
        found=found,
        seen=seen,
        proof=proof,
        floors=context.thresholds,
        classes=subject.classes,
    )


def _mending(rows: Pool) -> str:
    if rows.apart:
        return "Write the labels of both sets alike, or give test rows of the classes of the training data."
    if rows.shared:
        return "Declare test data that the model was not trained on."
    return f"Give at least {_FEWEST} rows of each; a few hundred are needed for a judgement."


def measure(answers: Answers, design: np.ndarray, halves: Halves, rng: np.random.Generator) -> Leak:
    """Attack and state the two figures on the held-back half."""
    scored = attack(answers, design, halves, rng)
    inner, outer = ~halves.fit & halves.is_member, ~halves.fit & ~halves.is_member
    wide, low = scored.scores[scored.best_auc], scored.scores[scored.best_low]
    return Leak(bounds.auc(wide[inner], wide[outer]), bounds.rate_at(low[inner], low[outer]), scored)


def prove(answers: Answers, design: np.ndarray, halves: Halves, context: Context) -> Canary:
    """Plant memory on membership drawn at random, and draw membership at random without planting any."""
    rng, floor = context.rng, context.thresholds[AUC]
    total = len(halves.is_member)
    kept = np.sort(rng.choice(total, min(total, _CANARY_ROWS), replace=False))
    share = float(halves.is_member[kept].mean())
    inner = min(max(round(share * len(kept)), _FEWEST), len(kept) - _FEWEST)
    size = canary.size_for(inner // 2, (len(kept) - inner) // 2, floor)
    part, part_design = answers.permuted(kept), design[kept]
    noticed = alarms = 0
    told = []
    for at in range(2 * _REPLICATES):
        is_member = np.zeros(len(kept), dtype=bool)
        is_member[rng.choice(len(kept), inner, replace=False)] = True
        tried, planted = part, at < _REPLICATES
        if planted:
            plant = canary.draw(size, rng)
            tried = canary.remember(part, is_member, plant, rng)
            told.append(f"{plant.share:.0%} of members{' and their neighbours' if plant.smooth else ''}")
        failed = measure(tried, part_design, halve(is_member, rng), rng).outcome(context.thresholds) is Outcome.FAIL
        noticed, alarms = noticed + (planted and failed), alarms + (not planted and failed)
    return Canary(
        kind="the same model made to memorise rows drawn at random",
        planted=_REPLICATES,
        found=noticed,
        clean=_REPLICATES,
        false_alarms=alarms,
        noticed=noticed == _REPLICATES and alarms == 0,
        detail=(
            f"Loss attack of AUC {size:.2f} planted in {len(kept)} rows; remembered: {', '.join(told)}. "
            "Known-good: membership drawn at random, nothing planted."
        ),
    )
