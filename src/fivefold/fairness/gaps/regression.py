"""Gaps of a regression: mean error and mean prediction between groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.fairness.gaps import show
from fivefold.fairness.gaps.comparisons import (
    ALPHA,
    RATES,
    Design,
    any_found,
    design,
    flat_codes,
    moments,
    offsets,
    p_means,
)
from fivefold.fairness.gaps.evidence import gather
from fivefold.fairness.gaps.groups import MAIN_SHARE, MIN_CELL, MIN_SHOWN, Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.contract.check import Context
    from fivefold.fairness.gaps.comparisons import Moments
    from fivefold.fairness.gaps.evidence import Evidence

_ERROR = RATES.index("error")
_REPLICATES = 20
_TRIAL_FLOOR = 0.25  # of the mean absolute error, for the canary where nothing is declared


def run(context: Context, fields: Sequence[Field], target: np.ndarray, answers: np.ndarray) -> Result:
    """Compare mean absolute errors; judge them only against a declared ``max_error_gap``.

    Args:
        context: Options, rng.
        fields: Cuts of the rows.
        target: (n,) float64 truth.
        answers: (n,) float64 predictions.
    """
    declared = context.options.get("max_error_gap")
    errors = np.abs(answers - target)
    floor = float(declared) if declared is not None else _TRIAL_FLOOR * float(errors.mean())
    codes, groups = flat_codes(fields), int(offsets(fields)[-1])
    found = moments(codes, errors, groups)
    plan = design(fields, {"error": found.rows}, {"error": floor}, (MIN_CELL, MIN_CELL))
    evidence = gather(plan, np.zeros((4, groups)), np.zeros((4, groups)), {_ERROR: found})
    bird = _canary(codes, errors, plan, groups, context.rng)
    thin = _thin(fields, found, len(target))
    outcome, reason, remedy = _conclude(fields, evidence, thin, declared=declared is not None, noticed=bird.noticed)
    return Result(
        outcome=outcome,
        reason=reason,
        measures=(
            *show.judged(fields, evidence, shown_for="" if declared is not None else "not judged"),
            *_groups(fields, found, moments(codes, answers, groups), moments(codes, answers - target, groups)),
        ),
        canary=bird,
        plots=(_plot(fields, found),),
        remedy=remedy,
    )


def _conclude(
    fields: Sequence[Field], evidence: Evidence, thin: list[str], *, declared: bool, noticed: bool
) -> tuple[Outcome, str, str]:
    more = "Give more test rows of the named groups."
    if not declared:
        return (
            Outcome.INCONCLUSIVE,
            "Mean errors of the groups are shown; no largest gap is declared to judge them against.",
            "Declare checks.F1.gaps.max_error_gap in units of the target.",
        )
    if not noticed:
        return Outcome.INCONCLUSIVE, "Planted gaps of error were not told from permuted groups in these data.", more
    failed = [at for at, outcome in enumerate(evidence.outcomes) if outcome is Outcome.FAIL]
    if failed:
        at = min(failed, key=lambda at: float(evidence.adjusted[at]))
        return (
            Outcome.FAIL,
            f"{show.sentence(fields, evidence, at)}.",
            "Look at the data and features of the worse group.",
        )
    if thin:
        return Outcome.INCONCLUSIVE, f"Groups too small to be judged: {'; '.join(thin[:4])}.", more
    open_ = [at for at, outcome in enumerate(evidence.outcomes) if outcome is not Outcome.PASS]
    if open_:
        return Outcome.INCONCLUSIVE, f"Not clear of the floor: {show.sentence(fields, evidence, open_[0])}.", more
    return Outcome.PASS, f"All {len(evidence.plan)} gaps of error lie inside the floor with their 95 % bounds.", ""


def _thin(fields: Sequence[Field], found: Moments, rows: int) -> list[str]:
    starts, named = offsets(fields), []
    for at, field in enumerate(fields):
        if len(field.labels) < 2:
            named.append(f"{field.name} has a single group")
        for code, label in enumerate(field.labels):
            size = found.rows[int(starts[at]) + code]
            if MAIN_SHARE * rows <= size < MIN_CELL:
                named.append(label)
        sizes = found.rows[int(starts[at]) : int(starts[at]) + len(field.labels)]
        if len(sizes) > 1 and not named and int((sizes >= MIN_CELL).sum()) < 2:
            named.append(f"{field.name} has no two groups that are large enough")
    return named


def _canary(codes: np.ndarray, errors: np.ndarray, plan: Design, groups: int, rng: np.random.Generator) -> Canary:
    """Enlarge the errors of one group in copies with permuted labels; judge those and the permuted copies alone."""
    kind = "errors of one group enlarged"
    if not len(plan):
        return Canary(
            kind=kind, planted=0, found=0, clean=0, false_alarms=0, noticed=False, detail="No group is large enough."
        )
    members = np.union1d(plan.first, plan.second)
    reach, spread = float(ndtri(1 - ALPHA / len(plan))) + 2.33, float(errors.std())
    hits, alarms, sizes = 0, 0, []
    for copy in range(2 * _REPLICATES):
        changed = errors[rng.permutation(len(errors))]
        if copy < _REPLICATES:
            mine = (codes == members[int(rng.integers(len(members)))]).any(axis=0)
            rest = max(int((~mine).sum()), 1)
            sizes.append(float(plan.floor[0]) + reach * spread * float(np.sqrt(1 / mine.sum() + 1 / rest)) * 1.5)
            changed = changed + sizes[-1] * mine
        flagged = bool(any_found(plan.crossed, p_means(plan, moments(codes, changed, groups))))
        hits, alarms = hits + (flagged and copy < _REPLICATES), alarms + (flagged and copy >= _REPLICATES)
    return Canary(
        kind=kind,
        planted=_REPLICATES,
        found=hits,
        clean=_REPLICATES,
        false_alarms=alarms,
        noticed=hits >= 0.8 * _REPLICATES and alarms <= 0.1 * _REPLICATES,
        detail=f"Group labels were permuted; the errors of one group drawn from the seed were then enlarged by "
        f"{min(sizes):.3g} to {max(sizes):.3g}.",
    )


def _groups(fields: Sequence[Field], errors: Moments, answers: Moments, bias: Moments) -> tuple[Measure, ...]:
    labels = [label for field in fields for label in field.labels]
    found = []
    for name, part in (("mean absolute error", errors), ("mean prediction", answers), ("mean error", bias)):
        half = 1.645 * np.sqrt(part.variance / np.maximum(part.rows, 1))
        found += [
            Measure(
                name=name,
                value=float(part.mean[at]),
                low=float(part.mean[at] - half[at]),
                high=float(part.mean[at] + half[at]),
                n=int(part.rows[at]),
                where=label,
            )
            for at, label in enumerate(labels)
            if part.rows[at] >= MIN_SHOWN
        ]
    return tuple(found)


def _plot(fields: Sequence[Field], errors: Moments) -> Plot:
    labels = [label for field in fields for label in field.labels]
    half = 1.645 * np.sqrt(errors.variance / np.maximum(errors.rows, 1))
    bars = tuple(
        Bar(
            label=label,
            value=float(errors.mean[at]),
            low=float(errors.mean[at] - half[at]),
            high=float(errors.mean[at] + half[at]),
            n=int(errors.rows[at]),
        )
        for at, label in enumerate(labels)
        if errors.rows[at] >= MIN_SHOWN
    )
    return Plot(kind="intervals", title="mean absolute error by group", x_label="mean absolute error", bars=bars[:24])
