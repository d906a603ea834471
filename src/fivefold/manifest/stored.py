"""Stored: the column names of Parquet and Arrow files, read from their own schema without an engine.

Only names are read, so that `plan` stays light. Sources: Apache Parquet format 2.10 (footer, Thrift compact protocol),
Apache Arrow columnar format 1.4 (IPC file and stream, FlatBuffers).
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_MAX_SCHEMA = 64 << 20
_MAX_COLUMNS = 100_000
_MAX_NESTING = 64
_INDEX = re.compile(r"__index_level_\d+__")


def stored_columns(path: Path) -> tuple[str, ...]:
    """Return the columns of a Parquet or Arrow file in order; an index that pandas stored is left out.

    Raises:
        InputError: ``manifest.unreadable`` if the file is neither.
    """
    parquet = path.name.lower().endswith((".parquet", ".pq"))
    try:
        names = _parquet(path) if parquet else _arrow(path)
    except (OSError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error):
        kind = "Parquet" if parquet else "Arrow"
        message = f"{path.name} is not a whole {kind} file."
        raise InputError("manifest.unreadable", message, remedy="Check the file, or write it again.") from None
    return tuple(name for name in names if not _INDEX.fullmatch(name))


def _tail(path: Path, magic: bytes) -> bytes:
    """Return the block whose length stands before the magic at the end of the file."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(size - 4 - len(magic))
        length, found = struct.unpack(f"<I{len(magic)}s", file.read(4 + len(magic)))
        if found != magic or length > min(size, _MAX_SCHEMA):
            raise ValueError(path.name)
        file.seek(size - 4 - len(magic) - length)
        return file.read(length)


class _Thrift:
    """Thrift's compact protocol, as far as a schema needs it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        value = shift = 0
        while shift < 70:
            part = self.byte()
            value |= (part & 0x7F) << shift
            if part < 0x80:
                return value
            shift += 7
        raise ValueError(value)

    def integer(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def text(self) -> bytes:
        length = self.varint()
        self.at += length
        if self.at > len(self.data):
            raise ValueError(length)
        return self.data[self.at - length : self.at]

    def value(self, kind: int, depth: int) -> Any:
        if depth > _MAX_NESTING:
            raise ValueError(depth)
        if kind in (1, 2):
            return kind == 1
        if kind in (3, 7, 11):
            return self.map(depth) if kind == 11 else self.skip(1 if kind == 3 else 8)
        if kind in (4, 5, 6):
            return self.integer()
        if kind == 8:
            return self.text()
        if kind in (9, 10):
            size, inner = self.list_head()
            return [self.element(inner, depth + 1) for _ in range(size)]
        if kind == 12:
            return self.struct(depth + 1)
        raise ValueError(kind)

    def skip(self, size: int) -> None:
        self.at += size

    def list_head(self) -> tuple[int, int]:
        head = self.byte()
        size = self.varint() if head >> 4 == 15 else head >> 4
        if size > _MAX_SCHEMA:
            raise ValueError(size)
        return size, head & 15

    def element(self, kind: int, depth: int) -> Any:
        return self.byte() == 1 if kind in (1, 2) else self.value(kind, depth)

    def map(self, depth: int) -> None:
        size = self.varint()
        kinds = self.byte() if size else 0
        for _ in range(min(size, len(self.data))):
            self.element(kinds >> 4, depth + 1)
            self.element(kinds & 15, depth + 1)

    def struct(self, depth: int, stop_after: int = 0) -> dict[int, Any]:
        """Return field id to value, up to ``stop_after`` if given."""
        found: dict[int, Any] = {}
        field = 0
        while head := self.byte():
            field = field + (head >> 4) if head >> 4 else self.integer()
            found[field] = self.value(head & 15, depth)
            if field == stop_after:
                break
        return found


def _parquet(path: Path) -> list[str]:
    elements = _Thrift(_tail(path, b"PAR1")).struct(0, stop_after=2)[2]
    names, place = [], 1
    for _ in range(elements[0].get(5, 0)):
        names.append(elements[place][4].decode())
        inside = elements[place].get(5, 0)
        place += 1
        while inside:
            inside += elements[place].get(5, 0) - 1
            place += 1
    return names


class _Flat:
    """FlatBuffers, as far as a schema needs them."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def number(self, code: str, at: int) -> int:
        if at < 0:
            raise ValueError(at)
        found: int = struct.unpack_from("<" + code, self.data, at)[0]
        return found

    def follow(self, at: int) -> int:
        return at + self.number("I", at)

    def slot(self, table: int, index: int) -> int:
        """Return where a field of a table stands; 0 if it is absent."""
        vtable = table - self.number("i", table)
        if 4 + 2 * index >= self.number("H", vtable):
            return 0
        offset = self.number("H", vtable + 4 + 2 * index)
        return table + offset if offset else 0

    def child(self, table: int, index: int) -> int:
        at = self.slot(table, index)
        if not at:
            raise ValueError(index)
        return self.follow(at)

    def names(self, schema: int) -> list[str]:
        """Return the names of a schema table's fields."""
        vector = self.child(schema, 1)
        count = self.number("I", vector)
        if count > _MAX_COLUMNS:
            raise ValueError(count)
        found = []
        for index in range(count):
            text = self.child(self.follow(vector + 4 + 4 * index), 0)
            length = self.number("I", text)
            found.append(self.data[text + 4 : text + 4 + length].decode())
        return found


def _arrow(path: Path) -> list[str]:
    with path.open("rb") as file:
        head = file.read(8)
        if head[:6] != b"ARROW1":
            marker, length = struct.unpack("<II", head)
            if marker != 0xFFFFFFFF or length > _MAX_SCHEMA:
                raise ValueError(path.name)
            message = _Flat(file.read(length))
            return message.names(message.child(message.follow(0), 2))
    footer = _Flat(_tail(path, b"ARROW1"))
    return footer.names(footer.child(footer.follow(0), 1))
