"""Frames: how entries stand one after another in a segment, so that a torn end is told from a whole one."""

from __future__ import annotations

import struct
import zlib

from fivefold.errors import InputError

HEADER = struct.Struct(">HI")
"""Length of the entry in bytes, then CRC-32 of its position in the log (8 bytes) and the entry."""
MAX_ENTRY = 65_535
"""Largest entry in bytes, as in C2SP tlog-tiles; larger payloads go to blobs."""


def encode(first: int, entries: list[bytes]) -> bytes:
    """Return the frames of ``entries``, the first of which stands at position ``first`` of the log.

    Raises:
        InputError: ``log.entry-size`` for an entry that is empty or larger than 65,535 bytes.
    """
    parts = []
    for index, entry in enumerate(entries, first):
        if not 0 < len(entry) <= MAX_ENTRY:
            raise InputError("log.entry-size", f"an entry has 1 to {MAX_ENTRY:,} bytes, not {len(entry):,}.")
        parts.append(HEADER.pack(len(entry), _crc(index, entry)))
        parts.append(entry)
    return b"".join(parts)


def scan(data: bytes, first: int) -> tuple[list[bytes], int]:
    """Return the whole entries at the start of a segment, and the offset where they end.

    The position is part of the checksum: an old frame left behind at another place is not taken for one of ours.
    """
    found: list[bytes] = []
    offset = 0
    while offset + HEADER.size < len(data):
        length, crc = HEADER.unpack_from(data, offset)
        entry = data[offset + HEADER.size : offset + HEADER.size + length]
        if not length or len(entry) < length or _crc(first + len(found), entry) != crc:
            break
        found.append(entry)
        offset += HEADER.size + length
    return found, offset


def nth(data: bytes, first: int, index: int) -> bytes | None:
    """Return the entry at position ``index`` of a segment that begins at ``first``; None if it is not there whole.

    Frames before it are passed over by their lengths; the checksum of this one alone is looked at.
    """
    offset = 0
    for _ in range(index - first):
        length = int.from_bytes(data[offset : offset + 2], "big")
        if not length:
            return None
        offset += HEADER.size + length
    if offset + HEADER.size > len(data):
        return None
    end = offset + HEADER.size + int.from_bytes(data[offset : offset + 2], "big")
    found, _ = scan(data[offset:end], index)
    return found[0] if found else None


def _crc(index: int, entry: bytes) -> int:
    return zlib.crc32(entry, zlib.crc32(index.to_bytes(8, "big")))
