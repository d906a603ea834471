"""Found: whether pieces of a key or of rows stand anywhere in bytes: traffic, files, a process's memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHORTEST = 16
_WORD, _TABLE = 8, 20
_MIX = np.uint64(0x9E37_79B9_7F4A_7C15)
_BLOCK, _PAGE = 8 << 20, 4096
_SEAL, _ZSTD = b"\x5e\xa1\x10", 2
_LEAST, _MOST_KEY = 1024, 64 << 20


class Needles:
    """Pieces of at least 16 bytes, each of a kind, that may stand at any offset."""

    def __init__(self, pieces: Iterable[tuple[str, bytes]]) -> None:
        """Take kinds and pieces; pieces that are too short or too plain (under 8 different bytes) are left out."""
        kept = dict.fromkeys((kind, piece) for kind, piece in pieces)
        self.pieces = tuple(
            (kind, piece) for kind, piece in kept if len(piece) >= SHORTEST and len(set(piece)) >= _WORD
        )
        self._words: dict[int, list[tuple[int, int]]] = {}
        for at, (_, piece) in enumerate(self.pieces):
            for phase in range(_WORD):
                word = int.from_bytes(piece[phase : phase + _WORD], "little")
                self._words.setdefault(word, []).append((at, phase))
        self._table = np.zeros(1 << _TABLE, dtype=bool)
        if self._words:
            self._table[_slots(np.array(list(self._words), dtype=np.uint64))] = True

    def __len__(self) -> int:
        return len(self.pieces)

    def search(self, hay: bytes) -> set[int]:
        """Return which pieces stand in the bytes, by their number.

        An aligned word of eight bytes lies whole in any occurrence of 16; those are looked up, and what is found is
        compared byte by byte.
        """
        words = np.frombuffer(hay, dtype="<u8", count=len(hay) // _WORD)
        hits = np.flatnonzero(self._table[_slots(words)]) if len(words) else np.zeros(0, dtype=np.int64)
        found = set()
        for at in hits.tolist():
            for number, phase in self._words.get(int(words[at]), ()):
                start, piece = at * _WORD - phase, self.pieces[number][1]
                if start >= 0 and hay[start : start + len(piece)] == piece:
                    found.add(number)
        return found

    def kinds(self, found: Iterable[int]) -> dict[str, int]:
        """Return kind to how many of its pieces were found."""
        counts: dict[str, int] = {}
        for number in found:
            counts[self.pieces[number][0]] = counts.get(self.pieces[number][0], 0) + 1
        return counts


def _slots(words: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return (words * _MIX) >> np.uint64(64 - _TABLE)


def of_numbers(kind: str, values: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """Yield pieces of a column as it would stand in memory: doubles in pairs, singles by four, either byte order.

    Args:
        kind: Of the pieces.
        values: (n,) float64, consecutive.
    """
    for form, many in (("<f8", 2), (">f8", 2), ("<f4", 4)):
        raw, size = values.astype(form).tobytes(), many * np.dtype(form).itemsize
        for start in range(0, len(raw) - size + 1, size):
            yield kind, raw[start : start + size]


def of_key(raw: bytes, pieces: int = 64, size: int = 32) -> Iterator[tuple[str, bytes]]:
    """Yield pieces spread over a serialised secret key, as it is sent and, unpacked, as its words stand in memory."""
    for form in (raw, *_unpacked(raw)):
        low = min(2048, len(form) // 4)
        for start in np.linspace(low, len(form) - size - 64, pieces).astype(int):
            yield "secret key", form[start : start + size]


def _unpacked(raw: bytes) -> Iterator[bytes]:
    """Yield what SEAL compressed (zstd), without the compression; parameters, which are no secret, are left out.

    A header of SEAL 4 is 16 bytes: magic number, its own length, version, compression, and the length of the whole.
    """
    import pyarrow as pa

    at = raw.find(_SEAL)
    while at >= 0:
        end = at + int.from_bytes(raw[at + 8 : at + 16], "little")
        if raw[at + 5] == _ZSTD and at + _LEAST < end <= len(raw):
            packed = pa.BufferReader(raw[at + len(_SEAL) + 13 : end])
            yield pa.CompressedInputStream(packed, "zstd").read(_MOST_KEY)
            at = end - 1
        at = raw.find(_SEAL, at + 1)


def memory(process: str = "self") -> Iterator[bytes]:
    """Yield what a process holds in memory that it can write to, block by block (Linux).

    Args:
        process: Its id; this one if absent.

    Raises:
        OSError: It cannot be read here.
    """
    regions = []
    for line in Path(f"/proc/{process}/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        place, rights = line.split()[:2]
        if rights.startswith("rw"):
            first, _, last = place.partition("-")
            regions.append((int(first, 16), int(last, 16)))
    with Path(f"/proc/{process}/mem").open("rb", buffering=0) as file:
        for low, high in regions:
            at = low
            while at < high:
                try:
                    file.seek(max(at - SHORTEST * 4, low))
                    start = file.tell()
                    block = file.read(min(at + _BLOCK, high) - start)
                except OSError:
                    block = b""
                if start + len(block) <= at:  # a page that cannot be read hides no more than itself
                    at += _PAGE
                    continue
                at = start + len(block)
                if block.count(0) < len(block):
                    yield block
