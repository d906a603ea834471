"""Wire: the tensors of the Open Inference Protocol v2, and the trouble that an endpoint makes.

Source: Open Inference Protocol specification 2, with its binary tensor data extension (kserve/open-inference-protocol).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np

from fivefold.errors import SubjectError

if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMPY = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "INT8": "int8",
    "INT16": "int16", "INT32": "int32", "INT64": "int64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
}  # fmt: skip
DATATYPES = {name: np.dtype(kind).newbyteorder("<") for name, kind in _NUMPY.items()}
"""Datatype of the protocol to that of numpy, little endian; ``BYTES`` has none."""
_OF_NUMPY = {kind: name for name, kind in _NUMPY.items()}
_MOST_NAMES = 4096
_MOST_VALUES = 1 << 27


@dataclass(frozen=True)
class Tensor:
    """One tensor of a request or a response.

    Attributes:
        name: Its name.
        datatype: As the protocol names it.
        data: Numbers, or texts as objects, in its shape.
        parameters: Of this tensor.
    """

    name: str
    datatype: str
    data: np.ndarray
    parameters: dict[str, str] = field(default_factory=dict)


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor as the model's metadata describe it: -1 is a free size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What server and model say of themselves; empty where they do not.

    Attributes:
        platform: Of the model.
        versions: Of the model.
        inputs: Tensors that it takes.
        outputs: Tensors that it gives.
        extensions: Of the server.
        server: Name and version of the server.
    """

    platform: str = ""
    versions: tuple[str, ...] = ()
    inputs: tuple[Slot, ...] = ()
    outputs: tuple[Slot, ...] = ()
    extensions: tuple[str, ...] = ()
    server: str = ""


@dataclass(frozen=True)
class Question:
    """One inference request.

    Attributes:
        inputs: Tensors.
        outputs: Names that are asked for; empty: whatever the model gives.
        parameters: Of the request.
        binary: Tensors travel as bytes (REST; gRPC always does).
        zipped: The body is compressed (REST).
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)
    binary: bool = False
    zipped: bool = False


class TroubleError(SubjectError):
    """A request came to nothing.

    Attributes:
        again: Asking again may help.
        size: Fewer rows may help.
        after: Seconds that the server asks to wait; None: it does not say.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        remedy: str = "",
        again: bool = False,
        size: bool = False,
        after: float | None = None,
        said: str = "",
    ) -> None:
        """Keep the parts; ``said`` is the server's text, for the screen only."""
        super().__init__(f"endpoint.{code}", message, remedy=remedy)
        self.again, self.size, self.after = again, size, after
        if said:
            self.add_note(f"the endpoint said: {said[:1000]}")


class Client(Protocol):
    """One connection to an endpoint; each method but :meth:`close` sends one request, once.

    What ``spend`` raises when a request is to be written down is passed on.
    """

    key: str
    """SHA-256 of the server's public key; empty: no TLS."""
    zips: bool
    """Requests can be compressed."""

    def ready(self) -> bool:
        """Return whether the model is ready.

        Raises:
            TroubleError: No answer that can be read.
        """
        ...

    def model(self) -> About:
        """Return what the server says of the model; nothing where it has no metadata.

        Raises:
            TroubleError: No answer that can be read.
        """
        ...

    def server(self) -> About:
        """Return what the server says of itself; nothing where it has no metadata.

        Raises:
            TroubleError: No answer that can be read.
        """
        ...

    def infer(self, question: Question, cap: int) -> tuple[Tensor, ...]:
        """Ask for an inference, once.

        Args:
            question: The request.
            cap: Most bytes of the answer, unpacked.

        Raises:
            TroubleError: No answer that can be read.
        """
        ...

    def close(self) -> None:
        """Give the connection up."""
        ...


def datatype(values: np.ndarray) -> str:
    """Return the protocol's name of an array's type."""
    return _OF_NUMPY.get(values.dtype.name, "BYTES")


def to_bytes(tensor: Tensor) -> bytes:
    """Return a tensor's values as the binary extension carries them."""
    kind = DATATYPES.get(tensor.datatype)
    if kind is not None:
        return np.ascontiguousarray(tensor.data).astype(kind, copy=False).tobytes()
    parts = []
    for value in tensor.data.ravel().tolist():
        data = ("" if value is None else str(value)).encode()
        parts.append(struct.pack("<I", len(data)))
        parts.append(data)
    return b"".join(parts)


