"""Signed note: a text with signature lines below it (C2SP signed-note v1), Ed25519 only."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from fivefold.errors import InputError, TrustError
from fivefold.keys.signing import PublicKey, Signer, ed25519_public

MAX_NOTE = 1 << 20
"""Largest note in bytes."""
MAX_SIGNATURES = 100

_ED25519 = b"\x01"
_DASH = "\N{EM DASH} "


@dataclass(frozen=True)
class NoteKey:
    """A public key under a name; both decide its 4-byte id.

    Attributes:
        name: Without spaces and plus signs.
        key: An Ed25519 key.
    """

    name: str
    key: PublicKey

    @property
    def id(self) -> bytes:
        """The first 4 bytes of SHA-256 over name, newline, algorithm byte and key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.key.raw).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key in one line of text: name, id and key joined by plus signs."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.key.raw).decode()}"


@dataclass(frozen=True)
class NoteSignature:
    """One signature line: name, 4-byte key id, signature."""

    name: str
    id: bytes
    signature: bytes


@dataclass(frozen=True)
class Note:
    """A note as parsed: text (ends with a newline) and signatures, in order; nothing is verified yet."""

    text: str
    signatures: tuple[NoteSignature, ...]


def parse_vkey(text: str) -> NoteKey:
    """Read a verifier key.

    Raises:
        InputError: ``log.vkey`` for malformed keys, a wrong id, or an algorithm other than Ed25519.
    """
    name, _, rest = text.partition("+")
    claimed, _, encoded = rest.partition("+")
    try:
        data = base64.b64decode(encoded, validate=True)
        if name_ok(name) and data[:1] == _ED25519:
            key = NoteKey(name, ed25519_public(data[1:]))
            if key.id.hex() == claimed:
                return key
    except (binascii.Error, ValueError, InputError):
        pass
    raise InputError("log.vkey", "this is not the verifier key of an Ed25519 signer.")


def sign(text: str, signers: tuple[tuple[str, Signer], ...]) -> bytes:
    """Return the note of ``text`` signed by each (name, signer).

    Raises:
        InputError: ``log.note`` if the text has control characters or does not end with a newline, or a name has
            spaces or plus signs.
    """
    if not _text_ok(text):
        raise InputError("log.note", "a note is text that ends with a newline and has no control characters.")
    lines = []
    for name, signer in signers:
        if not name_ok(name):
            raise InputError("log.note", "a signer's name has no spaces and no plus signs.")
        mark = NoteKey(name, signer.public).id + signer.sign(text.encode())
        lines.append(signature_line(name, mark))
    return (text + "\n").encode() + b"".join(lines)


def signature_line(name: str, mark: bytes) -> bytes:
    """Return a signature line: name, key id and signature."""
    return f"{_DASH}{name} {base64.b64encode(mark).decode()}\n".encode()


def parse(data: bytes) -> Note:
    """Read a note without verifying it.

    Raises:
        TrustError: ``log.malformed-note``.
    """
    broken = TrustError("log.malformed-note", "this is not a signed note.")
    if len(data) > MAX_NOTE:
        raise broken
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise broken from None
    text, gap, below = whole.rpartition("\n\n")
    text += "\n"
    if not gap or not _text_ok(text) or not below.endswith("\n"):
        raise broken
    lines = below[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise broken
    return Note(text, tuple(_line(line, broken) for line in lines))


def verify(data: bytes, keys: tuple[NoteKey, ...]) -> tuple[str, tuple[NoteKey, ...]]:
    """Check a note against known keys; lines of unknown keys are passed over.

    Returns:
        The text and the keys that signed it, at least one.

    Raises:
        TrustError: ``log.malformed-note``; ``log.bad-signature`` if a line of a known key does not hold;
            ``log.unknown-key`` if no line is of a known key.
    """
    note = parse(data)
    known = {(key.name, key.id): key for key in keys}
    found: list[NoteKey] = []
    for line in note.signatures:
        key = known.get((line.name, line.id))
        if key is None:
            continue
        try:
            key.key.verify(line.signature, note.text.encode())
        except TrustError:
            raise TrustError("log.bad-signature", f"the note's signature by {key.name} does not hold.") from None
        if key not in found:
            found.append(key)
    if not found:
        raise TrustError("log.unknown-key", "the note is not signed by a known key.")
    return note.text, tuple(found)


def _line(line: str, broken: TrustError) -> NoteSignature:
    if not line.startswith(_DASH):
        raise broken
    name, _, encoded = line[len(_DASH) :].partition(" ")
    try:
        mark = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise broken from None
    if not name_ok(name) or len(mark) < 5 or base64.b64encode(mark).decode() != encoded:
        raise broken
    return NoteSignature(name, mark[:4], mark[4:])


def name_ok(name: str) -> bool:
    """Whether a name may stand in a note: not empty, no spaces, no plus signs."""
    return bool(name) and "+" not in name and not any(letter.isspace() or ord(letter) < 32 for letter in name)


def _text_ok(text: str) -> bool:
    return text.endswith("\n") and not any(ord(letter) < 32 and letter != "\n" for letter in text)
