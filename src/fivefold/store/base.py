"""Base: where rows lie, a file of SQLite or a server of PostgreSQL; the rooms' stores say the same to both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from fivefold.store.server import Database


class Base(Protocol):
    """One connection; statements are SQL that both understand, with ``?`` for values.

    Every change is durable when the call returns, or when :meth:`whole` ends. Every method raises StorageError,
    ``store.disk`` of a file, ``store.server`` of a server.
    """

    def ask(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a question finds."""
        ...

    def change(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Return how many rows a change touched."""
        ...

    def whole(self) -> AbstractContextManager[None]:
        """Do what is inside in one transaction, alone among all processes; it stands as a whole or not at all."""
        ...

    def scrub(self, table: str) -> None:
        """Take deleted and overwritten values out of a table as far as the engine can."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def opened(place: Path | Database | None, schema: str, what: str, remedy: str) -> Base:
    """Open or make the tables.

    Args:
        place: A file, a database, or None for memory.
        schema: Statements that make the tables where they are not there; bytes have the type ``BYTEA``.
        what: Its name in messages.
        remedy: What to do when a file fails.

    Raises:
        StorageError: ``store.disk``, ``store.server``.
        InputError: ``store.url``, ``store.extra`` for a database.
    """
    if place is None or isinstance(place, Path):
        from fivefold.store.files import File

        return File(place, schema, what, remedy)
    from fivefold.store.server import Server

    return Server(place, schema, what)
