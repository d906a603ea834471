"""Planted: rows of an application tampered with in a known way and place, for the canary of T1.tampering."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fivefold.evidence import data_label
from fivefold.evidence.data_label import DataLabel
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import Signer, generate
from fivefold.traceability.labels import content, reading
from fivefold.traceability.labels.examine import Held, judge

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.evidence.data_content import Content
    from fivefold.keys.trust import Trust

KINDS = ("edit", "strip", "swap", "downgrade", "forge", "partial copy", "reorder")
NAMED = {
    "edit": "edited", "strip": "stripped", "swap": "swapped", "downgrade": "downgraded", "forge": "forged",
    "partial copy": "partial", "reorder": "reordered",
}  # fmt: skip
FIELDS: dict[str, Any] = {
    "class": "confidential", "personal": [], "basis": "canary", "purpose": ["canary"], "region": ["EU"],
    "retain": "5y", "source": "canary",
}  # fmt: skip


def as_arrow(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as Arrow columns; what Arrow has no one type for becomes text."""
    columns, names = [], []
    for place, name in enumerate(frame.columns):
        values = frame.iloc[:, place]
        try:
            column = pa.array(values, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            column = pa.array(values.astype("str").where(values.notna(), None), from_pandas=True)
        columns.append(column)
        names.append(str(name))
    return pa.table(columns, names=names)


@dataclass(frozen=True)
class Labelled:
    """Rows with a sound label by a throw-away steward.

    Attributes:
        table: The rows.
        bound: Their content.
        label: Signed.
        signer: The steward's key.
        trust: Names it.
        now: UTC time.
    """

    table: pa.Table
    bound: Content
    label: bytes
    signer: Signer
    trust: Trust
    now: str

    def held(self, table: pa.Table | None = None) -> Held:
        """Return the rows, or others in their place, beside the label."""
        there = self.table if table is None else table
        digest = "" if table is None else hashlib.sha256(b"other").hexdigest()
        return Held(side=self.label, digest=digest or self.bound.root, source=lambda: reading.of_table(there))


def labelled(table: pa.Table, now: str) -> Labelled:
    """Label rows with a throw-away key."""
    signer, bound = generate(), content.bind(reading.of_table(table), len(table))
    trust = trust_file.add(trust_file.Trust(), signer.public, name="canary", roles=("steward",))
    made = DataLabel(fields=FIELDS, issued=now, version=2, content=bound, serial=2)
    return Labelled(table, bound, data_label.seal("rows", bound.root, made, signer), signer, trust, now)


def tried(kind: str, rows: Labelled, rng: np.random.Generator) -> bool:
    """Tamper with rows in one way, and return whether it was named, and located where it has a place."""
    held, where = _spoilt(kind, rows, rng)
    found = judge(held, rows.trust, rows.now)
    named = [fault for fault in found.faults if fault.kind == NAMED[kind]]
    if kind == "reorder" and not rows.bound.tally:
        return bool(found.faults)  # rows this much alike are not told from other data, by design
    if where is None:
        return len(named) == len(found.faults) == 1
    column, group = where
    return len(named) == len(found.faults) == 1 and dict(named[0].cells) == {column: [group]}


def sound(rows: Labelled, rng: np.random.Generator) -> bool:
    """Return whether untouched rows hold, in another cut and in wider or narrower types."""
    cut = int(rng.integers(1, max(2, len(rows.table))))
    copy = pa.concat_tables([rows.table.slice(0, cut), rows.table.slice(cut)])
    return not judge(rows.held(copy), rows.trust, rows.now).faults


def _spoilt(kind: str, rows: Labelled, rng: np.random.Generator) -> tuple[Held, tuple[str, int] | None]:
    table = rows.table
    if kind == "edit":
        edited, column, row = _edited(table, rng)
        return rows.held(edited), (column, row // rows.bound.group)
    if kind == "partial copy":
        return rows.held(_part(table, rng)), None
    if kind == "reorder":
        return rows.held(table.take(pa.array(_order(table, rng)))), None
    return _labels(kind, rows, rng), None


def _labels(kind: str, rows: Labelled, rng: np.random.Generator) -> Held:
    held = rows.held()
    if kind == "strip":
        return replace(held, side=b"")
    if kind == "forge":
        data = bytearray(rows.label)
        data[int(rng.integers(len(data) - 1))] ^= 1
        return replace(held, side=bytes(data))
    if kind == "swap":
        other = DataLabel(fields=FIELDS, issued=rows.now, version=2, serial=2)
        digest = hashlib.sha256(rng.bytes(16)).hexdigest()
        return replace(held, side=data_label.seal("other", digest, other, rows.signer), around=[rows.label])
    weak = {**FIELDS, "class": "public"}
    older = DataLabel(fields=weak, issued=rows.now, version=2, content=rows.bound)
    return replace(held, side=data_label.seal("rows", rows.bound.root, older, rows.signer), around=[rows.label])


def _edited(table: pa.Table, rng: np.random.Generator) -> tuple[pa.Table, str, int]:
    """Return the rows with one cell changed: to a value of the same column, or missing, or no more missing."""
    place, row = int(rng.integers(table.num_columns)), int(rng.integers(len(table)))
    column = table.column(place).combine_chunks()
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    old = column[row].as_py()
    drawn = [column[int(at)].as_py() for at in rng.integers(0, len(column), 64)]
    others = [value for value in drawn if value != old]
    new = pa.scalar(others[0] if others else (None if old is not None else _any(column.type)), column.type)
    changed = pa.concat_arrays([column.slice(0, row), pa.array([new.as_py()], column.type), column.slice(row + 1)])
    return table.set_column(place, table.column_names[place], changed), table.column_names[place], row


def _any(dtype: pa.DataType) -> Any:
    """Return a value for a column that has none."""
    return pa.scalar(0).cast(dtype).as_py() if not pa.types.is_null(dtype) else None


def _part(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    way = int(rng.integers(3)) if table.num_columns > 1 else int(rng.integers(2))
    if way == 0:
        return table.slice(0, max(1, len(table) // 2))
    if way == 1:
        return table.take(pa.array(np.flatnonzero(rng.random(len(table)) < 0.5)))
    return table.select(table.column_names[: max(1, table.num_columns // 2)])


def _order(table: pa.Table, rng: np.random.Generator) -> np.ndarray:
    """Return an order of the rows that moves one that differs from the row in its place."""
    return np.roll(np.arange(len(table)), int(rng.integers(1, max(2, len(table)))))
