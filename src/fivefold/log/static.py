"""Static files of a log: names and bytes of checkpoint, tiles and entry bundles, for any web server to serve.

Source: C2SP tlog-tiles (paths, partial tiles, entry bundles).
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from fivefold.errors import StorageError, TrustError
from fivefold.log import tree
from fivefold.log.frames import MAX_ENTRY
from fivefold.log.tiles import WIDTH
from fivefold.log.tree import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHECKPOINT = "checkpoint"
"""The only file that changes."""
ENTRIES = "entries"
"""Stands in a path where a tile has its level."""
_LENGTH_BYTES = 2
MAX_BUNDLE = WIDTH * (_LENGTH_BYTES + MAX_ENTRY)
"""Largest entry bundle in bytes."""
MAX_LEVEL = 7
"""Highest level of a log of fewer than 2**63 entries."""


def path_of(level: int | str, index: int, width: int = WIDTH) -> str:
    """Return the path of a tile, or of an entry bundle where ``level`` is :data:`ENTRIES`.

    Args:
        level: 0 to 7, or :data:`ENTRIES`.
        index: From 0 in its level.
        width: Hashes or entries in it; fewer than 256 make it partial.
    """
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.insert(0, f"x{index % 1000:03d}")
    return f"tile/{level}/{'/'.join(parts)}" + (f".p/{width}" if width < WIDTH else "")


def bundle(entries: list[bytes]) -> bytes:
    """Return the bytes of an entry bundle: each entry behind its length (2 bytes, big-endian)."""
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES, "big") + entry for entry in entries)


def unbundle(data: bytes, width: int) -> list[bytes]:
    """Return the entries of a bundle of ``width`` entries.

    Raises:
        TrustError: ``tiles.malformed`` if it holds another number, or does not end with an entry.
    """
    found: list[bytes] = []
    offset = 0
    while offset < len(data) and len(found) < width:
        start = offset + _LENGTH_BYTES
        offset = start + int.from_bytes(data[start - _LENGTH_BYTES : start], "big")
        found.append(data[start:offset])
    if offset != len(data) or len(found) != width:
        raise TrustError("tiles.malformed", f"it does not hold {width} whole entries and nothing else.")
    return found


def hashes_of(data: bytes, width: int) -> list[bytes]:
    """Return the hashes of a tile of ``width`` hashes.

    Raises:
        TrustError: ``tiles.malformed`` if it has another length.
    """
    if len(data) != width * HASH_BYTES:
        raise TrustError("tiles.malformed", f"it has {len(data):,} bytes, not those of {width} hashes.")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def folder(root: Path) -> Callable[[str, int], bytes | None]:
    """Return what reads a published log from a folder: bytes by path, as :func:`read` does."""
    return lambda path, most: read(root / path, most)


def fetch(source: Callable[[str, int], bytes | None], level: int | str, index: int, width: int = WIDTH) -> list[bytes]:
    """Return the first ``width`` hashes of a tile, or entries of a bundle; of the full one where the partial is gone.

    Args:
        source: Gives the bytes at a path, at most as many as its second argument says; None if nothing is there.
        level: As for :func:`path_of`.
        index: As for :func:`path_of`.
        width: 1 to 256.

    Raises:
        TrustError: ``tiles.missing`` if neither is there; ``tiles.malformed``.
        FivefoldError: As ``source``.
    """
    most, decode = (MAX_BUNDLE, unbundle) if level == ENTRIES else (WIDTH * HASH_BYTES, hashes_of)
    for held in dict.fromkeys((width, WIDTH)):
        path = path_of(level, index, held)
        if (data := source(path, most)) is None:
            continue
        try:
            return decode(data, held)[:width]
        except TrustError as error:
            raise TrustError(error.code, error.message, where=path) from None
    raise TrustError("tiles.missing", "it is not there.", where=path_of(level, index, width))


def read(path: Path, most: int) -> bytes | None:
    """Return a file's bytes; None if there is no such file. Links, pipes and devices are not followed or waited for.

    Raises:
        TrustError: ``tiles.malformed`` if it is no plain file or larger than ``most`` bytes.
        StorageError: ``log.disk``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise TrustError("tiles.malformed", "it is a link, no plain file.", where=str(path)) from None
        raise StorageError("log.disk", f"it cannot be read ({error.strerror}).", where=str(path)) from None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_size > most:
            raise TrustError("tiles.malformed", f"it is no plain file of at most {most:,} bytes.", where=str(path))
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(about.st_size)
    except OSError as error:
        raise StorageError("log.disk", f"it cannot be read ({error.strerror}).", where=str(path)) from None
    finally:
        os.close(descriptor)


class Edge:
    """The right edge of a growing tree: for each level the hashes after its last full tile.

    Attributes:
        size: Leaves so far.
        tails: Hashes by level, fewer than 256 each.
    """

    def __init__(self, size: int = 0, tails: list[list[bytes]] | None = None) -> None:
        self.size = size
        self.tails = tails or [[]]

    def push(self, leaf: bytes) -> list[tuple[int, int, list[bytes]]]:
        """Add a leaf hash; return the tiles that it filled: level, index, hashes."""
        filled: list[tuple[int, int, list[bytes]]] = []
        self.tails[0].append(leaf)
        self.size += 1
        level, count = 0, self.size
        while len(self.tails[level]) == WIDTH:
            full, self.tails[level] = self.tails[level], []
            count //= WIDTH
            filled.append((level, count - 1, full))
            level += 1
            if level == len(self.tails):
                self.tails.append([])
            self.tails[level].append(tree.root(full))
        return filled

    def partials(self) -> list[tuple[int, int, list[bytes]]]:
        """Return the partial tiles that a tree of this size has: level, index, hashes."""
        return [(level, (self.size >> (8 * level)) // WIDTH, tail) for level, tail in enumerate(self.tails) if tail]

    def root(self) -> bytes:
        """Return the root of the tree; what is hashed grows with the number of levels."""
        found = b""
        for tail in self.tails:
            for peak in reversed(_peaks(tail)):
                found = tree.node_hash(peak, found) if found else peak
        return found or tree.root([])


def _peaks(hashes: list[bytes]) -> list[bytes]:
    """Return the roots of the complete subtrees that hashes of one level fall into, the largest first."""
    peaks, start = [], 0
    for bit in range(len(hashes).bit_length() - 1, -1, -1):
        if len(hashes) >> bit & 1:
            peaks.append(tree.root(hashes[start : start + (1 << bit)]))
            start += 1 << bit
    return peaks
