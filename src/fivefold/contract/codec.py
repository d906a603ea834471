"""Bytes in, bytes out: canonical JSON, message-pack frames and digests.

Every noun that is signed or digested goes through :func:`canonical`; nothing is verified by being
serialised again (DESIGN, rule 7).
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

import msgspec

from fivefold.errors import InputError

T = TypeVar("T")

MAX_FRAME = 1 << 30
"""Largest message in bytes that one of our processes accepts from another."""


def canonical(value: Any) -> bytes:
    """Return JSON of ``value`` with sorted keys and no spaces, UTF-8.

    Equal values give equal bytes on every machine: keys are sorted, floats are written by their
    shortest round-trip form.

    Raises:
        InputError: ``codec.not-finite`` if a float is NaN or infinite.
    """
    plain = msgspec.to_builtins(value)
    _refuse_not_finite(plain)
    return msgspec.json.encode(plain, order="deterministic")


def _refuse_not_finite(value: Any) -> None:
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124
            raise InputError("codec.not-finite", "a number is NaN or infinite and cannot be written.")
    elif isinstance(value, dict):
        for item in value.values():
            _refuse_not_finite(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_not_finite(item)


def decode(data: bytes, kind: type[T], *, what: str) -> T:
    """Read JSON into ``kind``; unknown fields and wrong types are refused.

    Args:
        data: JSON text.
        kind: A ``msgspec.Struct`` type.
        what: Name of the thing for the error message, for example ``plan.json``.

    Raises:
        InputError: ``codec.invalid`` if the bytes are not such a value.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("codec.invalid", f"{what} cannot be read: {error}.", where=what) from None


def digest(data: bytes) -> str:
    """Return the lower-case hexadecimal SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()
