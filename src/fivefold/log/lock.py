"""Lock: one writer of a log at a time among the processes of a machine."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from fivefold.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path


class WriterLock:
    """Held from making to :meth:`close`, or to the end of the process, however it ends.

    Raises:
        StorageError: ``log.in-use`` if another process holds it; ``log.disk`` if the folder cannot be written.
    """

    def __init__(self, folder: Path, name: str = "lock") -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError("log.disk", f"the disk refused ({error.strerror}).", where=str(folder)) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise StorageError(
                "log.in-use",
                "another process is writing this log.",
                where=str(folder),
                remedy="Write through that process, or stop it first.",
            ) from None

    def close(self) -> None:
        """Give it up; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
