"""Server: PostgreSQL where one machine's files are outgrown; the same tables in a schema of their own.

A lost connection refuses what was asked of it, and the next call connects anew. Source: psycopg 3; PostgreSQL,
synchronous_commit.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from fivefold.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SECONDS = 10
_ALONE = 0x5F1F01D
"""Advisory lock of those who must be alone; any number that nobody else takes."""
_LOCAL = frozenset({"", "localhost", "127.0.0.1", "::1"})
_SAFE = frozenset({"require", "verify-ca", "verify-full"})


@dataclass(frozen=True)
class Database:
    """Where a database is.

    Attributes:
        url: ``postgresql://user:password@host/name``; never shown.
    """

    url: str = field(repr=False)

    def checked(self) -> str:
        """Return the address for the driver; over a network only with TLS, and by default only to who it should be.

        Raises:
            InputError: ``store.url``.
        """
        try:
            parts = urlsplit(self.url)
            named = parse_qs(parts.query)
            hosts = [host.rpartition("@")[2] for host in parts.netloc.rpartition("@")[2].split(",")]
            given = [text for key in ("host", "hostaddr", "service") for text in named.get(key, ())]
            names = {_host(host) for host in hosts} | set(",".join(given).split(","))
            if names == {""}:  # the driver looks there
                names |= {name for key in ("PGHOST", "PGHOSTADDR", "PGSERVICE") if (name := os.environ.get(key))}
        except ValueError:
            parts = None
        if parts is None or parts.scheme not in ("postgresql", "postgres"):
            raise InputError(
                "store.url", "this is no address of a database.", remedy="Write postgresql://user@host/database."
            )
        if all(name in _LOCAL or name.startswith("/") for name in names):
            return self.url
        mode = named.get("sslmode", [""])[-1]
        if mode and mode not in _SAFE:
            raise InputError(
                "store.url",
                "keys of people are not sent over a connection that anybody on the way can read.",
                remedy="Write sslmode=verify-full in the address of the database.",
            )
        return self.url if mode else f"{self.url}{'&' if parts.query else '?'}sslmode=verify-full"


class Server:
    """A connection as :class:`fivefold.store.base.Base`."""

    def __init__(self, database: Database, schema: str, what: str) -> None:
        """Connect and make the tables where they are not there.

        Raises:
            InputError: ``store.url``; ``store.extra`` where the driver is not installed.
            StorageError: ``store.server``.
        """
        try:
            import psycopg
        except ImportError:
            raise InputError(
                "store.extra", "the driver for PostgreSQL is not installed.", remedy="pip install 'fivefold[postgres]'"
            ) from None
        self._driver, self._url, self._what = psycopg, database.checked(), what
        self._link: psycopg.Connection[Any] | None = None
        with self.whole():
            for statement in filter(str.strip, schema.split(";")):
                self.change(statement)

    def ask(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a question finds."""
        with self._told() as link:
            return list(link.execute(statement.replace("?", "%s"), values).fetchall())

    def change(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Return how many rows a change touched."""
        with self._told() as link:
            return int(link.execute(statement.replace("?", "%s"), values).rowcount)

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """Do what is inside in one transaction, alone among all who share the database."""
        with self._told() as link, link.transaction():
            link.execute("SELECT pg_advisory_xact_lock(%s)", (_ALONE,))
            yield

    def scrub(self, table: str) -> None:
        """Free old versions of a table's rows; the server's journal and backups of it keep them for their own time."""
        with self._told() as link:
            link.execute(f"VACUUM {table}")

    def close(self) -> None:
        """Close the connection."""
        if self._link is not None:
            self._link.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[Any]:
        """Yield the connection; an error of the server is told in our own words, without the address.

        Raises:
            StorageError: ``store.server``.
        """
        try:
            if self._link is None or self._link.closed:
                self._link = self._connected()
            yield self._link
        except self._driver.Error as error:
            state = error.sqlstate or "not connected"
            raise StorageError(
                "store.server",
                f"{self._what}: the database refused ({type(error).__name__}, {state}).",
                remedy="Look at the database's own log; what was acknowledged is kept. Then try again.",
            ) from None

    def _connected(self) -> Any:
        link = self._driver.connect(self._url, autocommit=True, connect_timeout=_SECONDS, prepare_threshold=2)
        link.execute("SELECT set_config('synchronous_commit', 'on', false) WHERE "
                     "current_setting('synchronous_commit') IN ('off', 'local')")  # fmt: skip
        link.execute(f"SET statement_timeout = '{_SECONDS}s'")
        with link.transaction():  # two who make it at the same time would both fail
            link.execute("SELECT pg_advisory_xact_lock(%s)", (_ALONE,))
            link.execute("CREATE SCHEMA IF NOT EXISTS fivefold")
        link.execute("SET search_path = fivefold")
        weakref.finalize(self, link.close)  # a command that only reads does not wait for a farewell
        return link


def _host(text: str) -> str:
    return text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
