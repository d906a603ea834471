"""Loading: a declared data set as a frame, read once, from the very bytes whose digest was planned.

CSV (also gzip), Parquet and Arrow. Texts stay texts, numbers numbers; dates of a CSV file stay texts. What means a
missing value is the empty cell and what the manifest declares; a column whose other cells are all numbers also reads
the usual words (``NA``, ``NaN``, ``null``) as missing.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import warnings
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
import pandas as pd

from fivefold.errors import InputError
from fivefold.manifest import csv_text
from fivefold.subject import even

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

USUAL = frozenset({"NA", "N/A", "n/a", "nan", "NaN", "NAN", "null", "NULL", "Null", "None", "none", "<NA>", "#N/A"})
"""Words that mean a missing number in a column of numbers."""

_CHUNK = 1 << 20
_COLUMNS = 4
_PARQUET = (".parquet", ".pq")
_ARROW = (".arrow", ".feather")


def read(path: Path, *, missing: Iterable[str] = (), strings: Iterable[str] = (), sha256: str = "") -> pd.DataFrame:
    """Read a stored table.

    Args:
        path: A ``.csv``, ``.csv.gz``, ``.parquet``, ``.pq``, ``.arrow`` or ``.feather`` file.
        missing: Texts that mean a missing value besides the empty cell.
        strings: Columns that are text whatever their cells look like (``00123``).
        sha256: Digest that the stored bytes must have; empty: not compared.

    Returns:
        Columns of type bool, integer, float, text, object, category or time; index 0 to n-1.

    Raises:
        InputError: ``data.unreadable``, ``data.empty``, ``data.encoding``, ``data.separator``, ``data.ragged``,
            ``data.large``, ``data.columns``, ``data.nested``, or ``data.changed`` if the
            bytes are not those that were planned.
    """
    try:
        if not path.name.lower().endswith((*_PARQUET, *_ARROW)):
            even.require_memory(path, even.free_memory())
        with path.open("rb") as file:
            if sha256:
                _require(file, sha256, path.name)
            frame = _parse(file, path.name, tuple(missing), tuple(strings))
    except InputError:
        raise
    except UnicodeDecodeError:
        raise csv_text.not_utf8(path.name, _head(path)) from None
    except (OSError, EOFError, zlib.error, ValueError, UnicodeError, OverflowError) as error:
        why = type(error).__name__
        raise InputError(
            "data.unreadable", f"the data cannot be read ({why}).", where=path.name, remedy="Check the file."
        ) from error
    return _plain(frame, path.name)


def _head(path: Path) -> bytes:
    with (gzip.open if path.name.lower().endswith(".gz") else open)(path, "rb") as file:
        return file.read(200)


def _require(file: BinaryIO, sha256: str, name: str) -> None:
    state = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        state.update(chunk)
    if state.hexdigest() != sha256:
        raise InputError(
            "data.changed",
            "the data changed after the plan was made.",
            where=name,
            remedy="Run the assessment again, and leave the files alone meanwhile.",
        )
    file.seek(0)


def _parse(file: BinaryIO, name: str, missing: tuple[str, ...], strings: tuple[str, ...]) -> pd.DataFrame:
    lower = name.lower()
    if lower.endswith(_PARQUET):
        return _parquet(file)
    if lower.endswith(_ARROW):
        return _from_arrow(_arrow(file))
    source: BinaryIO = file
    if lower.endswith(".gz"):
        source = cast("BinaryIO", gzip.GzipFile(fileobj=file))
    csv_text.require_text(name, source.read(200))
    source.seek(0)
    even.require(source, name)
    source.seek(0)
    return _csv(source, name, missing, strings)


def _parquet(file: BinaryIO) -> pd.DataFrame:
    """Read a few columns at a time, and give back what Arrow keeps of each: else it would take twice the memory."""
    import pyarrow as pa
    from pyarrow import parquet

    stored = parquet.ParquetFile(file, pre_buffer=False)
    names = list(stored.schema_arrow.names)
    _require_flat(stored.schema_arrow)
    parts = []
    for start in range(0, len(names), _COLUMNS):
        parts.append(_from_arrow(stored.read(columns=names[start : start + _COLUMNS], use_threads=False)))
        pa.default_memory_pool().release_unused()
    return pd.concat(parts, axis=1) if parts else pd.DataFrame(index=pd.RangeIndex(stored.metadata.num_rows))


def _arrow(file: BinaryIO) -> Any:
    import pyarrow as pa

    try:
        return pa.ipc.open_file(file).read_all()
    except pa.ArrowInvalid:
        file.seek(0)
        return pa.ipc.open_stream(file).read_all()


def _require_flat(schema: Any) -> None:
    import pyarrow as pa

    names = schema.names
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError(
            "data.columns", f"the column {', '.join(twice)} occurs more than once.", remedy="Rename the second."
        )
    for field in schema:
        if pa.types.is_nested(field.type) or pa.types.is_large_binary(field.type) or pa.types.is_binary(field.type):
            raise InputError(
                "data.nested",
                f'the column "{field.name}" holds {field.type}, not plain values.',
                remedy="Flatten it or leave it out of the file.",
            )


def _from_arrow(table: Any) -> pd.DataFrame:
    names = table.column_names
    _require_flat(table.schema)
    frame = table.to_pandas(use_threads=False, date_as_object=False, split_blocks=True, self_destruct=True)
    named = [name for name in frame.index.names if name is not None and name in names]
    frame = frame.reset_index(level=named) if named else frame
    frame = frame.reset_index(drop=True)
    return cast("pd.DataFrame", frame[[name for name in names if name in frame.columns]])


def _csv(source: BinaryIO, name: str, missing: tuple[str, ...], strings: tuple[str, ...]) -> pd.DataFrame:
    options: dict[str, Any] = {"keep_default_na": False, "na_values": ["", *missing]}
    kept = dict.fromkeys(strings, "str")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)
            frame: pd.DataFrame = pd.read_csv(source, dtype=kept, encoding="utf-8", **options)
            mixed = [column for column in frame.columns if _is_mixed(frame[column])]
            if mixed:
                source.seek(0)
                again = pd.read_csv(source, usecols=mixed, dtype="str", encoding="utf-8", **options)
                for column in mixed:
                    frame[column] = again[column]
    except pd.errors.EmptyDataError:
        raise csv_text.empty(name) from None
    except pd.errors.ParserError as error:
        told = str(error).rpartition("error: ")[2].strip()[:120]
        raise csv_text.broken(name, told) from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise csv_text.broken(name, "its rows have more cells than the header has names")
    csv_text.require_commas(name, [str(column) for column in frame.columns])
    for column in frame.columns:
        if column not in kept:
            frame[column] = _numbers(frame[column])
    return frame


def _is_mixed(series: pd.Series) -> bool:
    if series.dtype != object:
        return False
    return pd.api.types.infer_dtype(series, skipna=True) not in ("string", "boolean", "empty")


def _numbers(series: pd.Series) -> pd.Series:
    """Return a text column as numbers if each of its cells is a number or a usual word for a missing one."""
    if not isinstance(series.dtype, pd.StringDtype) and series.dtype != object:
        return series
    if pd.api.types.infer_dtype(series.iloc[:1000], skipna=True) != "string":
        return series
    head = series.dropna().iloc[:1000]
    if pd.to_numeric(head, errors="coerce").isna().sum() > head.isin(USUAL).sum():
        return series
    values = pd.to_numeric(series, errors="coerce")
    lost = values.isna() & series.notna()
    known = values.notna().any()
    return values.astype(np.float64) if known and bool(series[lost].isin(USUAL).all()) else series


def _plain(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the frame with text column names and with columns of types that every check and model can be given."""
    frame.columns = pd.Index([str(column) for column in frame.columns])
    for column in frame.columns:
        series = frame[column]
        if series.dtype == object:
            frame[column] = _plain_object(series, column, name)
        elif series.dtype.kind in "cV" or isinstance(series.dtype, pd.PeriodDtype | pd.IntervalDtype):
            raise InputError("data.nested", f'the column "{column}" holds no plain values.', where=name)
    return frame


def _plain_object(series: pd.Series, column: str, name: str) -> pd.Series:
    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind == "decimal":
        return series.astype(np.float64)
    if kind in ("date", "datetime", "datetime64"):
        return pd.to_datetime(series)
    if kind in ("time", "timedelta", "period", "interval"):
        return series.where(series.isna(), series.astype(str))
    if kind in ("bytes", "complex") or (kind == "mixed" and series.map(_is_nested).any()):
        raise InputError("data.nested", f'the column "{column}" holds no plain values.', where=name)
    return series


def _is_nested(value: object) -> bool:
    return isinstance(value, list | dict | tuple | set | bytes | np.ndarray | io.IOBase)
