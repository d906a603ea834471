"""Tiles: the tree's hashes in one packed file per level, each 256 times smaller; derived from the entries.

A tile of C2SP tlog-tiles, ``tile/L/N``, is the slice of 256 hashes from ``N * 256`` of the file ``hashes-L``.
Source: C2SP tlog-tiles v1.0; RFC 6962, section 2.1 (hashing and proofs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.errors import InputError, TrustError
from fivefold.log import tree
from fivefold.log.tree import HASH_BYTES

if TYPE_CHECKING:
    from fivefold.log.disk import Disk

WIDTH = 256
"""Hashes in a full tile."""
_BITS = 8


def file_of(level: int) -> str:
    """Return the name of the file that holds a level's hashes."""
    return f"hashes-{level}"


class Tiles:
    """The files of hashes, appended to by the one writer."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._counts: list[int] = []
        self._tails: list[list[bytes]] = []

    def cut(self, leaves: int) -> None:
        """Keep the hashes of the first ``leaves`` leaves and continue there."""
        self._counts, self._tails = [], []
        level = 0
        while leaves or self._disk.size(file_of(level)):
            name = file_of(level)
            if self._disk.size(name) > leaves * HASH_BYTES:
                self._disk.truncate(name, leaves * HASH_BYTES)
            full = leaves // WIDTH
            tail = self._disk.read(name, full * WIDTH * HASH_BYTES, (leaves - full * WIDTH) * HASH_BYTES)
            self._counts.append(leaves)
            self._tails.append([tail[at : at + HASH_BYTES] for at in range(0, len(tail), HASH_BYTES)])
            leaves, level = full, level + 1

    def append(self, hashes: list[bytes]) -> None:
        """Add leaf hashes; whole tiles give a hash to the level above."""
        level = 0
        while hashes:
            if level == len(self._counts):
                self._counts.append(0)
                self._tails.append([])
            self._disk.write(file_of(level), self._counts[level] * HASH_BYTES, b"".join(hashes))
            self._counts[level] += len(hashes)
            tail = self._tails[level] + hashes
            full = len(tail) // WIDTH * WIDTH
            hashes = [tree.root(tail[at : at + WIDTH]) for at in range(0, full, WIDTH)]
            self._tails[level] = tail[full:]
            level += 1

    def sync(self) -> None:
        """Make all of it durable; done when a segment is sealed, not with each commit."""
        for level in range(len(self._counts)):
            self._disk.sync(file_of(level))


def root(disk: Disk, size: int) -> bytes:
    """Return the root over the first ``size`` leaves from the packed hashes.

    Raises:
        TrustError: ``log.hashes`` if hashes are missing.
    """
    return _range(disk, 0, size) if size else tree.root([])


def inclusion(disk: Disk, index: int, size: int) -> list[bytes]:
    """Return the proof that leaf ``index`` stands in the tree of ``size``; hashes read and time grow with log(size).

    Raises:
        InputError: ``log.index`` if there is no such leaf.
        TrustError: ``log.hashes`` if hashes are missing.
    """
    if not 0 <= index < size:
        raise InputError("log.index", f"there is no leaf {index} in a log of {size}.")
    start, end = 0, size
    proof: list[bytes] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range(disk, middle, end))
            end = middle
        else:
            proof.append(_range(disk, start, middle))
            start = middle
    return proof[::-1]


def consistency(disk: Disk, old: int, size: int) -> list[bytes]:
    """Return the proof that the tree of ``old`` leaves is a prefix of the tree of ``size`` (RFC 6962, 2.1.2).

    Raises:
        InputError: ``log.index`` unless 0 < old <= size.
        TrustError: ``log.hashes`` if hashes are missing.
    """
    if not 0 < old <= size:
        raise InputError("log.index", f"no proof from size {old} to size {size}.")
    start, end, whole = 0, size, True
    proof: list[bytes] = []
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_range(disk, middle, end))
            end = middle
        else:
            proof.append(_range(disk, start, middle))
            start, whole = middle, False
    if not whole:
        proof.append(_range(disk, start, end))
    return proof[::-1]


def _range(disk: Disk, start: int, end: int) -> bytes:
    """Return the root of the leaves [start, end); ``start`` is a multiple of the largest power of two in it."""
    stack: list[bytes] = []
    while start < end:
        bits = (end - start).bit_length() - 1
        stack.append(_node(disk, bits, start >> bits))
        start += 1 << bits
    found = stack.pop()
    while stack:
        found = tree.node_hash(stack.pop(), found)
    return found


def _node(disk: Disk, bits: int, index: int) -> bytes:
    """Return the hash of the complete subtree of ``2**bits`` leaves at ``index``."""
    level, rest = divmod(bits, _BITS)
    count = 1 << rest
    data = disk.read(file_of(level), index * count * HASH_BYTES, count * HASH_BYTES)
    if len(data) != count * HASH_BYTES:
        raise TrustError("log.hashes", "hashes of the log are missing.", remedy="Run: fivefold record fsck.")
    return tree.root([data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)])


def _split(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)
