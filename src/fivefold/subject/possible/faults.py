"""Faults: a validator of changed rows that shares no code with what changed them: it looks at the tables alone.

Whoever reads that every changed row is a possible row need not believe the attack or the explainer; this module says so
of the very rows that the model was told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fivefold.contract.subject import Table
    from fivefold.subject.possible.rules import Rule

_HAIR = 1e-9
_FEW = 1000
"""Distinct numbers that are remembered one by one, for a column that is texts in another data set."""


def faults(
    before: pd.DataFrame,
    after: pd.DataFrame,
    seen: Iterable[Table],
    declared: Mapping[str, Mapping[str, object]],
    *,
    rules: Sequence[Rule] = (),
    groups: Sequence[Sequence[str]] = (),
) -> dict[str, np.ndarray]:
    """Return what is wrong with changed rows: words to (n,) bool; nothing wrong: all False.

    Args:
        before: (n, d) the rows as they were.
        after: (n, d) what they became.
        seen: Data sets that ranges, categories and combinations are read from, each once.
        declared: Feature name to what the manifest declares.
        rules: Across fields; asked of rows that kept them before.
        groups: Names of columns that change together: only combinations that were seen are possible.
    """
    n = len(before)
    found: dict[str, np.ndarray] = {}
    types = pd.api.types

    def note(what: str, wrong: np.ndarray) -> None:
        found[what] = found.get(what, np.zeros(n, dtype=bool)) | wrong

    if list(after.columns) != list(before.columns) or len(after) != n:
        return {"columns": np.ones(n, dtype=bool)}
    names = [list(group) for group in groups]
    columns, together = _read(seen, list(before.columns), names)
    for name, column in columns.items():
        told = declared.get(str(name), {})
        old, new = before[name], after[name].reset_index(drop=True)
        old = old.reset_index(drop=True)
        note("type", np.full(n, new.dtype != old.dtype))
        note("missing cells", (old.isna() != new.isna()).to_numpy())
        changed = _differs(old, new)
        if told.get("immutable"):
            note("immutable", changed)
        if column.numbers and types.is_numeric_dtype(new):
            for what, wrong in _number(told, column, (old, new), changed).items():
                note(what, wrong)
        elif column.dates and types.is_datetime64_any_dtype(new):
            outside = (new < column.low) | (new > column.high)
            note("range", outside.to_numpy(dtype=bool) & changed)
        else:
            note("category", ~new.isin(list(column.levels)).to_numpy() & changed)
    for rule in rules:
        kept = rule.holds(before.reset_index(drop=True).__getitem__)
        note("rules", kept & ~rule.holds(after.reset_index(drop=True).__getitem__))
    for group, known in zip(names, together, strict=True):
        told_rows = after[group].astype(object).itertuples(index=False, name=None)
        changed = np.any(
            [_differs(before[c].reset_index(drop=True), after[c].reset_index(drop=True)) for c in group], 0
        )
        note("combination", np.array([one not in known for one in told_rows], dtype=bool) & changed)
    return found


def _read(
    seen: Iterable[Table], columns: list[str], groups: list[list[str]]
) -> tuple[dict[str, _Seen], list[set[tuple[object, ...]]]]:
    """Return what stands in each column, and which combinations stand in each group of columns."""
    found, together = {name: _Seen() for name in columns}, [set[tuple[object, ...]]() for _ in groups]
    for table in seen:
        for name, column in found.items():
            column.add(table.features[name])
        for group, known in zip(groups, together, strict=True):
            rows = table.features[group].drop_duplicates().astype(object)
            known.update(rows.itertuples(index=False, name=None))
        del table  # before the next is read
    return found, together


@dataclass
class _Seen:
    """What stands in one column of all data sets.

    Attributes:
        numbers: All are numbers.
        dates: All are dates.
        whole: No number has a fraction.
        low: Least; None: nothing was seen.
        high: Greatest.
        levels: Distinct cells; of numbers and dates only where they are few.
    """

    numbers: bool = True
    dates: bool = True
    whole: bool = True
    low: Any = None
    high: Any = None
    levels: set[object] = field(default_factory=set)

    def add(self, cells: pd.Series) -> None:
        """Look at one data set."""
        types = pd.api.types
        self.numbers &= types.is_numeric_dtype(cells) and not types.is_bool_dtype(cells)
        self.dates &= types.is_datetime64_any_dtype(cells)
        distinct = cells.dropna().unique()
        if len(distinct) <= _FEW or not (self.numbers or self.dates):
            self.levels.update(distinct)
        if not self.numbers and not self.dates:
            return
        if self.numbers:
            values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
            cells = pd.Series(values[np.isfinite(values)])
            self.whole &= bool((cells % 1 == 0).all())
        there = cells.dropna()
        if len(there):
            low, high = there.min(), there.max()
            self.low = low if self.low is None else min(low, self.low)
            self.high = high if self.high is None else max(high, self.high)


def _number(
    told: Mapping[str, object], seen: _Seen, cells: tuple[pd.Series, pd.Series], changed: np.ndarray
) -> dict[str, np.ndarray]:
    was, now = (one.to_numpy(dtype=np.float64, na_value=np.nan) for one in cells)
    span = told.get("range")
    low, high = (np.nan, np.nan) if seen.low is None else (float(seen.low), float(seen.high))
    if isinstance(span, tuple | list) and len(span) == 2:
        low, high = float(span[0]), float(span[1])
    hair = _HAIR * max(abs(low), abs(high), 1.0)
    outward = ((now < low - hair) & (now < was)) | ((now > high + hair) & (now > was))
    found = {"range": outward & changed, "infinite": ~np.isfinite(now) & changed}
    if told.get("type") == "integer" or (told.get("type") != "number" and seen.whole):
        steps = now - was
        found["whole steps"] = (np.abs(steps - np.round(steps)) > hair) & changed
    if told.get("changes") in ("up", "down"):
        found["direction"] = ((now < was) if told["changes"] == "up" else (now > was)) & changed
    return found


def _differs(old: pd.Series, new: pd.Series) -> np.ndarray:
    one, other = old.astype(object), new.astype(object)
    both = old.isna() & new.isna()
    return ((one != other).fillna(value=True).astype(bool) & ~both).to_numpy()
