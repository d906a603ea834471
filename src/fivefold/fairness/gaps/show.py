"""Words, figures and plots of gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Measure, Plot
from fivefold.contract.outcome import Outcome
from fivefold.fairness.gaps.comparisons import ALPHA, RATES, Rate, offsets, rates
from fivefold.fairness.gaps.groups import MIN_CELL, MIN_SHOWN
from fivefold.stats.calibration import debiased_ece
from fivefold.stats.proportion import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.fairness.gaps.evidence import Evidence
    from fivefold.fairness.gaps.groups import Field

NAMES: dict[Rate, str] = {
    "selection": "selection rate",
    "tpr": "true-positive rate",
    "fpr": "false-positive rate",
    "ppv": "positive predictive value",
    "calibration": "calibration",
    "error": "mean absolute error",
}
_MOST_BARS = 24
_MOST_GROUPS = 24


def _measure_name(rate: Rate) -> str:
    return "selection ratio" if rate == "selection" else f"{NAMES[rate]} gap"


def _flat_labels(fields: Sequence[Field]) -> list[str]:
    return [label for field in fields for label in field.labels]


def _pair(fields: Sequence[Field], evidence: Evidence, at: int) -> str:
    labels = _flat_labels(fields)
    return f"{labels[int(evidence.plan.first[at])]} against {labels[int(evidence.plan.second[at])]}"


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def sentence(fields: Sequence[Field], evidence: Evidence, at: int) -> str:
    """Say one comparison: name, groups, value, bounds, floor."""
    rate = RATES[int(evidence.plan.rate[at])]
    bounds = f"{evidence.low[at]:.3g} to {evidence.high[at]:.3g}"
    side = "at least" if rate == "selection" else "at most"
    return (
        f"{_measure_name(rate)} of {_pair(fields, evidence, at)} is {evidence.value[at]:.3g} "
        f"({bounds}; allowed: {side} {evidence.plan.floor[at]:g})"
    )


def judged(fields: Sequence[Field], evidence: Evidence, *, shown_for: str = "") -> tuple[Measure, ...]:
    """Return the worst comparison of each field and rate, with the outcome over all of that field and rate.

    Args:
        fields: Cuts.
        evidence: Judged comparisons.
        shown_for: Where nothing may be judged: what the figures are shown for.
    """
    plan = evidence.plan
    home = np.searchsorted(offsets(fields), plan.first, side="right") - 1
    found = []
    for position in range(len(fields)):
        for rate in range(len(RATES)):
            mine = np.flatnonzero((home == position) & (plan.rate == rate))
            if len(mine):
                found.append(_worst(fields, evidence, mine, shown_for))
    return tuple(found)


def _worst(fields: Sequence[Field], evidence: Evidence, mine: np.ndarray, shown_for: str) -> Measure:
    plan, rate = evidence.plan, RATES[int(evidence.plan.rate[mine[0]])]
    rank = {Outcome.FAIL: 0, Outcome.INCONCLUSIVE: 1, Outcome.PASS: 2}
    outcome = min((evidence.outcomes[at] for at in mine.tolist()), key=lambda outcome: rank[outcome])
    same = [at for at in mine.tolist() if evidence.outcomes[at] is outcome]
    sign = 1.0 if rate == "selection" else -1.0
    at = min(
        same,
        key=lambda at: (
            float(evidence.adjusted[at]) if outcome is Outcome.FAIL else 0.0,
            sign * _bad(evidence, at, rate),
        ),
    )
    low = evidence.low[at] if rate == "selection" else max(evidence.low[at], 0.0)
    note = f"Worst of {len(mine)} pairs." if len(mine) > 1 else ""
    if outcome is Outcome.INCONCLUSIVE and evidence.adjusted[at] > ALPHA and _beyond(evidence, at, rate):
        note += " Beyond the floor taken alone, not after Holm's correction over all comparisons."
    if plan.crossed[at] and outcome is Outcome.PASS:
        note += " Intersection: cleared by its point estimate."
    where = _pair(fields, evidence, at)
    return Measure(
        name=_measure_name(rate),
        value=_number(evidence.value[at]),
        low=_number(low),
        high=_number(evidence.high[at]),
        threshold=None if shown_for else float(plan.floor[at]),
        direction="min" if rate == "selection" else "max",
        outcome=None if shown_for else outcome,
        unit="ratio" if rate == "selection" else "" if rate == "error" else "share",
        n=int(evidence.rows[at]),
        where=f"{shown_for}: {where}" if shown_for else where,
        note=note.strip(),
    )


def _bad(evidence: Evidence, at: int, rate: Rate) -> float:
    """Return the bound that lies nearest to the floor on the bad side."""
    return float(evidence.low[at] if rate == "selection" else evidence.high[at])


def _beyond(evidence: Evidence, at: int, rate: Rate) -> bool:
    floor = evidence.plan.floor[at]
    return bool(evidence.high[at] < floor) if rate == "selection" else bool(evidence.low[at] > floor)


def groups(fields: Sequence[Field], counts: np.ndarray) -> tuple[Measure, ...]:
    """Return the rates of every group with at least ten rows, not judged."""
    hits, totals = rates(counts)
    low, high = wilson(hits, totals)
    labels, starts = _flat_labels(fields), offsets(fields)
    shown = [
        (int(start) + code, rate)
        for field, start in zip(fields, starts, strict=False)
        for code in range(min(len(field.labels), _MOST_GROUPS))
        for rate in range(len(hits) - field.crossed)
    ]
    return tuple(
        Measure(
            name=NAMES[RATES[rate]],
            value=_number(hits[rate, at] / totals[rate, at]),
            low=_number(low[rate, at]),
            high=_number(high[rate, at]),
            unit="share",
            n=int(totals[rate, at]),
            where=labels[at],
            note="Too few rows to be judged." if totals[rate, at] < MIN_CELL else "",
        )
        for at, rate in shown
        if totals[rate, at] >= MIN_SHOWN
    )


def calibration(fields: Sequence[Field], scores: np.ndarray | None, truth: np.ndarray) -> tuple[Measure, ...]:
    """Return how far each group's share of positives lies from its mean score; nothing without scores."""
    found = []
    for field in fields if scores is not None else ():
        for code, label in enumerate(field.labels[:_MOST_GROUPS]):
            mine = field.codes == code
            if not field.crossed and scores is not None and mine.sum() >= MIN_SHOWN:
                found.append(_calibration(label, scores[mine], truth[mine]))
    return tuple(found)


