"""Check D1.drift: whether the guard's watch notices relabelled requests, made of these very rows, and spares others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.governance.purpose.declared import tolerance
from fivefold.governance.purpose.gauge import FEWEST, LIKELY, columns_of, fit
from fivefold.governance.purpose.watch import BLOCK, BOUNDING, CHANCE, TOLERANCE, Watch
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson
from fivefold.subject.rows import of

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.governance.purpose.gauge import Gauge

NOTICED = "min_noticed"
MOST_ALARMS = 0.05
"""Honest runs that may raise an alarm; one in a hundred is stated, over all time, and 64 runs can show this."""
WITHIN = 256
"""Rows within which a relabelling is to be noticed."""
_TRIALS = {"quick": 64, "standard": 64, "thorough": 256}
_CANARIES = 16
_BLIND, _NERVOUS = 0.999, 0.25
_FEWEST_LEVEL, _MOST_LEVEL = 0.05, 0.6
_REMEDY = (
    "Lower controls.D1.tolerance, or give more training rows, so that another population is told from the declared one."
)


@dataclass(frozen=True)
class Trial:
    """One parting of the rows: what a half of them says of the population, honest requests, and relabelled ones."""

    gauge: Gauge
    honest: pd.DataFrame
    relabelled: pd.DataFrame


def run(context: Context) -> Result:
    """Judge D1.drift.

    Threat: requests for another purpose come under the words of the declared one.
    Limit: relabelled requests here are those of one half of the people, told by one column.

    Raises:
        UnsupportedError: ``purpose.rows`` with too few rows; ``purpose.texts``; ``purpose.columns`` where no column
            parts the rows.
    """
    table = context.tables("train")
    rows = of(table)
    some = np.sort(context.rng.permutation(len(table))[: context.rows])
    frame = pd.DataFrame(columns_of(rows.iloc[some] if isinstance(rows, pd.DataFrame) else rows[some]))
    frame = frame.reset_index(drop=True)
    if len(frame) < 2 * FEWEST:
        raise UnsupportedError("purpose.rows", f"{len(frame)} rows are too few; {2 * FEWEST} are needed.")
    allowed = tolerance(dict((context.settings.controls or {}).get("D1", {})))
    count = _TRIALS[context.effort]
    halves = _halves(frame)
    trials = []
    for at in range(count):
        trials.append(_trial(frame, halves, context.rng))
        context.progress((at + 1) / count, "honest and relabelled requests")
    floor = context.thresholds[NOTICED]
    noticed, alarms = _measured([replace(t, gauge=_widened(t.gauge, allowed - TOLERANCE)) for t in trials], floor)
    bird = _canary(trials[:_CANARIES], floor)
    outcomes = {noticed.outcome, alarms.outcome}
    outcome = next(one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS) if one in outcomes)
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=_reason(bird, noticed, alarms, count),
        measures=(noticed, alarms),
        canary=bird,
        limits=(
            "Relabelled requests are those of one half of the people by one column; a rarer mixture takes longer.",
            "The rate is not measured here: what is declared holds in operation only.",
        ),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def _trial(frame: pd.DataFrame, halves: list[np.ndarray], rng: np.random.Generator) -> Trial:
    order = rng.permutation(len(frame))
    known, live = np.split(order, [len(frame) // 2])
    gauge = fit(
        {str(name): frame[name].iloc[known] for name in frame}, rng, chance=CHANCE * BOUNDING, tolerance=TOLERANCE
    )
    half = halves[int(rng.integers(len(halves)))]
    pool = live[half[live]]
    pool = pool if len(pool) else np.flatnonzero(half)
    return Trial(gauge, frame.iloc[live], frame.iloc[rng.choice(pool, WITHIN)])


def _widened(gauge: Gauge, more: float) -> Gauge:
    """Return a gauge that tolerates more; what it would not bet on any more, it is blind to."""
    limits = gauge.limits + more
    return replace(gauge, limits=np.where(limits < LIKELY, limits, _BLIND))


def alarmed(gauge: Gauge, rows: pd.DataFrame) -> int:
    """Return after how many of some requests the alarm is raised; 0: it is not."""
    watch = Watch(gauge)
    given = {str(name): rows[name].to_numpy() for name in rows}
    for at, hits in enumerate(gauge.blocks(given, BLOCK)):
        if watch.count(hits, BLOCK):
            return (at + 1) * BLOCK
    return 0


def _halves(frame: pd.DataFrame) -> list[np.ndarray]:
    """Return (n,) masks: for each column that can be, the rows on one side of it.

    Raises:
        UnsupportedError: ``purpose.columns``.
    """
    found = []
    for name in frame:
        cells = frame[name]
        if pd.api.types.is_numeric_dtype(cells.dtype) or pd.api.types.is_datetime64_any_dtype(cells.dtype):
            middle = cells.dropna().median() if cells.notna().any() else None
            masks = [] if middle is None else [(cells > middle).to_numpy(), (cells < middle).to_numpy()]
        else:
            masks = [(cells == level).to_numpy() for level in cells.value_counts().index[:10]]
        usable = [mask.astype(bool) for mask in masks if _FEWEST_LEVEL <= mask.mean() <= _MOST_LEVEL]
        found += usable[:2]
    if not found:
        raise UnsupportedError("purpose.columns", "no column parts the rows.")
    return found


def _measured(trials: list[Trial], floor: float) -> tuple[Measure, Measure]:
    delays = np.array([alarmed(trial.gauge, trial.relabelled) for trial in trials])
    false = np.array([alarmed(trial.gauge, trial.honest) for trial in trials])
    middle = f"{np.median(delays[delays > 0]):.0f}" if (delays > 0).any() else "no"
    note = f"Within {WITHIN} rows; in the middle after {middle}."
    longest = f"Each over {len(trials[0].honest):,} rows of the other half."
    return (
        _measure("relabelled requests noticed", delays > 0, floor, "min", note),
        _measure("honest requests taken for drift", false > 0, MOST_ALARMS, "max", longest),
    )


def _measure(name: str, hits: np.ndarray, threshold: float, direction: Literal["min", "max"], note: str) -> Measure:
    low, high = (float(bound) for bound in clopper_pearson(int(hits.sum()), len(hits)))
    return Measure(
        name=name, value=float(hits.mean()), low=low, high=high, threshold=threshold, direction=direction,
        outcome=judge(low, high, threshold, direction), unit="share", n=len(hits), note=note,
    )  # fmt: skip


def _canary(trials: list[Trial], floor: float) -> Canary:
    """Hold a watch that sees nothing, one that shies at everything, and a whole one against the same floors."""
    spoilt = {
        True: [replace(t, gauge=replace(t.gauge, limits=np.full_like(t.gauge.limits, _BLIND))) for t in trials],
        False: [
            replace(
                t, gauge=replace(t.gauge, limits=_NERVOUS * t.gauge.limits),
                honest=t.honest.sample(2 * WITHIN, replace=True, random_state=at),
            )
            for at, t in enumerate(trials)
        ],
    }  # fmt: skip
    found = sum(_measured(some, floor)[not notices].outcome is Outcome.FAIL for notices, some in spoilt.items())
    alarms = sum(measure.outcome is Outcome.FAIL for measure in _measured(trials, floor))
    return Canary(
        kind="a watch that is blind, and one that shies",
        planted=2, found=found, clean=1, false_alarms=int(alarms > 0), noticed=found == 2 and not alarms,
        detail=f"{len(trials)} partings: limits lifted to {_BLIND}; cut to a quarter; as they are by default.",
    )  # fmt: skip


def _reason(bird: Canary, noticed: Measure, alarms: Measure, count: int) -> str:
    if not bird.noticed:
        return "A spoilt watch was not told from a whole one, so nothing is concluded."
    return (
        f"{round((noticed.value or 0) * count)} of {count} relabellings were noticed within {WITHIN} rows, "
        f"{round((alarms.value or 0) * count)} of {count} honest runs raised an alarm."
    )
