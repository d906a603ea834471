"""Removal: which rows a filter leaves out, why, and whom that hits."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Measure
from fivefold.sharing.filtering.known import learned, usable
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.subject import Table

_LEAST = 10


@dataclass(frozen=True)
class Removal:
    """What a filter says of each row.

    Attributes:
        kept: (n,) bool.
        suspicion: (n,) float64, larger: more suspect; comparable among the rows of one call only.
        reasons: (n,) index into ``texts``; -1: kept.
        texts: Each reason in words.
        notes: What the filter saw of the whole.
    """

    kept: np.ndarray
    suspicion: np.ndarray
    reasons: np.ndarray
    texts: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    def reason(self, row: int) -> str:
        """Return why a row is left out; empty if it is kept."""
        at = int(self.reasons[row])
        return "" if at < 0 else self.texts[at]


def by_group(removed: np.ndarray, groups: Mapping[str, np.ndarray]) -> list[Measure]:
    """Return the share of rows left out in each group, largest first.

    Args:
        removed: (n,) bool; where only rows known to be good are given, these are false removals.
        groups: Name to (n,) bool. Groups of fewer than ten rows are left out, for nobody shall be found in them.
    """
    found = []
    for name, rows in groups.items():
        n = int(rows.sum())
        if n < _LEAST:
            continue
        count = int(removed[rows].sum())
        low, high = (float(bound) for bound in clopper_pearson(count, n))
        found.append(Measure(name="rows left out", value=count / n, low=low, high=high, unit="share", n=n, where=name))
    return sorted(found, key=lambda one: -(one.value or 0.0))


def groups_of(table: Table, protected: tuple[str, ...], classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the groups that are looked at: each class, or each quarter of the target, and each protected value.

    Args:
        table: n rows.
        protected: Names of protected columns; numbers are cut into quarters.
        classes: Class labels; empty for a regression.
    """
    import pandas as pd

    found: dict[str, np.ndarray] = {}
    if table.target.dtype.kind == "i":
        for code in np.unique(table.target[table.target >= 0]):
            found[f"class {classes[code] if code < len(classes) else code}"] = table.target == code
    elif learned(table):
        found |= _quarters("target", table.target)
    for name in protected:
        column = table.column(name)
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column) and column.nunique() > 8:
            found |= _quarters(name, column.to_numpy(dtype=np.float64, na_value=np.nan))
            continue
        texts = column.astype("str").where(column.notna(), "missing")
        for value in texts.value_counts().index[:12]:
            found[f"{name}={value}"] = (texts == value).to_numpy()
    return found


def _quarters(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    known = values[np.isfinite(values)]
    if not len(known):
        return {}
    edges = np.unique(np.quantile(known, [0.25, 0.5, 0.75]))
    part = np.searchsorted(edges, values, side="right")
    words = [f"below {edges[0]:.4g}", *(f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges)),
             f"from {edges[-1]:.4g}"]  # fmt: skip
    return {f"{name} {word}": (part == at) & np.isfinite(values) for at, word in enumerate(words)}


def joined(table: Table, trusted: Table | None) -> tuple[Table, int]:
    """Return the rows, then the trusted ones that have a target (all, where none has), and how many are not trusted."""
    import pandas as pd

    if trusted is None:
        return table, len(table)
    good = usable(trusted)
    inputs = None if table.inputs is None or good.inputs is None else np.concatenate([table.inputs, good.inputs])
    n = len(table) + len(good)
    both = type(table)(
        table.name, np.arange(n), pd.concat([table.features, good.features], ignore_index=True),
        np.concatenate([table.target, good.target]), pd.DataFrame(index=range(n)), inputs, table.kind,
    )  # fmt: skip
    return both, len(table)
