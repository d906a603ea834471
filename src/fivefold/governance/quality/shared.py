"""Shared rows: test rows that stand in the training data, whole or but for a few cells, beyond what chance explains."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.finding import Measure
from fivefold.contract.outcome import Outcome
from fivefold.stats.difference import newcombe
from fivefold.stats.repeats import hashes

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

KEY = "max_shared"
_PARTS = 8
_BY_CHANCE = 0.02


def measures(tables: list[Table], context: Context) -> list[Measure]:
    """Return the share of test rows found in the training data, less the share that chance explains.

    Chance is what the training data show by themselves: the share of its rows that another one of its rows equals.

    Args:
        tables: Training and test data, in that order.
        context: Threshold ``max_shared``.
    """
    train, test = (_plain(table) for table in tables)
    names = [str(name) for name in train.features.columns]
    made = [_judged("test rows that stand in the training data", _shares(hashes(train), hashes(test)), context)]
    if len(names) >= _PARTS:
        order = context.rng.permutation(len(names))
        near = [
            _shares(hashes(_without(train, out)), hashes(_without(test, out))) for out in np.array_split(order, _PARTS)
        ]
        # where many training rows are equal among themselves but for these columns, equality says nothing
        telling = [one for one in near if one[2] <= _BY_CHANCE * one[3]]
        if telling:
            best = max(telling, key=lambda one: one[0] / max(one[1], 1) - one[2] / max(one[3], 1))
            made.append(_judged("test rows that stand in the training data but for some columns", best, context))
    return made


def _plain(table: Table) -> Table:
    """Return the features alone, typed alike on both sides."""
    return replace(table, target=np.zeros(len(table), dtype=np.int64), others=pd.DataFrame(index=table.features.index))


def _without(table: Table, out: np.ndarray) -> Table:
    kept = np.setdiff1d(np.arange(table.features.shape[1]), out)
    return replace(table, features=table.features.iloc[:, kept])


def _shares(train: np.ndarray, test: np.ndarray) -> tuple[int, int, int, int]:
    """Return test rows found, test rows, training rows that another equals, training rows."""
    levels, counts = np.unique(train, return_counts=True)
    return int(np.isin(test, levels).sum()), len(test), int(counts[counts > 1].sum()), len(train)


def _judged(name: str, counted: tuple[int, int, int, int], context: Context) -> Measure:
    found, n, chance, rows = counted
    low, high = (float(one) for one in newcombe(found, n, chance, rows))
    floor, value = context.thresholds[KEY], found / n - chance / rows
    # every row was compared: what was found is exact, and bounds are asked for only where it is held against chance
    outcome = Outcome.PASS if value <= floor else Outcome.FAIL if low > floor else Outcome.INCONCLUSIVE
    return Measure(
        name=f"{name}, beyond chance",
        value=value,
        low=low,
        high=None if outcome is Outcome.PASS else high,
        threshold=floor,
        direction="max",
        outcome=outcome,
        unit="share",
        n=n,
        where="test rows",
        note=f"{found} of {n}; {chance} of {rows} training rows have an equal among themselves.",
    )
