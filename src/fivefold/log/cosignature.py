"""Cosignature: a witness's timed statement that a checkpoint continues every earlier one (C2SP tlog-cosignature v1)."""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.errors import InputError, TrustError
from fivefold.log import checkpoint as notes
from fivefold.log import note

if TYPE_CHECKING:
    from fivefold.keys.signing import PublicKey, Signer

_TYPES = {"ed25519": b"\x04", "ml-dsa-44": b"\x06"}
_SIZES = {"ed25519": 64, "ml-dsa-44": 2420}
_TIME = struct.Struct(">Q")
_LABEL = b"subtree/v1\n\0"
_MOST_NAME = 255
_MAX_TIME = (1 << 63) - 1
SKEW = 600
"""Seconds that a witness's clock may run ahead of the verifier's."""


@dataclass(frozen=True)
class Cosignature:
    """One statement that holds.

    Attributes:
        name: What the witness calls itself.
        key: Its key.
        time: Seconds since 1970, by the witness's clock.
    """

    name: str
    key: PublicKey
    time: int


def key_id(name: str, key: PublicKey) -> bytes:
    """Return the 4 bytes that stand before a witness's signatures.

    Raises:
        InputError: ``keys.algorithm`` if the key is neither Ed25519 nor ML-DSA-44.
    """
    return hashlib.sha256(name.encode() + b"\n" + _material(key)).digest()[:4]


def vkey(name: str, key: PublicKey) -> str:
    """Return the witness's key in one line of text, for other programs."""
    return f"{name}+{key_id(name, key).hex()}+{base64.b64encode(_material(key)).decode()}"


def _material(key: PublicKey) -> bytes:
    return key.material if key.algorithm not in _TYPES else _TYPES[key.algorithm] + key.material


def cosign(checkpoint: bytes, name: str, signer: Signer, time: int) -> bytes:
    """Return the signature line of a witness over a checkpoint; what the checkpoint continues is not looked at here.

    Args:
        checkpoint: The signed checkpoint.
        name: The witness's name, without spaces and plus signs.
        signer: An Ed25519 key or an ML-DSA-44 key.
        time: Seconds since 1970.

    Raises:
        InputError: ``log.note`` for an unusable name or time; ``keys.algorithm``.
        TrustError: ``log.malformed-note``, ``log.malformed-checkpoint``.
    """
    if not note.name_ok(name) or not 0 <= time <= _MAX_TIME:
        raise InputError("log.note", "a witness's name has no spaces and no plus signs, its time is not negative.")
    mark, algorithm = key_id(name, signer.public), signer.public.algorithm
    signed = signer.sign(_message(algorithm, name, note.parse(checkpoint).text, time))
    return note.signature_line(name, mark + _TIME.pack(time) + signed)


def verify(checkpoint: bytes, keys: tuple[PublicKey, ...], now: int) -> tuple[Cosignature, ...]:
    """Return the cosignatures by known witnesses, one of each key, the newest; lines of others are passed over.

    Args:
        checkpoint: The signed checkpoint with its cosignatures. The log's own signature is not looked at here.
        keys: Keys of witnesses; only Ed25519 and ML-DSA-44 keys can cosign.
        now: Seconds since 1970.

    Raises:
        TrustError: ``log.malformed-note``; ``log.bad-cosignature`` if a line of a known witness does not hold, or is
            of the future.
    """
    parsed = note.parse(checkpoint)
    found: dict[str, Cosignature] = {}
    for line in parsed.signatures:
        for key in keys:
            if key.algorithm not in _TYPES or line.id != key_id(line.name, key):
                continue
            if len(line.signature) != _TIME.size + _SIZES[key.algorithm]:
                raise _bad(line.name)
            (time,) = _TIME.unpack_from(line.signature)
            try:
                key.verify(line.signature[_TIME.size :], _message(key.algorithm, line.name, parsed.text, time))
            except (TrustError, InputError):
                raise _bad(line.name) from None
            if not time and key.algorithm == "ml-dsa-44":
                continue  # then it does not say that this is the newest checkpoint, which is all we ask for
            if time > now + SKEW:
                raise TrustError("log.bad-cosignature", f"the cosignature by {line.name} is of the future.")
            if key.id not in found or found[key.id].time < time:
                found[key.id] = Cosignature(line.name, key, time)
    return tuple(found.values())


def merge(checkpoint: bytes, lines: bytes) -> bytes:
    """Return a checkpoint with further signature lines; lines that it has are not added again.

    Raises:
        TrustError: ``log.malformed-note`` if what comes out is no note.
    """
    present = set(checkpoint.split(b"\n"))
    merged = checkpoint + b"".join(one + b"\n" for one in lines.split(b"\n") if one and one not in present)
    note.parse(merged)
    return merged


def _message(algorithm: str, name: str, text: str, time: int) -> bytes:
    """Return what is signed: the text of the checkpoint, or with ML-DSA-44 the struct ``cosigned_message``.

    Raises:
        InputError: ``log.note`` for a name or an origin of more than 255 bytes.
        TrustError: ``log.malformed-checkpoint``.
    """
    if algorithm != "ml-dsa-44":
        return f"cosignature/v1\ntime {time}\n{text}".encode()
    point = notes.parse_text(text)
    names = [part.encode() for part in (name, point.origin)]
    if max(map(len, names)) > _MOST_NAME:
        raise InputError("log.note", "a witness with an ML-DSA-44 key has names of at most 255 bytes.")
    whose, origin = (bytes([len(part)]) + part for part in names)
    return _LABEL + whose + _TIME.pack(time) + origin + _TIME.pack(0) + _TIME.pack(point.size) + point.root


def _bad(name: str) -> TrustError:
    return TrustError("log.bad-cosignature", f"the cosignature by {name} does not hold.")
