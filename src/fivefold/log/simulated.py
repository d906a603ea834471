"""Simulated disk: forgets, reorders and tears what was not synced, and stops or fails at a chosen operation.

Used by the crash tests and by the check of the recorder; never for real records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

SECTOR = 512
"""Bytes that a device writes whole or not at all."""


class PowerLossError(Exception):
    """The simulated machine stopped; only :meth:`SimulatedDisk.after_crash` goes on."""


class SimulatedDisk:
    """A disk in memory that knows which bytes are durable.

    Attributes:
        operations: How many changing operations were asked for so far.
        stop_at: Number of the operation at which power is lost; None: never.
        fail_at: Number of the operation that fails as a broken or full disk would; None: never.
    """

    def __init__(self, *, stop_at: int | None = None, fail_at: int | None = None) -> None:
        self.operations = 0
        self.stop_at, self.fail_at = stop_at, fail_at
        self._live: dict[str, bytearray] = {}
        self._durable: dict[str, bytearray] = {}
        self._pending: dict[str, list[tuple[int, bytes]]] = {}

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        return sorted(self._live)

    def size(self, name: str) -> int:
        """Return a file's size in bytes."""
        return len(self._live.get(name, b""))

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``."""
        return bytes(self._live.get(name, b"")[offset : offset + length])

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write; the bytes are pending until the file is synced."""
        self._pending.setdefault(name, []).append((offset, data))
        self._count()
        _put(self._live.setdefault(name, bytearray()), offset, data)

    def sync(self, name: str) -> None:
        """Make a file's bytes durable."""
        self._count()
        self._durable[name] = bytearray(self._live.get(name, b""))
        self._pending.pop(name, None)

    def allocate(self, name: str, size: int) -> None:
        """Make a file of zeros, durable."""
        self._count()
        self._live[name] = bytearray(size)
        self._durable[name] = bytearray(size)

    def truncate(self, name: str, size: int) -> None:
        """Cut a file; not durable before a sync."""
        self._count()
        del self._live.setdefault(name, bytearray())[size:]

    def replace(self, name: str, data: bytes) -> None:
        """Put a whole file in one step."""
        self._count()
        self._live[name] = bytearray(data)
        self._durable[name] = bytearray(data)

    def after_crash(self, draw: Callable[[int], int]) -> SimulatedDisk:
        """Return the disk that the machine finds when it starts again.

        Args:
            draw: Returns a number below its argument; each pending sector is kept or lost by it, in any order.
        """
        found = SimulatedDisk()
        for name, data in self._durable.items():
            found._live[name] = bytearray(data)
        for name, writes in self._pending.items():
            target = found._live.setdefault(name, bytearray())
            for offset, written in writes:
                at = 0
                while at < len(written):
                    step = min(SECTOR - (offset + at) % SECTOR, len(written) - at)
                    if draw(2):
                        _put(target, offset + at, written[at : at + step])
                    at += step
        found._durable = {name: bytearray(data) for name, data in found._live.items()}
        return found

    def spoil(self, name: str, change: Callable[[bytearray], bytearray]) -> None:
        """Change a file behind the log's back, as somebody who owns the disk would."""
        self._live[name] = change(bytearray(self._live[name]))
        self._durable[name] = bytearray(self._live[name])

    def files(self) -> dict[str, bytes]:
        """Return a copy of all files."""
        return {name: bytes(data) for name, data in self._live.items()}

    @classmethod
    def of(cls, files: dict[str, bytes]) -> SimulatedDisk:
        """Return a disk that holds these files, all durable."""
        found = cls()
        found._live = {name: bytearray(data) for name, data in files.items()}
        found._durable = {name: bytearray(data) for name, data in files.items()}
        return found

    def _count(self) -> None:
        self.operations += 1
        if self.operations == self.stop_at:
            raise PowerLossError
        if self.operations == self.fail_at:
            raise StorageError("log.disk", "the disk refused (Input/output error).")


def _put(target: bytearray, offset: int, data: bytes | bytearray) -> None:
    if len(target) < offset:
        target.extend(bytes(offset - len(target)))
    target[offset : offset + len(data)] = data
