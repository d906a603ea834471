"""Content: which class a row's neighbours speak for, seen whole and in parts: one odd part cannot speak for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.sharing.filtering.columns import owned
from fivefold.sharing.filtering.embedded import plain
from fivefold.sharing.filtering.suspects import Opinion
from fivefold.stats.growing import grown

if TYPE_CHECKING:
    from fivefold.contract.subject import Table

_AXES = 30
_NEAR = 20
_BLOCK = 2048
_QUARTERS = 4
_FOLDS, _TREES, _LEAF = 3, 20, 2
_WIDE = 32


@dataclass(frozen=True)
class Seen:
    """What the filter sees of rows.

    Attributes:
        fine: (n, w) float32, as many numbers as a mark may need: pixels, bands, columns.
        parts: (v, w) bool, which of them each view holds; a mark in one place is outside of one of the views.
        table: Whether the columns are a table's own.
        owner: (w,) the column of the table that each number comes from; empty otherwise.
    """

    fine: np.ndarray
    parts: np.ndarray
    table: bool
    owner: np.ndarray

    def take(self, rows: np.ndarray) -> Seen:
        """Return the same of some rows."""
        return Seen(self.fine[rows], self.parts, self.table, self.owner)


def seen(table: Table, rng: np.random.Generator) -> Seen:
    """Return what is seen of rows, and the views.

    Images are seen in halves (upper, lower, left, right), series and recordings in halves of their time and of their
    bands, tables and texts in every half that leaves out two of four random quarters of the columns.

    Args:
        table: n rows.
        rng: Draws quarters of columns.
    """
    owner = np.zeros(0, dtype=np.int64)
    if table.kind == "table":
        fine, owner = owned(table)
    elif table.kind == "image" and table.inputs is not None and table.inputs[0].size <= _PIXELS:
        fine = table.inputs.reshape(len(table), -1).astype(np.float32)
    else:
        fine = plain(table).astype(np.float32)
    return Seen(fine, _parts(table, fine.shape[1], owner, rng), table.kind == "table", owner)


_PIXELS = 1024


def _parts(table: Table, width: int, owner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    grid = _grid(table, width)
    if grid is not None:
        across, down = grid
        return np.array([down < 0.5, down >= 0.5, across < 0.5, across >= 0.5])
    columns, place = np.unique(owner, return_inverse=True) if len(owner) else (np.arange(width), np.arange(width))
    quarter = rng.permutation(np.arange(len(columns)) % _QUARTERS)[place]  # all that one column says stays together
    pairs = [(a, b) for a in range(_QUARTERS) for b in range(a)]
    found = np.array([(quarter != a) & (quarter != b) for a, b in pairs])
    return found[found.any(axis=1)] if width else found


def _grid(table: Table, width: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the place of each number in [0, 1), across and down; None where it has none."""
    if table.inputs is None:
        return None
    if table.kind == "image":
        channels = table.inputs.shape[1]
        high, wide = (min(size, 14) for size in table.inputs.shape[2:])
        if width == table.inputs[0].size:
            high, wide = table.inputs.shape[2:]
    elif table.kind == "audio":
        channels, wide = 1, 16
        high = width // wide
    else:
        channels = 2 * table.inputs.shape[1]
        high, wide = 1, width // channels
    if channels * high * wide != width:
        return None
    down, across = np.meshgrid(np.arange(high) / high, np.arange(wide) / wide, indexing="ij")
    return np.tile(across.ravel(), channels), np.tile(down.ravel(), channels)


def whole(given: Seen, label: np.ndarray, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) in [-1, 1]: how much the others contradict a label, seeing all of the row."""
    return _suspicion(given.fine, given.table, label, classes, rng)


def parted(given: Seen, label: np.ndarray, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) in [-1, 1]: how much the others contradict a label in the view in which they do so most."""
    views = [_suspicion(given.fine[:, part], given.table, label, classes, rng) for part in given.parts if part.any()]
    return np.asarray(np.max(views, axis=0)) if views else np.full(len(label), -1.0)


def _suspicion(fine: np.ndarray, table: bool, label: np.ndarray, classes: int, rng: np.random.Generator) -> np.ndarray:
    chances = _trees(fine, label, classes, rng) if table else _neighbours(axes(fine, rng), label, classes)
    return Opinion(chances, label).suspicion


def axes(fine: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n, at most 30) principal components."""
    from sklearn.decomposition import PCA

    if fine.shape[1] <= _AXES:
        return fine
    found = PCA(_AXES, svd_solver="randomized", random_state=int(rng.integers(2**31))).fit_transform(fine)
    return np.asarray(found, dtype=np.float32)


def _neighbours(at: np.ndarray, label: np.ndarray, classes: int) -> np.ndarray:
    """Return (n, K) shares of classes among the nearest 20 rows, in blocks."""
    found = np.zeros((len(at), classes), dtype=np.float32)
    square = np.einsum("ij,ij->i", at, at)
    near = min(_NEAR, len(at) - 1)
    for start in range(0, len(at), _BLOCK):
        block = slice(start, start + _BLOCK)
        off = square - 2 * at[block] @ at.T
        rows = np.arange(len(off))
        off[rows, rows + start] = np.inf
        nearest = label[np.argpartition(off, near - 1, axis=1)[:, :near]]
        for code in range(classes):
            found[block, code] = (nearest == code).mean(axis=1)
    return found


def _trees(fine: np.ndarray, label: np.ndarray, classes: int, rng: np.random.Generator) -> np.ndarray:
    found = np.zeros((len(label), classes))
    fold = rng.permutation(np.arange(len(label)) % _FOLDS)
    for at in range(_FOLDS):
        forest = grown(
            fine[fold != at], label[fold != at], trees=_TREES, leaf=_LEAF, seed=int(rng.integers(2**31)),
            features=0.5 if fine.shape[1] <= _WIDE else "sqrt",
        )  # fmt: skip
        found[np.ix_(fold == at, forest.classes)] = forest.shares(fine[fold == at])
    return found
