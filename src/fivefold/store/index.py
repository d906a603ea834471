"""Index: which entries of a log bear which tags and times, in SQLite; derived from the log and made again at will."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from fivefold.store import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_REMEDY = "Free space, or remove the file: it is made again from the log."
_MAGIC = b"SQLite format 3\0"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tagged (
    tag BLOB, position INTEGER, inner INTEGER NOT NULL, PRIMARY KEY (tag, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS moment (at INTEGER, position INTEGER, PRIMARY KEY (at, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS covered (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER, root BLOB);
"""


class Index:
    """Positions by tag and by time.

    Bytes only: what a tag means is its maker's. Deleted bytes are overwritten (secure_delete).
    """

    def __init__(self, path: Path | None) -> None:
        """Open or make the index.

        Args:
            path: The file; None: in memory.

        Raises:
            StorageError: ``store.disk``.
        """
        self._lock, self._path = threading.RLock(), path
        with self._told():
            self._base = files.opened(path, _SCHEMA, secure_delete=True)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the index, against other processes too; all that is changed inside stands, or none of it.

        Raises:
            StorageError: ``store.disk``.
        """
        with self._told(), files.whole(self._base):
            yield

    def covered(self) -> tuple[int, bytes]:
        """Return how many entries are in it, and the root of the tree over them."""
        with self._told():
            row = self._base.execute("SELECT size, root FROM covered").fetchone()
        return (0, b"") if row is None else (int(row[0]), bytes(row[1]))

    def add(
        self, tags: Iterable[tuple[bytes, int, bool]], moments: Iterable[tuple[int, int]], size: int, root: bytes
    ) -> None:
        """Take in entries; call it inside :meth:`alone`.

        Args:
            tags: Tag, position, and whether the tag tells what is inside a sealed body.
            moments: Nanoseconds since 1970 and position.
            size: Entries that are covered from then on.
            root: Of the tree over them.
        """
        with self._told():
            self._base.executemany("INSERT OR IGNORE INTO tagged VALUES (?, ?, ?)", tags)
            self._base.executemany("INSERT OR IGNORE INTO moment VALUES (?, ?)", moments)
            self._base.execute("REPLACE INTO covered VALUES (1, ?, ?)", (size, root))

    def forget_inner(self, tag: bytes) -> None:
        """Drop what is known from inside the bodies of all entries with a tag."""
        with self._told():
            self._base.execute(
                "DELETE FROM tagged WHERE inner AND position IN (SELECT position FROM tagged WHERE tag = ?)", (tag,)
            )

    def clear(self) -> None:
        """Drop everything."""
        with self._told():
            for statement in ("DELETE FROM tagged", "DELETE FROM moment", "DELETE FROM covered"):
                self._base.execute(statement)

    def find(self, tags: Sequence[bytes], since: int | None = None, until: int | None = None) -> list[int]:
        """Return the positions that bear all tags and lie in the time, in order.

        Args:
            tags: Of 16 bytes; none: any entry.
            since: Nanoseconds since 1970; None: from the first.
            until: The end, itself not included; None: to the last.
        """
        parts = ["SELECT position FROM tagged WHERE tag = ?"] * len(tags)
        values: list[bytes | int] = list(tags)
        if since is not None or until is not None or not parts:
            parts.append("SELECT position FROM moment WHERE at >= ? AND at <= ?")
            values += [since or 0, (1 << 63) - 1 if until is None else until - 1]
        with self._told():
            found = self._base.execute(f"{' INTERSECT '.join(parts)} ORDER BY position", values).fetchall()
        return [row[0] for row in found]

    def close(self) -> None:
        """Close the file."""
        with self._told():
            self._base.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        with files.told("the index of the record", self._path, _REMEDY), self._lock:
            yield


def opened_anew(path: Path) -> Index:
    """Open or make an index; a file that is no base is removed first.

    Raises:
        StorageError: ``store.disk``.
    """
    with contextlib.suppress(OSError):
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
        if head not in (b"", _MAGIC):
            path.unlink()
    return Index(path)
