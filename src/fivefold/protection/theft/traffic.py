"""Traffic: the questions of honest callers, made of rows of the population."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from fivefold.protection.theft.coding import Rows

KINDS = ("interactive", "batch", "bursty", "drifted", "retries")
"""Row by row; many at once; bursts alike in one column; a window that moves along a column; rows asked again."""
_WINDOW = 0.15
_BURST = 0.1
_AGAIN = 5
_SHIFTED = 0.2


def honest(rows: Rows, kind: str, count: int, rng: np.random.Generator) -> Rows:
    """Return the questions of one honest caller.

    Args:
        rows: n of the population.
        kind: One of :data:`KINDS`. ``bursty``: 20 to 300 rows at a time from a tenth of the population that is alike in
            one column. ``drifted``: a window of 15 % that moves along one column. ``retries``: each row up to five
            times, all but the first with one or two cells changed; images moved by a pixel, or fainter.
        count: Questions.
        rng: Draws.
    """
    n = len(rows)
    if kind == "retries":
        return _retried(rows, count, rng)
    if kind == "drifted":
        width = max(1, int(_WINDOW * n))
        start = np.linspace(0, n - width, count).astype(np.int64)
        return taken(rows, _ordered(rows, rng)[start + rng.integers(0, width, count)])
    if kind == "bursty":
        parts, total = [], 0
        while total < count:
            tenth, size = max(1, int(_BURST * n)), int(rng.integers(20, 300))
            at = int(rng.integers(0, n - tenth + 1))
            parts.append(rng.choice(_ordered(rows, rng)[at : at + tenth], size))
            total += size
        return taken(rows, np.concatenate(parts)[:count])
    return taken(rows, rng.integers(0, n, count))


def taken(rows: Rows, where: np.ndarray) -> Rows:
    """Return some rows."""
    return rows[where] if isinstance(rows, np.ndarray) else rows.iloc[where].reset_index(drop=True)


def _ordered(rows: Rows, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) positions in the order of one column, or of a random direction of arrays; ties at random."""
    along: np.ndarray
    if isinstance(rows, np.ndarray):
        flat = rows.reshape(len(rows), -1)
        along = flat @ rng.normal(size=flat.shape[1])
    else:
        values = rows.iloc[:, int(rng.integers(rows.shape[1]))]
        numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        along = values.to_numpy(dtype=np.float64, na_value=np.nan) if numeric else np.asarray(pd.factorize(values)[0])
    return np.lexsort((rng.random(len(rows)), along))


def _retried(rows: Rows, count: int, rng: np.random.Generator) -> Rows:
    n = len(rows)
    source = np.repeat(rng.integers(0, n, count), rng.integers(1, _AGAIN + 1, count))[:count]
    again = np.concatenate([[False], source[1:] == source[:-1]])
    found = taken(rows, source)
    if isinstance(found, np.ndarray):
        return _moved(found.copy(), again, rng)
    for chance in (1.0, 0.4):
        column = np.where(again & (rng.random(count) < chance), rng.integers(0, rows.shape[1], count), -1)
        for at, name in enumerate(found.columns):
            some = np.flatnonzero(column == at)
            order = np.arange(count)
            order[some] = rng.permutation(count)[: len(some)]
            found[name] = found[name].iloc[order].reset_index(drop=True)
    return found


def _moved(found: np.ndarray, again: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    for shift, axis in ((1, -1), (-1, -1), (1, -2), (-1, -2)):
        some = again & (rng.random(len(found)) < _SHIFTED)
        found[some] = np.roll(found[some], shift, axis if found.ndim > 2 else -1)
    fainter = again & (rng.random(len(found)) < 2 * _SHIFTED)
    strength = rng.uniform(0.8, 1.0, (int(fainter.sum()), *[1] * (found.ndim - 1)))
    found[fainter] = (found[fainter] * strength).astype(found.dtype)
    return found
