"""Published: a log of static files, ours or anybody's, read whole and held against its signed checkpoint.

Trust begins with one key. The entries give the leaf hashes, these the tiles and the root, and the signed checkpoint
says what the root must be. Nothing of what is read is believed before, and nothing larger than it may be is read.
Source: C2SP tlog-tiles, tlog-checkpoint, signed-note.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.errors import TrustError
from fivefold.log import checkpoint as notes
from fivefold.log import static, tree
from fivefold.log.audit import Fault
from fivefold.log.note import MAX_NOTE
from fivefold.log.static import ENTRIES, Edge
from fivefold.log.tiles import WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.log.checkpoint import Checkpoint
    from fivefold.log.note import NoteKey

    Source = Callable[[str, int], bytes | None]

_MOST_FAULTS = 50


@dataclass(frozen=True)
class PublishedAudit:
    """What an audit of a published log found.

    Attributes:
        origin: The log's name, as its checkpoint says it; empty without one that can be relied on.
        covered: Entries that the checkpoint covers.
        size: Entries whose hash was found.
        extensions: The checkpoint's extension lines.
        faults: Empty if all holds.
    """

    origin: str
    covered: int
    size: int
    extensions: tuple[str, ...]
    faults: tuple[Fault, ...]


def audit(
    source: Source, key: NoteKey, *, origin: str = "", kept: tuple[bytes, ...] = (), entries: bool = True
) -> PublishedAudit:
    """Read a whole published log and say all that does not hold; memory is bounded by one bundle of entries.

    Args:
        source: Where it lies: :func:`fivefold.log.static.folder`, or anything that gives the bytes at a path.
        key: The log's key.
        origin: The log's name (default: the name of the key).
        kept: Checkpoints of this log that were kept elsewhere.
        entries: Read the entries; without them the tiles alone must lead to the root.

    Raises:
        StorageError: ``log.disk`` where a file cannot be read.
        FivefoldError: As ``source``, for all but what is malformed.
    """
    faults: list[Fault] = []
    own = _checkpoint(_bytes(source, faults), key, origin or key.name, "its own checkpoint", faults)
    if own is None:
        return PublishedAudit("", 0, 0, (), tuple(faults))
    point, extensions = own
    known = [("its own checkpoint", point)]
    for number, data in enumerate(kept, 1):
        what = f"kept checkpoint {number}"
        if (found := _checkpoint(data, key, point.origin, what, faults)) is not None:
            known.append((what, found[0]))
    size = _read(source, point.size, known, faults, entries=entries)
    for what, one in known:
        if one.size > size:
            faults.append(Fault("log.truncated", f"{size:,} entries can be read, but {what} covers {one.size:,}."))
    return PublishedAudit(point.origin, point.size, size, extensions, tuple(faults))


def _bytes(source: Source, faults: list[Fault]) -> bytes:
    try:
        return source(static.CHECKPOINT, MAX_NOTE) or b""
    except TrustError as error:
        faults.append(Fault(error.code, f"{static.CHECKPOINT}: {error.message}"))
        return b""


def _checkpoint(
    data: bytes, key: NoteKey, origin: str, what: str, faults: list[Fault]
) -> tuple[Checkpoint, tuple[str, ...]] | None:
    try:
        return _of_log(data, key, origin)
    except TrustError as error:
        faults.append(Fault(error.code, f"{what}: {error.message}"))
        return None


def _of_log(data: bytes, key: NoteKey, origin: str) -> tuple[Checkpoint, tuple[str, ...]]:
    if not data:
        raise TrustError("log.no-checkpoint", "there is none.")
    found, extensions = notes.verify_foreign(data, key)
    if found.origin != origin:
        raise TrustError("log.origin", f"it is of the log {found.origin}, not {origin}.")
    return found, extensions


def _read(source: Source, size: int, known: list[tuple[str, Checkpoint]], faults: list[Fault], *, entries: bool) -> int:
    """Follow the leaves up to ``size``; return how many were found."""
    edge = Edge()
    by_size: dict[int, list[tuple[str, Checkpoint]]] = {}
    for what, point in known:
        by_size.setdefault(point.size, []).append((what, point))
    _compare(by_size.pop(0, []), edge, faults)
    while edge.size < size and len(faults) < _MOST_FAULTS:
        leaves = _leaves(source, edge.size // WIDTH, min(WIDTH, size - edge.size), faults, entries=entries)
        if leaves is None:
            return edge.size
        for leaf in leaves:
            filled = edge.push(leaf)
            for level, index, hashes in filled[1:]:
                _tile(source, level, index, hashes, faults)
            if edge.size in by_size:
                _compare(by_size.pop(edge.size), edge, faults)
    for level, index, hashes in edge.partials():
        if level:
            _tile(source, level, index, hashes, faults)
    return edge.size


def _leaves(source: Source, index: int, width: int, faults: list[Fault], *, entries: bool) -> list[bytes] | None:
    """Return the leaf hashes of a tile: those of its entries, or the tile's own where these cannot be read."""
    tile = _fetched(source, 0, index, width, faults)
    if not entries:
        return tile
    found = _fetched(source, ENTRIES, index, width, faults)
    if found is None:
        return tile
    leaves = [tree.leaf_hash(entry) for entry in found]
    if tile is not None and leaves != tile:
        number = next(at for at in range(width) if leaves[at] != tile[at]) + index * WIDTH
        text = f"entry {number:,} is not the one whose hash stands in {static.path_of(0, index, width)}."
        faults.append(Fault("tiles.entry", text))
    return leaves


def _tile(source: Source, level: int, index: int, hashes: list[bytes], faults: list[Fault]) -> None:
    found = _fetched(source, level, index, len(hashes), faults)
    if found is not None and found != hashes:
        text = f"{static.path_of(level, index, len(hashes))} does not hold the hashes of the tiles below it."
        faults.append(Fault("tiles.hash", text))


def _fetched(source: Source, level: int | str, index: int, width: int, faults: list[Fault]) -> list[bytes] | None:
    try:
        return static.fetch(source, level, index, width)
    except TrustError as error:
        faults.append(Fault(error.code, f"{error.where}: {error.message}"))
        return None


def _compare(points: list[tuple[str, Checkpoint]], edge: Edge, faults: list[Fault]) -> None:
    for what, point in points:
        if edge.root() != point.root:
            faults.append(Fault("log.rewritten", f"the first {point.size:,} entries are not those that {what} covers."))
