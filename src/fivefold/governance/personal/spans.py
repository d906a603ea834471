"""Spans: every match of a pattern in many texts at once, by the linear-time engine (RE2) that Arrow brings along.

Arrow has no function that returns all matches. It does replace all of them: each is put between two control characters,
which no text holds, and the positions of these characters are those of the matches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fivefold.governance.personal.kinds import MARKED

LONGEST = 20_000
"""Letters of a cell that are looked at."""
_OPEN, _CLOSE = 1, 2


@dataclass(frozen=True)
class Spans:
    """Matches in byte positions of all texts joined; they do not overlap and are in order.

    Attributes:
        start: (m,) int64 first byte.
        end: (m,) int64 byte after the last.
    """

    start: np.ndarray
    end: np.ndarray

    def __len__(self) -> int:
        """How many."""
        return len(self.start)

    def where(self, kept: np.ndarray) -> Spans:
        """Return those that (m,) bool says."""
        return Spans(self.start[kept], self.end[kept])


class Texts:
    """Texts as one block of UTF-8 bytes.

    Attributes:
        array: Arrow strings without gaps and without the two marking characters.
        data: (b,) uint8, all texts joined.
        offsets: (n + 1,) int64 where each begins.
    """

    def __init__(self, strings: Any, longest: int | None = LONGEST) -> None:
        array = pc.fill_null(pa.array(strings, type=pa.string()) if not isinstance(strings, pa.Array) else strings, "")
        array = pa.concat_arrays([array.cast(pa.string())])
        if longest and len(array) and int(pc.max(pc.binary_length(array)).as_py() or 0) > longest:
            array = pc.utf8_slice_codeunits(array, 0, longest)
        data, offsets = _bytes(array)
        if ((data == _OPEN) | (data == _CLOSE)).any():
            array = pc.replace_substring_regex(array, pattern="[\x01\x02]", replacement=" ")
            data, offsets = _bytes(array)
        self.array, self.data, self.offsets = array, data, offsets
        self._read = array
        if (data == ord("\\")).any():  # texts out of JSON: their written line ends are no letters
            self._read = pc.replace_substring_regex(array, pattern=r"\\[nrt]", replacement="  ")

    def __len__(self) -> int:
        """How many texts."""
        return len(self.array)

    @cached_property
    def _digits(self) -> np.ndarray:
        return self._having((self.data >= ord("0")) & (self.data <= ord("9")))

    def having(self, letter: str) -> np.ndarray:
        """Return the positions of the texts that hold an ASCII letter; ``0``: any digit."""
        return self._digits if letter == "0" else self._having(self.data == ord(letter))

    def _having(self, hits: np.ndarray) -> np.ndarray:
        before = np.concatenate([[0], np.cumsum(hits)])
        return np.flatnonzero(before[self.offsets[1:]] > before[self.offsets[:-1]])

    def rows(self, places: np.ndarray) -> np.ndarray:
        """Return (m,) int64 which text each byte position lies in."""
        return np.searchsorted(self.offsets, places, side="right") - 1

    def find(self, pattern: str, cut: str = MARKED, rows: np.ndarray | None = None) -> Spans:
        """Return all matches.

        Args:
            pattern: RE2 syntax.
            cut: Replacement that puts the find within a match between the two marks.
            rows: (k,) the texts to look at, in order; None: all.
        """
        some = rows is not None and len(rows) < len(self)
        array = self._read.take(pa.array(rows)) if some else self._read
        if not len(array):
            return Spans(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
        data, offsets = _bytes(pc.replace_substring_regex(array, pattern=pattern, replacement=cut))
        opens, closes = np.flatnonzero(data == _OPEN), np.flatnonzero(data == _CLOSE)
        order = np.arange(len(opens))
        start, end = opens - 2 * order, closes - 2 * order - 1
        if some and len(start):
            marked = np.searchsorted(offsets, opens, side="right") - 1
            lengths = np.diff(self.offsets)[rows]
            begins = np.concatenate([[0], np.cumsum(lengths)])
            shift = self.offsets[rows][marked] - begins[marked]
            start, end = start + shift, end + shift
        return Spans(start, end)

    def letters(self, spans: Spans, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (m, width) uint8 letters and digits of each find, capitals packed to the left, and (m,) how many."""
        at = spans.start[:, None] + np.arange(width)
        cells = np.where(at < spans.end[:, None], self.data[np.minimum(at, len(self.data) - 1)], 0).astype(np.uint8)
        small = (cells >= ord("a")) & (cells <= ord("z"))
        cells = np.where(small, cells - 32, cells)
        kept = ((cells >= ord("0")) & (cells <= ord("9"))) | ((cells >= ord("A")) & (cells <= ord("Z")))
        order = np.argsort(~kept, axis=1, kind="stable")
        packed = np.take_along_axis(np.where(kept, cells, 0), order, axis=1)
        return packed.astype(np.uint8), kept.sum(axis=1)

    def before(self, spans: Spans, more: int = 0) -> np.ndarray:
        """Return (m,) the byte before each find, or one further back; 0 beyond the beginning of a text."""
        inside = spans.start - more > self.offsets[self.rows(spans.start)]
        return np.where(inside, _bytes(self._read)[0][np.maximum(spans.start - 1 - more, 0)], 0)

    def after(self, spans: Spans, more: int = 0) -> np.ndarray:
        """Return (m,) the byte after each find, or one further on; 0 beyond the end of a text."""
        inside = spans.end + more < self.offsets[self.rows(spans.start) + 1]
        return np.where(inside, self.data[np.minimum(spans.end + more, len(self.data) - 1)], 0)


def _bytes(array: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return all bytes of Arrow strings, and where each begins."""
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int32)[array.offset : array.offset + len(array) + 1]
    if not len(offsets):
        return np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int64)
    values = array.buffers()[2]
    data = np.frombuffer(values, dtype=np.uint8) if values is not None and values.size else np.zeros(0, dtype=np.uint8)
    return data[offsets[0] : offsets[-1]], offsets.astype(np.int64) - int(offsets[0])
