"""Arrays: headers of npy and safetensors files, held against the bytes that follow; nothing is loaded."""

from __future__ import annotations

import ast
import json
import math
import struct
from typing import IO, Any

from fivefold.errors import TrustError

_HEADER = 100_000_000
_NPY = 1 << 20
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
    "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
_MEND = "Write it again with safetensors.save_file."


def holds_objects(stream: IO[bytes]) -> bool:
    """Return whether an npy file holds Python objects, which are a pickle.

    Raises:
        TrustError: ``model.npy`` for a header that cannot be read.
    """
    stream.seek(6)
    version = stream.read(2)
    width, form = (2, "<H") if version[:1] == b"\x01" else (4, "<I")
    size = stream.read(width)
    if len(size) < width or struct.unpack(form, size)[0] > _NPY:
        raise TrustError("model.npy", "the header of an npy array cannot be read.", remedy="Save it again.")
    try:
        header = ast.literal_eval(stream.read(struct.unpack(form, size)[0]).decode("latin-1").strip())
        return _objects(header["descr"])
    except (SyntaxError, ValueError, KeyError, TypeError, RecursionError, MemoryError):
        raise TrustError("model.npy", "the header of an npy array cannot be read.", remedy="Save it again.") from None


def _objects(kind: Any) -> bool:
    if isinstance(kind, str):
        return "O" in kind.upper().replace("BOOL", "")
    if isinstance(kind, tuple):
        return any(_objects(part) for part in kind if isinstance(part, str | list | tuple))
    return any(_objects(field[1]) for field in kind)


def require_safetensors(stream: IO[bytes], size: int) -> None:
    """Check that the header of a safetensors file tells the truth about its bytes.

    Source: the format's README: 8 bytes of length, JSON, then the tensors without holes and overlaps.

    Raises:
        TrustError: ``model.safetensors``.
    """
    try:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > min(_HEADER, size - 8):
            raise ValueError("its header is longer than the file")  # noqa: TRY301
        header = json.loads(stream.read(length), object_pairs_hook=_once)
        _require_tensors(header, size - 8 - length)
    except (ValueError, KeyError, TypeError, struct.error, RecursionError, AttributeError) as error:
        why = str(error) if type(error) is ValueError else "its header cannot be read"
        raise TrustError("model.safetensors", f"the safetensors file lies: {why}.", remedy=_MEND) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)


def _require_tensors(header: dict[str, Any], payload: int) -> None:
    spans = []
    for name, told in header.items():
        if name == "__metadata__":
            continue
        bits, shape, (low, high) = _BITS[told["dtype"]], told["shape"], told["data_offsets"]
        if not all(type(number) is int and number >= 0 for number in (*shape, low, high)):
            raise ValueError("a shape or offset is no whole number")
        if math.prod(shape) * bits != 8 * (high - low):
            raise ValueError("a shape does not fit its bytes")
        spans.append((low, high))
    at = 0
    for low, high in sorted(spans):
        if low != at:
            raise ValueError("its tensors overlap or leave holes")
        at = high
    if at != payload:
        raise ValueError("its tensors do not fill the file")
