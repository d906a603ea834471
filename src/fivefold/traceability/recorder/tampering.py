"""Tampering: eleven ways in which a record is altered, at places drawn from a seed, most with the log's own key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.log import segments
from fivefold.log.book import CHECKPOINT, MAX_CHECKPOINT, Book
from fivefold.log.simulated import SimulatedDisk

if TYPE_CHECKING:
    import numpy as np

    from fivefold.keys.signing import Signer

KINDS = (
    "edit", "delete", "insert", "reorder", "duplicate", "cut", "rewrite", "fork", "roll back", "edit without key",
    "strip erasure",
)  # fmt: skip


def tampered(
    kind: str, files: dict[str, bytes], origin: str, signer: Signer, rng: np.random.Generator
) -> SimulatedDisk:
    """Return a copy of a log, altered; it has at least three entries.

    Args:
        kind: One of :data:`KINDS`.
        files: The log's files.
        origin: The log's name.
        signer: The log's own key: whoever alters signs a fresh checkpoint, but for ``edit without key``.
        rng: Chooses the place.
    """
    disk = SimulatedDisk.of(files)
    if kind == "edit without key":
        return _flipped(disk, rng)
    entries = [entry for _, found in segments.walk(disk) for entry in found]
    fresh = SimulatedDisk()
    book = Book(fresh, origin, signer, segment_bytes=1 << 16)
    book.append(_changed(kind, entries, rng))
    book.publish()
    return fresh


def kept(files: dict[str, bytes]) -> bytes:
    """Return the checkpoint that somebody else keeps."""
    return files[CHECKPOINT][:MAX_CHECKPOINT]


def _changed(kind: str, entries: list[bytes], rng: np.random.Generator) -> list[bytes]:
    at = int(rng.integers(len(entries) - 1))
    bad = _bit(entries[at], rng)
    ways = {
        "edit": [*entries[:at], bad, *entries[at + 1 :]],
        "delete": entries[:at] + entries[at + 1 :],
        "strip erasure": entries[:-1],
        "insert": [*entries[:at], bad, *entries[at:]],
        "reorder": [*entries[:at], entries[at + 1], entries[at], *entries[at + 2 :]],
        "duplicate": entries[: at + 1] + entries[at:],
        "cut": entries[: at + 1],
        "roll back": entries[: at + 1],
        "fork": [*entries[: at + 1], *(_bit(entry, rng) for entry in entries[at + 1 :])],
        "rewrite": [_bit(entry, rng) for entry in entries],
    }
    return ways[kind]


def _bit(entry: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(entry)
    changed[int(rng.integers(len(entry)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _flipped(disk: SimulatedDisk, rng: np.random.Generator) -> SimulatedDisk:
    name = segments.listed(disk)[0].name
    used = len(disk.read(name, 0, disk.size(name)).rstrip(b"\0"))
    at, bit = int(rng.integers(used)), 1 << int(rng.integers(8))

    def change(data: bytearray) -> bytearray:
        data[at] ^= bit
        return data

    disk.spoil(name, change)
    return disk
