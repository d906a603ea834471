"""Messages: what owner and server say to each other; see docs/formats/ciphertext.md."""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec

from fivefold.errors import InputError
from fivefold.sharing.ciphertext.scorer import Kind
from fivefold.sharing.ciphertext.settings import Settings
from fivefold.sharing.privacy.training import Column

MOST_REQUEST = 1 << 30
VERSION = 1


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One request or answer."""


class Described(_Message, frozen=True):
    """What an owner must know of a scorer: how rows are encoded and encrypted. Its weights are not among it.

    Attributes:
        kind, columns, target, positive: As in the scorer.
        settings: Of the encryption.
        products: Whether the server needs the key for relinearisation.
        error: Most that a score is off, by the server's word.
        version: 1.
    """

    kind: Kind
    columns: dict[str, Column]
    settings: Settings
    products: bool
    error: float
    target: str = ""
    positive: str | int | float | bool = ""
    version: int = VERSION


class Asked(_Message, frozen=True):
    """Rows to score: a ciphertext for each number, under a context that was sent before (the start of its SHA-256)."""

    context: str
    columns: tuple[bytes, ...]


class Rows(_Message, frozen=True):
    """Rows to learn from: a ciphertext for each number (the first of ones) and one of answers."""

    job: str
    columns: tuple[bytes, ...]
    answers: bytes


class Step(_Message, frozen=True):
    """Weights, each a ciphertext with the same number in all slots, and a and b of the cubic."""

    job: str
    weights: tuple[bytes, ...]
    cubic: tuple[float, float]


class Gradient(_Message, frozen=True):
    """The gradient, a ciphertext for each number, to be added up over its slots."""

    columns: tuple[bytes, ...]


class Refusal(_Message, frozen=True):
    """Why nothing was computed."""

    code: str
    message: str
    remedy: str = ""


_M = TypeVar("_M", bound=msgspec.Struct)


def name_of(context: bytes) -> str:
    """Return what a context is called."""
    return hashlib.sha256(context).hexdigest()[:32]


def pack(message: msgspec.Struct) -> bytes:
    """Return a message as it travels."""
    return msgspec.msgpack.encode(message)


def unpack(raw: bytes, kind: type[_M]) -> _M:
    """Return a message as it was sent.

    Raises:
        InputError: ``ciphertext.message``.
    """
    try:
        return msgspec.msgpack.decode(raw, type=kind, strict=True)
    except (msgspec.DecodeError, ValueError) as error:
        raise InputError("ciphertext.message", f"this is no {kind.__name__} ({str(error)[:100]}).",
                         remedy="Use the same version on both sides.") from None  # fmt: skip
