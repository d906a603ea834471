"""Check D2.integrity: cells that are not what their column else holds, and rows that were copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.governance.quality import reading
from fivefold.governance.quality.judging import Part, named, of_shares, picture, worst
from fivefold.stats.repeats import crossing, hashes, independent, told

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

CELLS, ROWS = "max_broken", "max_repeated"
_CASES = 6
_MOST = 0.9
_COPIED = 0.1
_REMEDY = (
    "Mend the columns named: one kind of value, one way to write dates, texts for missing cells under `missing:`. "
    "Keep one of each repeated row."
)


def run(context: Context) -> Result:
    """Count cells of a foreign kind in each column, and copied rows.

    Threat: a joined, hand-edited or half-parsed table is learned from as if it were whole.
    Limit: a wrong value of the right kind is not seen here (D2.accuracy).

    Args:
        context: Data sets ``train`` and ``test``; thresholds ``max_broken`` and ``max_repeated``.

    Raises:
        UnsupportedError: See :func:`fivefold.governance.quality.reading.each`.
    """
    parts: list[Part] = []
    as_text: list[str] = []

    def look(table: Table) -> _Rows:
        for name, column in reading.columns(table):
            part, whole = _column(f"{name} ({table.name})", column)
            parts.append(part)
            as_text.extend([part.where] if whole == "dates" else [])
        known = table.take(np.arange(context.rows)) if len(table) > context.rows else table
        return _Rows(table.name, hashes(known), independent(known))

    known, proof = reading.proven(context, look, _prove)
    context.progress(0.5, "copied rows")
    vouched = reading.trusted(context)
    copies, plantable = _copies(known, context.rng, None if vouched is None else hashes(vouched))
    floors = context.thresholds
    measures = of_shares("cells unlike the rest of their column", parts, floors[CELLS]) if parts else ()
    rows = of_shares("rows that equal an earlier one, beyond chance", copies, floors[ROWS])
    measures = (*measures, *(rows if plantable else [_unjudged(one) for one in rows]))
    outcome = worst(measures) if proof.noticed else Outcome.INCONCLUSIVE
    shown = [
        Measure(name="dates kept as text", value=1.0, unit="columns", n=0, where=where, note="One written form.")
        for where in as_text[:12]
    ]
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, measures, len(parts)),
        measures=(*measures, *shown),
        canary=proof,
        plots=picture("Cells unlike the rest of their column", parts, floors[CELLS], "share of the cells"),
        limits=(
            "A wrong value of the right kind is not seen here.",
            *(() if plantable else ("Rows of these few values repeat by chance, so copies cannot be told.",)),
        ),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def _reason(outcome: Outcome, proof: Canary, measures: tuple[Measure, ...], columns: int) -> str:
    if not proof.noticed:
        return "Planted cells of another kind were not noticed, so nothing is concluded."
    if outcome is Outcome.FAIL:
        return f"Cells or rows are broken in {named(measures)}."
    return f"The cells of all {columns} columns are of one kind each, and rows are not copied."


def _unjudged(one: Measure) -> Measure:
    return Measure(
        name=one.name, value=one.value, unit=one.unit, n=one.n, where=one.where, note="Not judged: too few values."
    )


def _column(where: str, column: pd.Series) -> tuple[Part, str]:
    if not reading.is_text(column):
        return Part(where, 0, int(column.notna().sum())), ""
    found = reading.texts(column)
    odd, kind = reading.strays(found)
    bad = int(found.counts[odd].sum())
    note = f"The others are {kind}, and these are not, or are written in another way." if bad else ""
    return Part(where, bad, found.present, note), kind


class _Rows(NamedTuple):
    """Rows as hashes: set, (n,) uint64, and the share of pairs that would be equal if columns were independent."""

    name: str
    codes: np.ndarray
    chance: float


def _copies(sets: list[_Rows], rng: np.random.Generator, vouched: np.ndarray | None = None) -> tuple[list[Part], bool]:
    """Return the repeated rows of each set, and whether planted copies would be told from chance.

    Args:
        sets: One, or training and test data, which say of each other how often rows are equal.
        rng: Draws copies.
        vouched: Hashes of trusted rows, which say so where there is one set alone.
    """
    made, noticed = [], True
    for rows in sets:
        other = next((one for one in sets if one is not rows), None)

        def expected(codes: np.ndarray, rows: _Rows = rows, other: _Rows | None = other) -> float:
            if other is not None:
                return crossing(codes, other.codes)
            return rows.chance if vouched is None else max(rows.chance, crossing(codes, vouched))

        found = told(rows.codes, expected)
        made.append(Part(f"rows ({rows.name})", found.repeated if found.once else 0, found.rows))
        copied = rng.choice(rows.codes, max(int(_COPIED * len(rows.codes)), 2))
        noticed &= told(np.concatenate([rows.codes, copied]), expected).once
    return made, noticed


def _prove(table: Table, context: Context) -> Canary:
    """Spoil three times the allowed share of cells of one of the user's own columns; an unspoilt one is not flagged."""
    rng, floor = context.rng, context.thresholds[CELLS]
    found = alarms = 0
    sources = [
        column.dropna().to_numpy(dtype=np.float64)
        for _, column in reading.columns(table)
        if not reading.is_text(column) and pd.api.types.is_numeric_dtype(column) and column.nunique() > 20
    ]
    for case in range(_CASES):
        n = max(len(table), 200)
        values = rng.choice(sources[int(rng.integers(len(sources)))], n) if sources else rng.normal(size=n)
        whole = pd.Series([f"{value:.6g}" for value in values], dtype=object)
        if len(set(whole)) <= 20:  # a column of few values is no measured number
            whole = pd.Series([f"{value:.6g}" for value in rng.normal(size=n)], dtype=object)
        spoilt = whole.copy()
        places = rng.choice(n, max(int(np.ceil(min(3 * floor, _MOST) * n)), 3), replace=False)
        foreign = ("unknown", "1,5 kg", "2021-03-04", "#VALUE!", "n.a.", "12 34")[case]
        spoilt.iloc[places] = foreign
        alarms += _column("clean", whole)[0].share > floor
        found += _column("spoilt", spoilt)[0].share > floor
    return Canary(
        kind="cells of another kind",
        planted=_CASES,
        found=found,
        clean=_CASES,
        false_alarms=alarms,
        noticed=found == _CASES and alarms == 0,
        detail=f"{min(3 * floor, _MOST):.1%} of the cells of drawn columns made words, dates or broken numbers.",
    )
