"""Audit: every entry of a log hashed again and held against tiles, checkpoint and checkpoints kept elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.errors import FivefoldError, TrustError
from fivefold.log import book, segments, tiles, tree
from fivefold.log import checkpoint as notes
from fivefold.log.tree import HASH_BYTES

if TYPE_CHECKING:
    from fivefold.keys.signing import PublicKey
    from fivefold.log.checkpoint import Checkpoint
    from fivefold.log.disk import Disk


@dataclass(frozen=True)
class Fault:
    """One thing that does not hold: a stable code and a sentence."""

    code: str
    text: str


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        size: Entries read.
        covered: Entries that the checkpoint covers; 0 without one.
        faults: Empty if all holds.
    """

    size: int
    covered: int
    faults: tuple[Fault, ...]


class Peaks:
    """The root of a growing list of leaves in memory that grows with its logarithm."""

    def __init__(self) -> None:
        self.size = 0
        self._stack: list[bytes] = []

    def push(self, leaf: bytes) -> None:
        """Add a leaf hash."""
        bits = self.size
        while bits & 1:
            leaf = tree.node_hash(self._stack.pop(), leaf)
            bits >>= 1
        self._stack.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        if not self._stack:
            return tree.root([])
        found = self._stack[-1]
        for peak in self._stack[-2::-1]:
            found = tree.node_hash(peak, found)
        return found


def audit(disk: Disk, keys: tuple[PublicKey, ...], kept: tuple[bytes, ...] = ()) -> Audit:
    """Read the whole log and say all that does not hold; never raises for a log that was tampered with.

    Args:
        disk: The log.
        keys: Keys that may sign its checkpoints.
        kept: Checkpoints that were kept elsewhere (by a witness, or by the reader).
    """
    faults: list[Fault] = []
    own = _checkpoint(disk.read(book.CHECKPOINT, 0, book.MAX_CHECKPOINT), keys, faults)
    known = [("its own checkpoint", own)] if own else []
    for number, data in enumerate(kept, 1):
        found = _checkpoint(data, keys, faults)
        if found and own and found.origin != own.origin:
            faults.append(Fault("log.origin", f"kept checkpoint {number} is of the log {found.origin}."))
        elif found:
            known.append((f"kept checkpoint {number}", found))
    size = _read(disk, known, faults)
    for what, point in known:
        if point.size > size:
            faults.append(Fault("log.truncated", f"{size:,} entries can be read, but {what} covers {point.size:,}."))
    return Audit(size, own.size if own else 0, tuple(dict.fromkeys(faults)))


def _checkpoint(data: bytes, keys: tuple[PublicKey, ...], faults: list[Fault]) -> Checkpoint | None:
    try:
        if not data:
            raise TrustError("log.no-checkpoint", "the log has no checkpoint.")  # noqa: TRY301  one way out
        return notes.verify(data, keys)[0]
    except TrustError as error:
        faults.append(Fault(error.code, error.message))
        return None


def _read(disk: Disk, known: list[tuple[str, Checkpoint]], faults: list[Fault]) -> int:
    peaks = Peaks()
    by_size: dict[int, list[tuple[str, Checkpoint]]] = {}
    for what, point in known:
        by_size.setdefault(point.size, []).append((what, point))
    _compare(by_size.pop(0, []), peaks, faults)
    stale = False
    try:
        for segment, found in segments.walk(disk):
            packed = disk.read(tiles.file_of(0), segment.first * HASH_BYTES, len(found) * HASH_BYTES)
            hashes = [tree.leaf_hash(entry) for entry in found]
            stale = stale or packed != b"".join(hashes)
            for leaf in hashes:
                peaks.push(leaf)
                if peaks.size in by_size:
                    _compare(by_size.pop(peaks.size), peaks, faults)
    except FivefoldError as error:
        faults.append(Fault(error.code, error.message))
    try:
        stale = stale or tiles.root(disk, peaks.size) != peaks.root()
    except TrustError:
        stale = True
    if stale:
        faults.append(Fault("log.stale-hashes", "the packed hashes are not those of the entries; opening repairs it."))
    return peaks.size


def _compare(points: list[tuple[str, Checkpoint]], peaks: Peaks, faults: list[Fault]) -> None:
    for what, point in points:
        if peaks.root() != point.root:
            faults.append(Fault("log.rewritten", f"the first {point.size:,} entries are not those that {what} covers."))
