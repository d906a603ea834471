"""Even: whether every row of a CSV file has as many cells as its header, and whether it fits into memory."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from fivefold.errors import InputError
from fivefold.manifest import csv_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 1 << 24
_NEEDS = 3.0
_GB = 1e9
_COMMA, _QUOTE, _LF, _CR = b',"\n\r'


def require(source: BinaryIO, name: str) -> None:
    """Check that each row has as many cells as the header; empty lines are no rows.

    Commas and line ends between quotes belong to a cell: a byte is quoted where the number of quotes before it is odd
    (RFC 4180 doubles a quote within a cell, which changes nothing). Read in chunks, compared without a loop over rows.

    Args:
        source: At the first byte of the text.
        name: File name, for the error.

    Raises:
        InputError: ``data.ragged`` with the line of the first row that does not fit.
    """
    rows, width = 1, -1
    for commas, filled in _lines(source):
        if width < 0 and filled.any():
            width = int(commas[np.argmax(filled)])
        wrong = np.flatnonzero(filled & (commas != width))
        if len(wrong):
            at = int(wrong[0])
            raise csv_text.ragged(name, rows + at, int(commas[at]) + 1, width + 1)
        rows += len(commas)


def _lines(source: BinaryIO) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (k,) commas and (k,) whether the line is not empty, of k whole lines at a time."""
    rest, end = b"", -1
    while True:
        chunk = source.read(_CHUNK)
        block = rest + chunk
        if not block:
            return
        if end < 0:
            end = _LF if b"\n" in block or b"\r" not in block else _CR
        data = np.frombuffer(block, dtype=np.uint8)
        free = np.cumsum(data == _QUOTE) % 2 == 0
        ends = np.flatnonzero((data == end) & free)
        if not chunk:
            ends = ends if len(ends) and ends[-1] == len(data) - 1 else np.append(ends, len(data))
        if len(ends):
            yield _counted(data, free, ends)
            rest = block[int(ends[-1]) + 1 :]
        else:
            rest = block
        if not chunk:
            return


def _counted(data: np.ndarray, free: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    starts = np.concatenate([[0], ends[:-1] + 1])
    places = np.flatnonzero((data == _COMMA) & free)
    commas = np.searchsorted(places, ends) - np.searchsorted(places, starts)
    last = data[np.maximum(ends - 1, 0)]
    length = ends - starts - ((last == _CR) & (ends > starts))
    return commas, length > 0


def require_memory(path: Path, free: float | None) -> None:
    """Check that a CSV file fits into memory.

    Args:
        path: The file; a compressed one is taken as four times as large.
        free: Bytes that are free; None: unknown, nothing is checked.

    Raises:
        InputError: ``data.large``, with both figures.
    """
    size = path.stat().st_size * (4 if path.name.lower().endswith(".gz") else 1)
    needs = _NEEDS * size
    if free is not None and needs > free:
        raise InputError(
            "data.large",
            f"{path.name} takes about {needs / _GB:.1f} GB of memory ({size / _GB:.1f} GB of CSV), and "
            f"{free / _GB:.1f} GB are free.",
            remedy="Draw rows at random, leave out columns, or use a machine with more memory.",
        )


def free_memory() -> float | None:
    """Return the bytes of memory that are free on Linux; None elsewhere."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as file:
            found = next((line for line in itertools.islice(file, 10) if line.startswith("MemAvailable:")), "")
    except OSError:
        return None
    return float(found.split()[1]) * 1024 if found else None
