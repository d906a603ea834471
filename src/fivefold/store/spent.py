"""Spent: privacy budgets of sources, and what releases reserved of them; never more than there is, whoever asks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from fivefold.store import base

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.store.server import Database

_REMEDY = "Free space or mend the file; what was spent of people's privacy is in it."
_SCHEMA = """
CREATE TABLE IF NOT EXISTS privacy_sources (
    application_id TEXT NOT NULL, source TEXT NOT NULL, rho BIGINT NOT NULL, delta BIGINT NOT NULL,
    spent_rho BIGINT NOT NULL, spent_delta BIGINT NOT NULL, PRIMARY KEY (application_id, source)
);
CREATE TABLE IF NOT EXISTS privacy_spent (
    application_id TEXT NOT NULL, id TEXT NOT NULL, source TEXT NOT NULL, what TEXT NOT NULL, rho BIGINT NOT NULL,
    delta BIGINT NOT NULL, at BIGINT NOT NULL, result TEXT NOT NULL, PRIMARY KEY (application_id, id)
);
CREATE TABLE IF NOT EXISTS privacy_marks (
    application_id TEXT NOT NULL, mark TEXT NOT NULL, source TEXT NOT NULL, PRIMARY KEY (application_id, mark)
);
CREATE TABLE IF NOT EXISTS privacy_renamings (
    application_id TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, statement TEXT NOT NULL, at BIGINT NOT NULL
);
"""


class Budget(NamedTuple):
    """What a source may lose and has lost; whole numbers.

    Attributes:
        rho: Budget of zero-concentrated loss, in 10^-9.
        delta: Budget of failure probability, in 10^-18.
        spent_rho: Of it, reserved so far.
        spent_delta: Of it, reserved so far.
    """

    rho: int
    delta: int
    spent_rho: int = 0
    spent_delta: int = 0


class Entry(NamedTuple):
    """One reservation; it is spent from the moment it stands.

    Attributes:
        id: Its id.
        source: Whose budget.
        what: In words.
        rho: In 10^-9.
        delta: In 10^-18.
        at: When, in seconds since 1970.
        result: SHA-256 of what was released; empty: not released, or not known to be.
    """

    id: str
    source: str
    what: str
    rho: int
    delta: int
    at: int
    result: str = ""


class Spent:
    """The tables of one application; every change is durable when the call returns."""

    def __init__(self, place: Path | Database | None, application: str) -> None:
        """Open or make them.

        Args:
            place: The file, or the database; None: in memory.
            application: Every row carries it.

        Raises:
            StorageError: ``store.disk``, ``store.server``; as every method.
        """
        self._application, self._lock = application, threading.Lock()
        self._base = base.opened(place, _SCHEMA, "the privacy ledger", _REMEDY)

    def budget(self, source: str) -> Budget | None:
        """Return the budget of a source; None: it has none yet."""
        with self._lock:
            return self._budget(source)

    def open(self, source: str, rho: int, delta: int) -> Budget:
        """Give a source a budget where it has none; a smaller one takes its place, a larger one does not.

        Returns:
            The budget in force.
        """
        with self._lock, self._base.whole():
            found = self._budget(source)
            if found is None:
                self._base.change(
                    "INSERT INTO privacy_sources (application_id, source, rho, delta, spent_rho, spent_delta) "
                    "VALUES (?, ?, ?, ?, 0, 0)", (self._application, source, rho, delta),
                )  # fmt: skip
                return Budget(rho, delta)
            smaller = found._replace(rho=min(rho, found.rho), delta=min(delta, found.delta))
            if smaller != found:
                self._base.change(
                    "UPDATE privacy_sources SET rho = ?, delta = ? WHERE application_id = ? AND source = ?",
                    (smaller.rho, smaller.delta, self._application, source),
                )
            return smaller

    def reserve(self, entry: Entry) -> bool:
        """Spend, and return whether the budget had it; in one transaction, alone among all processes."""
        with self._lock, self._base.whole():
            touched = self._base.change(
                "UPDATE privacy_sources SET spent_rho = spent_rho + ?, spent_delta = spent_delta + ? "
                "WHERE application_id = ? AND source = ? AND spent_rho + ? <= rho AND spent_delta + ? <= delta",
                (entry.rho, entry.delta, self._application, entry.source, entry.rho, entry.delta),
            )
            if touched == 1:
                self._base.change(
                    "INSERT INTO privacy_spent (application_id, id, source, what, rho, delta, at, result) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (self._application, *entry),
                )  # fmt: skip
        return touched == 1

    def released(self, one: str, result: str) -> None:
        """Keep the digest of what was released under a reservation."""
        with self._lock:
            self._base.change(
                "UPDATE privacy_spent SET result = ? WHERE application_id = ? AND id = ?",
                (result, self._application, one),
            )

    def entries(self, source: str = "") -> list[Entry]:
        """Return the reservations, of one source or all, oldest first."""
        with self._lock:
            rows = self._base.ask(
                "SELECT id, source, what, rho, delta, at, result FROM privacy_spent WHERE application_id = ? AND "
                "(? = '' OR source = ?) ORDER BY at, id", (self._application, source, source),
            )  # fmt: skip
        return [Entry(*row) for row in rows]

    def known(self, marks: list[str]) -> dict[str, str]:
        """Return under which source marks (a data set's name, a digest) were seen before."""
        with self._lock:
            found: dict[str, str] = {}
            for mark in marks:
                rows = self._base.ask(
                    "SELECT source FROM privacy_marks WHERE application_id = ? AND mark = ?", (self._application, mark)
                )
                found.update((mark, str(row[0])) for row in rows)
        return found

    def keep(self, marks: list[str], source: str) -> None:
        """Keep under which source marks are seen; the first one stands."""
        with self._lock, self._base.whole():
            for mark in marks:
                self._base.change(
                    "INSERT INTO privacy_marks (application_id, mark, source) VALUES (?, ?, ?) "
                    "ON CONFLICT (application_id, mark) DO NOTHING", (self._application, mark, source),
                )  # fmt: skip

    def vote(self, old: str, new: str, statement: str, at: int) -> None:
        """Keep an officer's signed half of a renaming."""
        with self._lock:
            self._base.change(
                "INSERT INTO privacy_renamings (application_id, old, new, statement, at) VALUES (?, ?, ?, ?, ?)",
                (self._application, old, new, statement, at),
            )

    def votes(self, old: str, new: str) -> list[str]:
        """Return the signed halves of a renaming."""
        with self._lock:
            rows = self._base.ask(
                "SELECT statement FROM privacy_renamings WHERE application_id = ? AND old = ? AND new = ? ORDER BY at",
                (self._application, old, new),
            )
        return [str(row[0]) for row in rows]

    def rename(self, old: str, new: str) -> bool:
        """Let a source have another name; budget, spending and marks go with it.

        Returns:
            False where there is no ``old``, or the new name has a budget of its own.
        """
        with self._lock, self._base.whole():
            if self._budget(old) is None or self._budget(new) is not None:
                return False
            for table in ("privacy_sources", "privacy_spent", "privacy_marks"):
                self._base.change(
                    f"UPDATE {table} SET source = ? WHERE application_id = ? AND source = ?",  # noqa: S608  our names
                    (new, self._application, old),
                )
        return True

    def close(self) -> None:
        """Close them."""
        with self._lock:
            self._base.close()

    def _budget(self, source: str) -> Budget | None:
        rows = self._base.ask(
            "SELECT rho, delta, spent_rho, spent_delta FROM privacy_sources WHERE application_id = ? AND source = ?",
            (self._application, source),
        )
        return Budget(*rows[0]) if rows else None
