"""Known: the rows of a data set that have a target, or all where none has, and as many as a check looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import UnsupportedError

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table


def learned(table: Table) -> bool:
    """Return whether any row has a target; where none has, nothing is learned from one."""
    return bool(_there(table).any())


def known(table: Table) -> Table:
    """Return the rows that have a target."""
    return table.take(_there(table))


def usable(table: Table) -> Table:
    """Return the rows that have a target; all of them where none has."""
    return known(table) if learned(table) else table


def _there(table: Table) -> np.ndarray:
    return np.asarray(table.target >= 0 if table.target.dtype.kind == "i" else np.isfinite(table.target))


def drawn(context: Context, fewest: int, *, classes: bool | None = None) -> Table:
    """Return at most ``context.rows`` training rows that have a target, drawn where there are more.

    Args:
        context: Data set ``train``.
        fewest: Rows that a check needs.
        classes: Whether targets must be classes, or values; None: either, or none at all.

    Raises:
        UnsupportedError: ``filter.task`` for the other kind of target, ``filter.rows`` for fewer rows.
    """
    table = context.tables("train")
    if classes not in (None, table.target.dtype.kind == "i"):
        kinds = ("a value, not a class", "a class, not a value")
        raise UnsupportedError("filter.task", f"the target is {kinds[not classes]}.")
    table = usable(table) if classes is None else known(table)
    if len(table) < fewest:
        what = "label" if classes else "target"
        raise UnsupportedError("filter.rows", f"fewer than {fewest} training rows have a {what}.")
    if len(table) > context.rows:
        table = table.take(np.sort(context.rng.choice(len(table), context.rows, replace=False)))
    return table
