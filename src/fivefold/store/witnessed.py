"""Witnessed: the newest checkpoint of each log that a witness cosigned, in SQLite."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from fivefold.store import files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REMEDY = "Free space or mend the file; a lost memory lets a log go back once."
_SCHEMA = """
CREATE TABLE IF NOT EXISTS witnessed (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, checkpoint BLOB NOT NULL
) WITHOUT ROWID;
"""


class Witnessed:
    """A witness's memory; every change is durable when the block ends (synchronous FULL)."""

    def __init__(self, path: Path | None) -> None:
        """Open or make the store.

        Args:
            path: The file; None: in memory.

        Raises:
            StorageError: ``store.disk``.
        """
        self._lock, self._path = threading.Lock(), path
        with self._told():
            self._base = files.opened(path, _SCHEMA)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the store, against other processes too: what is read inside is not older than what is written.

        Raises:
            StorageError: ``store.disk``.
        """
        with self._lock, self._told(), files.whole(self._base):
            yield

    def latest(self, origin: str) -> tuple[int, bytes, bytes] | None:
        """Return size, root and cosigned checkpoint of a log; None if nothing of it was cosigned."""
        with self._told():
            row = self._base.execute(
                "SELECT size, root, checkpoint FROM witnessed WHERE origin = ?", (origin,)
            ).fetchone()
        return None if row is None else (int(row[0]), bytes(row[1]), bytes(row[2]))

    def keep(self, origin: str, size: int, root: bytes, checkpoint: bytes) -> None:
        """Replace what is known of a log; call it inside :meth:`alone`."""
        with self._told():
            self._base.execute("REPLACE INTO witnessed VALUES (?, ?, ?, ?)", (origin, size, root, checkpoint))

    def close(self) -> None:
        """Close the file."""
        with self._told():
            self._base.close()

    def _told(self) -> contextlib.AbstractContextManager[None]:
        return files.told("the witness's store", self._path, _REMEDY)
