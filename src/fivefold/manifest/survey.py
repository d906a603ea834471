"""Survey: a first look at a table with the standard library, for proposing a manifest; nothing is changed."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fivefold.manifest.cells import cells, columns
from fivefold.manifest.words import words

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 20_000
"""Rows that are looked at."""

_DISTINCT = 1000
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
_INTEGER = re.compile(r"\s*[-+]?\d+(\.0*)?\s*")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?|\d{1,2}[./]\d{1,2}[./]\d{4}")


@dataclass
class Column:
    """What was seen of one column.

    Attributes:
        name: As in the header.
        counts: Distinct text to how often, of the first thousand distinct ones.
        filled: Cells that are neither empty nor a missing text.
        numbers: Of those, how many are numbers.
        integers: Of those, how many are whole.
        dates: Of those, how many are dates.
        empty: Empty cells.
        same: Cells equal to the target's.
        unique: Every filled cell was new, as far as seen.
        seen: Texts seen, while every one was new.
    """

    name: str
    counts: dict[str, int] = field(default_factory=dict)
    filled: int = 0
    numbers: int = 0
    integers: int = 0
    dates: int = 0
    empty: int = 0
    same: int = 0
    unique: bool = True
    seen: set[str] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Take in one cell."""
        if not text.strip():
            self.empty += 1
            return
        if text in self.counts or len(self.counts) < _DISTINCT:
            self.counts[text] = self.counts.get(text, 0) + 1
        if text.strip() in words("missing"):
            return
        self.filled += 1
        if _NUMBER.fullmatch(text):
            self.numbers += 1
            self.integers += bool(_INTEGER.fullmatch(text))
        elif _DATE.fullmatch(text):
            self.dates += 1
        if self.unique:
            self.unique = text not in self.seen
            self.seen.add(text)

    @property
    def kind(self) -> str:
        """``empty``, ``number``, ``integer``, ``date`` or ``string``; a few odd texts among numbers are overlooked."""
        odd = sum(self.counts.get(text, 0) for text in words("missing_among_numbers"))
        if not self.filled:
            return "empty"
        if self.numbers and self.numbers + odd >= self.filled:
            return "integer" if self.integers == self.numbers else "number"
        return "date" if self.dates == self.filled else "string"

    @property
    def values(self) -> frozenset[str]:
        """Distinct texts without the missing ones."""
        return frozenset(self.counts) - set(words("missing"))

    @property
    def missing(self) -> tuple[str, ...]:
        """Texts in this column that seem to mean a missing value, in a fixed order."""
        found = [text for text in words("missing") if text in self.counts]
        if self.kind in ("integer", "number"):
            found += [text for text in words("missing_among_numbers") if text in self.counts]
        return tuple(found)


@dataclass(frozen=True)
class Survey:
    """What was seen of a table.

    Attributes:
        columns: In file order.
        rows: Rows that were looked at.
        whole: Whether these are all.
    """

    columns: tuple[Column, ...]
    rows: int
    whole: bool

    def column(self, name: str) -> Column | None:
        """Return a column by name."""
        return next((column for column in self.columns if column.name == name), None)


def look(path: Path, target: str = "", rows: int = ROWS) -> Survey:
    """Look at the first rows of a table.

    Args:
        path: As :func:`fivefold.manifest.cells.cells`.
        target: Column that others are compared with, to find a copy of it.
        rows: Most rows to look at.

    Raises:
        InputError: The file cannot be read, has no header, or names a column twice.
    """
    known = columns(path)
    stream = cells(path)
    stored = next(stream, [])
    names = list(known) if len(known) == len(stored) else stored
    looked = tuple(Column(name) for name in names)
    place = names.index(target) if target in names else -1
    count = 0
    for row in itertools.islice(stream, rows):
        count += 1
        for column, cell in zip(looked, row, strict=True):
            column.add(cell)
            column.same += place >= 0 and cell == row[place]
    kept = tuple(column for column in looked if column.name in known)
    return Survey(columns=kept, rows=count, whole=next(stream, None) is None)
