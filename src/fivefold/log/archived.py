"""Archived: sealed files of a log that were moved to object storage, read from there as if they were here.

A list in the log's folder says which files are away, how long they are and what they hash to; what comes back is
held against it, and by an audit against the tree. The newest segment, the hashes and the checkpoint never leave.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from fivefold.errors import StorageError, TrustError
from fivefold.log import segments
from fivefold.log.disk import told
from fivefold.log.lock import WriterLock

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.log.disk import Folder

LIST = "archived"
"""File that names what is away."""
MAX_LIST = 64 << 20
MAX_FILE = 1 << 30
"""Largest file that is moved away, in bytes."""
_BLOB = re.compile(r"blob-[0-9a-f]{64}")
_HELD = 4


class Shelf(Protocol):
    """Where files are put away; see :class:`fivefold.store.objects.Bucket`."""

    url: str

    def put(self, name: str, data: bytes) -> None:
        """Keep a file as a whole."""
        ...

    def get(self, name: str, most: int) -> bytes | None:
        """Return a file's bytes; None if it is not there."""
        ...


class Away(msgspec.Struct, frozen=True, array_like=True):
    """One file that is away.

    Attributes:
        size: Bytes.
        digest: SHA-256.
    """

    size: int
    digest: bytes


@dataclass(frozen=True)
class Moved:
    """What was done.

    Attributes:
        files: Files that are away from now on, and were not before.
        size: Their bytes.
        dropped: Whether they are gone from here.
    """

    files: int
    size: int
    dropped: bool


