"""Witness: cosigns a log's checkpoints while each continues the one before (C2SP tlog-witness, add-checkpoint).

Threat: who holds a log's key rewrites it, or shows two people two logs. Limit: a witness vouches for the order of
checkpoints that it was shown, not for what the entries say; what came before its first checkpoint is not vouched for.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.errors import TrustError
from fivefold.log import checkpoint as notes
from fivefold.log import cosignature, note, tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.keys.signing import PublicKey, Signer
    from fivefold.log.checkpoint import Checkpoint
    from fivefold.store.witnessed import Witnessed

MAX_REQUEST = 1 << 16
"""Largest request in bytes."""
MAX_HASHES = 63
SIZE_TYPE = "text/x.tlog.size"


@dataclass(frozen=True)
class Request:
    """A checkpoint, and the proof that it continues the one of size ``old``."""

    old: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes


@dataclass(frozen=True)
class Reply:
    """What a witness answers: HTTP status, body and its type; 200 carries signature lines."""

    status: int
    body: bytes
    type: str = "text/plain; charset=utf-8"


def write(request: Request) -> bytes:
    """Return the body of a request."""
    lines = [f"old {request.old}", *(base64.b64encode(item).decode() for item in request.hashes)]
    return ("\n".join(lines) + "\n\n").encode() + request.checkpoint


def read(data: bytes) -> Request:
    """Read the body of a request; there is one form only.

    Raises:
        TrustError: ``log.malformed-request``.
    """
    head, gap, point = data.partition(b"\n\n")
    try:
        first, *rest = head.decode("ascii").split("\n")
        word, _, number = first.partition(" ")
        hashes = tuple(base64.b64decode(line, validate=True) for line in rest)
        if gap and word == "old" and number.isdecimal() and len(number) <= 19 and len(hashes) <= MAX_HASHES:
            found = Request(int(number), hashes, point)
            if write(found) == data and len(data) <= MAX_REQUEST:
                return found
    except (ValueError, binascii.Error):
        pass
    raise TrustError("log.malformed-request", "this is no request to a witness.")


class Witness:
    """One witness: its key, the logs that it follows, and what it remembers of them."""

    def __init__(self, name: str, signer: Signer, logs: Mapping[str, tuple[PublicKey, ...]], memory: Witnessed) -> None:
        """Take up the work.

        Args:
            name: What it signs as, without spaces and plus signs.
            signer: Its Ed25519 key, used for nothing else.
            logs: Origin to the keys that may sign for it.
            memory: What was cosigned before.
        """
        self.name, self._signer, self._logs, self._memory = name, signer, dict(logs), memory

    def add(self, data: bytes, now: int) -> Reply:
        """Cosign a checkpoint, or say why not; what is cosigned is remembered before the answer is given.

        Args:
            data: The request.
            now: Seconds since 1970.

        Raises:
            StorageError: ``store.disk``: nothing was cosigned.
        """
        try:
            request = read(data)
            claimed = notes.parse(request.checkpoint)
        except TrustError as error:
            return _said(400, error.message)
        keys = self._logs.get(claimed.origin)
        if keys is None:
            return _said(404, "this log is not followed here.")
        try:
            point, key = notes.verify(request.checkpoint, keys)
        except TrustError:
            return _said(403, "no signature of a key known for this log.")
        if request.old > point.size:
            return _said(400, "the old size is larger than the checkpoint's.")
        with self._memory.alone():
            known = self._memory.latest(point.origin)
            refused = _refusal(request, point, known)
            if refused is not None:
                return refused
            line = cosignature.cosign(request.checkpoint, self.name, self._signer, now)
            kept = cosignature.merge(_bare(request.checkpoint, point.origin, key), line)
            self._memory.keep(point.origin, point.size, point.root, kept)
        return Reply(200, line)

    def latest(self, origin: str) -> bytes | None:
        """Return the newest checkpoint that it cosigned for a log; None if there is none."""
        known = self._memory.latest(origin)
        return None if known is None else known[2]


def _refusal(request: Request, point: Checkpoint, known: tuple[int, bytes, bytes] | None) -> Reply | None:
    size, root = (known[0], known[1]) if known else (0, b"")
    if request.old != size:
        return Reply(409, f"{size}\n".encode(), SIZE_TYPE)
    if known is not None and size == point.size and root != point.root:
        return Reply(409, f"{size}\n".encode(), SIZE_TYPE)
    if size == 0:
        sound = not request.hashes and (point.size > 0 or point.root == tree.root([]))
        return None if sound else _said(422, "a first checkpoint needs no proof, and an empty log has one root.")
    try:
        tree.verify_consistency(size, point.size, request.hashes, root, point.root)
    except TrustError as error:
        return _said(422, error.message)
    return None


def _bare(data: bytes, origin: str, key: PublicKey) -> bytes:
    """Return the checkpoint with the log's own signature alone: lines of others are not taken on."""
    parsed = note.parse(data)
    own = note.NoteKey(origin, key)
    line = next(one for one in parsed.signatures if (one.name, one.id) == (own.name, own.id))
    return f"{parsed.text}\n".encode() + note.signature_line(line.name, line.id + line.signature)


def _said(status: int, text: str) -> Reply:
    return Reply(status, f"{text}\n".encode())
