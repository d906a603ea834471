"""Check D2.accuracy: values that cannot be, by the manifest's rules; placeholders; equal rows with unlike answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.governance.quality import reading
from fivefold.governance.quality.judging import Part, named, of_shares, picture, worst
from fivefold.stats.repeats import hashes, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

FLOOR = "max_impossible"
_CASES = 6
_MOST = 0.9
_FILLERS = np.array(
    [sign * int(digit * length) for sign in (1, -1) for digit in ("9", "8") for length in range(2, 10)] + [-1]
)
_FEWEST = 3
_REMEDY = "Mend the values named, declare a placeholder under `missing:`, or correct the rule under `features:`."
_DECLARE = "Declare what the columns may hold: `features: {age: {type: integer, range: [0, 120]}}`."


def run(context: Context) -> Result:
    """Hold every cell against the declared type and range of its column, and look for placeholders.

    Threat: a 999 that means "not asked", a negative age or a mixed-up unit is learned from as if it were measured.
    Limit: a possible value that is wrong is not seen; nobody knows the truth from the table alone.

    Args:
        context: Data sets ``train`` and ``test``; ``settings.features``; threshold ``max_impossible``.

    Raises:
        UnsupportedError: See :func:`fivefold.governance.quality.reading.each`.
    """
    floor = context.thresholds[FLOOR]
    rules = {name: rule for name, rule in (context.settings.features or {}).items() if _says(rule)}
    parts: list[Part] = []
    shown: list[Measure] = []

    def look(table: Table) -> int:
        """Return how many columns have a rule."""
        ruled = 0
        for name, column in reading.columns(table):
            where, rule = f"{name} ({table.name})", rules.get(name)
            ruled += rule is not None
            parts.extend([_against(where, column, rule)] if rule else [])
            parts.extend([found] if (found := _placeholders(where, column, rule)) else [])
        shown.extend([one] if (one := _contradictions(table)) is not None else [])
        return ruled

    counts, proof = reading.proven(context, look, _prove)
    ruled = sum(counts)
    measures = of_shares("cells that cannot be", parts, floor) if parts else ()
    outcome = worst(measures)
    if not proof.noticed or (outcome is not Outcome.FAIL and not ruled):
        outcome = Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, measures, ruled),
        measures=(*measures, *shown),
        canary=proof,
        plots=picture("Cells that cannot be", parts, floor, "share of the cells"),
        limits=("A possible value that is wrong is not seen.",),
        remedy="" if outcome is Outcome.PASS else _DECLARE if outcome is Outcome.INCONCLUSIVE else _REMEDY,
    )


def _reason(outcome: Outcome, proof: Canary, measures: tuple[Measure, ...], ruled: int) -> str:
    if not proof.noticed:
        return "Planted impossible values were not noticed, so nothing is concluded."
    if outcome is Outcome.FAIL:
        return f"Values that cannot be, or that stand for something else, are in {named(measures)}."
    if outcome is Outcome.INCONCLUSIVE:
        return "The manifest declares no type or range of any column, so no value can be called impossible."
    return f"The cells of {ruled} columns keep to their declared types and ranges."


def _says(rule: Mapping[str, object]) -> bool:
    return rule.get("range") is not None or rule.get("type") is not None


def _values(column: pd.Series) -> np.ndarray:
    """Return (n,) float64, texts read as numbers where they are; NaN where missing or no number."""
    if reading.is_text(column):
        found = reading.texts(column)
        return np.asarray(np.append(found.number, np.nan)[found.codes])
    if pd.api.types.is_bool_dtype(column):
        return column.astype("float64").to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers(column)


def _against(where: str, column: pd.Series, rule: Mapping[str, object]) -> Part:
    kind, bounds = rule.get("type"), rule.get("range")
    there = column.notna().to_numpy()
    bad = np.zeros(len(column), dtype=bool)
    notes = []
    if kind in ("number", "integer", "boolean") or bounds is not None:
        values = _values(column)
        bad |= there & ~np.isfinite(values)
        if kind == "integer":
            bad |= np.isfinite(values) & (values != np.floor(values))
        if kind == "boolean":
            truth = column.astype(str).str.strip().str.casefold().isin(("true", "false", "0", "1", "0.0", "1.0"))
            bad = there & ~truth.to_numpy()
        if isinstance(bounds, list | tuple) and len(bounds) == 2:
            low, high = float(bounds[0]), float(bounds[1])
            bad |= np.isfinite(values) & ((values < low) | (values > high))
            notes.append(f"outside {low:g} to {high:g}")
    elif kind == "date" and reading.is_text(column):
        found = reading.texts(column)
        bad = there & ~np.append(found.form >= 0, False)[found.codes]
    notes.append(f"no {kind}" if kind else "no number")
    return Part(where, int(bad.sum()), int(there.sum()), f"Declared otherwise: {' or '.join(notes)}.")


def _placeholders(where: str, column: pd.Series, rule: Mapping[str, object] | None) -> Part | None:
    """Return cells whose number is an outermost value of nines or eights, or a -1 below 0, far from all others.

    A value inside a declared range is what its owner says it is.
    """
    if reading.is_text(column) or pd.api.types.is_bool_dtype(column) or (rule and rule.get("range") is not None):
        return None
    values = _values(column)
    values = values[np.isfinite(values)]
    levels, counts = np.unique(values, return_counts=True)
    if len(levels) < 5:
        return None
    bad, which = 0, []
    for at, rest in ((0, levels[1:]), (-1, levels[:-1])):
        gap = abs(levels[at] - (rest[0] if at == 0 else rest[-1]))
        spread = float(rest[-1] - rest[0])
        odd = levels[at] == -1 and rest[0] >= 0 and not (rest < 1).all()
        far = gap > 0.5 * spread and levels[at] in _FILLERS
        if (far or odd) and counts[at] >= _FEWEST and (far or counts[at] > 2 * counts.mean()):
            bad += int(counts[at])
            which.append(f"{levels[at]:g}")
    note = f"{' and '.join(which)} stands apart from every other value, as a placeholder does." if bad else ""
    return Part(where, bad, len(values), note) if bad else None


def _contradictions(table: Table) -> Measure | None:
    """Return the share of rows whose answer is not the usual one of the rows that equal them; None without answers."""
    known = table.take(reading.known_target(table))
    if len(known) < 2 or known.target.dtype.kind != "i":
        return None
    inputs = hashes(known_inputs(known))
    _, group = np.unique(inputs, return_inverse=True)
    cells, counts = np.unique(np.stack([group, known.target]), axis=1, return_counts=True)
    most = np.zeros(int(group.max()) + 1, dtype=np.int64)
    np.maximum.at(most, cells[0], counts)
    odd = len(known) - int(most.sum())
    return Measure(
        name="rows that equal others and have another answer",
        value=odd / len(known),
        unit="share",
        n=len(known),
        where=table.name,
        note="Not judged: where columns hold few values, equal rows may honestly differ.",
    )


def known_inputs(table: Table) -> Table:
    """Return the same rows with one answer for all, so that only what the model sees counts."""
    from dataclasses import replace

    return replace(table, target=np.zeros(len(table), dtype=np.int64))


def _prove(table: Table, context: Context) -> Canary:
    """Plant values out of a drawn column's own range, broken types and a far placeholder."""
    rng, floor = context.rng, context.thresholds[FLOOR]
    sources = [
        values[np.isfinite(values)]
        for _, column in reading.columns(table)
        if not reading.is_text(column) and np.isfinite(values := _values(column)).sum() > 20
    ]
    found = alarms = 0
    for case in range(_CASES):
        values = sources[int(rng.integers(len(sources)))] if sources else rng.normal(size=300)
        n = max(len(values), 100)
        clean = rng.choice(values, n)
        low, high = float(clean.min()), float(clean.max())
        rule = {"type": "number", "range": (low, high)}
        places = rng.choice(n, int(np.ceil(min(3 * floor, _MOST) * n)) + 1, replace=False)
        spoilt = pd.Series(clean.copy(), dtype=object if case == 0 else np.float64)
        if case == 0:
            spoilt.iloc[places] = "many"
        else:
            wide = max(high - low, 1.0)
            spoilt.iloc[places] = high + wide * rng.random() + 1 if case % 2 else low - wide * rng.random() - 1
        alarms += _against("clean", pd.Series(clean), rule).share > floor
        found += _against("spoilt", spoilt, rule).share > floor
    return Canary(
        kind="values out of range and of another type",
        planted=_CASES,
        found=found,
        clean=_CASES,
        false_alarms=alarms,
        noticed=found == _CASES and alarms == 0,
        detail=f"{min(3 * floor, _MOST):.1%} of the cells of drawn columns, against the range that the column has.",
    )
