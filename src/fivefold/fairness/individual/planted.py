"""Planted: copies of the model that treat a known share of equals unequally."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from fivefold.contract.subject import Table
    from fivefold.fairness.individual.asking import Model

BEYOND = 0.10
"""How far beyond the floor the planted share lies where there are enough rows."""


def share(floor: float, rows: int, moving: float) -> float:
    """Return the share of rows whose answers a planted copy changes, so that it should be seen.

    Args:
        floor: Largest share of changed answers that is allowed.
        rows: Rows that are asked about.
        moving: Share of them that differ at all when asked again: few twins of whole numbers do.
    """
    reach = 3.5 * float(np.sqrt(0.25 / max(rows, 1)))
    return min(1.0, 2 * (floor + max(BEYOND, reach)) / max(moving, 1e-9))


def model(
    table: Table, base: np.ndarray, rng: np.random.Generator, *, column: str, columns: list[str], part: float
) -> Model:
    """Return a model that answers as ``base``, and otherwise for some rows by what should not matter.

    Args:
        table: The rows that were answered.
        base: (n,) answers to them.
        column: Protected column that some answers hang on; empty: on the last digits of ``columns``.
        columns: Numbers.
        part: Share of the rows whose answers do; about half of these change when asked again, or all of two groups.
        rng: Draws rows and values.
    """
    place = pd.Series(np.arange(len(table)), index=table.rows)
    picked = rng.random(len(table)) < part
    if np.issubdtype(base.dtype, np.integer):
        other = (base + 1) % max(2, int(base.max()) + 1)
    else:
        other = base + 2 * (float(base.std()) or 1.0)
    values = pd.unique(table.features[column]) if column else np.empty(0, dtype=object)
    order = rng.permutation(len(values))
    chosen = values[order[: max(1, len(values) // 2)]] if column else values

    def answers(rows: Table) -> np.ndarray:
        at = place.loc[rows.rows].to_numpy()
        if column:
            odd = rows.features[column].isin(list(chosen)).to_numpy()
        else:
            odd = pd.util.hash_pandas_object(rows.features[columns], index=False).to_numpy() % 2 == 1
        return np.asarray(np.where(picked[at] & odd, other[at], base[at]))

    return answers
