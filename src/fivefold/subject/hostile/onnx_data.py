"""ONNX external data: where a file says that its weights lie, read from its protocol-buffer wire format alone.

Source: onnx.proto (``TensorProto.external_data``), protocol buffers' encoding guide.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from fivefold.errors import TrustError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_INNER = {
    "model": {7: "graph", 20: "training", 25: "graph"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse", 7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
"""Message kind to its fields that hold messages of interest. Functions (25) hold nodes at 7, as graphs do at 1."""

_DEEPEST = 100
_MOST = 5_000_000


def locations(path: Path) -> Iterator[str]:
    """Yield every place that the file names for external data.

    Raises:
        TrustError: ``model.onnx-malformed`` if the bytes are no protocol buffer, or are nested without end.
    """
    if path.stat().st_size == 0:
        raise _malformed()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        waiting = [("model", 0, len(data), 0)]
        seen = 0
        while waiting:
            kind, start, end, depth = waiting.pop()
            if kind == "entry":
                key, value = _entry(data, start, end)
                if key == b"location":
                    yield value.decode("utf-8", "surrogateescape")
                continue
            for number, low, high in _fields(data, start, end):
                seen += 1
                inner = _INNER[kind].get(number)
                if inner is not None:
                    waiting.append((inner, low, high, depth + 1))
                if depth > _DEEPEST or seen > _MOST:
                    raise _malformed()


def _entry(data: mmap.mmap, start: int, end: int) -> tuple[bytes, bytes]:
    found = {number: data[low : min(high, low + 4096)] for number, low, high in _fields(data, start, end)}
    return found.get(1, b""), found.get(2, b"")


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, first and last byte of each length-delimited field of a message."""
    at = start
    while at < end:
        tag, at = _varint(data, at, end)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            _, at = _varint(data, at, end)
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        elif wire == 2:
            size, at = _varint(data, at, end)
            yield number, at, at + size
            at += size
        else:
            raise _malformed()
        if at > end:
            raise _malformed()


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise _malformed()


def _malformed() -> TrustError:
    return TrustError("model.onnx-malformed", "the file is no ONNX file.", remedy="Export the model again.")
