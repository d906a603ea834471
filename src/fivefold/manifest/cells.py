"""Cells: a data set's columns as texts, whatever it is stored in, for proposing a manifest and for parting it."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError
from fivefold.manifest import csv_text, npz
from fivefold.manifest.columns import OTHERS, header
from fivefold.manifest.inputs import beside, index_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

NPZ = ".npz"


def columns(path: Path) -> tuple[str, ...]:
    """Return the columns that :func:`cells` gives.

    Raises:
        InputError: As :func:`cells`, and ``manifest.duplicate-column``.
    """
    if path.is_dir():
        return header(index_of(path, None))
    if path.name.lower().endswith(NPZ):
        stored = npz.members(path)
        return beside(stored, widest(stored, path.name))
    return header(path)


def widest(stored: tuple[npz.Member, ...], file: str) -> npz.Member:
    """Return the array of most dimensions, whose first one counts the rows; the first of several.

    Raises:
        InputError: ``data.array`` where none has a dimension.
    """
    shaped = [item for item in stored if item.shape]
    if not shaped:
        remedy = "Save the rows as arrays: numpy.savez_compressed('test.npz', x=images, label=labels)."
        raise InputError("data.array", "the file holds no array with rows.", where=file, remedy=remedy)
    return max(shaped, key=lambda item: len(item.shape))


def contents(path: Path) -> Iterator[tuple[list[str], bytes]]:
    """Yield each row as texts, and as bytes what of it is no column: of an npz file its part of the wider arrays.

    Raises:
        InputError: As :func:`cells`.
    """
    if not path.name.lower().endswith(NPZ):
        rows = cells(path)
        next(rows, None)
        yield from ((row, b"") for row in rows)
        return
    stored = npz.members(path)
    count = widest(stored, path.name).shape[0]
    wide = [array(path, item) for item in stored if len(item.shape) > 1 and item.shape[0] == count]
    rows = _npz(path)
    next(rows)
    for place, row in enumerate(rows):
        yield row, b"".join(part[place].tobytes() for part in wide)


def array(path: Path, member: npz.Member) -> np.ndarray:
    """Return one array of an npz file; never an object.

    Raises:
        InputError: ``init.engine`` if it needs an extra, ``data.npz`` if it cannot be unpacked.
    """
    try:
        import numpy as np
    except ImportError:
        raise _no_engine(path) from None
    try:
        with np.load(path, allow_pickle=False) as file:
            return np.asarray(file[member.name])
    except (OSError, ValueError, KeyError, EOFError, zlib.error) as error:
        message = f"its array {member.name[:60]} cannot be unpacked ({type(error).__name__})."
        raise InputError("data.npz", message, where=path.name, remedy="Save it again.") from None


def _npz(path: Path) -> Iterator[list[str]]:
    stored = npz.members(path)
    shown = widest(stored, path.name)
    names = beside(stored, shown)
    yield list(names)
    held = [array(path, item).tolist() for item in stored if item.name in names]
    for place in range(shown.shape[0]):
        yield [_text(values[place]) for values in held]


def cells(path: Path) -> Iterator[list[str]]:
    """Yield the header and then each row as texts; a missing cell is the empty text.

    Args:
        path: CSV (also ``.gz``), Parquet or Arrow file; npz: its arrays of one element for each row; a folder of
            recordings: its index.

    Raises:
        InputError: ``init.data`` if Parquet or Arrow cannot be read, ``init.engine`` if it needs an extra; of CSV as
            :mod:`fivefold.manifest.csv_text`; of npz as :mod:`fivefold.manifest.npz`; ``data.index``.
    """
    if path.is_dir():
        path = index_of(path, None)
    if path.name.lower().endswith(NPZ):
        yield from _npz(path)
        return
    if path.name.lower().endswith(OTHERS):
        yield from _arrow(path)
        return
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    head = b""
    try:
        with opener(path, "rb") as raw:
            head = raw.peek(200)[:200] if isinstance(raw, io.BufferedReader | gzip.GzipFile) else b""
            csv_text.require_text(path.name, head)
            with io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
                yield from _even(path.name, csv.reader(text))
    except UnicodeDecodeError:
        raise csv_text.not_utf8(path.name, head) from None
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise csv_text.broken(path.name, str(error)) from None


def _even(name: str, rows: Any) -> Iterator[list[str]]:
    """Yield rows that all have as many cells as the first; empty lines are no rows."""
    width = 0
    for row in rows:
        if not row:
            continue
        width = width or len(row)
        if len(row) != width:
            raise csv_text.ragged(name, rows.line_num, len(row), width)
        yield row


def _arrow(path: Path) -> Iterator[list[str]]:
    try:
        from pyarrow import dataset
    except ImportError:
        raise _no_engine(path) from None
    kind = "parquet" if path.name.lower().endswith((".parquet", ".pq")) else "feather"
    try:
        table = dataset.dataset(path, format=kind)
        yield list(table.schema.names)
        for batch in table.to_batches():
            rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            yield from ([_text(cell) for cell in row] for row in rows)
    except (OSError, ValueError) as error:
        message = f"{path.name} cannot be read as {kind} ({error})."
        raise InputError("init.data", message, remedy="Check the file.") from None


def _text(cell: Any) -> str:
    """Return a cell as text, the empty one where it is missing."""
    return "" if cell is None or cell != cell else str(cell)  # noqa: PLR0124  NaN is not itself


def _no_engine(path: Path) -> InputError:
    remedy = "Install it: pip install 'fivefold[assess]'."
    return InputError("init.engine", f"{path.name} needs the extra assess.", remedy=remedy)
