"""Witnessed: the newest checkpoint of each log that a witness cosigned."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from fivefold.store import base

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fivefold.store.server import Database

_REMEDY = "Free space or mend the file; a lost memory lets a log go back once."
_SCHEMA = """
CREATE TABLE IF NOT EXISTS witnessed (
    origin TEXT PRIMARY KEY, size BIGINT NOT NULL, root BYTEA NOT NULL, checkpoint BYTEA NOT NULL
);
"""


class Witnessed:
    """A witness's memory; every change is durable when the block ends."""

    def __init__(self, place: Path | Database | None) -> None:
        """Open or make the store.

        Args:
            place: The file, or the database; None: in memory.

        Raises:
            StorageError: ``store.disk``, ``store.server``.
        """
        self._lock = threading.Lock()
        self._base = base.opened(place, _SCHEMA, "the witness's store", _REMEDY)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the store, against other processes too: what is read inside is not older than what is written.

        Raises:
            StorageError: ``store.disk``, ``store.server``.
        """
        with self._lock, self._base.whole():
            yield

    def latest(self, origin: str) -> tuple[int, bytes, bytes] | None:
        """Return size, root and cosigned checkpoint of a log; None if nothing of it was cosigned."""
        rows = self._base.ask("SELECT size, root, checkpoint FROM witnessed WHERE origin = ?", (origin,))
        return (int(rows[0][0]), bytes(rows[0][1]), bytes(rows[0][2])) if rows else None

    def keep(self, origin: str, size: int, root: bytes, checkpoint: bytes) -> None:
        """Replace what is known of a log; call it inside :meth:`alone`."""
        self._base.change(
            "INSERT INTO witnessed (origin, size, root, checkpoint) VALUES (?, ?, ?, ?) ON CONFLICT (origin) "
            "DO UPDATE SET size = excluded.size, root = excluded.root, checkpoint = excluded.checkpoint",
            (origin, size, root, checkpoint),
        )

    def close(self) -> None:
        """Close the store."""
        self._base.close()
