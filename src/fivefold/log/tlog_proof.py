"""Proof in a file: an entry's place in a log, proven under a signed checkpoint, offline (C2SP tlog-proof)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.errors import TrustError
from fivefold.log import checkpoint as notes
from fivefold.log import tree

if TYPE_CHECKING:
    from fivefold.keys.signing import PublicKey
    from fivefold.log.checkpoint import Checkpoint

HEAD = "c2sp.org/tlog-proof@v1"
MAX_BYTES = 1 << 20
MAX_EXTRA = 1 << 17
"""Most base64 characters of the extra line: an entry of 65,535 bytes fits."""


@dataclass(frozen=True)
class Proof:
    """What the file says; nothing is verified yet.

    Attributes:
        extra: Opaque bytes; ours hold the entry itself.
        index: Position of the entry.
        hashes: The inclusion proof.
        checkpoint: The signed checkpoint as stored.
    """

    extra: bytes
    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes


def write(proof: Proof) -> bytes:
    """Return the file."""
    lines = [HEAD]
    if proof.extra:
        lines.append(f"extra {base64.b64encode(proof.extra).decode()}")
    lines.append(f"index {proof.index}")
    lines += [base64.b64encode(item).decode() for item in proof.hashes]
    return ("\n".join(lines) + "\n\n").encode() + proof.checkpoint


def read(data: bytes) -> Proof:
    """Read a file without verifying it; there is one form only.

    Raises:
        TrustError: ``log.malformed-proof``.
    """
    head, gap, point = data.partition(b"\n\n")
    try:
        if len(data) > MAX_BYTES or not gap:
            raise ValueError  # noqa: TRY301  one way out for every malformed file
        lines = head.decode("ascii").split("\n")
        if lines.pop(0) != HEAD:
            raise ValueError  # noqa: TRY301
        extra = b""
        if lines and lines[0].startswith("extra "):
            encoded = lines.pop(0).removeprefix("extra ")
            if not 0 < len(encoded) <= MAX_EXTRA:
                raise ValueError  # noqa: TRY301
            extra = base64.b64decode(encoded, validate=True)
        word, _, number = lines.pop(0).partition(" ")
        if word != "index" or not (number.isascii() and number.isdecimal() and len(number) <= 19):
            raise ValueError  # noqa: TRY301
        hashes = tuple(base64.b64decode(line, validate=True) for line in lines)
        found = Proof(extra, int(number), hashes, point)
        if len(hashes) <= tree.MAX_PROOF and write(found) == data:
            return found
    except (ValueError, IndexError, binascii.Error):
        pass
    raise TrustError("log.malformed-proof", "this is not a proof of an entry.")


def verify(proof: Proof, entry: bytes, keys: tuple[PublicKey, ...]) -> tuple[Checkpoint, PublicKey]:
    """Check that ``entry`` stands in the log at its index, under a checkpoint that one of ``keys`` signed.

    Raises:
        TrustError: ``log.bad-proof``, or as :func:`fivefold.log.checkpoint.verify`.
    """
    point, key = notes.verify(proof.checkpoint, keys)
    tree.verify_inclusion(tree.leaf_hash(entry), proof.index, point.size, proof.hashes, point.root)
    return point, key
