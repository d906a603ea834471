"""Canary: scores that know nothing, and decisions that take too many, must not pass; perfect ones must not fail."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary
from fivefold.contract.outcome import Outcome
from fivefold.protection.operating import point
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.protection.operating.scores import Scores

_MANY = 12


def trial(chosen: Scores, other: Scores, scores: Scores, context: Context) -> Canary:
    """Judge planted scores and decisions on the user's own rows.

    Known-bad: scores dealt out to other rows (equal error one half); where `max_false_match` is declared, impostors
    taken at a rate from the limit up to three times it and its own error above. Known-good: scores in perfect order,
    and decisions that are all right.

    Args:
        chosen: The half that thresholds are chosen on.
        other: The half that they are stated on.
        scores: All rows.
        context: Thresholds, options and the source of chance.
    """
    floor, rng = float(context.thresholds["max_equal_error"]), context.rng
    bad = [_equal(_dealt(chosen, rng), _dealt(other, rng), floor) for _ in range(_MANY)]
    good = [_equal(_perfect(chosen, rng), _perfect(other, rng), floor) for _ in range(_MANY)]
    detail = f"scores dealt out to other rows, {_MANY} times"
    limit = context.options.get("max_false_match")
    if isinstance(limit, int | float) and 0 < limit < 1 and scores.declared:
        n = int((~scores.genuine).sum())
        rates = limit + (2 * limit + 4 * np.sqrt(limit / n)) * rng.uniform(0.5, 1.0, _MANY)
        bad += [_taken(scores, float(min(rate, 1.0)), limit, rng) for rate in rates]
        good += [_taken(scores, 0.0, limit, rng) for _ in range(_MANY)]
        detail += f"; impostors taken at rates from {rates.min():.2%} to {min(rates.max(), 1.0):.2%}"
    found, alarms = sum(one is not Outcome.PASS for one in bad), sum(one is Outcome.FAIL for one in good)
    return Canary(
        kind="scores that know nothing, and thresholds that take too many",
        planted=len(bad),
        found=found,
        clean=len(good),
        false_alarms=alarms,
        noticed=found >= 0.75 * len(bad) and alarms <= 0.125 * len(good),
        detail=f"{detail}: {found} of {len(bad)} noticed. Known-good: scores in order, decisions that are right.",
    )


def _dealt(scores: Scores, rng: np.random.Generator) -> Scores:
    return replace(scores, value=rng.permutation(scores.value))


def _perfect(scores: Scores, rng: np.random.Generator) -> Scores:
    return replace(scores, value=rng.random(len(scores.value)) + 2.0 * scores.genuine)


def _equal(chosen: Scores, other: Scores, floor: float) -> Outcome:
    """Judge the equal error rate as the check does."""
    edge = point.equal(chosen.value[chosen.genuine], chosen.value[~chosen.genuine])
    found = other.stated(edge).equal_error
    return judge(found.low, found.high, floor, "max")


def _taken(scores: Scores, rate: float, limit: float, rng: np.random.Generator) -> Outcome:
    """Judge decisions that take impostors at a rate."""
    used = replace(scores, decided=scores.genuine | (rng.random(len(scores.value)) < rate)).in_use()
    if used is None:
        return Outcome.INCONCLUSIVE
    return judge(used.false_match.low, used.false_match.high, limit, "max")
