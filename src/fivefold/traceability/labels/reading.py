"""Reading: tables of CSV, Parquet and Arrow files in groups of rows, and what kind each column of a CSV file is."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from fivefold.errors import InputError
from fivefold.manifest.columns import CSV, header
from fivefold.traceability.labels import kinds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_BLOCK = 16 << 20
_BATCH = 65_536
_INDEX = re.compile(r"__index_level_\d+__")
_INTEGERS = r"^-?(0|[1-9]\d{0,17})$"
_NUMBERS = r"^-?(0|[1-9]\d*)?(\.\d+)?([eE][-+]?\d+)?$|^-?(0|[1-9]\d*)\.$|^[nN]a[nN]$|^-?inf$"
_PATTERNS = (
    (kinds.INTEGER, _INTEGERS),
    (kinds.NUMBER, _NUMBERS),
    (kinds.BOOLEAN, r"^([tT]rue|[fF]alse)$"),
    (kinds.DATE, r"^\d{4}-\d\d-\d\d$"),
    ("timestamp[us]", r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?$"),
)


@dataclass(frozen=True)
class Source:
    """A table that can be read more than once.

    Attributes:
        names: Its columns in order.
        batches: Opens it and yields record batches of any length.
        types: Column to Arrow type.
        metadata: Of the schema.
        texts: Whether every value is stored as a text, so that kinds are guessed.
    """

    names: tuple[str, ...]
    batches: Any
    types: dict[str, pa.DataType]
    metadata: dict[bytes, bytes]
    texts: bool = False


def open_file(path: Path) -> Source:
    """Return a file as a source.

    Raises:
        InputError: ``label.unreadable`` if it is no such table; as :func:`fivefold.manifest.columns.header`.
    """
    names = header(path)
    try:
        if path.name.lower().endswith(CSV):
            return Source(names, lambda: _csv(path, names), dict.fromkeys(names, pa.string()), {}, texts=True)
        return _parquet(path) if path.name.lower().endswith((".parquet", ".pq")) else _arrow(path)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path.name, error) from None


def whole(path: Path) -> pa.Table:
    """Return a file as one table; the columns of a CSV file as the kinds that are guessed.

    Raises:
        InputError: As :func:`open_file`.
    """
    source = open_file(path)
    table = pa.Table.from_batches(
        list(source.batches()), pa.schema(list(source.types.items())) if source.texts else None
    )
    if not source.texts:
        return table
    kind = guessed(source)
    columns = {name: [kinds.read_as(_blank(part), kind[name]) for part in table[name].chunks] for name in source.names}
    typed = {name: pa.chunked_array(parts, kinds.type_of(kind[name])) for name, parts in columns.items()}
    return pa.table(typed)


def _blank(column: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(column, ""), None, column)


def of_table(table: pa.Table) -> Source:
    """Return a table in memory as a source."""
    return _source(table.schema, table.to_batches)


@contextmanager
def as_input_errors(name: str) -> Iterator[None]:
    """Turn what an engine says of a broken file into an error of the input.

    Raises:
        InputError: ``label.unreadable``.
    """
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(name, error) from None


def _unreadable(name: str, error: Exception) -> InputError:
    text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return InputError("label.unreadable", f"it cannot be read: {text}.", where=name, remedy="Check the file.")


def _source(schema: pa.Schema, batches: Any) -> Source:
    names = tuple(name for name in schema.names if not _INDEX.fullmatch(name))
    if len(set(names)) != len(names):
        raise InputError("manifest.duplicate-column", "a column stands twice.", remedy="Give each a name of its own.")
    types = {name: schema.field(name).type for name in names}
    return Source(names, batches, types, dict(schema.metadata or {}))


def _parquet(path: Path) -> Source:
    from pyarrow import parquet

    schema = parquet.read_schema(path)

    def batches() -> Iterator[pa.RecordBatch]:
        with parquet.ParquetFile(path, memory_map=True) as file:
            yield from file.iter_batches(_BATCH)

    return _source(schema, batches)


def _arrow(path: Path) -> Source:
    def batches() -> Iterator[pa.RecordBatch]:
        with pa.memory_map(str(path)) as file:
            if file.read(6) == b"ARROW1":
                reader = pa.ipc.open_file(file)
                yield from (reader.get_batch(at) for at in range(reader.num_record_batches))
                return
            file.seek(0)
            yield from pa.ipc.open_stream(file)

    with pa.memory_map(str(path)) as file:
        whole = file.read(6) == b"ARROW1"
        file.seek(0)
        schema = (pa.ipc.open_file if whole else pa.ipc.open_stream)(file).schema
    return _source(schema, batches)


def _csv(path: Path, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    from pyarrow import csv

    with pa.input_stream(str(path), compression="gzip" if path.name.lower().endswith(".gz") else None) as file:
        yield from csv.open_csv(
            file,
            read_options=csv.ReadOptions(block_size=_BLOCK, use_threads=False, column_names=list(names), skip_rows=1),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[], strings_can_be_null=False
            ),
        )


def guessed(source: Source) -> dict[str, str]:
    """Return the kind of each column: of its type, or of texts the narrowest that all of them fit.

    A text with leading zeros, signs or spaces is no number: such codes would lose them.
    """
    if not source.texts:
        return {name: kinds.kind_of(name, dtype) for name, dtype in source.types.items()}
    left = {name: [kind for kind, _ in _PATTERNS] for name in source.names}
    blank = dict.fromkeys(source.names, True)
    patterns = dict(_PATTERNS)
    for batch in source.batches():
        for name, column in zip(source.names, batch.columns, strict=True):
            if not left[name]:
                continue
            said = column.filter(pc.not_equal(column, ""))
            blank[name] = blank[name] and not len(said)
            left[name] = [kind for kind in left[name] if _all_are(said, kind, patterns[kind])]
    return {name: kinds.NULL if blank[name] else (left[name] or [kinds.TEXT])[0] for name in source.names}


def _all_are(said: pa.Array, kind: str, pattern: str) -> bool:
    fits = pc.all(pc.match_substring_regex(said, pattern), min_count=0).as_py()
    return bool(fits) and kinds.read_as(said, kind) is not None


def groups(source: Source, size: int, columns: Iterable[str]) -> Iterator[pa.Table]:
    """Yield the rows of a source in groups; the last is shorter. At most a group and a batch are held.

    Args:
        source: What is read.
        size: Rows of a group.
        columns: Those that are wanted, in their order.
    """
    wanted = list(columns)
    held: list[pa.Table] = []
    rows = 0
    for batch in source.batches():
        part = pa.Table.from_batches([batch]).select(wanted)
        held.append(part)
        rows += len(part)
        if rows < size:
            continue
        whole = pa.concat_tables(held)
        for start in range(0, rows - rows % size, size):
            yield whole.slice(start, size)
        rest = whole.slice(rows - rows % size)
        held, rows = ([rest] if len(rest) else []), len(rest)
    if rows:
        yield pa.concat_tables(held)


def counted(source: Source) -> int:
    """Return how many rows a source has."""
    return sum(len(batch) for batch in source.batches())