def from_bytes(name: str, kind: str, shape: Iterable[int], data: bytes) -> Tensor:
    """Return the tensor that binary data hold.

    Raises:
        TroubleError: ``endpoint.shape`` or ``endpoint.malformed``.
    """
    sizes = checked(name, shape)
    count, plain = math.prod(sizes), DATATYPES.get(kind)
    if plain is not None:
        if len(data) != count * plain.itemsize:
            raise misshapen(name, f"{len(data)} bytes came for the shape {sizes}")
        return Tensor(name, kind, np.frombuffer(data, dtype=plain).reshape(sizes).copy())
    _require_bytes(name, kind)
    texts: list[str] = []
    at = 0
    while at < len(data) and len(texts) <= count:
        size = int.from_bytes(data[at : at + 4], "little")
        texts.append(_text(data[at + 4 : at + 4 + size]))
        at += 4 + size
    if at != len(data) or len(texts) != count:
        raise misshapen(name, f"{len(texts)} texts came for the shape {sizes}")
    return Tensor(name, kind, np.array([*texts, None], dtype=object)[:-1].reshape(sizes))


def from_list(name: str, kind: str, shape: Iterable[int], data: Any) -> Tensor:
    """Return the tensor that JSON holds, flat or nested; null is NaN among numbers.

    Raises:
        TroubleError: ``endpoint.shape`` or ``endpoint.malformed``.
    """
    sizes = checked(name, shape)
    plain = DATATYPES.get(kind)
    try:
        if plain is None:
            _require_bytes(name, kind)
            values = np.array([*_flat(data), None], dtype=object)[:-1]
        else:
            given = np.array(_flat(data), dtype=np.float64 if plain.kind == "f" else None)
            values = given.astype(plain) if given.dtype.kind in "biuf" else _refuse(name)
    except (TypeError, ValueError, OverflowError):
        _refuse(name)
    if values.size != math.prod(sizes):
        raise misshapen(name, f"{values.size} values came for the shape {sizes}")
    return Tensor(name, kind, values.reshape(sizes))


def checked(name: str, shape: Iterable[int]) -> tuple[int, ...]:
    """Return a shape of sizes that can be.

    Raises:
        TroubleError: ``endpoint.shape``.
    """
    sizes = tuple(shape)
    if len(sizes) > 8 or any(size < 0 for size in sizes) or math.prod(sizes) > _MOST_VALUES:
        raise misshapen(name, f"its shape is {sizes[:8]}")
    return sizes


def misshapen(name: str, why: str) -> TroubleError:
    """Return the error of an output whose shape and values do not fit."""
    return TroubleError(
        "shape", f'the output "{clean(name)}" is wrongly shaped: {why}.', remedy="Mend what the endpoint answers with."
    )


def malformed(why: str, said: str = "") -> TroubleError:
    """Return the error of an answer that is none of the protocol."""
    return TroubleError(
        "malformed",
        f"the endpoint's answer cannot be read: {why}.",
        remedy="Check that the URL leads to an Open Inference Protocol v2 server.",
        said=said,
    )


def clean(text: str) -> str:
    """Return a foreign name, short and printable."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:60]


def slots(found: Iterable[tuple[str, str, Iterable[int]]]) -> tuple[Slot, ...]:
    """Return tensors of metadata, as many as anybody needs."""
    kept = [Slot(name=name[:200], datatype=kind[:20], shape=tuple(shape)[:8]) for name, kind, shape in found]
    return tuple(kept[:_MOST_NAMES])


def _flat(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise TypeError
    flat: list[Any] = data
    while flat and isinstance(flat[0], list):
        flat = [value for inner in flat for value in inner]
    return flat


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise malformed("a text in it is no UTF-8") from None


def _require_bytes(name: str, kind: str) -> None:
    if kind != "BYTES":
        raise malformed(f'the output "{clean(name)}" has the datatype {clean(kind)}, which is none of the protocol')


def _refuse(name: str) -> Any:
    raise malformed(f'the output "{clean(name)}" holds something else than its datatype says')
