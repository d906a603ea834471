"""Content: the leaves of a table, read as kinds say, and what binds a label to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fivefold.errors import InputError
from fivefold.evidence.data_content import MAX_COLUMNS, MIN_GROUP, ColumnContent, Content, group_of, made
from fivefold.traceability.labels import kinds, reading
from fivefold.traceability.labels.hashing import leaf, tally

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fivefold.traceability.labels.reading import Source

_WORD = 1 << 64
_VARIOUS = 16
NO_LEAF = b"\xff" * 32
"""Stands where values are none of the kind that the label says."""


@dataclass(frozen=True)
class Leaves:
    """What was read.

    Attributes:
        rows: How many.
        leaves: Column to its leaves by group.
        tally: Over whole rows in any order; empty where they are too much alike, or could not be read.
        blanks: Whether a text column holds empty texts.
    """

    rows: int
    leaves: Mapping[str, list[bytes]]
    tally: str
    blanks: Mapping[str, bool]


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
    columns = [ColumnContent(name=name, kind=kind[name], blank=_blank(found, name)) for name in source.names]
    return made((found.rows, size), columns, [found.leaves[name] for name in source.names], found.tally)


def _blank(found: Leaves, name: str) -> str:
    """Return what an empty text of a CSV file would be."""
    if name not in found.blanks:
        return ""
    return "text" if found.blanks[name] else "missing"


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
    blanks = dict.fromkeys((name for name in names if kind[name] == kinds.TEXT), False)
    rows, total, whole, various = 0, 0, True, False
    for part in reading.groups(source, size, names) if names else ():
        mixed = np.zeros(len(part), dtype=np.uint64)
        for name in names:
            values = _values(part[name], source, kind[name], blank.get(name, ""))
            whole &= values is not None
            leaves[name].append(NO_LEAF if values is None else leaf(values, kind[name], mixed))
            if name in blanks and values is not None and not blanks[name]:
                blanks[name] = _holds_empty(values)
        various = various or (not rows and len(np.unique(mixed)) >= min(MIN_GROUP, len(part)) // 2 >= _VARIOUS)
        rows += len(part)
        total = (total + tally(mixed)) % _WORD
    return Leaves(rows, leaves, _said(total) if whole and various else "", blanks)


def _values(column: pa.ChunkedArray, source: Source, kind: str, blank: str) -> pa.Array | None:
    whole = _whole(column)
    if source.texts and kind == kinds.TEXT and blank == "missing":
        whole = pc.if_else(pc.equal(whole, ""), None, whole)
    return kinds.read_as(whole, kind)


def _holds_empty(values: pa.Array) -> bool:
    offsets = np.frombuffer(values.buffers()[1], dtype=np.int64)[values.offset : values.offset + len(values) + 1]
    empty = offsets[1:] == offsets[:-1]
    if not empty.any():
        return False
    return bool(empty.any() if not values.null_count else pc.any(pc.equal(values, "")).as_py())


def _said(total: int) -> str:
    """Return 64 bits that stand for a sum over whole rows without telling it.

    Sums of columns with few values would tell how many there are of each, and two labels then what one person has;
    of whole rows there are too many to try, which is why none is given where they are too much alike.
    """
    return hashlib.sha256(f"rows\0{total}".encode()).hexdigest()[:16]


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.num_chunks == 1:
        return column.chunk(0)
    joined = column.combine_chunks()
    return joined if isinstance(joined, pa.Array) else joined.chunk(0)
