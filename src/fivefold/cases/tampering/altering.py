"""Altering: what somebody with access to the shelf, but not to the steward's key, does to table and label."""

from __future__ import annotations

from dataclasses import dataclass, field
from shutil import copyfile
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from fivefold.cases.tampering.office import DISTRICTS, TARGET, households
from fivefold.cases.tampering.shelf import FIELDS, NAME, stored
from fivefold.evidence.data_content import group_of
from fivefold.keys import signing
from fivefold.traceability.labels.binding import Saying, Steward, bind
from fivefold.traceability.labels.examine import beside

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fivefold.cases.tampering.shelf import Shelf

NAMED = {
    "outcomes of one district edited": "edited",
    "incomes of one district edited": "edited",
    "outcomes shifted against their rows": "edited",
    "two columns exchanged": "reordered",
    "made-up households added": "added",
    "households of one district left out": "partial",
    "a column left out": "partial",
    "edited, label stripped": "stripped",
    "edited, label of another table": "swapped",
    "edited, label signed by another key": "forged",
    "earlier, laxer label put back": "downgraded",
    "last year's table and label put back": "downgraded",
}
"""What is done, and what the label's check is to call it."""


@dataclass(frozen=True)
class Act:
    """One tampering.

    Attributes:
        what: One of :data:`NAMED`.
        file: The table as it stands then, its label beside it.
        cells: Column to the groups of rows where it was done; empty: it has no place.
    """

    what: str
    file: Path
    cells: Mapping[str, list[int]] = field(default_factory=dict)


def done(what: str, shelf: Shelf, to: Path, rng: np.random.Generator) -> Act:
    """Copy table and label into a new folder and tamper with the copy.

    Args:
        what: One of :data:`NAMED`.
        shelf: What is copied.
        to: The folder.
        rng: Chooses district, months and amounts.
    """
    if NAMED[what] == "downgraded":
        return Act(what, shelf.copied(to, "lax" if "laxer" in what else "last year"))
    file = shelf.copied(to)
    labels = what.startswith("edited,")
    rows = changed("outcomes of one district edited" if labels else what, shelf.rows, rng)
    stored(_as_arrow(rows), file, like=None if what == "edited, label stripped" else file)
    if what == "edited, label stripped":
        beside(file).unlink()
    elif what == "edited, label of another table":
        other = shelf.place / "last year" / file.name
        stored(_as_arrow(rows), file, like=other)
        copyfile(beside(other), beside(file))
    elif what == "edited, label signed by another key":
        resigned(rows, file, Steward(signing.generate(), shelf.steward.trust, shelf.steward.now))
    return Act(what, file, {} if labels else _places(what, shelf.rows, rows))


def resigned(rows: pd.DataFrame, file: Path, by: Steward) -> None:
    """Store rows in place of others, and sign a label over them that says the same."""
    stored(_as_arrow(rows), file)
    bind(file, Saying(NAME, FIELDS), by, inside=True)


def changed(what: str, rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return households as they read after a tampering."""
    made = rows.copy()
    hit = _months(len(rows), rng) & (rows.district == rng.choice(DISTRICTS)).to_numpy()
    if what == "outcomes of one district edited":
        made.loc[hit, TARGET] = int(rng.integers(2))
    elif what == "incomes of one district edited":
        made.loc[hit & (rows[TARGET] == 0), "income"] *= float(rng.uniform(0.2, 0.5))
    elif what == "outcomes shifted against their rows":
        made[TARGET] = np.roll(rows[TARGET].to_numpy(), int(rng.integers(1, len(rows))))
    elif what == "two columns exchanged":
        made["income"], made["rent"] = rows.rent, rows.income
    elif what == "made-up households added":
        more = households(len(rows) // 8, rng).assign(district=rng.choice(DISTRICTS), health=None, debts=0.0, need=1)
        made = pd.concat([rows, more.astype(rows.dtypes)], ignore_index=True)
    elif what == "households of one district left out":
        made = rows[~hit | (rows[TARGET] == 0)]
    else:
        made = rows.drop(columns="debts")
    return made


def _months(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) bool: rows filed in a stretch of a third to two thirds of the time."""
    length = int(n * rng.uniform(1 / 3, 2 / 3))
    first = int(rng.integers(n - length))
    at = np.arange(n)
    return (at >= first) & (at < first + length)


def _as_arrow(rows: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(rows, preserve_index=False)


def _places(what: str, was: pd.DataFrame, now: pd.DataFrame) -> dict[str, list[int]]:
    """Return where a label is to say that something was done: columns, and groups of rows."""
    size = group_of(len(was), was.shape[1])
    last = -(-max(len(was), len(now)) // size)
    if what == "a column left out":
        return {"debts": list(range(last))}
    if len(was) != len(now):
        kept = now.index.to_numpy()[: len(was)]
        same = np.flatnonzero(kept != np.arange(len(kept)))
        first = int(same[0] if len(same) else min(len(was), len(now))) // size
        return {str(name): list(range(first, last)) for name in was}
    differ = {name: ~((was[name] == now[name]) | (was[name].isna() & now[name].isna())).to_numpy() for name in was}
    found = {name: np.unique(np.flatnonzero(where) // size).tolist() for name, where in differ.items()}
    return {str(name): groups for name, groups in found.items() if groups}


def anew(shelf: Shelf, to: Path, rng: np.random.Generator) -> Path:
    """Copy table and label, and store the same values anew: in other parts, otherwise packed, words as categories."""
    file = shelf.copied(to)
    table = parquet.read_table(file)
    place = table.column_names.index("district")
    table = table.set_column(place, "district", table.column("district").dictionary_encode())
    parquet.write_table(table, file, row_group_size=int(rng.integers(100, len(table))), compression="zstd")
    return file
