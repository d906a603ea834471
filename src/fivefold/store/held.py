"""Held: rows in quarantine at ingestion; each is released or dropped once, by one officer, with a reason."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from fivefold.store import base

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.store.server import Database

_REMEDY = "Free space or mend the file; rows in quarantine are in it."
_SCHEMA = """
CREATE TABLE IF NOT EXISTS held (
    application_id TEXT NOT NULL, id TEXT NOT NULL, source TEXT NOT NULL, digest TEXT NOT NULL, body TEXT NOT NULL,
    reason TEXT NOT NULL, since BIGINT NOT NULL, decided BIGINT, verdict TEXT, who TEXT, because TEXT,
    PRIMARY KEY (application_id, id)
);
CREATE INDEX IF NOT EXISTS held_open ON held (application_id, decided, since);
"""
_SELECT = (
    "SELECT id, source, digest, body, reason, since, decided, coalesce(verdict, ''), coalesce(who, ''), "
    "coalesce(because, '') FROM held WHERE application_id = ? AND "
)


class Row(NamedTuple):
    """One row.

    Attributes:
        id: Its id.
        source: Where it came from.
        digest: SHA-256 of ``body``.
        body: The row as JSON.
        reason: Why it is held.
        since: When, in seconds since 1970.
        decided: When it was; None: it waits.
        verdict: ``released`` or ``dropped``; empty: it waits.
        who: Which officer.
        because: Why, in that person's words.
    """

    id: str
    source: str
    digest: str
    body: str
    reason: str
    since: int
    decided: int | None = None
    verdict: str = ""
    who: str = ""
    because: str = ""


class Held:
    """The table of one application; every change is durable when the call returns."""

    def __init__(self, place: Path | Database | None, application: str) -> None:
        """Open or make it.

        Args:
            place: The file, or the database; None: in memory.
            application: Every row carries it.

        Raises:
            StorageError: ``store.disk``, ``store.server``; as every method.
        """
        self._application, self._lock = application, threading.Lock()
        self._base = base.opened(place, _SCHEMA, "the quarantine", _REMEDY)

    def add(self, rows: list[Row]) -> None:
        """Hold new rows, all or none; one whose id is there already stays as it is."""
        with self._lock, self._base.whole():
            for row in rows:
                self._base.change(
                    "INSERT INTO held (application_id, id, source, digest, body, reason, since) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (self._application, *row[:6]),
                )

    def waiting(self, most: int = 1000) -> list[Row]:
        """Return rows that wait, those that came first in front."""
        return self._found("decided IS NULL", (), most)

    def get(self, one: str) -> Row | None:
        """Return a row."""
        found = self._found("id = ?", (one,), 1)
        return found[0] if found else None

    def decide(self, one: str, now: int, verdict: str, who: str, because: str) -> bool:
        """Release or drop a row and return whether this call did: it was there, and it waited."""
        with self._lock:
            touched = self._base.change(
                "UPDATE held SET decided = ?, verdict = ?, who = ?, because = ? "
                "WHERE application_id = ? AND id = ? AND decided IS NULL",
                (now, verdict, who, because, self._application, one),
            )
        return touched == 1

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._base.close()

    def _found(self, condition: str, values: tuple[Any, ...], most: int) -> list[Row]:
        with self._lock:
            statement = f"{_SELECT}{condition} ORDER BY since, id LIMIT ?"
            return [Row(*row) for row in self._base.ask(statement, (self._application, *values, most))]
