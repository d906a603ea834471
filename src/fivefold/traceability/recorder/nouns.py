"""Records: what is kept of one event, and the leaf that the log commits to."""

from __future__ import annotations

import secrets
import time
from typing import Any, Literal, get_args

import msgspec

from fivefold.errors import InputError, TrustError

Kind = Literal[
    "input", "output", "decision", "action", "sensor", "status", "alarm", "data-operation", "model-change",
    "approval", "outcome", "erasure", "gap",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
LEAF_VERSION = 1
ID_BYTES = 16
NOISE_BYTES = 10
_NINE_FIELDS = b"\x99"
_VERSION_BITS, _FIXED_BITS = 0x7 << 76 | 0x2 << 62, 0xF << 76 | 0x3 << 62
MASKED = frozenset(
    {"boolean", "Float32", "Float64", *(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))}
)
"""Columns of pandas that keep what is missing in a mask of its own."""
MAX_TEXT = 4096
"""Longest text of a case or a person."""


class Tensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """One named array as it was handed over.

    Attributes:
        name: For example the column.
        dtype: As numpy writes it (``<f8``), or ``text``: then ``data`` is the message-pack list of the values.
        shape: Its lengths.
        data: Raw bytes in C order.
        column: Type of the column that it was, where ``dtype`` does not say so: of pandas, or ``object``.
        levels: Message-pack list of a categorical column's levels.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes
    column: str = ""
    levels: bytes = b""


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What only holders of the person's key can read.

    Attributes:
        case: What belongs together, as the caller names it.
        person: Whom it is about; empty: nobody.
        fields: Words and numbers.
        tensors: Arrays, bit for bit.
        model: Digest of the model that answered; empty: not said.
        links: Ids of earlier records that this one follows from.
        trace: OpenTelemetry trace id; empty: none.
    """

    case: str
    person: str = ""
    fields: dict[str, Any] = {}
    tensors: tuple[Tensor, ...] = ()
    model: str = ""
    links: tuple[str, ...] = ()
    trace: str = ""


class Leaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """An entry of the log: nothing in it can be read or guessed without a key, but for id, kind and time.

    Attributes:
        version: 1.
        id: 16 bytes, UUIDv7.
        kind: One of :data:`KINDS`.
        at: Nanoseconds since 1970 by the local clock; it orders nothing, the position does.
        case: Keyed hash of the case, 16 bytes.
        person: Keyed hash of the person, 16 bytes; empty: nobody.
        key: Id of the key that seals the body.
        sealed: The sealed body; empty if it lies in a blob.
        blob: SHA-256 of the sealed body where it is larger than an entry may be.
    """

    version: int
    id: bytes
    kind: Kind
    at: int
    case: bytes
    person: bytes
    key: bytes
    sealed: bytes
    blob: bytes = b""


def new_id(now: int | None = None, noise: bytes = b"") -> bytes:
    """Return a UUIDv7 (RFC 9562, section 5.7).

    Args:
        now: Nanoseconds since 1970; None: by the clock.
        noise: 10 bytes drawn from ``secrets`` for this id alone; empty: drawn here.
    """
    milliseconds = (time.time_ns() if now is None else now) // 1_000_000
    drawn = int.from_bytes(noise or secrets.token_bytes(NOISE_BYTES), "big")
    return (milliseconds << 80 | drawn & ~_FIXED_BITS | _VERSION_BITS).to_bytes(ID_BYTES, "big")


def encoded(body: Body) -> bytes:
    """Return the message pack of a body.

    Raises:
        InputError: ``recorder.fields`` for values that it does not know.
    """
    try:
        return msgspec.msgpack.encode(body)
    except (TypeError, NotImplementedError, OverflowError, RecursionError):
        raise InputError("recorder.fields", "a field holds a value that cannot be kept.") from None


def leaf_of(index: int, entry: bytes) -> Leaf:
    """Return the leaf that an entry of the log is.

    Raises:
        TrustError: ``recorder.leaf`` if it is none.
    """
    try:
        return msgspec.msgpack.decode(entry, type=Leaf)
    except (msgspec.DecodeError, ValueError):
        raise TrustError("recorder.leaf", f"entry {index} is no record.") from None


