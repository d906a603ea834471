"""Publishing: a log written as static files that any web server can hand out and any C2SP client can verify.

Everything new is hashed and held against the signed checkpoints before a file is written; tiles come before the
checkpoint that covers them, and partial tiles go once the full tile is covered. What is full is never written again.
Source: C2SP tlog-tiles.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.errors import InputError, StorageError, TrustError
from fivefold.log import book, cosignature, cosigning, segments, static, tiles, tree
from fivefold.log import checkpoint as notes
from fivefold.log.disk import told
from fivefold.log.note import MAX_NOTE
from fivefold.log.static import ENTRIES, Edge
from fivefold.log.tiles import WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fivefold.keys.signing import PublicKey
    from fivefold.log.checkpoint import Checkpoint
    from fivefold.log.disk import Disk

_AGAIN = "Free space or mend the disk, and run it again: it goes on where it stopped."
BEGUN = ".publishing"
"""Stands in the folder, holding the log's name, until the first checkpoint does."""


@dataclass(frozen=True)
class Published:
    """What was done.

    Attributes:
        origin: The log's name.
        before: Entries that were published before.
        size: Entries that are published now.
        written: Files written.
    """

    origin: str
    before: int
    size: int
    written: int


def publish(disk: Disk, folder: Path, keys: tuple[PublicKey, ...], *, cosigned: bool = False) -> Published:
    """Write a log's entries up to its newest checkpoint as static files; only what is not there yet.

    Memory is bounded by a segment of the log and 256 entries; a log that is being written may be published.

    Args:
        disk: The log.
        folder: Where to; made if needed. Empty, or what was published there of this log before.
        keys: Keys that may have signed the log's checkpoints.
        cosigned: Up to the newest checkpoint that a witness cosigned instead.

    Raises:
        InputError: ``log.no-checkpoint``; ``tiles.foreign`` if something else is in the folder; ``tiles.behind`` if
            more is published than a witness cosigned.
        TrustError: ``log.truncated`` or ``log.rewritten`` if the log is not as its checkpoint says, or does not
            continue what was published; ``tiles.damaged`` if what was published is not as its checkpoint says; as
            :func:`fivefold.log.checkpoint.verify` and :func:`fivefold.log.segments.walk`. Nothing is written then.
        StorageError: ``log.in-use`` if another process publishes there; ``log.disk``.
    """
    newest = disk.read(book.CHECKPOINT, 0, book.MAX_CHECKPOINT)
    data = disk.read(cosigning.COSIGNED, 0, book.MAX_CHECKPOINT) if cosigned else newest
    if not newest or not data:
        missing = "no witness has cosigned the log yet." if newest else "the log has no checkpoint yet."
        raise InputError("log.no-checkpoint", missing, remedy="Record something, or run: fivefold record cosign.")
    point, _ = notes.verify(data, keys)
    if not cosigned:
        data = _with_cosignatures(disk, data, point, keys)
    with told(folder, _AGAIN), _claimed(folder):
        before = _published(folder, point.origin, keys)
        old = notes.parse(before) if before else None
        if old is not None:
            _continues(old, point, notes.verify(newest, keys)[0])
        seed = old.size if old else 0
        _follow(disk, _resumed(folder, seed), old, point)
        shelf = _Shelf(folder)
        if old is None:
            shelf.put(BEGUN, point.origin.encode())
        _follow(disk, _resumed(folder, seed), old, point, shelf.tile)
        shelf.settle()
        if before is not None and old == point:
            data = cosignature.merge(before, data.rpartition(b"\n\n")[2])
        if data != before:
            shelf.put(static.CHECKPOINT, data)
            shelf.settle()
            shelf.written += 1
        _tidy(folder, seed, point.size)
    return Published(point.origin, seed, point.size, shelf.written)


def _with_cosignatures(disk: Disk, data: bytes, point: Checkpoint, keys: tuple[PublicKey, ...]) -> bytes:
    """Return the checkpoint with the lines of witnesses, where they vouched for this very one."""
    cosigned = disk.read(cosigning.COSIGNED, 0, book.MAX_CHECKPOINT)
    with contextlib.suppress(TrustError):
        if cosigned and notes.verify(cosigned, keys)[0] == point:
            return cosignature.merge(data, cosigned.rpartition(b"\n\n")[2])
    return data


@contextlib.contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Hold the folder against others who publish there."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StorageError(
            "log.in-use", "another process publishes there.", where=str(folder), remedy="Wait for it."
        ) from None
    finally:
        os.close(descriptor)


def _published(folder: Path, origin: str, keys: tuple[PublicKey, ...]) -> bytes | None:
    """Return the checkpoint that is published there; None where publishing begins, or broke off before the first."""
    found = static.read(folder / static.CHECKPOINT, MAX_NOTE)
    if found is None:
        begun = static.read(folder / BEGUN, MAX_NOTE)
        if begun == origin.encode() or (begun is None and {one.name for one in folder.iterdir()} <= {_beside(BEGUN)}):
            return None
    elif not any(folder.glob("segment-*")):  # the log's own folder has a checkpoint, too
        with contextlib.suppress(TrustError):
            if notes.verify(found, keys)[0].origin == origin:
                return found
    raise InputError(
        "tiles.foreign",
        f"the folder holds something else than the log {origin}, signed by a key that is known here.",
        where=str(folder),
        remedy="Name an empty folder, or the one that this log was published to before.",
    )


