"""Tensors: the stored numbers of a network by name, read from safetensors, npz or ONNX and written back.

No pickle is read: the file is scanned first, and ``torch.save`` files are refused with what to do.
"""

from __future__ import annotations

import io
import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.errors import InputError
from fivefold.manifest.nouns import is_onnx
from fivefold.subject.hostile.scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I8": "<i1", "U8": "<u1"}
_HOW = "Name a .safetensors, .npz or .onnx file."


@dataclass(frozen=True)
class Stored:
    """The tensors of a file that can bear a mark: of two axes or more, of floating or 8-bit numbers.

    Attributes:
        tensors: Name to array of float32 (8-bit ones as whole numbers around their mean), in file order.
        marked: The names of those that are stored as floating-point numbers.
        write: Returns the file's bytes with other values, name to array of the same shape; the others stay.
    """

    tensors: dict[str, np.ndarray]
    marked: tuple[str, ...]
    write: Callable[[Mapping[str, np.ndarray]], bytes]


def read(path: Path) -> Stored:
    """Read a file of weights.

    Raises:
        InputError: ``mark.file`` for a file of another kind or one that cannot be read; ``mark.extra`` without onnx.
        TrustError: As :func:`fivefold.subject.hostile.scan.scan`, for a pickle ``model.pickle``.
    """
    if not path.is_file():
        raise InputError("mark.file", "there is no such file.", where=str(path), remedy=_HOW)
    scan([(path.name, path)])
    readers = {".safetensors": _safetensors, ".npz": _npz, ".onnx": _onnx}
    reader = _onnx if is_onnx(path.name) else readers.get(path.suffix.lower())
    if reader is None:
        raise InputError("mark.file", "weights cannot be read from this kind of file.", where=path.name, remedy=_HOW)
    try:
        return reader(path)
    except (OSError, ValueError, KeyError) as error:
        text = f"the weights cannot be read ({type(error).__name__})."
        raise InputError("mark.file", text, where=path.name, remedy=_HOW) from None


def _of(values: Mapping[str, np.ndarray], write: Callable[[Mapping[str, np.ndarray]], bytes]) -> Stored:
    chosen = {
        name: one for name, one in values.items() if one.ndim > 1 and (one.dtype.kind == "f" or one.itemsize == 1)
    }
    floats = tuple(name for name, one in chosen.items() if one.dtype.kind == "f")
    return Stored({name: _numbers(one) for name, one in chosen.items()}, floats, write)


def _numbers(values: np.ndarray) -> np.ndarray:
    found = values.astype(np.float32)
    if values.dtype.kind != "f" and found.size:
        found -= np.round(found.mean())
    return np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0)


def _safetensors(path: Path) -> Stored:
    """Read a safetensors file, whose header the scan has checked; bfloat16 is the upper half of float32."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    values, places = {}, {}
    for name, told in header.items():
        if name == "__metadata__" or told["dtype"] not in _KINDS:
            continue
        low, high = (8 + length + one for one in told["data_offsets"])
        flat = np.frombuffer(data[low:high], _KINDS[told["dtype"]])
        flat = (flat.astype(np.uint32) << 16).view(np.float32) if told["dtype"] == "BF16" else flat
        values[name], places[name] = flat.reshape(told["shape"]), (low, told["dtype"])

    def write(changed: Mapping[str, np.ndarray]) -> bytes:
        made = bytearray(data)
        for name, array in changed.items():
            low, kind = places[name]
            cells = _bfloat16(array) if kind == "BF16" else np.ascontiguousarray(array, dtype=_KINDS[kind])
            made[low : low + cells.nbytes] = cells.tobytes()
        return bytes(made)

    return _of(values, write)


def _bfloat16(array: np.ndarray) -> np.ndarray:
    """Round to the nearest bfloat16, ties to even."""
    words = np.ascontiguousarray(array, dtype=np.float32).view(np.uint32)
    return ((words + 0x7FFF + ((words >> 16) & 1)) >> 16).astype("<u2")


def _npz(path: Path) -> Stored:
    with np.load(path, allow_pickle=False) as file:
        values = {name: file[name] for name in file.files}

    def write(changed: Mapping[str, np.ndarray]) -> bytes:
        made: dict[str, Any] = {name: changed[name].astype(one.dtype) if name in changed else one
                                for name, one in values.items()}  # fmt: skip
        buffer = io.BytesIO()
        np.savez(buffer, **made)
        return buffer.getvalue()

    return _of(values, write)


def _onnx(path: Path) -> Stored:
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        remedy = "Install it: pip install 'fivefold[onnx]'."
        raise InputError("mark.extra", "onnx is not installed.", remedy=remedy) from None
    graph = onnx.load(str(path))
    items = {item.name: item for item in graph.graph.initializer}
    values = {name: np.array(numpy_helper.to_array(item)) for name, item in items.items()}
    kinds = {name: one.dtype for name, one in values.items()}

    def write(changed: Mapping[str, np.ndarray]) -> bytes:
        for name, array in changed.items():
            items[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array, dtype=kinds[name]), name))
        made: bytes = graph.SerializeToString()
        return made

    return _of(values, write)
