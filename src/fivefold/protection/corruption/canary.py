"""Canary: a model that knows its test rows by heart falls with the slightest change, one that never looks does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary
from fivefold.contract.outcome import Outcome
from fivefold.protection.corruption import figures
from fivefold.protection.corruption.figures import Seen
from fivefold.protection.corruption.sensors import sensors
from fivefold.stats.repeats import numbers

if TYPE_CHECKING:
    from fivefold.contract.subject import Table
    from fivefold.protection.corruption.worse import Way

_MODELS = 6
_ROWS = 400


def trial(table: Table, ways: Way, severity: int, floor: float, rng: np.random.Generator) -> Canary:
    """Judge planted models on the user's own rows, made worse again.

    Known-bad: a look-up table of the test rows, which answers something else for whatever it does not hold; of every
    corruption it keeps only a share drawn below the floor. Known-good: a model that answers by a part that no
    corruption changes: its right answers stay, but for a share drawn above the floor.

    Args:
        table: The rows.
        ways: How they get worse.
        severity: The judged one.
        floor: Smallest share that must stay right.
        rng: Draws all.
    """
    rows = np.arange(len(table)) if len(table) <= _ROWS else np.sort(rng.choice(len(table), _ROWS, replace=False))
    same = np.stack([unchanged_rows(table, ways.make(name, severity - 1, rng))[rows] for name in ways.names])
    unchanged = float(same.mean())
    found = alarms = 0
    for _ in range(_MODELS):
        luck = rng.uniform(0.0, 0.5) * floor
        lookup = same | (rng.random(same.shape) < luck)
        found += _outcome(ways, lookup, severity, floor) is not Outcome.PASS
        steady = rng.random(same.shape) < floor + rng.uniform(0.5, 1.0) * (1 - floor)
        alarms += _outcome(ways, steady | same, severity, floor) is Outcome.FAIL
    return Canary(
        kind="models that know the test rows by heart and nothing else",
        planted=_MODELS,
        found=found,
        clean=_MODELS,
        false_alarms=alarms,
        noticed=found >= 0.75 * _MODELS and alarms <= 0.125 * _MODELS,
        detail=(
            f"On {len(rows)} rows at severity {severity}; {unchanged:.1%} of the rows made worse are what they were. "
            "Known-good: models whose answers are left alone above the floor."
        ),
    )


def unchanged_rows(one: Table, other: Table) -> np.ndarray:
    """Return (n,) bool, whether each row is what it was; in tables only sensors are looked at."""
    if one.inputs is not None and other.inputs is not None:
        first, second = one.inputs.reshape(len(one), -1), other.inputs.reshape(len(other), -1)
        ended = np.isnan(first) & np.isnan(second) if first.dtype.kind == "f" else np.zeros(1, dtype=bool)
        return np.asarray(((first == second) | ended).all(axis=1))
    same = np.ones(len(one), dtype=bool)
    for sensor in sensors(one.features):
        first, second = numbers(one.features[sensor.name]), numbers(other.features[sensor.name])
        same &= (first == second) | (np.isnan(first) & np.isnan(second))
    return same


def _outcome(ways: Way, kept: np.ndarray, severity: int, floor: float) -> Outcome:
    """Judge as the check does."""
    seen = Seen(ways.names, (severity,), kept[:, None], None, None)
    return figures.judged(seen, severity, floor).outcome or Outcome.INCONCLUSIVE