def _continues(old: Checkpoint, new: Checkpoint, newest: Checkpoint) -> None:
    if old.size > newest.size:
        raise TrustError(
            "log.truncated",
            f"{old.size:,} entries are published, but the log's checkpoint covers {newest.size:,}.",
            remedy="The log was shortened or replaced by an older copy. Keep both as evidence.",
        )
    if old.size > new.size:
        raise InputError(
            "tiles.behind",
            f"{old.size:,} entries are published, of which witnesses cosigned {new.size:,}.",
            remedy="Run: fivefold record cosign.",
        )
    if old.size == new.size and old.root != new.root:
        raise _rewritten(old)


def _resumed(folder: Path, size: int) -> Edge:
    """Return the edge of what is published, cut back to its last full tile of entries."""
    tails: list[list[bytes]] = [[]]
    count = size
    while count := count // WIDTH:
        width = count % WIDTH
        tails.append(static.fetch(static.folder(folder), len(tails), count // WIDTH, width) if width else [])
    return Edge(size - size % WIDTH, tails)


def _follow(
    disk: Disk,
    edge: Edge,
    old: Checkpoint | None,
    new: Checkpoint,
    keep: Callable[[int | str, int, bytes, int], None] = lambda *_: None,
) -> None:
    """Take ``edge`` from what is published to the new checkpoint; hand every new tile and bundle to ``keep``.

    Raises:
        TrustError: ``log.rewritten``, ``log.truncated``, ``tiles.damaged``.
    """
    waiting: list[bytes] = []
    _compare(disk, edge, old)
    for entry in _entries(disk, edge.size, new.size):
        waiting.append(entry)
        for level, index, hashes in edge.push(tree.leaf_hash(entry)):
            if level == 0:
                keep(ENTRIES, index, static.bundle(waiting), WIDTH)
                waiting = []
            keep(level, index, b"".join(hashes), WIDTH)
        _compare(disk, edge, old)
    if edge.size < new.size:
        raise TrustError("log.truncated", f"the checkpoint covers {new.size:,} entries; {edge.size:,} can be read.")
    if edge.root() != new.root:
        raise _rewritten(new)
    for level, index, hashes in edge.partials():
        if level == 0:
            keep(ENTRIES, index, static.bundle(waiting), len(hashes))
        keep(level, index, b"".join(hashes), len(hashes))


def _entries(disk: Disk, start: int, end: int) -> Iterator[bytes]:
    for segment, found in segments.walk(disk, start):
        if segment.first >= end:
            return
        yield from found[max(0, start - segment.first) : end - segment.first]


def _compare(disk: Disk, edge: Edge, old: Checkpoint | None) -> None:
    if old is None or edge.size != old.size or edge.root() == old.root:
        return
    intact = False
    with contextlib.suppress(TrustError):
        intact = tiles.root(disk, old.size) == old.root
    if not intact:
        raise _rewritten(old)
    raise TrustError(
        "tiles.damaged",
        "the tiles that are published are not those that their checkpoint covers.",
        remedy="Look: fivefold record fsck PLACE --vkey VKEY; then publish to an empty folder.",
    )


def _rewritten(point: Checkpoint) -> TrustError:
    return TrustError(
        "log.rewritten",
        f"the first {point.size:,} entries are not those that the checkpoint over them covers.",
        remedy="Keep the log as evidence, and run: fivefold record fsck.",
    )


class _Shelf:
    """Puts files whole and durable, and never another content where a full tile stands."""

    def __init__(self, folder: Path) -> None:
        self.written = 0
        self._folder = folder
        self._touched: set[Path] = set()

    def tile(self, level: int | str, index: int, data: bytes, width: int) -> None:
        """Put a tile or bundle unless it is there.

        Raises:
            TrustError: ``tiles.damaged`` if another stands there.
        """
        path = static.path_of(level, index, width)
        found = static.read(self._folder / path, max(static.MAX_BUNDLE, len(data)))
        if found is None:
            self.put(path, data)
            self.written += 1
        elif found != data:
            raise TrustError(
                "tiles.damaged",
                "what stands there is not what the log says; it is not written over.",
                where=str(self._folder / path),
                remedy="Publish to an empty folder.",
            )

    def put(self, path: str, data: bytes) -> None:
        """Write beside, sync, rename; the name is durable after :meth:`settle`."""
        target = self._folder / path
        self._make(target.parent)
        beside = target.with_name(_beside(target.name))
        beside.unlink(missing_ok=True)  # of a run that was broken off: only one process writes here
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            beside.replace(target)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        self._touched.add(target.parent)

    def settle(self) -> None:
        """Make all names durable."""
        for folder in self._touched:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._touched.clear()

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
            self._touched.add(folder.parent)


def _beside(name: str) -> str:
    return f".{name}.new"


def _tidy(folder: Path, old: int, new: int) -> None:
    """Take away partial tiles whose full tile is covered now, and what a run that was broken off left over."""
    (folder / BEGUN).unlink(missing_ok=True)
    level = 0
    while new:
        for kind in (level, ENTRIES) if level == 0 else (level,):
            for index in range(old // WIDTH, new // WIDTH):
                shutil.rmtree((folder / static.path_of(kind, index, 1)).parent, ignore_errors=True)
            for beside in (folder / static.path_of(kind, new // WIDTH, 1)).parent.glob(_beside("*")):
                beside.unlink()
        old, new, level = old // WIDTH, new // WIDTH, level + 1
