"""Queued: cases that wait for a person; each is decided once, by one person, or its time runs out."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from fivefold.store import base

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.store.server import Database

_REMEDY = "Free space or mend the file; cases that wait for a person are in it."
_SCHEMA = """
CREATE TABLE IF NOT EXISTS queued (
    application_id TEXT NOT NULL, id TEXT NOT NULL, input TEXT NOT NULL, place BIGINT NOT NULL, caller TEXT NOT NULL,
    purpose TEXT NOT NULL, since BIGINT NOT NULL, until BIGINT NOT NULL, decided BIGINT, who TEXT, answer TEXT,
    because TEXT, record TEXT, PRIMARY KEY (application_id, id)
);
CREATE INDEX IF NOT EXISTS queued_open ON queued (application_id, decided, until);
"""
_INSERT = (
    "INSERT INTO queued (application_id, id, input, place, caller, purpose, since, until, decided, who, answer, "
    "because, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SELECT = (
    "SELECT id, input, place, caller, purpose, since, until, decided, coalesce(who, ''), coalesce(answer, ''), "
    "coalesce(because, ''), coalesce(record, '') FROM queued WHERE application_id = ? AND "
)


class Item(NamedTuple):
    """One case.

    Attributes:
        id: Its id.
        input: Id of the record with what was asked.
        place: Which row of it.
        caller: Who asked.
        purpose: What for.
        since: When, in seconds since 1970.
        until: When its time is over.
        decided: When it was; None: it waits.
        who: Who decided; empty: nobody in time.
        answer: What; empty: it is refused.
        because: Why, in that person's words.
        record: Id of the record of the decision; empty: not yet on record.
    """

    id: str
    input: str
    place: int
    caller: str
    purpose: str
    since: int
    until: int
    decided: int | None = None
    who: str = ""
    answer: str = ""
    because: str = ""
    record: str = ""


class Queued:
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
        self._base = base.opened(place, _SCHEMA, "the queue", _REMEDY)

    def add(self, items: list[Item]) -> None:
        """Keep new cases, all or none."""
        with self._lock, self._base.whole():
            for item in items:
                self._base.change(_INSERT, (self._application, *item))

    def withdraw(self, ids: list[str]) -> None:
        """Forget cases that nobody was told of."""
        with self._lock, self._base.whole():
            for one in ids:
                self._base.change("DELETE FROM queued WHERE application_id = ? AND id = ?", (self._application, one))

    def get(self, one: str) -> Item | None:
        """Return a case."""
        found = self._found("id = ?", (one,), 1)
        return found[0] if found else None

    def waiting(self, now: int, most: int) -> list[Item]:
        """Return cases that wait, those whose time ends first in front."""
        return self._found("decided IS NULL AND until > ?", (now,), most)

    def count(self, now: int) -> int:
        """Return how many cases wait."""
        with self._lock:
            found = self._base.ask(
                "SELECT count(*) FROM queued WHERE application_id = ? AND decided IS NULL AND until > ?",
                (self._application, now),
            )
        return int(found[0][0])

    def unrecorded(self, most: int) -> list[Item]:
        """Return decided cases whose decision is not on record yet."""
        return self._found("decided IS NOT NULL AND record = ''", (), most)

    def decide(self, one: str, now: int, who: str, answer: str, because: str) -> bool:
        """Decide a case and return whether this call did: it waited, and its time was not over."""
        with self._lock:
            touched = self._base.change(
                "UPDATE queued SET decided = ?, who = ?, answer = ?, because = ?, record = '' "
                "WHERE application_id = ? AND id = ? AND decided IS NULL AND until > ?",
                (now, who, answer, because, self._application, one, now),
            )
        return touched == 1

    def expire(self, now: int) -> int:
        """Refuse the cases whose time is over, and return how many."""
        with self._lock:
            return self._base.change(
                "UPDATE queued SET decided = until, who = '', answer = '', because = '', record = '' "
                "WHERE application_id = ? AND decided IS NULL AND until <= ?",
                (self._application, now),
            )

    def recorded(self, one: str, record: str) -> None:
        """Keep under which record a decision is."""
        with self._lock:
            self._base.change(
                "UPDATE queued SET record = ? WHERE application_id = ? AND id = ?", (record, self._application, one)
            )

    def forget(self, one: str, record: str) -> None:
        """Forget answer and reason of a decision, once they stand in this record; who decided it stays."""
        with self._lock:
            self._base.change(
                "UPDATE queued SET answer = '', because = '' WHERE application_id = ? AND id = ? AND record = ?",
                (self._application, one, record),
            )

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._base.close()

    def _found(self, condition: str, values: tuple[Any, ...], most: int) -> list[Item]:
        with self._lock:
            statement = f"{_SELECT}{condition} ORDER BY until, id LIMIT ?"
            return [Item(*row) for row in self._base.ask(statement, (self._application, *values, most))]