class Archived:
    """A folder of which some files are away, as :class:`fivefold.log.disk.Disk`.

    Limit: who can write into the folder can change the list; an audit finds what no longer fits the tree.
    """

    def __init__(self, folder: Folder, shelf: Shelf | None) -> None:
        """Take the folder.

        Args:
            folder: What is here.
            shelf: Where the rest is; None: unknown on this machine, and files that are away cannot be read.
        """
        self._folder, self._shelf = folder, shelf
        self._stamp, self._away = (0, 0), dict[str, Away]()
        self._held: OrderedDict[str, bytes] = OrderedDict()

    def names(self) -> list[str]:
        """Return the names of all files, here or away, sorted."""
        return sorted({*self._folder.names(), *self._listed()})

    def size(self, name: str) -> int:
        """Return a file's size in bytes; 0 if it does not exist."""
        here = self._folder.size(name)
        away = None if here else self._listed().get(name)
        return here if away is None else away.size

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``; a file that is away is fetched whole and held for a while.

        Raises:
            TrustError: ``archive.altered`` if what comes back is not what was put away.
            StorageError: ``archive.unknown`` if this machine does not know where it is; as the shelf.
        """
        here = self._folder.read(name, offset, length)
        if here or not length:
            return here
        away = self._listed().get(name)
        if away is None or self._folder.size(name):
            return here
        if name not in self._held:
            self._held[name] = self._fetched(name, away)
            while len(self._held) > _HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(name)
        return self._held[name][offset : offset + length]

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write here."""
        self._folder.write(name, offset, data)

    def sync(self, name: str) -> None:
        """Flush a file's bytes."""
        self._folder.sync(name)

    def allocate(self, name: str, size: int) -> None:
        """Make a new file here."""
        self._folder.allocate(name, size)

    def truncate(self, name: str, size: int) -> None:
        """Cut a file that is here."""
        self._folder.truncate(name, size)

    def replace(self, name: str, data: bytes) -> None:
        """Put a whole file here in one step."""
        self._folder.replace(name, data)

    def close(self) -> None:
        """Close all files."""
        self._folder.close()

    def move(self, *, drop: bool, tell: Callable[[float], None] = lambda _: None) -> Moved:
        """Put every sealed segment and blob away; only then, if wanted, remove them here.

        Each is read back and compared before anything is removed. Broken off, it goes on where it stopped. The list
        itself and the checkpoint are put away too, so that the record can be had from the shelf alone.

        Args:
            drop: Remove here what is away.
            tell: Told the share that is done.

        Raises:
            TrustError: ``archive.altered`` if what was put away does not come back.
            StorageError: ``archive.unknown`` without a shelf; ``log.in-use`` if another process moves files;
                ``log.disk``; as the shelf.
        """
        if self._shelf is None:
            raise _unknown(LIST)
        lock = WriterLock(self._folder.root, "moving")
        try:
            return self._moved(self._shelf, tell, drop=drop)
        finally:
            lock.close()

    def _moved(self, shelf: Shelf, tell: Callable[[float], None], *, drop: bool) -> Moved:
        away, other = dict(self._listed()), shelf.get("checkpoint", MAX_LIST)
        if other and other.split(b"\n")[0] != self._folder.read("checkpoint", 0, MAX_LIST).split(b"\n")[0]:
            raise _altered("checkpoint", "on the shelf is another record's")
        todo = [name for name in self._sealed() if name not in away]
        try:
            for number, name in enumerate(todo):
                data = self._folder.read(name, 0, MAX_FILE + 1)
                if len(data) <= MAX_FILE:
                    away[name] = self._put(shelf, name, data)
                tell((number + 1) / len(todo))
        finally:  # broken off, the next run goes on there
            moved = [away[name] for name in todo if name in away]
            if moved:
                self._keep(away)
        for name in (LIST, "checkpoint"):
            if data := self._folder.read(name, 0, MAX_LIST):
                shelf.put(name, data)
        if drop:
            self._drop(away, set(todo))
        return Moved(len(moved), sum(one.size for one in moved), drop)

    def _put(self, shelf: Shelf, name: str, data: bytes) -> Away:
        """Put a file away and read it back; one that is there already has to be the same."""
        put = Away(len(data), hashlib.sha256(data).digest())
        there = shelf.get(name, MAX_FILE)
        if there is None:
            shelf.put(name, data)
            self._fetched(name, put)
        elif there != data:
            raise _altered(name, "on the shelf is another record's")
        return put

    def _keep(self, away: dict[str, Away]) -> None:
        listed = msgspec.msgpack.encode(away)
        if len(listed) > MAX_LIST:
            raise StorageError("archive.list", "the list of what is away would be too long to be read again.")
        self._folder.replace(LIST, listed)

    def _drop(self, away: dict[str, Away], seen: set[str]) -> None:
        """Remove here what is away; what was not read back just now is, for the shelf may be another one since."""
        for name in set(self._sealed()) & set(away):
            data = self._folder.read(name, 0, MAX_FILE + 1)
            if hashlib.sha256(data).digest() != away[name].digest:
                raise _altered(name, "here is not what was put away; it is kept")
            if name not in seen:
                self._fetched(name, away[name])
            with told(self._folder.root / name):
                (self._folder.root / name).unlink()

    def _sealed(self) -> list[str]:
        """Return the names of the files here that never change again: segments but the last, and blobs."""
        every = segments.listed(self)
        last = every[-1].name if every else ""
        sealed = {segment.name for segment in every} - {last}
        return [name for name in self._folder.names() if name in sealed or _BLOB.fullmatch(name)]

    def _fetched(self, name: str, away: Away) -> bytes:
        if self._shelf is None:
            raise _unknown(name)
        data = self._shelf.get(name, away.size)
        if data is None or len(data) != away.size or hashlib.sha256(data).digest() != away.digest:
            raise _altered(name, "on the shelf is not what was put away" if data else "is gone from the shelf")
        return data

    def _listed(self) -> dict[str, Away]:
        """Return what is away; read again where the list was replaced."""
        try:
            about = (self._folder.root / LIST).stat()
        except FileNotFoundError:
            return {}
        stamp = (about.st_ino, about.st_mtime_ns)
        if stamp != self._stamp:
            try:
                data = self._folder.read(LIST, 0, MAX_LIST)
                self._away = msgspec.msgpack.decode(data, type=dict[str, Away])
            except msgspec.DecodeError:
                raise TrustError(
                    "archive.list",
                    "the list of what is away cannot be read.",
                    where=LIST,
                    remedy="Put it back from the object storage, where it lies beside the files.",
                ) from None
            self._stamp = stamp
        return self._away


def _altered(name: str, how: str) -> TrustError:
    return TrustError(
        "archive.altered", f"{name} {how}.", where=name, remedy="Keep both as evidence; look: fivefold record fsck."
    )


def _unknown(name: str) -> StorageError:
    return StorageError(
        "archive.unknown",
        "it lies in an object storage that this machine does not know.",
        where=name,
        remedy="Write record.archive in site.yaml.",
    )
