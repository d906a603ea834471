"""Reading: the columns of a file as Arrow strings, batch by batch, so that memory does not grow with the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import csv, parquet

from fivefold.errors import InputError
from fivefold.manifest import csv_text
from fivefold.manifest.cells import columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BLOCK = 8 << 20
"""Bytes of a file that are read at a time."""
ROWS = 65_536
LINES = (".txt", ".md", ".log", ".jsonl")
"""Endings of texts without columns; each line is a cell of a column ``text``."""

Batch = dict[str, pa.Array]
"""Column to (n,) Arrow strings, null where missing."""


def names(path: Path) -> tuple[str, ...]:
    """Return the columns of a file.

    Raises:
        InputError: ``scan.file`` if there is none; as :func:`fivefold.manifest.cells.columns`.
    """
    if not path.is_file():
        raise InputError("scan.file", f"there is no file {path}.", remedy="Name a CSV, Parquet, Arrow or text file.")
    return ("text",) if path.suffix in LINES else columns(path)


def batches(path: Path, only: Sequence[str] | None = None) -> Iterator[Batch]:
    """Yield the rows of a CSV (also gzipped), Parquet, Arrow or text file.

    Args:
        path: The file.
        only: Columns to read; None: all.

    Raises:
        InputError: ``data.encoding``, ``data.unreadable``, ``scan.file``, ``scan.column``.
    """
    known = names(path)
    wanted = list(known if only is None else only)
    missing = [name for name in wanted if name not in known]
    if missing:
        remedy = f"Its columns are: {', '.join(known)[:300]}."
        raise InputError("scan.column", f"{path.name} has no column {missing[0]!r}.", remedy=remedy)
    stored = path.suffix in (".parquet", ".arrow", ".feather")
    reader = _lines if path.suffix in LINES else _stored if stored else _csv
    try:
        yield from reader(path, wanted)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        if "utf" in str(error).casefold():
            with path.open("rb") as file:
                raise csv_text.not_utf8(path.name, file.read(4096)) from error
        raise csv_text.broken(path.name, str(error)[:200]) from error


def _csv(path: Path, wanted: list[str]) -> Iterator[Batch]:
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted, strings_can_be_null=True,
        null_values=[""],
    )  # fmt: skip
    with csv.open_csv(
        path,
        read_options=csv.ReadOptions(block_size=BLOCK, use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=convert,
    ) as reader:
        for batch in reader:
            yield dict(zip(wanted, batch.columns, strict=True))


def _stored(path: Path, wanted: list[str]) -> Iterator[Batch]:
    for batch in _parts(path, wanted):
        yield {name: _text(batch.column(name)) for name in wanted}


def _parts(path: Path, wanted: list[str]) -> Iterator[Any]:
    if path.suffix == ".parquet":
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=ROWS, columns=wanted)
        return
    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
        for at in range(reader.num_record_batches):
            yield reader.get_batch(at)


def _text(column: Any) -> pa.Array:
    """Return a column as strings; lists and structs as they are written, bytes as far as they are UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return pa.array([_written(value) for value in column.to_pylist()], pa.string())  # rare: nested, or no UTF-8


def _written(value: Any) -> str | None:
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _lines(path: Path, wanted: list[str]) -> Iterator[Batch]:
    with path.open("rb") as file:
        rest = b""
        while block := file.read(BLOCK):
            *lines, rest = (rest + block).split(b"\n")
            yield {wanted[0]: pa.array(lines, type=pa.binary()).cast(pa.string())}
        if rest:
            yield {wanted[0]: pa.array([rest.decode()], type=pa.string())}


def drawn(batch: Batch, mask: pa.Array) -> Batch:
    """Return the rows of a batch that (n,) bool says."""
    return {name: column.filter(mask) for name, column in batch.items()}
