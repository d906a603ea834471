"""Proto: the protocol's gRPC messages as bytes, written and read by hand, so that no generated code is needed.

Source: ``grpc_predict_v2.proto`` of the Open Inference Protocol (package ``inference``), and the Protocol Buffers
encoding. Fields that we do not need are skipped.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.subject.endpoint import wire
from fivefold.subject.endpoint.wire import About, Question, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Fields = dict[int, list[Any]]
"""Field number to its values: integers, or bytes."""

_CONTENTS = {"BOOL": 1, "INT8": 2, "INT16": 2, "INT32": 2, "INT64": 3, "UINT8": 4, "UINT16": 4, "UINT32": 4}
_CONTENTS |= {"UINT64": 5, "FP32": 6, "FP64": 7, "BYTES": 8}
_SIGNED = (2, 3)


def text(number: int, value: str) -> bytes:
    """Return a field that holds text; nothing if it is empty."""
    return block(number, value.encode()) if value else b""


def block(number: int, value: bytes) -> bytes:
    """Return a field that holds bytes or a message."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def model(name: str, version: str) -> bytes:
    """Return a request that names a model: its readiness, or its metadata."""
    return text(1, name) + text(2, version)


def infer(name: str, version: str, question: Question) -> bytes:
    """Return a ``ModelInferRequest``; tensors travel as raw bytes."""
    parts = [text(1, name), text(2, version), *_parameters(4, question.parameters)]
    for tensor in question.inputs:
        shape = b"".join(_varint(size) for size in tensor.data.shape)
        head = (text(1, tensor.name), text(2, tensor.datatype), block(3, shape), *_parameters(4, tensor.parameters))
        parts.append(block(5, b"".join(head)))
    parts += [block(6, text(1, wanted)) for wanted in question.outputs]
    parts += [block(7, wire.to_bytes(tensor)) for tensor in question.inputs]
    return b"".join(parts)


def answer(data: bytes) -> tuple[Tensor, ...]:
    """Read a ``ModelInferResponse``.

    Raises:
        TroubleError: ``endpoint.malformed`` or ``endpoint.shape``.
    """
    found = fields(data)
    raw, tensors = found.get(6, []), []
    for index, item in enumerate(_messages(found, 5)):
        name, kind = _word(item, 1), _word(item, 2)
        shape = _integers(item.get(3, []))
        if raw:
            if index >= len(raw) or not isinstance(raw[index], bytes):
                raise wire.malformed("it lacks the raw contents of an output")
            tensors.append(wire.from_bytes(name, kind, shape, raw[index]))
        else:
            tensors.append(_contents(name, kind, shape, next(_messages(item, 5), {})))
    return tuple(tensors)


def about_model(data: bytes) -> About:
    """Read ``ModelMetadataResponse``.

    Raises:
        TroubleError: ``endpoint.malformed``.
    """
    found = fields(data)
    return About(
        platform=_word(found, 3)[:200],
        versions=tuple(_text(item)[:50] for item in found.get(2, [])[:100]),
        inputs=_slots(found, 4),
        outputs=_slots(found, 5),
    )


def about_server(data: bytes) -> About:
    """Read ``ServerMetadataResponse``.

    Raises:
        TroubleError: ``endpoint.malformed``.
    """
    found = fields(data)
    return About(
        extensions=tuple(_text(item)[:100] for item in found.get(3, [])[:100]),
        server=f"{_word(found, 1)} {_word(found, 2)}".strip()[:200],
    )


def truth(data: bytes) -> bool:
    """Read a message whose first field says yes or no."""
    return bool(fields(data).get(1, [0])[-1])


def fields(data: bytes) -> Fields:
    """Take a message apart.

    Raises:
        TroubleError: ``endpoint.malformed``.
    """
    found: Fields = {}
    at = 0
    try:
        while at < len(data):
            key, at = _read(data, at)
            value, at = _value(data, at, key & 7)
            found.setdefault(key >> 3, []).append(value)
    except (IndexError, ValueError, struct.error):
        raise wire.malformed("it is no message of the protocol") from None
    return found


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind == 0:
        return _read(data, at)
    size = {1: 8, 5: 4}.get(kind)
    if size is None:
        if kind != 2:
            raise ValueError(kind)
        size, at = _read(data, at)
    if at + size > len(data):
        raise ValueError(size)
    return data[at : at + size], at + size


def _read(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
        shift += 7
        if shift > 63:
            raise ValueError(shift)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _parameters(number: int, values: Mapping[str, str]) -> Iterator[bytes]:
    """Return a map of names to texts (``InferParameter.string_param``)."""
    for name, value in values.items():
        yield block(number, text(1, name) + block(2, block(3, value.encode())))


def _messages(found: Fields, number: int) -> Iterator[Fields]:
    for item in found.get(number, []):
        if not isinstance(item, bytes):
            raise wire.malformed("it is no message of the protocol")
        yield fields(item)


def _word(found: Fields, number: int) -> str:
    return _text(found[number][-1]) if found.get(number) else ""


def _text(item: Any) -> str:
    try:
        return item.decode() if isinstance(item, bytes) else ""
    except UnicodeDecodeError:
        raise wire.malformed("a text in it is no UTF-8") from None


def _slots(found: Fields, number: int) -> tuple[wire.Slot, ...]:
    items = _messages(found, number)
    return wire.slots((_word(item, 1), _word(item, 2), _integers(item.get(3, []))) for item in items)


def _integers(items: list[Any], *, signed: bool = True) -> list[int]:
    """Return repeated integers, packed or not."""
    values: list[int] = []
    for item in items:
        if isinstance(item, int):
            values.append(item)
            continue
        at = 0
        try:
            while at < len(item):
                value, at = _read(item, at)
                values.append(value)
        except (IndexError, ValueError):
            raise wire.malformed("its numbers end too soon") from None
    return [value - (1 << 64) if signed and value >= 1 << 63 else value for value in values]


def _contents(name: str, kind: str, shape: list[int], found: Fields) -> Tensor:
    """Return the tensor of typed contents (``InferTensorContents``)."""
    number = _CONTENTS.get(kind, 0)
    items = found.get(number, [])
    if kind == "BYTES":
        return wire.from_list(name, kind, shape, [_text(item) for item in items])
    if number in (6, 7):
        data = b"".join(item for item in items if isinstance(item, bytes))
        plain = np.dtype("<f4" if number == 6 else "<f8")
        if len(data) % plain.itemsize:
            raise wire.malformed("its numbers end too soon")
        return wire.from_list(name, kind, shape, np.frombuffer(data, dtype=plain).tolist())
    return wire.from_list(name, kind, shape, _integers(items, signed=number in _SIGNED))
