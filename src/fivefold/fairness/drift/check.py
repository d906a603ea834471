"""F1.drift: whether groups get the favourable answer at like rates in operation, whenever one looks."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome, worst
from fivefold.errors import UnsupportedError
from fivefold.fairness.drift import stream as streams
from fivefold.fairness.drift.gaps import Gap, gap, paired
from fivefold.fairness.gaps.groups import MAIN_SHARE, MIN_SHOWN

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.fairness.drift.stream import Stream
    from fivefold.fairness.gaps.groups import Field

FLOOR = "min_operating_ratio"
_TRIALS, _ROWS = 3, 6000
_KEPT, _RATE = 0.4, 0.5
_SHOWN = 12


def run(context: Context) -> Result:
    """Judge F1.drift.

    Threat: groups were treated alike in the test, and are not in operation, or not any more.
    Limit: who is alike is not asked, only shares of favourable answers; people whose group is not on record are one.

    Raises:
        UnsupportedError: ``fairness.positive``, ``fairness.groups``; ``fairness.rows`` where no two groups can be
            compared.
    """
    found, floor = streams.of(context), context.thresholds[FLOOR]
    context.progress(0.2, "comparing groups")
    gaps = judged(found, floor)
    if not gaps:
        raise UnsupportedError(
            "fairness.rows", "no two groups have enough decisions to be compared.", remedy="Look again later."
        )
    context.progress(0.6, "planting gaps")
    bird = _canary(found, floor, context.rng)
    outcome = worst([one.outcome for one in gaps]) if bird.noticed else Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome,
        reason=_reason(found, gaps, bird),
        measures=tuple(_measure(one, floor) for one in _sorted(gaps)[:_SHOWN]),
        canary=bird,
        limits=(
            "Shares of favourable answers are compared; whether people are alike is not asked (F1.gaps has the truth).",
            "What a person did with the answer afterwards is not counted.",
            *(() if found.recorded else ("No decision is on record: the test rows stand for the first ones.",)),
        ),
        remedy="" if outcome is Outcome.PASS else _remedy(gaps),
    )


def judged(found: Stream, floor: float) -> list[Gap]:
    """Return every ordered pair of groups of each field, those that are large enough."""
    chosen = [(one, _large(one)) for one in found.fields]
    pairs = [(one, two) for one, codes in chosen for two in permutations(codes, 2)]
    return [
        gap(paired(found.granted, one.codes, *two), (one.labels[two[0]], one.labels[two[1]]), floor, len(pairs))
        for one, two in pairs
    ]


def _large(one: Field) -> list[int]:
    """Return the groups that are judged: at least a twentieth of the decisions, and ten."""
    sizes = np.bincount(one.codes, minlength=len(one.labels))
    least = max(MIN_SHOWN, MAIN_SHARE * len(one.codes))
    return [int(code) for code in np.flatnonzero(sizes >= least)]


def _canary(found: Stream, floor: float, rng: np.random.Generator) -> Canary:
    """Deal two of these groups out anew, and take favourable answers from one of them: from the first, or late."""
    hits = alarms = 0
    for trial in range(_TRIALS):
        sizes = _two_sizes(found, rng)
        codes = (rng.random(_ROWS) < sizes).astype(np.int64)
        victim = int(rng.integers(2))
        granted = (rng.random(_ROWS) < max(_RATE, float(found.granted.mean()))).astype(np.int64)
        start = 0 if trial else _ROWS // 4
        taken = (codes == victim) & (np.arange(_ROWS) >= start) & (rng.random(_ROWS) > _KEPT)
        hits += _fails(np.where(taken, 0, granted), codes, floor)
        alarms += _fails(granted, codes, floor)
    return Canary(
        kind="favourable answers taken from a group, from the first decision or later", planted=_TRIALS, found=hits,
        clean=_TRIALS, false_alarms=alarms, noticed=hits == _TRIALS and not alarms,
        detail=f"{_ROWS:,} decisions between two of these groups at this rate, at least {_RATE:g}; "
        f"one group keeps {_KEPT:.0%} of its favourable answers.",
    )  # fmt: skip


def _two_sizes(found: Stream, rng: np.random.Generator) -> float:
    """Return the share of one of two groups drawn from those that are judged, at least three in ten."""
    able = [one for one in found.fields if len(_large(one)) > 1]
    one = able[int(rng.integers(len(able)))]
    two = rng.choice(_large(one), 2, replace=False)
    sizes = np.bincount(one.codes, minlength=len(one.labels))[two]
    return float(np.clip(sizes[0] / sizes.sum(), 0.3, 0.7))


def _fails(granted: np.ndarray, codes: np.ndarray, floor: float) -> bool:
    pairs = list(permutations(np.unique(codes).tolist(), 2))
    return any(gap(paired(granted, codes, *two), ("", ""), floor, len(pairs)).outcome is Outcome.FAIL for two in pairs)


def _sorted(gaps: list[Gap]) -> list[Gap]:
    return sorted(gaps, key=lambda one: (one.since < 0, one.low, one.worse))


def _measure(one: Gap, floor: float) -> Measure:
    note = f"below the floor since its {one.since + 1:,}. decision" if one.since > 0 else ""
    value = None if one.ratio != one.ratio else one.ratio
    return Measure(
        name="selection ratio in operation", value=value, low=one.low,
        high=None if one.high == float("inf") else one.high, threshold=floor, direction="min", unit="ratio", n=one.n,
        where=f"{one.worse} against {one.better}", outcome=one.outcome, note=note,
    )  # fmt: skip


def _reason(found: Stream, gaps: list[Gap], bird: Canary) -> str:
    if not bird.noticed:
        return "Planted gaps went unnoticed, so nothing of the record is believed."
    of = "decisions on record" if found.recorded else "answers to test rows (no decision is on record)"
    failed = [one for one in _sorted(gaps) if one.outcome is Outcome.FAIL]
    if failed:
        one = failed[0]
        since = f", since its {one.since + 1:,}. decision" if one.since > 0 else ""
        return f"Of {len(found.granted):,} {of}: {one.worse} is selected too seldom against {one.better}{since}."
    unsettled = sum(one.outcome is Outcome.INCONCLUSIVE for one in gaps)
    said = f"{unsettled} of {len(gaps)} comparisons are not settled" if unsettled else "all groups are within the floor"
    return f"Of {len(found.granted):,} {of}: {said}."


def _remedy(gaps: list[Gap]) -> str:
    if any(one.outcome is Outcome.FAIL for one in gaps):
        return "Find out why (F1.gaps, F1.proxies), and mend it: fivefold model train --fair."
    return "Look again when more decisions are on record: these bounds may be looked at every day."
