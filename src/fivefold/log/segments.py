"""Segments: the write-ahead files that hold the entries; the only files that a commit waits for."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.errors import InputError, TrustError
from fivefold.log import frames

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fivefold.log.disk import Disk

SEGMENT_BYTES = 4 << 20
"""A segment is sealed once it holds this much, and this much is reserved for it."""
_NAME = re.compile(r"segment-([0-9]{20})")


@dataclass(frozen=True)
class Segment:
    """One file of entries.

    Attributes:
        first: Position in the log of its first entry.
    """

    first: int

    @property
    def name(self) -> str:
        """The file's name; names sort as positions do."""
        return f"segment-{self.first:020d}"


def listed(disk: Disk) -> list[Segment]:
    """Return all segments in order.

    Raises:
        TrustError: ``log.missing-segment`` if the first is not there.
    """
    found = [Segment(int(match[1])) for name in disk.names() if (match := _NAME.fullmatch(name))]
    if found and found[0].first:
        raise TrustError("log.missing-segment", f"the log begins at entry {found[0].first}; earlier files are gone.")
    return found


def entries(disk: Disk, segment: Segment) -> tuple[list[bytes], int]:
    """Return a segment's whole entries and the offset where they end."""
    return frames.scan(disk.read(segment.name, 0, disk.size(segment.name)), segment.first)


def walk(disk: Disk, start: int = 0) -> Iterator[tuple[Segment, list[bytes]]]:
    """Yield each segment with its entries, one segment in memory at a time; from the one that holds entry ``start``.

    Raises:
        TrustError: ``log.broken-segment`` where the entries of a sealed segment do not reach up to the next one.
    """
    every = listed(disk)
    for number, segment in enumerate(every):
        if number + 1 < len(every) and every[number + 1].first <= start:
            continue
        found, _ = entries(disk, segment)
        if number + 1 < len(every) and segment.first + len(found) != every[number + 1].first:
            raise _broken(segment.first + len(found), segment)
        yield segment, found


def some(disk: Disk, positions: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """Yield positions, which come in order, with their entries; those behind the end are passed over.

    Raises:
        TrustError: ``log.broken-segment`` if one cannot be read though later ones stand there.
    """
    every = listed(disk)
    firsts = [segment.first for segment in every]
    held, found = -1, []
    for position in positions:
        place = bisect_right(firsts, position) - 1
        if place < 0:
            continue
        if place != held:
            held, found = place, entries(disk, every[place])[0]
        if position - firsts[place] < len(found):
            yield position, found[position - firsts[place]]
        elif place + 1 < len(every):
            raise _broken(position, every[place])


def entry(disk: Disk, index: int) -> bytes:
    """Return one entry.

    Raises:
        InputError: ``log.index`` if it does not exist.
        TrustError: ``log.broken-segment`` if it cannot be read though later ones stand there; ``log.missing-segment``.
    """
    every = listed(disk)
    place = bisect_right([segment.first for segment in every], index) - 1
    found = None
    if place >= 0:
        name = every[place].name
        found = frames.nth(disk.read(name, 0, disk.size(name)), every[place].first, index)
    if found is not None:
        return found
    if 0 <= place < len(every) - 1:
        raise _broken(index, every[place])
    raise InputError("log.index", f"there is no entry {index}.")


def _broken(position: int, segment: Segment) -> TrustError:
    return TrustError(
        "log.broken-segment",
        f"entry {position} cannot be read: it was altered, cut out or damaged.",
        where=segment.name,
    )
