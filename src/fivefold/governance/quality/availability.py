"""Check D2.availability: missing cells, columns that never change, rows without an answer, gaps in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.governance.quality import reading
from fivefold.governance.quality.judging import Part, named, of_shares, picture, worst
from fivefold.manifest import words
from fivefold.stats.repeats import numbers

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

MISSING, CONSTANT, UNLABELLED = "max_missing", "max_constant", "max_unlabelled"
_CASES = 5
_STEPS = 20
_REMEDY = (
    "Fill the columns named at their source, drop those that are mostly empty or never change (`drop:`), and give the "
    "true answer of every row."
)


def run(context: Context) -> Result:
    """Count what is not there.

    Threat: a model learns from columns that are mostly absent, and nobody sees it because an engine fills them.
    Limit: rows that were never recorded do not show, except as gaps in time or in D2.coverage.

    Args:
        context: Data sets ``train`` and ``test``; thresholds ``max_missing``, ``max_constant``, ``max_unlabelled``.

    Raises:
        UnsupportedError: See :func:`fivefold.governance.quality.reading.each`.
    """
    floors = context.thresholds
    empty: list[Part] = []
    flat: list[Part] = []
    dumb: list[Part] = []
    gaps: list[Measure] = []

    def look(table: Table) -> None:
        cells = [_missing(f"{name} ({table.name})", column) for name, column in reading.columns(table)]
        still = [str(name) for name in table.features.columns if _constant(table.features[name])]
        empty.extend(cells)
        if not flat:  # in fewer test rows a rare value may be absent by chance
            flat.append(
                Part(f"columns ({table.name})", len(still), table.features.shape[1], f"Never change: {_few(still)}.")
            )
        dumb.append(Part(f"answers ({table.name})", int((~reading.known_target(table)).sum()), len(table)))
        gaps.extend(gap for name, column in reading.columns(table) if (gap := _gap(f"{name} ({table.name})", column)))

    _, proof = reading.proven(context, look, _prove)
    if all(part.bad == part.n for part in dumb):  # no target is declared
        dumb = []
    measures = (
        *(of_shares("missing cells of a column", empty, floors[MISSING]) if empty else ()),
        *of_shares("columns that never change", flat, floors[CONSTANT]),
        *(of_shares("rows without a known answer", dumb, floors[UNLABELLED]) if dumb else ()),
    )
    outcome = worst(measures) if proof.noticed else Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, measures, len(empty)),
        measures=(*measures, *gaps[:12]),
        canary=proof,
        plots=picture("Missing cells", empty, floors[MISSING], "share of the rows"),
        limits=("Rows that were never recorded show only as gaps in time, or in D2.coverage.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def _reason(outcome: Outcome, proof: Canary, measures: tuple[Measure, ...], columns: int) -> str:
    if not proof.noticed:
        return "Planted missing cells were not noticed, so nothing is concluded."
    if outcome is Outcome.FAIL:
        return f"Too much is not there: {named(measures)}."
    return f"No column of {columns} is missing more than is allowed, and each changes."


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _missing(where: str, column: pd.Series) -> Part:
    """Count empty cells, and texts that mean a missing value and are not declared so."""
    gone = int(column.isna().sum())
    note = ""
    if reading.is_text(column):
        found = reading.texts(column)
        meant = np.isin(found.levels.astype(str), (*words.words("missing"), ""))
        hidden = int(found.counts[meant].sum())
        note = f"{hidden} of them are written out; declare the text under `missing:`." if hidden else ""
        gone += hidden
    return Part(where, gone, len(column), note)


def _constant(column: pd.Series) -> bool:
    """Whether all cells are equal, missing ones counted as a value."""
    if len(column) < 2:
        return False
    gone = column.isna()
    if gone.any():
        return bool(gone.all())
    return bool((column == column.iloc[0]).all())


def _gap(where: str, column: pd.Series) -> Measure | None:
    """Return the longest gap of a column of times, in median steps; None for other columns."""
    if reading.is_text(column):
        found = reading.texts(column)
        if reading.strays(found)[1] != "dates":
            return None
        parsed = pd.to_datetime(pd.Series(found.levels), errors="coerce", format="mixed", utc=True)
        column = pd.Series(parsed.to_numpy()[found.codes])[found.codes >= 0]
    if not pd.api.types.is_datetime64_any_dtype(column):
        return None
    days = np.unique(numbers(column.dropna()))
    steps = np.diff(days[np.isfinite(days)])
    if len(steps) < _STEPS:
        return None
    value = float(steps.max() / np.median(steps))
    return Measure(
        name="longest gap in time", value=value, unit="median steps", n=len(steps), where=where, note="Not judged."
    )


def _prove(table: Table, context: Context) -> Canary:
    """Empty columns of the user's own, half of the time by a text that means missing; and freeze one."""
    rng, floor = context.rng, context.thresholds[MISSING]
    names = [name for name, _ in reading.columns(table)]
    found = alarms = cases = 0
    for case in range(_CASES if names else 0):
        name = names[int(rng.integers(len(names)))]
        column = table.column(name).astype(object).dropna().reset_index(drop=True)
        if len(column) < 10:
            column = pd.Series(np.arange(100), dtype=object)
        column = column[~column.astype(str).str.strip().isin((*words.words("missing"), ""))].reset_index(drop=True)
        n, cases = len(column), cases + 1
        alarms += _missing("clean", column).share > floor
        emptied = column.copy()
        share = min(floor + 0.6 * (1 - floor), 1.0)
        emptied.iloc[rng.choice(n, int(np.ceil(share * n)), replace=False)] = None if case % 2 else "NA"
        frozen = pd.Series([column.iloc[0]] * max(n, 2), dtype=object)
        found += _missing("emptied", emptied).share > floor and _constant(frozen)
    return Canary(
        kind="emptied and frozen columns",
        planted=cases,
        found=found,
        clean=cases,
        false_alarms=alarms,
        noticed=cases > 0 and found == cases and alarms == 0,
        detail="Drawn columns of these data with most cells taken out or written as NA, and with one value throughout.",
    )
