"""Disk: the few operations on files that the log needs, so that a simulated device can stand in and forget."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, Protocol

from fivefold.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_MOST_OPEN = 32
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW

_AGAIN = "Free space or mend the disk, then open the log again: what was acknowledged is kept."


class Disk(Protocol):
    """A flat folder of files; every method raises StorageError ``log.disk`` where the device fails."""

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        ...

    def size(self, name: str) -> int:
        """Return a file's size in bytes; 0 if it does not exist."""
        ...

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``; fewer at the end, none if there is no such file."""
        ...

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write ``data`` at ``offset``, making the file if needed; not durable before :meth:`sync`."""
        ...

    def sync(self, name: str) -> None:
        """Return once all bytes written to the file are on the device."""
        ...

    def allocate(self, name: str, size: int) -> None:
        """Make a new file of ``size`` zero bytes; durable, its name too, when this returns."""
        ...

    def truncate(self, name: str, size: int) -> None:
        """Cut a file to ``size`` bytes; not durable before :meth:`sync`."""
        ...

    def replace(self, name: str, data: bytes) -> None:
        """Put a whole file in one step: after a crash it is the old one or the new one."""
        ...


_SYNC = getattr(os, "fdatasync", os.fsync)


class Folder:
    """A folder of the file system as :class:`Disk`.

    Source: fsync(2), rename(2); a new name is durable only once its folder was synced too.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._below = f"{root}{os.sep}"
        self._open: dict[str, int] = {}

    def names(self) -> list[str]:
        """Return the names of all files, sorted; a folder that does not exist has none."""
        with told(self.root):
            return sorted(entry.name for entry in self.root.iterdir() if entry.is_file()) if self.root.is_dir() else []

    def size(self, name: str) -> int:
        """Return a file's size in bytes; 0 if it does not exist."""
        try:
            return (self.root / name).stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``."""
        place = self._below + name
        with told(place):
            mine = self._open.get(name)
            try:
                # Not kept open: another process may replace the file.
                descriptor = mine if mine is not None else os.open(place, _READ)
            except FileNotFoundError:
                return b""
            try:
                return _pread(descriptor, offset, length)
            finally:
                if mine is None:
                    os.close(descriptor)

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write ``data`` at ``offset``; a short write is continued."""
        with told(self._below + name):
            descriptor = self._descriptor(name)
            while data:
                done = os.pwrite(descriptor, data, offset)
                data, offset = data[done:], offset + done

    def sync(self, name: str) -> None:
        """Flush a file's bytes (fdatasync)."""
        with told(self._below + name):
            _SYNC(self._descriptor(name))

    def allocate(self, name: str, size: int) -> None:
        """Make a new file of ``size`` zero bytes, its blocks reserved so that later writes find room."""
        with told(self.root / name):
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = self._descriptor(name)
            try:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(descriptor, 0, size)
                else:
                    os.pwrite(descriptor, bytes(size), 0)
                os.fsync(descriptor)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, 0)
                raise
            self._sync_folder()

    def truncate(self, name: str, size: int) -> None:
        """Cut a file to ``size`` bytes."""
        with told(self.root / name):
            os.ftruncate(self._descriptor(name), size)

    def replace(self, name: str, data: bytes) -> None:
        """Write beside, sync, rename, sync the folder."""
        with told(self.root / name):
            beside = self.root / f".{name}.{secrets.token_hex(4)}"
            try:
                descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                beside.replace(self.root / name)
            except OSError:
                beside.unlink(missing_ok=True)
                raise
            if (old := self._open.pop(name, None)) is not None:
                os.close(old)
            self._sync_folder()

    def close(self) -> None:
        """Close all files; the folder can be used again."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _descriptor(self, name: str) -> int:
        if name not in self._open:
            while len(self._open) >= _MOST_OPEN:  # a log has any number of segments, a process has not
                os.close(self._open.pop(next(iter(self._open))))
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._open[name] = os.open(self.root / name, flags, 0o600)
        return self._open[name]

    def _sync_folder(self) -> None:
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _pread(descriptor: int, offset: int, length: int) -> bytes:
    parts = []
    while length > 0:
        part = os.pread(descriptor, length, offset)
        if not part:
            break
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return b"".join(parts)


@contextlib.contextmanager
def told(place: Path | str, remedy: str = _AGAIN) -> Iterator[None]:
    """Turn a device's error into ours.

    Raises:
        StorageError: ``log.disk``, at the file that the device names, else at ``place``.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(
            "log.disk",
            f"the disk refused ({error.strerror or type(error).__name__}).",
            where=str(error.filename or place),
            remedy=remedy,
        ) from None
