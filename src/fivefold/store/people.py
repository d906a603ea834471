"""People: one wrapped key per person, kept apart from the record; a destroyed key leaves an empty row."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from fivefold.errors import StorageError
from fivefold.store import base

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.store.server import Database

_REMEDY = "Free space or mend the file; a copy of it brings erased people back, so take none."
_SCHEMA = """
CREATE TABLE IF NOT EXISTS person_keys (
    key_id BYTEA PRIMARY KEY, application_id TEXT NOT NULL, tag BYTEA NOT NULL, wrapped BYTEA
);
CREATE INDEX IF NOT EXISTS person_keys_by_tag ON person_keys (application_id, tag);
"""


class People:
    """The keys of the people of one application.

    Bytes only: what wraps a key and what a tag means is the recorder's. Every change is durable when the call
    returns. In a file, deleted bytes are overwritten and the journal is emptied after an erasure; a server frees
    the old version of a row, while its own journal and backups keep it for their own time.
    """

    def __init__(self, place: Path | Database | None, application: str) -> None:
        """Open or make the store.

        Args:
            place: The file, or the database; None: in memory.
            application: Every row carries it.

        Raises:
            StorageError: ``store.disk``, ``store.server``.
        """
        self._application, self._lock = application, threading.Lock()
        self._base = base.opened(place, _SCHEMA, "the store of keys", _REMEDY)

    def current(self, tag: bytes) -> tuple[bytes, bytes] | None:
        """Return (key id, wrapped key) of a person; None if there is none or it was destroyed."""
        with self._lock:
            rows = self._base.ask(
                "SELECT key_id, wrapped FROM person_keys WHERE application_id = ? AND tag = ? AND wrapped IS NOT NULL",
                (self._application, tag),
            )
        return (bytes(rows[0][0]), bytes(rows[0][1])) if rows else None

    def add(self, tag: bytes, key_id: bytes, wrapped: bytes) -> None:
        """Keep a new key."""
        with self._lock:
            self._base.change(
                "INSERT INTO person_keys (key_id, application_id, tag, wrapped) VALUES (?, ?, ?, ?)",
                (key_id, self._application, tag, wrapped),
            )

    def wrapped(self, key_id: bytes) -> bytes | None:
        """Return a wrapped key; None if it was destroyed or never was here."""
        with self._lock:
            rows = self._base.ask(
                "SELECT wrapped FROM person_keys WHERE key_id = ? AND application_id = ?", (key_id, self._application)
            )
        return bytes(rows[0][0]) if rows and rows[0][0] is not None else None

    def erase(self, tag: bytes) -> int:
        """Destroy all keys of a person; return how many there were."""
        with self._lock:
            count = self._base.change(
                "UPDATE person_keys SET wrapped = NULL WHERE application_id = ? AND tag = ? AND wrapped IS NOT NULL",
                (self._application, tag),
            )
            with contextlib.suppress(StorageError):  # the key is gone: its erasure is told whatever comes of this
                self._base.scrub("person_keys")
        return count

    def close(self) -> None:
        """Close the store."""
        with self._lock:
            self._base.close()
