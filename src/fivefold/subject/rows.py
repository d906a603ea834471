"""Rows: what a model is given: a frame of columns, or one array for images, series, recordings and texts.

Images are (n, C, H, W), series (n, steps, channels), recordings (n, samples) and texts (n,) objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from fivefold.contract.subject import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Rows: TypeAlias = pd.DataFrame | np.ndarray

MAX_ROWS = 20_000
"""Most rows in one call."""

PROBE_ROWS = 512
"""Rows that a model is tried on."""

_CALL_BYTES = 16 << 20
_FEWEST = 16
_TEXT = 48


def of(table: Table) -> Rows:
    """Return what the model is given of a table; a missing text is empty, since no model knows a missing one."""
    if table.inputs is not None:
        return table.inputs.transpose(0, 2, 1) if table.kind == "series" else table.inputs
    if table.kind == "text":
        column = table.features.iloc[:, 0]
        return np.asarray(column.astype(object).where(column.notna(), "").to_numpy(), dtype=object)
    return table.features


def back(slopes: np.ndarray, table: Table) -> np.ndarray:
    """Return gradients in the layout of ``table.inputs``."""
    return slopes.transpose(0, 2, 1) if table.kind == "series" and table.inputs is not None else slopes


def bare(rows: Rows, classes: Sequence[str]) -> Table:
    """Return a table without targets of what the model is given."""
    n = len(rows)
    target = np.zeros(n, dtype=np.int64 if classes else np.float64)
    index, empty = np.arange(n, dtype=np.int64), pd.DataFrame(index=pd.RangeIndex(n))
    if isinstance(rows, np.ndarray):
        return Table("probe", index, empty, target, empty, inputs=rows, kind="image")
    return Table("probe", index, rows, target, empty)


def cut(rows: Rows, where: Any) -> Rows:
    """Return some rows: a slice, or (m,) positions."""
    found: Rows = rows.iloc[where] if isinstance(rows, pd.DataFrame) else rows[where]
    return found


def wide(rows: Rows) -> int:
    """Return about how many bytes one row takes."""
    if isinstance(rows, pd.DataFrame):
        return sum(8 if kind.kind in "biufmM" else _TEXT for kind in rows.dtypes) or 1
    if rows.dtype == object:
        return max(_TEXT, 2 * sum(map(len, rows[:1000].tolist())) // max(1, min(len(rows), 1000)))
    return max(1, int(np.prod(rows.shape[1:])) * rows.dtype.itemsize)


def spread(rows: Rows, most: int = PROBE_ROWS) -> Rows:
    """Return at most ``most`` rows at equal steps, fewer where they are large."""
    if isinstance(rows, np.ndarray):
        most = min(most, max(_FEWEST, _CALL_BYTES // wide(rows)))
    if len(rows) <= most:
        return rows
    return cut(rows, np.linspace(0, len(rows) - 1, most).astype(np.int64))


def chunks(rows: Rows) -> Iterator[Rows]:
    """Cut rows so that one call carries at most :data:`MAX_ROWS` of them and about 16 MiB."""
    step = max(1, min(MAX_ROWS, _CALL_BYTES // wide(rows)))
    for start in range(0, len(rows), step):
        yield cut(rows, slice(start, start + step))


def strangers(rows: Rows) -> Rows:
    """Return rows that are nowhere in the data, made of the cells of those that are.

    Each column is shifted by another number of rows; half of an image, series or recording comes from the one before;
    two texts are joined.
    """
    n = len(rows)
    if isinstance(rows, np.ndarray):
        before = np.roll(rows, 1, axis=0)
        if rows.dtype == object:
            return np.array([f"{one} {other}" for one, other in zip(rows, before, strict=True)] + [None], object)[:-1]
        mixed = before.reshape(n, -1).copy()
        half = mixed.shape[1] // 2
        mixed[:, :half] = rows.reshape(n, -1)[:, :half]
        return mixed.reshape(rows.shape)
    moved = {name: np.roll(np.arange(n), at + 1) for at, name in enumerate(rows.columns)}
    return pd.concat([rows[name].iloc[order].reset_index(drop=True) for name, order in moved.items()], axis=1)


def flat(rows: np.ndarray) -> np.ndarray:
    """Return rows as (n, d), for models that know no other shape."""
    return rows.reshape(len(rows), -1)
