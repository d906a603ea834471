"""Batch: a table as one tensor per column, the bytes that cross between our processes; no pickle.

Every value comes back bit for bit: numbers as their bytes, texts as one block of UTF-8 with offsets, masks where
values are missing, mixed columns as a list of scalars. What is read may come from foreign code, so sizes, types and
offsets are checked before anything is built from them.
"""

from __future__ import annotations

import math
from datetime import date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec
import numpy as np
import pandas as pd

from fivefold.errors import InputError, SubjectError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.subject.rows import Rows

Kind = Literal["plain", "time", "text", "mixed", "category", "masked"]
Scalar = bool | int | float | str | None

_PLAIN = frozenset({"bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}) | {
    "float16",
    "float32",
    "float64",
}
_MASKED = {
    "boolean": "bool",
    **{f"Int{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"UInt{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "Float32": "float32",
    "Float64": "float64",
}
_TEXT = ("object", "str", "string")
_UNITS = ("s", "ms", "us", "ns")
_NONE, _NAN = 1, 2
_FEW = 32


class Tensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """One column, or one array.

    Attributes:
        name: Column name.
        kind: How ``data`` is to be read.
        dtype: Element type; for ``text`` the type of the column, for ``time`` the unit, for ``category`` empty.
        shape: Numbers of rows and, for arrays of two dimensions, columns.
        data: The values' bytes, C order, little endian.
        mask: One byte a row, not zero where missing; empty: none is.
        offsets: For ``text``: int64, where each distinct text begins in ``data``, and where the last one ends.
        codes: For ``text``: (n,) int32, which of the distinct texts a row has; -1: it is missing.
        scalars: For ``mixed``.
        levels: For ``category``: one tensor with the categories; ``data`` holds int32 codes.
        extra: Time zone, or ``ordered`` for a category.
    """

    name: str
    kind: Kind
    dtype: str
    shape: tuple[int, ...]
    data: bytes = b""
    mask: bytes = b""
    offsets: bytes = b""
    scalars: list[Scalar] = []
    levels: tuple[Tensor, ...] = ()
    extra: str = ""
    codes: bytes = b""


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """Rows of a table, or one array of them.

    Attributes:
        rows: How many.
        columns: Of a table; with ``inputs`` the target at most.
        inputs: Images, series, recordings or texts; None: the columns are what the model sees.
    """

    rows: int
    columns: tuple[Tensor, ...]
    inputs: Tensor | None = None


def pack(rows: Rows, target: pd.Series | None = None) -> Batch:
    """Return what a model is given as a batch, with the target as last column if there is one.

    Raises:
        InputError: ``batch.type``.
    """
    last = () if target is None else (_column(str(target.name), target),)
    if isinstance(rows, np.ndarray):
        return Batch(len(rows), last, array(rows))
    made = encode(rows)
    return Batch(made.rows, (*made.columns, *last))


def unpack(batch: Batch) -> Rows:
    """Return what a model is given of a batch; its arrays can be written to.

    Raises:
        SubjectError: ``batch.malformed``.
    """
    if batch.inputs is None:
        return decode(batch)
    values = from_array(batch.inputs)
    if len(values) != batch.rows:
        raise _malformed("its rows are not as many as it says")
    return values


def encode(frame: pd.DataFrame) -> Batch:
    """Return a frame as a batch; its index is not part of it.

    Raises:
        InputError: ``batch.type`` for a column of values that cannot cross.
    """
    kinds = set(frame.dtypes)
    kind = kinds.pop() if len(kinds) == 1 else None
    if isinstance(kind, np.dtype) and kind.name in _PLAIN:
        values, word, shape = np.ascontiguousarray(frame.to_numpy().T), kind.name, (len(frame),)
        names = map(str, frame.columns.tolist())
        return Batch(
            len(frame),
            tuple(Tensor(name, "plain", word, shape, row.tobytes()) for name, row in zip(names, values, strict=True)),
        )
    return Batch(len(frame), tuple(_column(str(name), column) for name, column in frame.items()))


def decode(batch: Batch) -> pd.DataFrame:
    """Return the frame of a batch; its arrays can be written to.

    Raises:
        SubjectError: ``batch.malformed``.
    """
    if (plain := _decoded(batch)) is not None:
        return plain
    columns = [series(tensor) for tensor in batch.columns]
    if any(len(column) != batch.rows for column in columns):
        raise _malformed("its columns differ in length")
    made = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=pd.RangeIndex(batch.rows))
    made.columns = pd.Index([tensor.name for tensor in batch.columns])
    return made


def _decoded(batch: Batch) -> pd.DataFrame | None:
    """Return the frame of a batch of plain numbers, each column an array of its own; None: it is none of these."""
    kinds = {(tensor.kind, tensor.shape) for tensor in batch.columns}
    names = [tensor.name for tensor in batch.columns]
    if kinds != {("plain", (batch.rows,))} or len(set(names)) != len(names):
        return None
    made = {tensor.name: _numbers(tensor.data, tensor.dtype, tensor.shape) for tensor in batch.columns}
    return pd.DataFrame(made, copy=False)


def array(values: np.ndarray, name: str = "") -> Tensor:
    """Return a tensor of an array of numbers (any shape) or of labels (one dimension).

    Raises:
        InputError: ``batch.type``.
    """
    if values.dtype.name in _PLAIN:
        plain = np.ascontiguousarray(values)
        return Tensor(name, "plain", values.dtype.name, plain.shape, plain.tobytes())
    if values.ndim != 1:
        raise InputError("batch.type", f"an array of {values.ndim} dimensions holds {values.dtype}, not numbers.")
    given = values.tolist() if len(values) <= _FEW else [None]
    if all(type(value) is str for value in given):  # the tables of pandas cost more than a few texts
        kinds = list(dict.fromkeys(given))
        blocks = [kind.encode("utf-8", "surrogatepass") for kind in kinds]
        offsets = np.cumsum([0, *map(len, blocks)], dtype=np.int64)
        places = np.array([kinds.index(value) for value in given], dtype=np.int32).tobytes()
        return Tensor(name, "text", "object", (len(given),), b"".join(blocks), b"", offsets.tobytes(), codes=places)
    return _column(name, pd.Series(values.astype(object) if values.dtype.kind in "US" else values))


def from_array(tensor: Tensor) -> np.ndarray:
    """Return the array of a tensor; it can be written to.

    Raises:
        SubjectError: ``batch.malformed``.
    """
    if tensor.kind == "plain":
        return _numbers(tensor.data, tensor.dtype, tensor.shape)
    if tensor.kind == "text" and len(tensor.shape) == 1 and tensor.dtype in _TEXT:
        kinds, codes = _kinds(tensor), _numbers(tensor.codes, "int32", tensor.shape)
        if bool(((codes >= 0) & (codes < len(kinds))).all()):  # none is missing, nor anything wrong
            known: np.ndarray = np.array([*kinds, None], dtype=object)[codes]
            return known
    return np.asarray(series(tensor).astype(object).to_numpy())


def _column(name: str, column: pd.Series) -> Tensor:
    kind, shape = column.dtype, (len(column),)
    if isinstance(kind, pd.CategoricalDtype):
        levels = (_column("", pd.Series(kind.categories)),)
        codes = np.asarray(column.cat.codes, dtype=np.int32)
        return Tensor(name, "category", "", shape, codes.tobytes(), levels=levels, extra="ordered" * bool(kind.ordered))
    if isinstance(kind, pd.StringDtype):
        return _text(name, np.asarray(column.astype(object)), "str" if str(kind) == "str" else "string")
    if str(kind) in _MASKED:
        missing = column.isna().to_numpy()
        plain = column.to_numpy(dtype=_MASKED[str(kind)], na_value=0)
        return Tensor(name, "masked", str(kind), shape, plain.tobytes(), _mask(missing))
    if kind.kind in "mM":
        return _time(name, column)
    if kind.kind == "O":
        return _objects(name, column.to_numpy())
    if str(kind) in _PLAIN:
        return array(column.to_numpy(), name)
    raise InputError("batch.type", f'the column "{name}" holds {kind}, which no model is given.', remedy="Drop it.")


def _mask(missing: np.ndarray) -> bytes:
    return missing.astype(np.uint8).tobytes() if missing.any() else b""


def _time(name: str, column: pd.Series) -> Tensor:
    unit = cast("Any", column.dt).unit
    if column.dtype.kind == "m":
        raise InputError("batch.type", f'the column "{name}" holds durations.', remedy="Store them as numbers.")
    zone = getattr(column.dtype, "tz", None)
    stamps = np.asarray(column.astype("int64") if zone is None else column.dt.tz_convert("UTC").astype("int64"))
    return Tensor(name, "time", unit, stamps.shape, stamps.tobytes(), extra="" if zone is None else str(zone))


def _objects(name: str, values: np.ndarray) -> Tensor:
    if pd.api.types.infer_dtype(values, skipna=True) in ("string", "empty"):
        return _text(name, values, "object")
    return Tensor(name, "mixed", "", (len(values),), scalars=[_scalar(name, value) for value in values.tolist()])


def _scalar(name: str, value: Any) -> Scalar:
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bool | float | str):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    raise InputError("batch.type", f'the column "{name}" holds a {type(value).__name__}.', remedy="Drop it.")


def _text(name: str, values: np.ndarray, dtype: str) -> Tensor:
    """Return each distinct text once, and its place for every row (-1: missing)."""
    codes, kinds = pd.factorize(values, use_na_sentinel=True)
    blocks = [kind.encode("utf-8", "surrogatepass") for kind in kinds.tolist()]
    offsets = np.zeros(len(blocks) + 1, dtype=np.int64)
    np.cumsum([len(block) for block in blocks], out=offsets[1:])
    places = codes.astype(np.int32).tobytes()
    gone = np.flatnonzero(codes < 0)
    mask = b""
    if dtype == "object" and len(gone):
        absent = np.zeros(len(values), dtype=np.uint8)
        absent[gone] = [_absence(value) for value in values[gone].tolist()]
        mask = absent.tobytes()
    return Tensor(name, "text", dtype, (len(values),), b"".join(blocks), mask, offsets.tobytes(), codes=places)


def _absence(value: Any) -> int:
    return _NAN if isinstance(value, float) and math.isnan(value) else _NONE


def series(tensor: Tensor) -> pd.Series:
    """Return the column of a tensor.

    Raises:
        SubjectError: ``batch.malformed``.
    """
    if len(tensor.shape) != 1 or not 0 <= tensor.shape[0] < 2**40:
        raise _malformed("a column has one dimension")
    made = _SERIES[tensor.kind](tensor)
    if len(made) != tensor.shape[0]:
        raise _malformed("a column's length is not its shape")
    made.name = tensor.name
    return made


def _read_plain(tensor: Tensor) -> pd.Series:
    return pd.Series(_numbers(tensor.data, tensor.dtype, tensor.shape), copy=False)


def _read_time(tensor: Tensor) -> pd.Series:
    if tensor.dtype not in _UNITS:
        raise _malformed("a time has no known unit")
    stamps = pd.Series(_numbers(tensor.data, "int64", tensor.shape).view(f"datetime64[{tensor.dtype}]"))
    if not tensor.extra:
        return stamps
    try:
        return stamps.dt.tz_localize("UTC").dt.tz_convert(tensor.extra)
    except Exception as error:
        raise _malformed("a time zone is unknown") from error


def _read_text(tensor: Tensor) -> pd.Series:
    if tensor.dtype not in _TEXT:
        raise _malformed("a text column has no known type")
    kinds = _kinds(tensor)
    codes = _numbers(tensor.codes, "int32", tensor.shape)
    if bool(((codes < -1) | (codes >= len(kinds))).any()):
        raise _malformed("a text column's places do not fit")
    if tensor.dtype == "object":
        known = np.array([*kinds, None], dtype=object)
        values = known[codes]
        values[_read_mask(tensor) == _NAN] = math.nan
        return pd.Series(values, dtype=object)
    texts: Any = pd.array(kinds, dtype=cast("Any", tensor.dtype))
    return pd.Series(texts.take(codes, allow_fill=True))


def _kinds(tensor: Tensor) -> list[str]:
    if len(tensor.offsets) < 8 or len(tensor.offsets) % 8:
        raise _malformed("a text column has no offsets")
    offsets = _numbers(tensor.offsets, "int64", (len(tensor.offsets) // 8,))
    if offsets[0] != 0 or offsets[-1] != len(tensor.data) or bool((np.diff(offsets) < 0).any()):
        raise _malformed("a text column's offsets do not fit")
    edges = offsets.tolist()
    try:
        return [tensor.data[low:high].decode("utf-8", "surrogatepass") for low, high in pairwise(edges)]
    except UnicodeDecodeError as error:
        raise _malformed("a text is not UTF-8") from error


def _read_mask(tensor: Tensor) -> np.ndarray:
    count = tensor.shape[0]
    return _numbers(tensor.mask, "uint8", (count,)) if tensor.mask else np.zeros(count, dtype=np.uint8)


def _read_mixed(tensor: Tensor) -> pd.Series:
    return pd.Series(tensor.scalars, dtype=object)


def _read_category(tensor: Tensor) -> pd.Series:
    codes = _numbers(tensor.data, "int32", tensor.shape)
    if len(tensor.levels) != 1 or tensor.levels[0].kind == "category":
        raise _malformed("a category has no levels")
    levels = series(tensor.levels[0])
    if levels.isna().any() or not levels.is_unique or bool(((codes < -1) | (codes >= len(levels))).any()):
        raise _malformed("a category's codes do not fit its levels")
    return pd.Series(
        pd.Categorical.from_codes(codes, categories=pd.Index(levels.array), ordered=tensor.extra == "ordered")
    )


def _read_masked(tensor: Tensor) -> pd.Series:
    if tensor.dtype not in _MASKED:
        raise _malformed("a masked column has no known type")
    made = pd.array(_numbers(tensor.data, _MASKED[tensor.dtype], tensor.shape), dtype=cast("Any", tensor.dtype))
    made[_read_mask(tensor).astype(bool)] = pd.NA
    return pd.Series(made)


_SERIES = {
    "plain": _read_plain,
    "time": _read_time,
    "text": _read_text,
    "mixed": _read_mixed,
    "category": _read_category,
    "masked": _read_masked,
}


def _numbers(data: bytes, dtype: str, shape: Sequence[int]) -> np.ndarray:
    if dtype not in _PLAIN or any(size < 0 for size in shape) or len(shape) > 4:
        raise _malformed("an array has no known type or shape")
    if math.prod(shape) * np.dtype(dtype).itemsize != len(data):
        raise _malformed("an array's bytes do not fit its shape")
    if dtype == "bool":
        return np.frombuffer(data, dtype=np.uint8).astype(bool).reshape(shape)
    return np.frombuffer(data, dtype=dtype).reshape(shape).copy()


def _malformed(why: str) -> SubjectError:
    return SubjectError("batch.malformed", f"an answer cannot be read: {why}.")
