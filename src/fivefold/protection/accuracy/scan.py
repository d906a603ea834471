"""Counting errors in every rectangle over one or two columns, all pairs at once.

One matrix product of one-hot cells counts all pairs of columns; two small batched products turn cells into
rectangles. Rows in a rectangle are counted once, errors again for every planted replicate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.accuracy.columns import Column, everything

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 16_384  # rows multiplied at once
_RECTANGLES = 4_000_000  # rectangles scored at once: 64 MB


@dataclass(frozen=True)
class Grid:
    """All rectangles over pairs of columns.

    Attributes:
        columns: The constant column first, then the ones of the data.
        sets: (d, q, b) float32, one-column sets padded with zeros.
        left: (p,) index of the first column of each pair.
        right: (p,) index of the second one.
        chunk: Pairs handled at once.
    """

    columns: tuple[Column, ...]
    sets: np.ndarray
    left: np.ndarray
    right: np.ndarray
    chunk: int


@dataclass(frozen=True)
class Place:
    """One rectangle: a pair of the grid and a set in each of its two columns."""

    pair: int
    first: int
    second: int


def build(columns: list[Column], pairs: np.ndarray | None = None) -> Grid:
    """Lay out all pairs of columns, the constant one included.

    Args:
        columns: Cut columns of the same rows, at least one.
        pairs: (p, 2) positions in ``columns`` (-1: the constant one); None: all.
    """
    complete = (everything(len(columns[0].codes)), *columns)
    cells = max(column.sets.shape[1] for column in complete)
    most = max(column.sets.shape[0] for column in complete)
    sets = np.zeros((len(complete), most, cells), dtype=np.float32)
    for at, column in enumerate(complete):
        sets[at, : column.sets.shape[0], : column.sets.shape[1]] = column.sets
    if pairs is None:
        left, right = np.triu_indices(len(complete), k=1)
    else:
        left, right = (pairs + 1).T
    return Grid(complete, sets, left, right, max(1, _RECTANGLES // (most * most)))


def cell_counts(grid: Grid, rows: np.ndarray) -> np.ndarray:
    """Count rows in each cell of each pair.

    Args:
        grid: The pairs.
        rows: Positions of the rows to count (repeats count again).

    Returns:
        (d, b, d, b) float32, exact below 2^24 rows.
    """
    d, _, b = grid.sets.shape
    total = np.zeros((d * b, d * b), dtype=np.float32)
    offsets = np.arange(d) * b
    codes = np.stack([column.codes for column in grid.columns], axis=1)
    for start in range(0, len(rows), _BLOCK):
        part = codes[rows[start : start + _BLOCK]] + offsets
        hot = np.zeros((len(part), d * b), dtype=np.float32)
        np.put_along_axis(hot, part, 1.0, axis=1)
        total += hot.T @ hot
    return total.reshape(d, b, d, b)


def rectangles(grid: Grid, counts: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield ``(first pair, (p, q, q) float32 counts of rectangles)`` chunk by chunk."""
    for start in range(0, len(grid.left), grid.chunk):
        left, right = grid.left[start : start + grid.chunk], grid.right[start : start + grid.chunk]
        cells = counts[left, :, right, :]
        yield start, grid.sets[left] @ cells @ grid.sets[right].transpose(0, 2, 1)


def rectangle_count(grid: Grid) -> int:
    """Return how many rectangles a grid holds, padding included."""
    return len(grid.left) * int(grid.sets.shape[1]) ** 2


def sizes(grid: Grid, counts: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows in each rectangle as (p, q, q) int32, chunk by chunk."""
    for _, counted in rectangles(grid, counts):
        yield counted.astype(np.int32)


def members(grid: Grid, place: Place) -> np.ndarray:
    """Return the (n,) mask of the rows inside a rectangle."""
    one, two = grid.columns[grid.left[place.pair]], grid.columns[grid.right[place.pair]]
    return np.asarray(one.sets[place.first][one.codes] & two.sets[place.second][two.codes])


def describe(grid: Grid, place: Place) -> str:
    """Say in words which rows a rectangle holds."""
    one, two = grid.columns[grid.left[place.pair]], grid.columns[grid.right[place.pair]]
    return " and ".join(text for text in (one.texts[place.first], two.texts[place.second]) if text)
