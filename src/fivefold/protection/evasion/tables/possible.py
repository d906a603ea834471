"""Possible: a validator of changed rows that shares no code with the attack: it looks at the tables alone.

Whoever reads that every adversarial row is a possible row need not believe the attack; this module says so of the
very rows that the model was told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fivefold.contract.subject import Table
    from fivefold.protection.evasion.tables.rules import Rule

_HAIR = 1e-9


def faults(
    before: pd.DataFrame,
    after: pd.DataFrame,
    seen: Sequence[Table],
    declared: Mapping[str, Mapping[str, object]],
    *,
    rules: Sequence[Rule] = (),
    groups: Sequence[Sequence[str]] = (),
) -> dict[str, np.ndarray]:
    """Return what is wrong with changed rows: words to (n,) bool; nothing wrong: all False.

    Args:
        before: (n, d) the rows as they were.
        after: (n, d) what they became.
        seen: Data sets that ranges, categories and combinations are read from.
        declared: Feature name to what the manifest declares.
        rules: Across fields; asked of rows that kept them before.
        groups: Names of columns that change together: only combinations that were seen are possible.
    """
    n = len(before)
    found: dict[str, np.ndarray] = {}

    def note(what: str, wrong: np.ndarray) -> None:
        found[what] = found.get(what, np.zeros(n, dtype=bool)) | wrong

    if list(after.columns) != list(before.columns) or len(after) != n:
        return {"columns": np.ones(n, dtype=bool)}
    for name in before.columns:
        told = declared.get(str(name), {})
        whole = pd.concat([table.features[name] for table in seen], ignore_index=True)
        old, new = before[name], after[name].reset_index(drop=True)
        old = old.reset_index(drop=True)
        note("type", np.full(n, new.dtype != old.dtype))
        note("missing cells", (old.isna() != new.isna()).to_numpy())
        changed = _differs(old, new)
        if told.get("immutable"):
            note("immutable", changed)
        if pd.api.types.is_numeric_dtype(whole) and not pd.api.types.is_bool_dtype(whole):
            for what, wrong in _number(told, whole, (old, new), changed).items():
                note(what, wrong)
        elif pd.api.types.is_datetime64_any_dtype(whole):
            note("range", ((new < whole.min()) | (new > whole.max())).to_numpy(dtype=bool) & changed)
        else:
            note("category", ~new.isin(whole.dropna().unique()).to_numpy() & changed)
    for rule in rules:
        kept = rule.holds(before.reset_index(drop=True).__getitem__)
        note("rules", kept & ~rule.holds(after.reset_index(drop=True).__getitem__))
    for group in groups:
        names = list(group)
        known = pd.concat([table.features[names] for table in seen]).astype(object).itertuples(index=False, name=None)
        possible = set(known)
        told_rows = after[names].astype(object).itertuples(index=False, name=None)
        changed = np.any(
            [_differs(before[c].reset_index(drop=True), after[c].reset_index(drop=True)) for c in names], 0
        )
        note("combination", np.array([one not in possible for one in told_rows], dtype=bool) & changed)
    return found


def _number(
    told: Mapping[str, object], whole: pd.Series, cells: tuple[pd.Series, pd.Series], changed: np.ndarray
) -> dict[str, np.ndarray]:
    seen = whole.to_numpy(dtype=np.float64, na_value=np.nan)
    seen = seen[np.isfinite(seen)]
    was, now = (one.to_numpy(dtype=np.float64, na_value=np.nan) for one in cells)
    span = told.get("range")
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (np.nan, np.nan)
    if isinstance(span, tuple | list) and len(span) == 2:
        low, high = float(span[0]), float(span[1])
    hair = _HAIR * max(abs(low), abs(high), 1.0)
    outward = ((now < low - hair) & (now < was)) | ((now > high + hair) & (now > was))
    found = {"range": outward & changed, "infinite": ~np.isfinite(now) & changed}
    if told.get("type") == "integer" or (told.get("type") != "number" and bool((seen % 1 == 0).all())):
        steps = now - was
        found["whole steps"] = (np.abs(steps - np.round(steps)) > hair) & changed
    if told.get("changes") in ("up", "down"):
        found["direction"] = ((now < was) if told["changes"] == "up" else (now > was)) & changed
    return found


def _differs(old: pd.Series, new: pd.Series) -> np.ndarray:
    one, other = old.astype(object), new.astype(object)
    both = old.isna() & new.isna()
    return ((one != other).fillna(value=True).astype(bool) & ~both).to_numpy()
