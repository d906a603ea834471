"""Which rows are measured: all, or a sample that keeps the shares of the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.contract.subject import Table


def usable(target: np.ndarray) -> np.ndarray:
    """Return the (n,) mask of rows whose target is known."""
    return np.asarray(target >= 0 if np.issubdtype(target.dtype, np.integer) else np.isfinite(target))


def stratified(table: Table, most: int, rng: np.random.Generator) -> Table:
    """Return at most ``most`` rows with a known target, every stretch of the sorted target in proportion.

    Systematic sampling: rows are sorted by target, ties in random order, and taken at equal steps from a random start.

    Args:
        table: Rows of one data set.
        most: Most rows, at least 1.
        rng: Source of the order and the start.
    """
    known = np.flatnonzero(usable(table.target))
    if len(known) <= most:
        return table if len(known) == len(table) else table.take(known)
    order = known[np.lexsort((rng.permutation(len(known)), table.target[known]))]
    at = np.floor((rng.random() + np.arange(most)) * (len(order) / most)).astype(np.int64)
    return table.take(np.sort(order[np.minimum(at, len(order) - 1)]))