def bound(leaf: Leaf) -> bytes:
    """Return what a sealed body is bound to: it cannot be moved to another id, kind, time, case or person."""
    return head(leaf.id, leaf.kind, leaf.at, leaf.case, leaf.person, leaf.key, leaf.version)


def head(  # noqa: PLR0917  the fields of a leaf, in their order
    id_: bytes, kind: Kind, at: int, case: bytes, person: bytes, key: bytes, version: int = LEAF_VERSION
) -> bytes:
    """Return the message pack of the fields of a leaf before its sealed body: what that is bound to."""
    return msgspec.msgpack.encode((version, id_, kind, at, case, person, key))


def entry_of(bound_to: bytes, sealed: bytes, blob: bytes = b"") -> bytes:
    """Return the message pack of a leaf, without making one: what its body is bound to, and two fields more."""
    return _NINE_FIELDS + bound_to[1:] + msgspec.msgpack.encode(sealed) + msgspec.msgpack.encode(blob)


def tensors(batch: Any) -> tuple[Tensor, ...]:
    """Return the tensors of a mapping from names to arrays (a data frame too: one tensor per column).

    Raises:
        InputError: ``recorder.batch`` for values that are neither numbers nor text.
    """
    names = list(batch.keys()) if hasattr(batch, "keys") else None
    if names is None:
        raise InputError("recorder.batch", "a batch is a mapping from names to arrays.")
    block: Any = getattr(batch, "values", None)
    if hasattr(block, "dtype") and block.dtype.kind in "biuf" and not hasattr(batch, "dtypes"):  # columns in one array
        word, shape = block.dtype.str, (len(block),)
        return tuple(Tensor(name, word, shape, cells.tobytes()) for name, cells in zip(names, block.T, strict=True))
    kinds = set(getattr(batch, "dtypes", ()))
    kind = kinds.pop() if len(kinds) == 1 else None
    if getattr(kind, "kind", "") in tuple("biuf") and hasattr(kind, "newbyteorder"):  # one type of numpy: one array
        values = batch.to_numpy()
        word, shape = values.dtype.str, (len(values),)
        return tuple(Tensor(str(name), word, shape, values[:, at].tobytes()) for at, name in enumerate(names))
    return tuple(_tensor(str(name), batch[name]) for name in names)


def _tensor(name: str, value: Any) -> Tensor:
    column = str(value.dtype) if hasattr(value, "to_numpy") and hasattr(value, "dtype") else ""
    if column.startswith("datetime64[") and column != str(value.to_numpy().dtype):
        return msgspec.structs.replace(_tensor(name, value.dt.tz_convert("UTC").dt.tz_localize(None)), column=column)
    array = value.to_numpy() if hasattr(value, "to_numpy") else value
    if column == "category" or column in MASKED:
        array = value.astype(object).to_numpy()
    if hasattr(array, "dtype") and array.dtype.kind in "biufcMm":
        return Tensor(name, array.dtype.str, tuple(array.shape), array.tobytes())
    values = array.tolist() if hasattr(array, "tolist") else list(array) if isinstance(array, list | tuple) else array
    shape = tuple(array.shape) if hasattr(array, "shape") else (len(values),) if isinstance(values, list) else ()
    levels = b""
    try:
        if column == "category":
            column += ", ordered" if value.dtype.ordered else ""
            levels = msgspec.msgpack.encode(value.dtype.categories.tolist(), enc_hook=_plain)
        return Tensor(name, "text", shape, msgspec.msgpack.encode(values, enc_hook=_plain), column, levels)
    except (TypeError, NotImplementedError, OverflowError, RecursionError):
        raise InputError(
            "recorder.batch", f"{name[:80]} holds values that cannot be kept.", remedy="Give numbers or text."
        ) from None


def _plain(value: Any) -> Any:
    """Return a plain value for one that message pack does not know: numbers of numpy, markers of what is missing."""
    if hasattr(value, "dtype") and hasattr(value, "item"):
        return value.item()
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    raise NotImplementedError
