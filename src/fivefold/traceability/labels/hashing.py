"""Hashing: the leaf of one column in one group of rows, over its values as canonical bytes; no loop over rows.

A leaf is SHA-256 over a zero byte, the kind, a zero byte, the counts of rows and of missing values (8 bytes each) and a
width (one byte); where values are missing, a bitmap of those that are there (the first row in the lowest bit); then
the values, little-endian, zero where missing. Integers take the least of 1, 2, 4 and 8 bytes that holds all of the
group; texts are their lengths in bytes, of that width, and then the bytes of all of them.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fivefold.errors import InputError
from fivefold.traceability.labels import kinds

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEAD = struct.Struct("<QQB")
_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_MISSING = np.uint64(0xD6E8FEB86659FD93)
_MASKS = np.array([(1 << 8 * length) - 1 for length in range(9)], dtype=np.uint64)
_LENGTHS = ((1 << 8, "u1"), (1 << 16, "<u2"), (1 << 32, "<u4"))
_WIDTHS = tuple(
    (size, -(1 << 8 * size - 1), (1 << 8 * size - 1) - 1, np.dtype(name))
    for size, name in ((1, "<i1"), (2, "<i2"), (4, "<i4"))
)


def leaf(column: pa.Array, kind: str, mixed: np.ndarray) -> bytes:
    """Return the leaf of a column's part.

    Args:
        column: (n,) in the type of the kind.
        kind: As :func:`fivefold.traceability.labels.kinds.kind_of` names it.
        mixed: (n,) uint64, changed in place: what the rows hold so far; see :func:`tally`.

    Returns:
        32 bytes.

    Raises:
        InputError: ``label.text`` for a single text of 4 GiB and more.
    """
    if kind in (kinds.TEXT, kinds.BYTES, kinds.DECIMAL):
        missing, width, parts = _texts(column, mixed)
        return _digest(kind, column, missing, width, parts)
    values, missing = _numbers(column, kind)
    _mix(mixed, values.view(np.uint32) if values.dtype == np.float32 else values.view(np.uint64), missing)
    width, stored = _narrow(values) if values.dtype == np.int64 else (values.dtype.itemsize, values)
    return _digest(kind, column, missing, width, (stored,))


def tally(mixed: np.ndarray) -> int:
    """Return the sum of (n,) rows mixed, modulo 2**64: the same for the same rows in any order."""
    words = mixed * _ODD
    words ^= words >> _SHIFT
    return int(words.sum(dtype=np.uint64))


def _mix(mixed: np.ndarray, words: np.ndarray, missing: np.ndarray | None) -> None:
    mixed ^= words
    if missing is not None:
        mixed[missing] ^= _MISSING  # else a missing value is a zero
    mixed *= _ODD
    mixed ^= mixed >> _SHIFT


def _digest(kind: str, column: pa.Array, missing: np.ndarray | None, width: int, parts: Iterable[object]) -> bytes:
    lacking = 0 if missing is None else int(missing.sum())
    state = hashlib.sha256(b"\0" + kind.encode() + b"\0" + _HEAD.pack(len(column), lacking, width))
    if missing is not None and lacking:
        state.update(np.packbits(~missing, bitorder="little").tobytes())
    for part in parts:
        state.update(memoryview(part).cast("B") if len(part) else b"")  # type: ignore[arg-type]
    return state.digest()


def _numbers(column: pa.Array, kind: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return (n,) numbers, zero where missing, and where they are missing; None: nowhere."""
    n = len(column)
    if kind == kinds.NULL:
        return np.zeros(n, dtype=np.int64), np.ones(n, dtype=bool)
    missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    values = _values(column, kind, zero=missing is not None)
    if values.dtype.kind == "f":
        odd = np.isnan(values)
        if odd.any():
            missing = odd if missing is None else missing | odd
            values = np.where(missing, values.dtype.type(0), values)
    return values, missing


def _values(column: pa.Array, kind: str, *, zero: bool) -> np.ndarray:
    if kind == kinds.BOOLEAN:
        column = column.cast(pa.int8())
    elif kind == kinds.DATE:
        column = column.cast(pa.int32())
    elif kind not in (kinds.INTEGER, kinds.UNSIGNED, kinds.NUMBER, kinds.SINGLE):
        column = column.cast(pa.int64())
    if zero:
        column = pc.fill_null(column, 0)
    found = np.asarray(column.to_numpy(zero_copy_only=True))
    return found.astype(np.int64) if found.dtype in (np.dtype("i1"), np.dtype("i4")) else found


def _narrow(values: np.ndarray) -> tuple[int, np.ndarray]:
    """Return integers in the least width that holds them all."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    for size, least, most, dtype in _WIDTHS:
        if least <= low and high <= most:
            return size, values.astype(dtype)
    return 8, values


def _texts(column: pa.Array, mixed: np.ndarray) -> tuple[np.ndarray | None, int, tuple[object, object]]:
    missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    if missing is not None:
        column = pc.fill_null(column, b"" if pa.types.is_large_binary(column.type) else "")
    _, places, data = column.buffers()
    offsets = np.frombuffer(places, dtype=np.int64)[column.offset : column.offset + len(column) + 1]
    lengths = np.diff(offsets)
    longest = int(lengths.max()) if len(lengths) else 0
    dtype = next((name for most, name in _LENGTHS if longest < most), "")
    if not dtype:
        raise InputError("label.text", "a text has 4 GiB or more.", remedy="Keep such texts in files of their own.")
    stored = lengths.astype(dtype)
    first, last = (int(offsets[0]), int(offsets[-1])) if len(lengths) else (0, 0)
    inside = memoryview(data)[first:last] if data is not None else b""
    _mix(mixed, _starts(offsets, lengths, inside), missing)
    return missing, stored.dtype.itemsize, (stored, inside)


def _starts(offsets: np.ndarray, lengths: np.ndarray, data: memoryview | bytes) -> np.ndarray:
    """Return (n,) uint64: the first 8 bytes of each text, mixed with its length."""
    padded = bytes(data) + bytes(8)
    # Every place is the start of a word of its own, so that one look-up reads the beginning of each text.
    words = np.ndarray((len(data) + 1,), dtype="<u8", buffer=padded, strides=(1,))
    first: np.ndarray = np.take(words, offsets[:-1] - offsets[0])
    first &= _MASKS[np.minimum(lengths, 8)]
    first += lengths.astype(np.uint64) * _ODD
    return first
