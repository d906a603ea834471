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
    from fivefold.contract.subject import Table

KEY = "max_shared"
_PARTS = 8
_BY_CHANCE = 0.02


def omissions(table: Table, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Return which columns are left out of a comparison: none, then each of eight drawn parts."""
    names = [str(name) for name in table.features.columns]
    if len(names) < _PARTS:
        return [()]
    return [(), *(tuple(names[at] for at in part) for part in np.array_split(rng.permutation(len(names)), _PARTS))]


def codes(table: Table, omitted: list[tuple[str, ...]]) -> list[np.ndarray]:
    """Return (n,) hashes of the features for each omission."""
    made = []
    alike = replace(table, target=np.zeros(len(table), dtype=np.int64), others=pd.DataFrame(index=table.features.index))
    for out in omitted:
        kept = [name for name in table.features.columns if str(name) not in out]
        made.append(hashes(replace(alike, features=table.features[kept])))
    return made


def measures(train: list[np.ndarray], test: list[np.ndarray], floor: float) -> list[Measure]:
    """Return the share of test rows found in the training data, less the share that chance explains.

    Chance is what the training data show by themselves: the share of its rows that another one of its rows equals.

    Args:
        train: What :func:`codes` gives for the training data; the first with no column left out.
        test: The same of the test data.
        floor: Threshold ``max_shared``.
    """
    whole, *near = [_shares(one, other) for one, other in zip(train, test, strict=True)]
    made = [_judged("test rows that stand in the training data", whole, floor)]
    # where many training rows are equal among themselves but for these columns, equality says nothing
    telling = [one for one in near if one[2] <= _BY_CHANCE * one[3]]
    if telling:
        best = max(telling, key=lambda one: one[0] / max(one[1], 1) - one[2] / max(one[3], 1))
        made.append(_judged("test rows that stand in the training data but for some columns", best, floor))
    return made


def _shares(train: np.ndarray, test: np.ndarray) -> tuple[int, int, int, int]:
    """Return test rows found, test rows, training rows that another equals, training rows."""
    levels, counts = np.unique(train, return_counts=True)
    return int(np.isin(test, levels).sum()), len(test), int(counts[counts > 1].sum()), len(train)


def _judged(name: str, counted: tuple[int, int, int, int], floor: float) -> Measure:
    found, n, chance, rows = counted
    low, high = (float(one) for one in newcombe(found, n, chance, rows))
    value = found / n - chance / rows
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
