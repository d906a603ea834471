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
    """Return the canonical JSON of ``value`` (RFC 8785): sorted keys, no spaces, shortest numbers, UTF-8.

    Equal values give equal bytes on every machine and in every language, also after they were read back:
    the float 1.0 and the integer 1 are both written ``1``.

    Raises:
        InputError: ``codec.not-finite`` if a float is NaN or infinite; ``codec.unwritable`` for an integer beyond
            2**53 or text that is not Unicode.
    """
    import rfc8785

    try:
        return rfc8785.dumps(msgspec.to_builtins(value, str_keys=True))
    except rfc8785.FloatDomainError:
        raise InputError("codec.not-finite", "a number is NaN or infinite and cannot be written.") from None
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        raise InputError("codec.unwritable", "a value has no canonical JSON form.") from None


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
