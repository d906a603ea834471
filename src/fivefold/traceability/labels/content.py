"""Content: the leaves of a table, read as kinds say, and what binds a label to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from fivefold.errors import InputError
from fivefold.evidence.data_content import MAX_COLUMNS, ColumnContent, Content, group_of, made
from fivefold.traceability.labels import kinds, reading
from fivefold.traceability.labels.hashing import leaf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fivefold.traceability.labels.reading import Source

_WORD = 1 << 64
NO_LEAF = b"\xff" * 32
"""Stands where values are none of the kind that the label says."""


@dataclass(frozen=True)
class Leaves:
    """What was read.

    Attributes:
        rows: How many.
        leaves: Column to its leaves by group.
        tallies: Column to its tally; empty for texts and for what could not be read.
        blanks: Whether a text column holds empty texts, and missing values: (texts, missing).
    """

    rows: int
    leaves: Mapping[str, list[bytes]]
    tallies: Mapping[str, str]
    blanks: Mapping[str, tuple[bool, bool]]


def of_file(path: Path) -> Content:
    """Return the content of a file that a label is bound to.

    Raises:
        InputError: As :func:`bind` and :func:`fivefold.traceability.labels.reading.open_file`.
    """
    with reading.as_input_errors(path.name):
        return bind(reading.open_file(path))


def bind(source: Source, rows: int = -1) -> Content:
    """Return the content of a source.

    Args:
        source: What is read, twice or three times.
        rows: How many it has; negative: they are counted.

    Raises:
        InputError: ``label.kind``, ``label.columns`` for more than 8,192 of them.
    """
    if len(source.names) > MAX_COLUMNS:
        raise InputError("label.columns", f"more than {MAX_COLUMNS:,} columns.", remedy="Label parts of the table.")
    kind = reading.guessed(source)
    size = group_of(reading.counted(source) if rows < 0 else rows, len(source.names))
    found = read(source, kind, size, dict.fromkeys(source.names, "missing" if source.texts else "text"))
    columns = [
        ColumnContent(name=name, kind=kind[name], blank=_blank(source, found, name), tally=found.tallies[name])
        for name in source.names
    ]
    return made(found.rows, size, columns, [found.leaves[name] for name in source.names])


def _blank(source: Source, found: Leaves, name: str) -> str:
    """Return what an empty text of a CSV file would be."""
    if name not in found.blanks:
        return ""
    texts, _ = found.blanks[name]
    return "text" if texts and not source.texts else "missing"


def read(source: Source, kind: Mapping[str, str], size: int, blank: Mapping[str, str]) -> Leaves:
    """Return the leaves of a source's columns, read as kinds that were labelled.

    Args:
        source: What is read.
        kind: Column to kind; others are left out.
        size: Rows of a group.
        blank: Column to what its empty texts are, where the source holds nothing but texts.
    """
    names = [name for name in source.names if name in kind]
    leaves: dict[str, list[bytes]] = {name: [] for name in names}
    sums: dict[str, int] = dict.fromkeys(names, 0)
    blanks = {name: (False, False) for name in names if kind[name] == kinds.TEXT}
    rows = 0
    for part in reading.groups(source, size, names) if names else ():
        rows += len(part)
        for name in names:
            column = _whole(part[name])
            if source.texts and kind[name] == kinds.TEXT and blank.get(name) == "missing":
                column = pc.if_else(pc.equal(column, ""), None, column)
            values = kinds.read_as(column, kind[name])
            if values is None:
                leaves[name].append(NO_LEAF)
                sums[name] = -1
                continue
            digest, more = leaf(values, kind[name])
            leaves[name].append(digest)
            sums[name] = (sums[name] + more) % _WORD if sums[name] >= 0 else -1
            if name in blanks:
                texts, missing = blanks[name]
                blanks[name] = (texts or bool(pc.any(pc.equal(values, "")).as_py()), missing or values.null_count > 0)
    return Leaves(rows, leaves, {name: _tally(name, kind[name], sums[name]) for name in names}, blanks)


def _tally(name: str, kind: str, total: int) -> str:
    """Return 64 bits that stand for a sum without telling it; empty where there is none."""
    if total < 0 or kind in (kinds.TEXT, kinds.BYTES, kinds.DECIMAL):
        return ""
    return hashlib.sha256(f"{name}\0{kind}\0{total}".encode()).hexdigest()[:16]


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.num_chunks == 1:
        return column.chunk(0)
    joined = column.combine_chunks()
    return joined if isinstance(joined, pa.Array) else joined.chunk(0)
