"""Repair: a feature that no longer tells one group from another among people of the same truth.

Numbers keep their rank within their own group and take the value of that rank among all people of the same truth
(Feldman et al. 2015, section 5; the full repair). Texts and missing cells are dealt anew from all of the same truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from fivefold.contract.subject import Table


def repaired(
    table: Table, columns: list[str], codes: np.ndarray, strata: np.ndarray, rng: np.random.Generator
) -> Table:
    """Return the rows with columns repaired.

    Args:
        table: n rows.
        columns: Names.
        codes: (n,) groups.
        strata: (n,) truth, as small whole numbers; repair is within each.
        rng: Breaks ties and deals texts.
    """
    order = (codes.astype(np.int64), strata.astype(np.int64))
    made = {name: _column(table.features[name], *order, rng) for name in columns}
    return table.with_features(table.features.assign(**made))


def _column(values: pd.Series, codes: np.ndarray, strata: np.ndarray, rng: np.random.Generator) -> pd.Series:
    source = np.arange(len(values))
    ranked = pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values)
    for stratum in np.unique(strata):
        every = np.flatnonzero(strata == stratum)
        if not ranked:
            source[every] = rng.choice(every, len(every))
            continue
        # ties in random order, so that people who share a value are not set apart by where they stand in the table
        key = np.lexsort((rng.random(len(every)), _tied(values, every)))
        sorted_all = every[key]
        place = np.empty(len(values), dtype=np.int64)
        place[sorted_all] = np.arange(len(sorted_all))
        for code in np.unique(codes[every]):
            mine = every[codes[every] == code]
            mine = mine[np.argsort(place[mine], kind="stable")]
            at = ((np.arange(len(mine)) + 0.5) / len(mine) * len(sorted_all)).astype(np.int64)
            source[mine] = sorted_all[at]
    return values.iloc[source].reset_index(drop=True)


def _tied(values: pd.Series, at: np.ndarray) -> np.ndarray:
    return values.iloc[at].rank(method="dense", na_option="bottom").to_numpy(dtype=np.float64)
