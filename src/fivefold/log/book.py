"""Book: a log on disk with one writer: recovery, durable appends, signed checkpoints.

Life of an entry: framed into the current segment, synced, hashed into the packed tiles (not synced: they can be
made again), acknowledged, covered by the next checkpoint. A checkpoint never covers what is not durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.errors import FivefoldError, StorageError, TrustError
from fivefold.log import checkpoint as notes
from fivefold.log import frames, segments, tiles, tree
from fivefold.log.checkpoint import Checkpoint
from fivefold.log.segments import SEGMENT_BYTES, Segment

if TYPE_CHECKING:
    from fivefold.keys.signing import Signer
    from fivefold.log.disk import Disk

CHECKPOINT = "checkpoint"
"""File of the newest checkpoint, replaced in one step."""
MAX_CHECKPOINT = 1 << 16


class Book:
    """The writer's handle on a log.

    Attributes:
        disk: Where it lies.
        origin: The log's name.
        size: Number of durable entries.
        published: The newest checkpoint; None before the first.
    """

    def __init__(self, disk: Disk, origin: str, signer: Signer, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Recover the log, or begin one.

        Raises:
            TrustError: ``log.truncated`` or ``log.rewritten`` if the entries are not those that the last checkpoint
                covers; ``log.bad-signature`` or ``log.unknown-key`` if the checkpoint is not by ``signer``;
                ``log.origin`` if it is of another log; as :mod:`fivefold.log.segments`.
            StorageError: ``log.disk``.
        """
        self.disk, self.origin = disk, origin
        self._signer, self._most = signer, segment_bytes
        self._tiles = tiles.Tiles(disk)
        self._failed: StorageError | None = None
        self.published: Checkpoint | None = None
        self.published = self._read_checkpoint()
        every = segments.listed(disk)
        if not every:
            if self.published is not None and self.published.size:
                raise _truncated(0, self.published.size)
            disk.allocate(Segment(0).name, segment_bytes)
            every = [Segment(0)]
        self._segment = every[-1]
        self.size, self._used = self._recover(every)

    def append(self, entries: list[bytes]) -> int:
        """Append entries and return the position of the first; all are durable when this returns.

        Raises:
            InputError: ``log.entry-size``; nothing is written then.
            StorageError: ``log.disk``; the book refuses everything from then on, for what the device holds is not
                known any more. Open it anew.
        """
        self._require_whole()
        data = frames.encode(self.size, entries)
        first = self.size
        try:
            if self._used >= self._most:
                self._seal()
            self.disk.write(self._segment.name, self._used, data)
            self.disk.sync(self._segment.name)
            self._tiles.append([tree.leaf_hash(entry) for entry in entries])
        except StorageError as error:
            self._failed = error
            raise
        self._used += len(data)
        self.size += len(entries)
        return first

    def publish(self) -> bytes:
        """Sign and keep a checkpoint over all entries; return it.

        Raises:
            StorageError: ``log.disk``, as :meth:`append`.
        """
        self._require_whole()
        found = Checkpoint(self.origin, self.size, tiles.root(self.disk, self.size))
        signed = notes.sign(found, self._signer)
        try:
            self.disk.replace(CHECKPOINT, signed)
        except StorageError as error:
            self._failed = error
            raise
        self.published = found
        return signed

    def _require_whole(self) -> None:
        if self._failed is not None:
            raise StorageError(
                "log.stopped",
                f"the log stopped after an error of the disk: {self._failed.message}",
                remedy="Mend the disk and open the log again; what was acknowledged is kept.",
            )

    def _seal(self) -> None:
        self._tiles.sync()
        new = Segment(self.size)
        self.disk.allocate(new.name, self._most)
        self.disk.truncate(self._segment.name, self._used)
        self._segment, self._used = new, 0

    def _read_checkpoint(self) -> Checkpoint | None:
        data = self.disk.read(CHECKPOINT, 0, MAX_CHECKPOINT)
        if not data:
            return None
        found, _ = notes.verify(data, (self._signer.public,))
        if found.origin != self.origin:
            raise TrustError("log.origin", f"this is the log {found.origin}, not {self.origin}.")
        return found

    def _recover(self, every: list[Segment]) -> tuple[int, int]:
        """Return size and used bytes of the last segment; its torn end is wiped, its hashes are made again."""
        last = every[-1]
        found, used = segments.entries(self.disk, last)
        size = last.first + len(found)
        if self.published is not None and size < self.published.size:
            raise _truncated(size, self.published.size)
        try:
            self._tiles.cut(last.first)
            whole = self._hashes_whole(last.first)
        except FivefoldError:
            whole = False
        if not whole:
            self._rebuild(last.first)
        self._tiles.append([tree.leaf_hash(entry) for entry in found])
        if self.published is not None and tiles.root(self.disk, self.published.size) != self.published.root:
            self._rebuild(last.first)
            self._tiles.append([tree.leaf_hash(entry) for entry in found])
            if tiles.root(self.disk, self.published.size) != self.published.root:
                raise TrustError("log.rewritten", "the entries are not those that the last checkpoint covers.")
        self._wipe(last, used)
        return size, used

    def _hashes_whole(self, leaves: int) -> bool:
        level = 0
        while leaves:
            if self.disk.size(tiles.file_of(level)) != leaves * tree.HASH_BYTES:
                return False
            leaves, level = leaves // tiles.WIDTH, level + 1
        return True

    def _rebuild(self, leaves: int) -> None:
        self._tiles.cut(0)
        for segment, found in segments.walk(self.disk):
            if segment.first < leaves:
                self._tiles.append([tree.leaf_hash(entry) for entry in found])

    def _wipe(self, segment: Segment, used: int) -> None:
        length = self.disk.size(segment.name)
        rest = self.disk.read(segment.name, used, length - used)
        if rest.count(0) != len(rest):
            self.disk.write(segment.name, used, bytes(length - used))
            self.disk.sync(segment.name)


def _truncated(size: int, claimed: int) -> TrustError:
    return TrustError(
        "log.truncated",
        f"the log holds {size:,} readable entries, but its checkpoint covers {claimed:,}.",
        remedy="Do not continue it; keep it as evidence, and run: fivefold record fsck.",
    )
