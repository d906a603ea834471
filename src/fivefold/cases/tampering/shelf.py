"""The shelf: visited households as a file that a steward labelled, and what else of it somebody with access finds.

Last year's table was labelled first. This year's stands in its place; its label was signed twice, the first time too
laxly. An auditor keeps a copy of each label elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from shutil import copyfile
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

from fivefold.cases.tampering.office import VISITED, households
from fivefold.keys import signing, store
from fivefold.keys import trust as trust_file
from fivefold.traceability.labels.binding import Saying, Steward, bind
from fivefold.traceability.labels.examine import KEY, beside

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd

NAME = "visits"
FIELDS: dict[str, Any] = {
    "class": "confidential", "personal": ["income", "rent", "debts", "health"], "basis": "public task",
    "purpose": ["support"], "region": ["EU"], "retain": "5y", "source": "visits of the office",
}  # fmt: skip
_LAX: dict[str, Any] = {**FIELDS, "class": "internal", "purpose": ["support", "research"]}


@dataclass(frozen=True)
class Shelf:
    """What was made and labelled.

    Attributes:
        place: A folder with :data:`FILE`, its label, and the earlier ones of both.
        rows: This year's households.
        steward: Whose key signed, who is trusted, and when it was.
    """

    place: Path
    rows: pd.DataFrame
    steward: Steward
    file: Path = field(init=False)

    def __post_init__(self) -> None:
        """Say where the table stands."""
        object.__setattr__(self, "file", self.place / f"{NAME}.parquet")

    @property
    def kept(self) -> Path:
        """The auditor's folder of labels."""
        return self.place / "kept"

    def copied(self, to: Path, which: str = "now") -> Path:
        """Copy the table and its label, as they stand or as they stood, into a new folder; return the table."""
        to.mkdir(parents=True)
        copy, file = to / self.file.name, self.place / which / self.file.name
        copyfile(file, copy)
        copyfile(beside(file), beside(copy))
        return copy


def filled(place: Path, rng: np.random.Generator, n: int = VISITED) -> Shelf:
    """Draw two years of households, write their tables and sign their labels.

    Args:
        place: An empty folder.
        rng: Draws the households; keys are fresh.
        n: How many were visited this year.
    """
    signer = signing.generate()
    trust = trust_file.add(trust_file.Trust(), signer.public, name="the steward", roles=("steward",))
    shelf = Shelf(place, households(n, rng), Steward(signer, trust, store.utc_now()))
    last = households(n - n // 10, rng)
    shelf.kept.mkdir()
    for which, rows, said in (("last year", last, _LAX), ("lax", shelf.rows, _LAX), ("now", shelf.rows, FIELDS)):
        stored(pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata({}), shelf.file)
        bind(shelf.file, Saying(NAME, said), shelf.steward, inside=True)
        folder = place / which
        folder.mkdir()
        for file in (shelf.file, beside(shelf.file)):
            copyfile(file, folder / file.name)
        copyfile(beside(shelf.file), shelf.kept / f"{which}.label.json")
    return shelf


def stored(table: pa.Table, file: Path, like: Path | None = None) -> None:
    """Write a table; with the label inside another file, if one is named."""
    label = (parquet.read_schema(like).metadata or {}).get(KEY, b"") if like else b""
    parquet.write_table(table.replace_schema_metadata({KEY: label} if label else {}), file)
