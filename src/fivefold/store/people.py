"""People: one wrapped key per person in SQLite, kept apart from the record; a destroyed key leaves an empty row."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from fivefold.store import files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REMEDY = "Free space or mend the file; a copy of it brings erased people back, so take none."
_SCHEMA = """
CREATE TABLE IF NOT EXISTS person_keys (
    key_id BLOB PRIMARY KEY, application_id TEXT NOT NULL, tag BLOB NOT NULL, wrapped BLOB
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS person_keys_by_tag ON person_keys (application_id, tag);
"""


class People:
    """The keys of the people of one application.

    Bytes only: what wraps a key and what a tag means is the recorder's. Every change is durable when the call
    returns (synchronous FULL); deleted bytes are overwritten (secure_delete) and the journal is emptied after an
    erasure.
    """

    def __init__(self, path: Path | None, application: str) -> None:
        """Open or make the store.

        Args:
            path: The file; None: in memory.
            application: Every row carries it.

        Raises:
            StorageError: ``store.disk``.
        """
        self._application, self._lock, self._path = application, threading.Lock(), path
        with self._told():
            self._base = files.opened(path, _SCHEMA, secure_delete=True)

    def current(self, tag: bytes) -> tuple[bytes, bytes] | None:
        """Return (key id, wrapped key) of a person; None if there is none or it was destroyed."""
        with self._told():
            row = self._base.execute(
                "SELECT key_id, wrapped FROM person_keys WHERE application_id = ? AND tag = ? AND wrapped NOT NULL",
                (self._application, tag),
            ).fetchone()
        return None if row is None else (bytes(row[0]), bytes(row[1]))

    def add(self, tag: bytes, key_id: bytes, wrapped: bytes) -> None:
        """Keep a new key."""
        with self._told():
            self._base.execute("INSERT INTO person_keys VALUES (?, ?, ?, ?)", (key_id, self._application, tag, wrapped))

    def wrapped(self, key_id: bytes) -> bytes | None:
        """Return a wrapped key; None if it was destroyed or never was here."""
        with self._told():
            row = self._base.execute(
                "SELECT wrapped FROM person_keys WHERE key_id = ? AND application_id = ?", (key_id, self._application)
            ).fetchone()
        return None if row is None or row[0] is None else bytes(row[0])

    def erase(self, tag: bytes) -> int:
        """Destroy all keys of a person; return how many there were."""
        with self._told():
            count = self._base.execute(
                "UPDATE person_keys SET wrapped = NULL WHERE application_id = ? AND tag = ? AND wrapped NOT NULL",
                (self._application, tag),
            ).rowcount
            self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count

    def close(self) -> None:
        """Close the file."""
        with self._told():
            self._base.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        with files.told("the store of keys", self._path, _REMEDY), self._lock:
            yield
