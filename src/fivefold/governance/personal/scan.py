"""Scan: one file, read once in batches, and a verdict on each of its columns."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fivefold.contract.codec import canonical
from fivefold.governance.personal import reading, verdict
from fivefold.governance.personal.kinds import kinds
from fivefold.governance.personal.verdict import Column, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import numpy as np

ENDING = ".personal.json"
"""Appended to the path of the data: what is proposed as its label."""


@dataclass(frozen=True)
class Scan:
    """What was found in a file.

    Attributes:
        rows: Rows of the file.
        read: Rows that were looked at.
        columns: A verdict on each column, in the order of the file.
    """

    rows: int
    read: int
    columns: tuple[Verdict, ...]

    def personal(self) -> tuple[Verdict, ...]:
        """Return the columns with personal data."""
        return tuple(column for column in self.columns if column.personal)


def scan(path: Path, share: float = 1.0, rng: np.random.Generator | None = None) -> Scan:
    """Look for personal data in every column of a file.

    Threat: personal data enter a lake or a training set without anybody knowing.
    Limit: names and addresses in words, without a title, a column's name or a number beside them, are not recognised;
    of a cell the first 20,000 letters are read.

    Args:
        path: CSV (also gzipped), Parquet, Arrow or text.
        share: Share of the rows that is looked at, drawn one by one.
        rng: Needed where ``share`` is below 1.

    Raises:
        InputError: As :func:`fivefold.governance.personal.reading.batches`.
    """
    columns = {name: Column(name) for name in reading.names(path)}
    rows = read = 0
    for whole in reading.batches(path):
        batch, count = whole, len(next(iter(whole.values())))
        rows += count
        if share < 1 and rng is not None:
            mask = rng.random(count) < share
            batch, count = reading.drawn(whole, pa.array(mask)), int(mask.sum())
        read += count
        verdict.count(columns, batch)
    return Scan(rows, read, tuple(column.verdict() for column in columns.values()))


def report(
    path: Path, known: Collection[str], share: float = 1.0, rng: np.random.Generator | None = None
) -> dict[str, Any]:
    """Scan a file and say what no label names.

    Args:
        path: The file.
        known: Columns that are declared personal.
        share: As :func:`scan`.
        rng: As :func:`scan`.

    Returns:
        ``rows``, ``read``, ``columns`` (each verdict that found anything), ``unlabelled`` (names of personal columns
        that are not known), ``missed`` (of a sample: largest share of the cells of a column that may hold what was not
        seen, at 95 %).
    """
    found = scan(path, share, rng)
    shown = [asdict(one) | {"share": round(one.share, 6), "says": kinds()[one.kind].says if one.kind else ""}
             for one in found.columns if one.personal or one.found]  # fmt: skip
    unlabelled = [one.column for one in found.personal() if one.column not in known]
    # Clopper and Pearson's upper bound at no find in n draws
    missed = 1 - 0.05 ** (1 / found.read) if share < 1 and found.read else 0.0
    return {
        "file": str(path), "rows": found.rows, "read": found.read, "columns": shown, "known": sorted(known),
        "unlabelled": unlabelled, "missed": missed,
    }  # fmt: skip


def propose(path: Path, told: dict[str, Any]) -> Path:
    """Write what a data label would have to say beside the data, and return the file; no cell is in it."""
    file = path.with_name(path.name + ENDING)
    personal = sorted({one["column"] for one in told["columns"] if one["personal"]} | set(told["known"]))
    columns = {one["column"]: {"kind": one["kind"], "sure": one["sure"], "by": one["by"], "found": one["found"]}
               for one in told["columns"] if one["personal"]}  # fmt: skip
    said = {
        "label": {"personal": personal},
        "columns": columns,
        "rows": told["rows"],
        "read": told["read"],
        "version": 1,
    }
    file.write_bytes(canonical(said) + b"\n")
    return file
