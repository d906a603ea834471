"""Indexing: the record's keyed index, caught up with the log by whoever searches; writers know nothing of it.

A tag is a keyed hash of a case, a person, a model, or of a word and its value: who takes the file reads none of them.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from fivefold.errors import FivefoldError, StorageError, TrustError
from fivefold.log import segments, tiles
from fivefold.log.tree import HASH_BYTES
from fivefold.traceability.recorder.nouns import leaf_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fivefold.log.disk import Disk
    from fivefold.store.index import Index
    from fivefold.traceability.recorder.nouns import Body, Leaf
    from fivefold.traceability.recorder.secrets_ import Secrets


def text_of(value: Any) -> str:
    """Return the text under which a value of a field is found; empty: it is not found by value."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ""


def tags_of(secrets: Secrets, model: str, fields: Mapping[str, Any]) -> list[bytes]:
    """Return the tags of a model (empty: none) and of words with their values."""
    found = [secrets.tag("model", model)] if model else []
    texts = ((name, text_of(value)) for name, value in fields.items())
    return found + [secrets.tag("field", f"{name}\0{text}") for name, text in texts if text]


class Indexed:
    """An index over a log, read from and caught up with it."""

    def __init__(
        self,
        disk: Disk,
        secrets: Secrets,
        index: Index,
        sealed: Callable[[Leaf], bytes],
        tell: Callable[[float], None] | None = None,
    ) -> None:
        """Take an index.

        Args:
            disk: Where the log lies.
            secrets: Keys of people and of the index.
            index: Of this log, or empty.
            sealed: Returns the sealed bytes of a leaf, wherever they lie.
            tell: Told the share that is done while it catches up.
        """
        self._disk, self._secrets, self._index = disk, secrets, index
        self._sealed, self._tell = sealed, tell

    def find(self, tags: list[bytes], since: int | None = None, until: int | None = None) -> list[int] | None:
        """Return the positions that bear all tags, in order; None if the index cannot be had: then read everything."""
        try:
            return self._index.find(tags, since, until) if self.catch_up() else None
        except StorageError:
            return None

    def begun(self) -> bool:
        """Return whether anything is in the index.

        Raises:
            StorageError: ``store.disk``.
        """
        return self._index.covered()[0] > 0

    def catch_up(self) -> bool:
        """Take in what was recorded since; an index of other entries than these is made anew.

        Returns:
            False where entries stand in the log whose hashes do not: it is not known then what the index covers.

        Raises:
            StorageError: ``store.disk``.
            TrustError: As :func:`fivefold.log.segments.walk`, ``recorder.leaf``.
        """
        size, root = self._index.covered()
        if size and not self._same(size, root):
            with self._index.alone():
                self._index.clear()
            size = 0
        end = self._disk.size(tiles.file_of(0)) // HASH_BYTES
        for segment, entries in segments.walk(self._disk, size):
            if segment.first + len(entries) > size:
                if not self._take(segment.first, entries):
                    return False
                if self._tell is not None:
                    self._tell(min(1.0, (segment.first + len(entries)) / max(end, 1)))
        return True

    def _same(self, size: int, root: bytes) -> bool:
        try:
            return tiles.root(self._disk, size) == root
        except FivefoldError:
            return False

    def _take(self, first: int, entries: list[bytes]) -> bool:
        """Take in the entries of a segment; return whether they are in the index then."""
        with self._index.alone():
            size, _ = self._index.covered()
            new = list(enumerate(entries, first))[max(0, size - first) :]
            if not new:
                return True
            end = new[-1][0] + 1
            try:
                root = tiles.root(self._disk, end)
            except FivefoldError:  # the writer hashes after it wrote, or the hashes were damaged
                return False
            leaves = [(position, leaf_of(position, entry)) for position, entry in new]
            bodies = {position: self._body(leaf) for position, leaf in leaves}
            tags = [tag for position, leaf in leaves for tag in self._tags(position, leaf, bodies[position])]
            self._index.add(tags, [(leaf.at, position) for position, leaf in leaves], end, root)
            for position, leaf in leaves:
                body = bodies[position]
                if leaf.kind == "erasure" and body is not None:
                    with contextlib.suppress(ValueError, TypeError):
                        self._index.forget_inner(bytes.fromhex(body.fields.get("person", "")))
        return True

    def _body(self, leaf: Leaf) -> Body | None:
        """Return what is inside, as far as it can be read."""
        try:
            return self._secrets.read(leaf, self._sealed(leaf))
        except TrustError:
            return None

    def _tags(self, position: int, leaf: Leaf, body: Body | None) -> Iterator[tuple[bytes, int, bool]]:
        yield leaf.id, position, False
        yield leaf.case, position, False
        yield self._secrets.tag("kind", leaf.kind), position, False
        if leaf.person:
            yield leaf.person, position, False
        if body is not None:
            for tag in tags_of(self._secrets, body.model, body.fields):
                yield tag, position, True
