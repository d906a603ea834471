"""Check G3.personal-data: columns that hold personal data, held against what the labels name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.governance.personal import plants, verdict
from fivefold.governance.personal.kinds import kinds
from fivefold.governance.personal.verdict import Column, Verdict
from fivefold.governance.quality import reading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

FLOOR = "max_unlabelled"
CERTAIN = 0.65
"""Confidence from which on an unlabelled column fails; between one half and this, a person has to look."""
_ROWS = 300
_AT_ONCE = 200_000
"""Cells that are searched at once, to bound memory."""
_FRACTIONS = 2_000
"""Cells looked at of a column of numbers with fractions, at even distances: it is personal as a whole or not at all."""
_PART = 0.1
_SHOWN = 12
_REMEDY = (
    "Name the columns under the data set: `label: {personal: [COLUMN], basis: ...}`; or mask them "
    "(`fivefold data mask`), or take them out. `fivefold data scan` says which, before the data come in."
)


def run(context: Context) -> Result:
    """Look for personal data in every column and hold what is found against the labels.

    Threat: personal data are learned from, shared and kept without ground, purpose, term or anybody knowing.
    Limit: names and addresses in plain words are seen only by the name of their column, a title or words beside them.

    Args:
        context: Data sets ``train`` and ``test``; ``settings.personal``; threshold ``max_unlabelled``.

    Raises:
        UnsupportedError: See :func:`fivefold.governance.quality.reading.each`.
    """
    floor, declared = context.thresholds[FLOOR], set(context.settings.personal)
    found: list[tuple[str, Verdict]] = []
    labelled: list[str] = []
    clean: set[str] = set()

    def look(table: Table) -> None:
        some = reading.few(table, context)
        context.progress(0.2, "looking for personal data")
        for one in judged((name, cells(column)) for name, column in reading.columns(some)):
            if one.cells and not one.personal and not one.found:
                clean.add(one.column)
            if one.personal and one.column not in declared:
                found.append((f"{one.column} ({table.name})", one))
            elif one.column in declared:
                labelled.append(one.column)

    _, proof = reading.proven(context, look, lambda table, _: _prove(table, clean, context.rng))
    certain = [one for one in found if one[1].sure >= CERTAIN]
    outcome = Outcome.FAIL if len(certain) > floor else Outcome.INCONCLUSIVE if len(found) > floor else Outcome.PASS
    outcome = outcome if proof.noticed else Outcome.INCONCLUSIVE
    measures = [
        Measure(
            name="columns with personal data that no label names",
            value=float(len(certain)),
            threshold=floor,
            direction="max",
            outcome=Outcome.FAIL if len(certain) > floor else Outcome.PASS,
            unit="columns",
            n=len(found) + len(labelled),
            note=f"{len(found) - len(certain)} more need a look; {len(set(labelled))} are labelled.",
        ),
        *(_shown(where, one) for where, one in found[:_SHOWN]),
    ]
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, found, certain),
        measures=tuple(measures),
        canary=proof,
        limits=(
            "Names and addresses in plain words are seen by the column's name, a title or words beside them alone.",
            f"At most {context.rows:,} rows of each data set were drawn; rarer finds may have been missed.",
        ),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def judged(columns: Iterable[tuple[str, pa.Array]]) -> list[Verdict]:
    """Return the verdict on each column, given as name and Arrow strings; some are held at a time."""
    counted: dict[str, Column] = {}
    part: dict[str, pa.Array] = {}
    for name, some in columns:
        counted[name], part[name] = Column(name), some
        if sum(map(len, part.values())) >= _AT_ONCE:
            verdict.count(counted, part)
            part = {}
    verdict.count(counted, part)
    return [column.verdict() for column in counted.values()]


def cells(column: pd.Series) -> pa.Array:
    """Return (n,) Arrow strings of a column; whole numbers without a point, null where missing.

    Of numbers with fractions at most :data:`_FRACTIONS` cells are returned.
    """
    if pd.api.types.is_float_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        there = values[np.isfinite(values)]
        if len(there) and (there == np.floor(there)).all() and (np.abs(there) < 2.0**53).all():
            column = column.astype("Int64")
        elif len(there) > _FRACTIONS:
            column = pd.Series(there[np.linspace(0, len(there) - 1, _FRACTIONS).astype(np.int64)])
    elif isinstance(column.dtype, pd.CategoricalDtype) or column.dtype == object:
        column = column.astype(object).map(str, na_action="ignore")
    array = pa.array(column, from_pandas=True)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array.cast(pa.string())


def _shown(where: str, one: Verdict) -> Measure:
    by = {"name": "its name", "cells": "its cells", "name and cells": "its name and cells"}[one.by]
    return Measure(
        name=f"cells with {kinds()[one.kind].says}",
        value=one.share,
        unit="share",
        n=one.cells,
        where=where,
        note=f"Sure to {one.sure:.0%}, by {by}.",
    )


def _reason(
    outcome: Outcome, proof: Canary, found: list[tuple[str, Verdict]], certain: list[tuple[str, Verdict]]
) -> str:
    if not proof.noticed:
        return "Planted personal data were not told from what is none, so nothing is concluded."
    shown = ", ".join(f"{where}: {kinds()[one.kind].says}" for where, one in (certain or found)[:3])
    if outcome is Outcome.FAIL:
        return f"Personal data stand where no label names them: {shown}."
    if outcome is Outcome.INCONCLUSIVE:
        return f"A person has to look at what may be personal: {shown}."
    return "Every column in which personal data were found is labelled."


def _prove(table: Table, silent: set[str], rng: np.random.Generator) -> Canary:
    """Plant identifiers in texts of these rows and in columns of their own; let their own cells and plain codes be."""
    own = [cells(column).drop_null() for name, column in reading.columns(table) if name in silent]
    clean = [column for column in own if len(column)]
    bad: dict[str, pa.Array] = {}
    for at, plant in enumerate(plants.BY_FORM.values()):
        texts = np.array(_words(clean, rng), dtype=object)
        places = rng.choice(_ROWS, int(_ROWS * _PART), replace=False)
        some = plant(rng, len(places))
        texts[places] = [f"{text} {one}" if at % 2 else one for text, one in zip(texts[places], some, strict=True)]
        bad[f"p{at}"] = pa.array(texts, type=pa.string())
        bad[f"v{at}"] = pa.array(plant(rng, _ROWS), type=pa.string())
    for name, plant in plants.BY_NAME.values():
        bad[name] = pa.array(plant(rng, _ROWS), type=pa.string())
    good = {f"q{at}": pa.array(_words(clean[at : at + 1], rng), type=pa.string()) for at in range(min(len(clean), 8))}
    good |= {f"w{at}": pa.array(make(rng, _ROWS), type=pa.string()) for at, make in enumerate(plants.NOBODY)}
    told = judged((bad | good).items())
    missed = sum(not one.personal for one in told if one.column in bad)
    alarms = sum(one.personal for one in told if one.column in good)
    return Canary(
        kind="identifiers written into texts, and columns of them",
        planted=len(bad),
        found=len(bad) - missed,
        clean=len(good),
        false_alarms=alarms,
        noticed=missed == 0 and alarms == 0,
        detail=f"{len(plants.BY_FORM)} kinds in {_PART:.0%} of the cells and in all, {len(plants.BY_NAME)} by a name. "
        "Clean: these rows' own cells, dates and codes.",
    )


def _words(clean: list[pa.Array], rng: np.random.Generator) -> list[str]:
    """Return cells of a drawn clean column, drawn again; words where there is none."""
    if not clean:
        return [f"type {value}" for value in rng.integers(0, 9, _ROWS).tolist()]
    cells_ = clean[int(rng.integers(len(clean)))]
    return [str(text) for text in cells_.take(pa.array(rng.integers(0, len(cells_), _ROWS))).to_pylist()]
