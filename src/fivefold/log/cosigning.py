"""Cosigning: what a log's owner does to have a witness vouch for its newest checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.errors import InputError, TrustError, UnknownSignerError
from fivefold.log import book, cosignature, tiles, witness
from fivefold.log import checkpoint as notes

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.keys.signing import PublicKey
    from fivefold.log.checkpoint import Checkpoint
    from fivefold.log.cosignature import Cosignature
    from fivefold.log.disk import Disk

COSIGNED = "cosigned"
"""File of the newest checkpoint that a witness cosigned, with the cosignatures."""
_TRIES = 3


def obtain(
    disk: Disk, send: Callable[[bytes], witness.Reply], keys: tuple[PublicKey, ...], now: int
) -> tuple[bytes, tuple[Cosignature, ...]]:
    """Have a witness cosign the newest checkpoint and keep the result in :data:`COSIGNED`.

    Args:
        disk: The log.
        send: Puts a request to the witness.
        keys: Keys trusted as witnesses.
        now: Seconds since 1970.

    Returns:
        The checkpoint with all its cosignatures, and those by ``keys``.

    Raises:
        InputError: ``log.no-checkpoint``; ``witness.refused`` if the witness does not follow the log.
        TrustError: ``witness.conflict`` if the log does not continue what the witness cosigned.
        UnknownSignerError: ``witness.unknown`` if the cosignature is by none of ``keys``; nothing is kept then.
        StorageError: ``log.disk``.
    """
    point = disk.read(book.CHECKPOINT, 0, book.MAX_CHECKPOINT)
    if not point:
        raise InputError("log.no-checkpoint", "the log has no checkpoint yet.", remedy="Record something first.")
    before = disk.read(COSIGNED, 0, book.MAX_CHECKPOINT)
    known = _parsed(before)
    lines = _asked(disk, point, send, known.size if known else 0)
    if not cosignature.verify(cosignature.merge(point, lines), keys, now):
        raise UnknownSignerError(
            "witness.unknown",
            "the witness answered, but you trust no key that signed its answer as a witness.",
            remedy="If you know whose it is: fivefold trust add WITNESS.pub --role witness.",
        )
    base = before if known == notes.parse(point) else point  # other witnesses of the same checkpoint stay
    merged = cosignature.merge(base, lines)
    disk.replace(COSIGNED, merged)
    return merged, cosignature.verify(merged, keys, now)


def _asked(disk: Disk, point: bytes, send: Callable[[bytes], witness.Reply], old: int) -> bytes:
    size = notes.parse(point).size
    for _ in range(_TRIES):
        hashes = tuple(tiles.consistency(disk, old, size)) if 0 < old <= size else ()
        reply = send(witness.write(witness.Request(min(old, size), hashes, point)))
        if reply.status == 200:
            return reply.body
        if reply.status != 409 or reply.type.partition(";")[0].strip() != witness.SIZE_TYPE:
            break
        text = reply.body.decode("ascii", "replace").strip()
        known = int(text) if text.isdecimal() and len(text) <= 19 else -1
        if known in (-1, old) or known > size:
            raise _conflict(f"it cosigned {known:,} entries before, and this checkpoint covers {size:,} others.")
        old = known
    if reply.status in (409, 422):
        raise _conflict("this log does not continue what it cosigned before.")
    said = " ".join(reply.body.decode("utf-8", "replace").split())[:200]
    raise InputError(
        "witness.refused",
        f"the witness refused with status {reply.status}: {said}",
        remedy="Give the witness this log's key: fivefold record vkey.",
    )


def _parsed(data: bytes) -> Checkpoint | None:
    try:
        return notes.parse(data)
    except TrustError:
        return None


def _conflict(why: str) -> TrustError:
    return TrustError(
        "witness.conflict",
        f"the witness refuses: {why}",
        remedy="The log was rewritten, shortened or replaced by an older copy. Keep both as evidence.",
    )
