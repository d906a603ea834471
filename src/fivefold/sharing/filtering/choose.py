"""Choose: the filter that fits what the target is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.sharing.filtering import classification, regression

if TYPE_CHECKING:
    from fivefold.contract.subject import Table
    from fivefold.sharing.filtering.removal import Removal


def filtered(table: Table, rng: np.random.Generator, trusted: Table | None = None) -> Removal:
    """Say which rows are left out; see the filters of classifications and of regressions.

    Args:
        table: n rows.
        rng: The only source of randomness.
        trusted: Rows that are known to be good; none of them is left out.

    Raises:
        UnsupportedError: ``filter.task``, ``filter.rows``, ``filter.columns``.
    """
    if table.target.dtype.kind == "i":
        return classification.filtered(table, rng, trusted)
    return regression.filtered(table, rng, trusted)


def spoilt(table: Table, wrong: np.ndarray, rng: np.random.Generator) -> Table:
    """Return the rows of which those in ``wrong`` have another class, or a target at the other end."""
    from dataclasses import replace

    from fivefold.sharing.filtering.bending import opposite

    if table.target.dtype.kind != "i":
        return replace(table, target=opposite(np.zeros((len(table), 0)), table.target, wrong, rng))
    codes, label = np.unique(table.target, return_inverse=True)
    shifted = codes[(label + rng.integers(1, max(len(codes), 2), len(label))) % len(codes)]
    return replace(table, target=np.where(wrong, shifted, table.target))