def _calibration(label: str, scores: np.ndarray, truth: np.ndarray) -> Measure:
    gap = float((truth - scores).mean())
    half = 1.645 * float((truth - scores).std() / np.sqrt(len(truth)))
    return Measure(
        name="share of positives less mean score",
        value=_number(gap),
        low=_number(gap - half),
        high=_number(gap + half),
        unit="share",
        n=len(truth),
        where=label,
        note=f"Calibration error {debiased_ece(np.clip(scores, 0, 1), truth):.3f}, chance removed.",
    )


def plots(fields: Sequence[Field], counts: np.ndarray, evidence: Evidence) -> tuple[Plot, ...]:
    """Return one picture of the groups' rates per judged rate, largest fields first; at most three."""
    hits, totals = rates(counts)
    low, high = wilson(hits, totals)
    labels = _flat_labels(fields)
    own = [at for position, field in enumerate(fields) if not field.crossed for at in _members(fields, position)]
    pictures = []
    for rate in range(3):
        bars = [
            Bar(
                label=labels[at],
                value=float(hits[rate, at] / totals[rate, at]),
                low=float(low[rate, at]),
                high=float(high[rate, at]),
                n=int(totals[rate, at]),
                outcome=_bar_outcome(evidence, rate, at),
            )
            for at in own
            if totals[rate, at] >= MIN_SHOWN
        ]
        if bars:
            name = NAMES[RATES[rate]]
            pictures.append(
                Plot(kind="intervals", title=f"{name} by group", x_label=name, bars=tuple(bars[:_MOST_BARS]))
            )
    return tuple(pictures)


def _members(fields: Sequence[Field], position: int) -> range:
    starts = offsets(fields)
    return range(int(starts[position]), int(starts[position + 1]))


def _bar_outcome(evidence: Evidence, rate: int, group: int) -> Outcome | None:
    plan = evidence.plan
    mine = np.flatnonzero((plan.rate == rate) & ((plan.first == group) | (plan.second == group)))
    outcomes = {evidence.outcomes[at] for at in mine.tolist()}
    return next(
        (outcome for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS) if outcome in outcomes), None
    )
