"""Proving: the file that proves that an entry stands in a log on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.log import book, segments, tiles, tlog_proof
from fivefold.log import checkpoint as notes
from fivefold.log.cosigning import COSIGNED

if TYPE_CHECKING:
    from fivefold.log.disk import Disk


def prove(disk: Disk, index: int) -> bytes | None:
    """Return the proof of an entry, with the entry in it; None if no checkpoint covers it yet.

    A checkpoint that a witness cosigned is preferred: it is worth more.
    """
    for name in (COSIGNED, book.CHECKPOINT):
        point = disk.read(name, 0, book.MAX_CHECKPOINT)
        size = notes.parse(point).size if point else 0
        if index < size:
            entry, hashes = segments.entry(disk, index), tuple(tiles.inclusion(disk, index, size))
            return tlog_proof.write(tlog_proof.Proof(entry, index, hashes, point))
    return None
