"""Files of SQLite: opened the same way everywhere, their errors told in our own words."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

from fivefold.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def opened(path: Path | None, schema: str, *, secure_delete: bool = False) -> sqlite3.Connection:
    """Open or make a file that only its owner reads; every change is durable when it returns (synchronous FULL).

    Args:
        path: The file; None: in memory.
        schema: What makes its tables where they are not there.
        secure_delete: Deleted bytes are overwritten.

    Raises:
        sqlite3.Error, OSError: To be told by :func:`told`.
    """
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    base = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=10)
    if secure_delete:
        base.execute("PRAGMA secure_delete = ON")
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    base.executescript(schema)
    return base


@contextlib.contextmanager
def told(what: str, path: Path | None, remedy: str) -> Iterator[None]:
    """Turn an error of the file into ours.

    Raises:
        StorageError: ``store.disk``.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StorageError("store.disk", f"{what} refused ({error}).", where=str(path or ""), remedy=remedy) from None


@contextlib.contextmanager
def whole(base: sqlite3.Connection) -> Iterator[None]:
    """Do what is inside in one transaction, alone among all processes; it stands as a whole or not at all.

    Raises:
        sqlite3.Error: To be told by :func:`told`.
    """
    base.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        base.execute("ROLLBACK")
        raise
    base.execute("COMMIT")


class File:
    """A file of SQLite as :class:`fivefold.store.base.Base`; deleted bytes are overwritten (secure_delete)."""

    def __init__(self, path: Path | None, schema: str, what: str, remedy: str) -> None:
        self._about = (what, path, remedy)
        with told(*self._about):
            self._base = opened(path, schema, secure_delete=True)

    def ask(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a question finds."""
        with told(*self._about):
            return self._base.execute(statement, values).fetchall()

    def change(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Return how many rows a change touched."""
        with told(*self._about):
            return self._base.execute(statement, values).rowcount

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """Do what is inside in one transaction, alone among all processes."""
        with told(*self._about), whole(self._base):
            yield

    def scrub(self, table: str) -> None:  # noqa: ARG002  the journal is of the whole file
        """Empty the journal, which holds what was there before."""
        with told(*self._about):
            self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file."""
        with told(*self._about):
            self._base.close()
