"""Checkpoint: the signed statement of a log's size and root (C2SP tlog-checkpoint)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from fivefold.errors import TrustError
from fivefold.log import note
from fivefold.log.tree import HASH_BYTES

if TYPE_CHECKING:
    from fivefold.keys.signing import PublicKey, Signer


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself.

    Attributes:
        origin: Name of the log, for example ``fivefold/credit-risk``.
        size: Number of leaves.
        root: 32 bytes.
    """

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The signed text: origin, size, root in base64, each on a line."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def origin_of(application: str) -> str:
    """Return the name of an application's log; characters that a note's name cannot hold are percent-encoded."""
    return f"fivefold/{quote(application, safe='')}"


def sign(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """Return the checkpoint as a note signed under the log's own name.

    Raises:
        InputError: The signer is not Ed25519.
    """
    return note.sign(checkpoint.text, ((checkpoint.origin, signer),))


def parse_text(text: str) -> Checkpoint:
    """Read the text of a checkpoint that any program wrote; extension lines are passed over.

    Raises:
        TrustError: ``log.malformed-checkpoint``.
    """
    return _read("\n".join((*text.split("\n")[:3], "")))


def parse(data: bytes) -> Checkpoint:
    """Read a checkpoint without verifying it.

    Raises:
        TrustError: ``log.malformed-note`` or ``log.malformed-checkpoint``.
    """
    return _read(note.parse(data).text)


def verify(data: bytes, keys: tuple[PublicKey, ...]) -> tuple[Checkpoint, PublicKey]:
    """Check that one of ``keys`` signed the checkpoint under the log's own name; return both.

    Raises:
        TrustError: As :func:`fivefold.log.note.verify` and :func:`parse`.
    """
    name = parse(data).origin
    usable = tuple(note.NoteKey(name, key) for key in keys if key.algorithm == "ed25519")
    text, signers = note.verify(data, usable)
    return _read(text), signers[0].key


def verify_foreign(data: bytes, key: note.NoteKey) -> tuple[Checkpoint, tuple[str, ...]]:
    """Check a checkpoint that any program wrote; return it and its extension lines, which nobody vouches for.

    Looser than :func:`verify`, as C2SP tlog-checkpoint allows: extension lines, a key under another name than the
    log's, lines by keys and algorithms that are not known here.

    Raises:
        TrustError: As :func:`fivefold.log.note.verify`; ``log.malformed-checkpoint``.
    """
    text, _ = note.verify(data, (key,))
    lines = text.split("\n")
    if len(lines) < 4 or not all(lines[:-1]):
        raise _malformed()
    return parse_text(text), tuple(lines[3:-1])


def _read(text: str) -> Checkpoint:
    lines = text.split("\n")
    try:
        origin, size, encoded = lines[:3]
        if not (size.isascii() and size.isdecimal() and len(size) <= 19):
            raise ValueError  # noqa: TRY301  one way out for every malformed text
        root = base64.b64decode(encoded, validate=True)
        checkpoint = Checkpoint(origin, int(size), root)
        if origin and len(root) == HASH_BYTES and checkpoint.text == text:
            return checkpoint
    except (binascii.Error, ValueError):
        pass
    raise _malformed()


def _malformed() -> TrustError:
    return TrustError("log.malformed-checkpoint", "this is not a checkpoint of a log.")
