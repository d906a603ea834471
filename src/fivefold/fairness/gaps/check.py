"""F1.gaps: compare the groups of each protected field, judge the gaps, prove that a gap would be seen."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.contract.finding import Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.fairness.gaps import canary, regression, show
from fivefold.fairness.gaps.comparisons import (
    RATES,
    Moments,
    Rate,
    design,
    flat_codes,
    moments,
    offsets,
    rates,
    tables,
)
from fivefold.fairness.gaps.evidence import Evidence, gather
from fivefold.fairness.gaps.groups import MAIN_SHARE, MIN_CELL, Field, cross
from fivefold.fairness.rows import cuts, predict, sample, scores_of

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table

CROSSED_CELL = 240
"""Fewest rows of an outcome in an intersection for it to be judged."""
_MAX_CROSSED = 6
_MAX_CLASSES = 10
_REPLICATES = {"quick": 10, "standard": 20, "thorough": 40}

REMEDY_FAIL = (
    "Retrain or re-threshold the model so that the named groups are treated alike, "
    "and look where their labels and features come from."
)
REMEDY_MORE = "Give more test rows of the named groups."
REMEDY_TRUTH = "Give the truth of these rows, or take a text that is a label out of `missing:`."
_MOST_UNKNOWN = 0.1


@dataclass(frozen=True)
class Measured:
    """One favourable class, measured."""

    fields: tuple[Field, ...]
    counts: np.ndarray
    evidence: Evidence
    thin: tuple[str, ...]


def run(context: Context) -> Result:
    """Measure F1.gaps.

    Raises:
        UnsupportedError: ``gaps.protected`` without a protected column in the test set, ``gaps.rows`` without
            rows of known target.
        InputError: ``gaps.bands`` if the option cannot be read.
        SubjectError: The model misbehaved.
    """
    subject = context.subject
    if subject is None:
        raise UnsupportedError("gaps.subject", "there is no model to ask.")
    table, without, repeats = sample(context, "gaps")
    context.progress(0.1, "predicting")
    answers = predict(subject, table)
    context.progress(0.5, "comparing groups")
    if subject.task == "regression":
        fields = cuts(context, table, np.zeros(len(table), dtype=np.int64), "gaps")
        result = regression.run(context, fields, table.target, answers)
    elif context.settings.positive is None:
        result = _undeclared(context, subject, table, answers)
    else:
        result = _declared(context, subject, table, answers, context.settings.positive)
    limits = [repeats.limit] if repeats.once else []
    if without:
        limits.append(f"{without} rows without a known target were left out.")
    result = msgspec.structs.replace(result, limits=(*result.limits, *limits))
    if result.outcome is Outcome.PASS and without > _MOST_UNKNOWN * len(repeats.keep):
        reason = f"{without} of {len(repeats.keep)} test rows have no known target, so nothing is concluded for all."
        return msgspec.structs.replace(
            result, outcome=Outcome.INCONCLUSIVE, reason=f"{reason} {result.reason}", remedy=REMEDY_TRUTH
        )
    return result


def _declared(context: Context, subject: Subject, table: Table, answers: np.ndarray, positive: int) -> Result:
    truth, chosen = (table.target == positive).astype(np.int64), (answers == positive).astype(np.int64)
    scores = scores_of(context, subject, table, positive)
    found = measure(context, table, truth, chosen, scores)
    context.progress(0.8, "canaries")
    codes = flat_codes(found.fields)
    counted = found.evidence.plan.take(found.evidence.plan.rate < canary.PLANTABLE)
    bird = canary.run(
        canary.Rows(found.fields, codes, truth, chosen), counted, context.rng, replicates=_REPLICATES[context.effort]
    )
    outcome, reason, remedy = _conclude(found, noticed=bird.noticed)
    return Result(
        outcome=outcome,
        reason=reason,
        measures=(
            *show.judged(found.fields, found.evidence),
            *show.groups(found.fields, found.counts),
            *show.calibration(found.fields, scores, truth),
        ),
        canary=bird,
        plots=show.plots(found.fields, found.counts, found.evidence),
        limits=_limits(context, found),
        remedy=remedy,
    )


def measure(
    context: Context, table: Table, truth: np.ndarray, chosen: np.ndarray, scores: np.ndarray | None
) -> Measured:
    """Compare the groups for one favourable class.

    Args:
        context: Thresholds, options and protected columns.
        table: The rows.
        truth: (n,) 0 or 1: belongs to the favourable class.
        chosen: (n,) 0 or 1: was given the favourable class.
        scores: (n,) probability of the favourable class; None: labels only.
    """
    own = cuts(context, table, truth, "gaps")
    crossed = [cross(a, b) for a, b in list(combinations([one for one in own if not one.extra], 2))[:_MAX_CROSSED]]
    fields = (*own, *crossed)
    codes, groups = flat_codes(fields), int(offsets(fields)[-1])
    counts = tables(codes, truth, chosen, groups)
    hits, totals = rates(counts)
    sizes: dict[Rate, np.ndarray] = {rate: totals[at] for at, rate in enumerate(RATES[: len(totals)])}
    means: dict[int, Moments] = {}
    if scores is not None:
        means[RATES.index("calibration")] = moments(codes, truth - scores, groups)
        sizes["calibration"] = totals[0]
    floors = {rate: floor for rate, floor in _floors(context).items() if rate in sizes}
    plan = design(fields, sizes, floors, (MIN_CELL, CROSSED_CELL))
    thin = _thin(own, sizes, floors, len(table))
    return Measured(fields, counts, gather(plan, hits, totals, means), thin)


def _floors(context: Context) -> dict[Rate, float]:
    def value(key: str) -> float | None:
        found = context.thresholds.get(key)
        return context.options.get(key) if found is None else found

    keys: tuple[tuple[Rate, str], ...] = (
        ("selection", "min_selection_ratio"),
        ("tpr", "max_tpr_gap"),
        ("fpr", "max_fpr_gap"),
        ("ppv", "max_ppv_gap"),
        ("calibration", "max_calibration_gap"),
    )
    return {rate: float(floor) for rate, key in keys if (floor := value(key)) is not None}


def _thin(own: list[Field], sizes: dict[Rate, np.ndarray], floors: dict[Rate, float], rows: int) -> tuple[str, ...]:
    """Name the groups of declared fields that are too large to pass over and too small to judge."""
    found, starts = [], offsets(own)
    for at, field_ in enumerate(own):
        if len(field_.labels) < 2:
            found.append(f"{field_.name} has a single group")
            continue
        named = False
        for code, label in enumerate(field_.labels):
            group = int(starts[at]) + code
            small = [show.NAMES[rate] for rate in floors if sizes[rate][group] < MIN_CELL]
            if small and sizes["selection"][group] >= MAIN_SHARE * rows:
                found.append(f"{label} ({', '.join(small)})")
                named = True
        cells = [sizes[rate][starts[at] : starts[at] + len(field_.labels)] for rate in floors]
        if cells and not named and int(np.all([cell >= MIN_CELL for cell in cells], axis=0).sum()) < 2:
            found.append(f"{field_.name} has no two groups that are large enough")
    return tuple(found)


def _conclude(found: Measured, *, noticed: bool) -> tuple[Outcome, str, str]:
    """Return outcome, reason and remedy of the declared favourable class."""
    evidence = found.evidence
    failed = [at for at, outcome in enumerate(evidence.outcomes) if outcome is Outcome.FAIL]
    if not len(evidence.plan):
        return Outcome.INCONCLUSIVE, _small(found) or "There are no two groups to compare.", REMEDY_MORE
    if not noticed:
        reason = "Planted gaps were not told from permuted groups in these data, so nothing is concluded."
        return Outcome.INCONCLUSIVE, f"{reason} {_small(found)}".strip(), REMEDY_MORE
    if failed:
        at = min(failed, key=lambda at: float(evidence.adjusted[at]))
        more = f" So do {len(failed) - 1} more comparisons." if len(failed) > 1 else ""
        return Outcome.FAIL, f"{show.sentence(found.fields, evidence, at)}.{more}", REMEDY_FAIL
    if found.thin:
        return Outcome.INCONCLUSIVE, _small(found), REMEDY_MORE
    open_ = [at for at, outcome in enumerate(evidence.outcomes) if outcome is not Outcome.PASS]
    if open_:
        at = open_[0]
        reason = (
            f"{len(open_)} of {len(evidence.plan)} comparisons are not clear of the floor, for example: "
            f"{show.sentence(found.fields, evidence, at)}."
        )
        return Outcome.INCONCLUSIVE, reason, REMEDY_MORE
    return Outcome.PASS, f"All {len(evidence.plan)} comparisons lie inside the floors with their 95 % bounds.", ""


def _small(found: Measured) -> str:
    if not found.thin:
        return ""
    more = f"; and {len(found.thin) - 4} more" if len(found.thin) > 4 else ""
    return f"Groups too small to be judged: {'; '.join(found.thin[:4])}{more}."


def _undeclared(context: Context, subject: Subject, table: Table, answers: np.ndarray) -> Result:
    """Show the gaps of every class taken as the favourable one; judge none."""
    measures: list[Measure] = []
    bird = None
    for index, name in enumerate(subject.classes[:_MAX_CLASSES]):
        truth, chosen = (table.target == index).astype(np.int64), (answers == index).astype(np.int64)
        found = measure(context, table, truth, chosen, None)
        measures += show.judged(found.fields, found.evidence, shown_for=f"favourable class {name}")
        if bird is None or not bird.noticed:
            codes, plan = flat_codes(found.fields), found.evidence.plan
            rows = canary.Rows(found.fields, codes, truth, chosen)
            bird = canary.run(rows, plan.take(plan.rate < canary.PLANTABLE), context.rng, replicates=10)
    return Result(
        outcome=Outcome.INCONCLUSIVE,
        reason="The manifest does not say which answer is the favourable one, so the gaps are shown for "
        + ("both classes" if len(subject.classes) == 2 else "each class against the rest")
        + " and none is judged.",
        measures=tuple(measures),
        canary=bird,
        remedy="Declare the favourable class: data.test.positive.",
    )


def _limits(context: Context, found: Measured) -> tuple[str, ...]:
    said = []
    pooled = [field_.labels[field_.pooled] for field_ in found.fields if field_.pooled >= 0]
    if pooled:
        said.append(f"Groups with too few rows were pooled or left unjudged: {', '.join(pooled)}.")
    crossed = [field_ for field_ in found.fields if field_.crossed]
    if crossed:
        said.append(
            f"Intersections with fewer than {CROSSED_CELL} rows of an outcome are shown, not judged; "
            "larger ones can fail the check, and hold up a pass only by their point estimate."
        )
    if len(context.settings.protected) > 4:
        said.append("Only the intersections of the first protected fields were formed.")
    return tuple(said)
