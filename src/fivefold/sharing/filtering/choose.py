"""Choose: the filter that fits what the target is, or that there is none; and the rows that are known to be good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import UnsupportedError
from fivefold.sharing.filtering import classification, regression, strangers
from fivefold.sharing.filtering.known import learned, usable

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table
    from fivefold.sharing.filtering.removal import Removal

TRUSTED = 50


def filtered(table: Table, rng: np.random.Generator, trusted: Table | None = None) -> Removal:
    """Say which rows are left out; see the filters of classifications, of regressions and of rows without a target.

    Args:
        table: n rows.
        rng: The only source of randomness.
        trusted: Rows that are known to be good; none of them is left out.

    Raises:
        UnsupportedError: ``filter.task``, ``filter.rows``, ``filter.columns``.
    """
    if not learned(table):
        return strangers.filtered(table, rng, trusted)
    if table.target.dtype.kind == "i":
        return classification.filtered(table, rng, trusted)
    return regression.filtered(table, rng, trusted)


def spoilt(table: Table, wrong: np.ndarray, rng: np.random.Generator) -> Table:
    """Return the rows of which those in ``wrong`` have another class, a target at the other end, or made-up values."""
    from dataclasses import replace

    from fivefold.sharing.filtering.bending import opposite

    if not learned(table):
        return strangers.made_up(table, wrong, rng)
    if table.target.dtype.kind != "i":
        return replace(table, target=opposite(np.zeros((len(table), 0)), table.target, wrong, rng))
    codes, label = np.unique(table.target, return_inverse=True)
    shifted = codes[(label + rng.integers(1, max(len(codes), 2), len(label))) % len(codes)]
    return replace(table, target=np.where(wrong, shifted, table.target))


def trusted_rows(context: Context) -> Table | None:
    """Return the rows that the application declares as known to be good: a data set that controls.S5.trusted names.

    A file that is no data set is not handed to checks (its bytes are not in the plan); it is used by ``data filter``.

    Raises:
        UnsupportedError: ``filter.trusted`` where it holds too few rows.
    """
    name = (context.settings.controls or {}).get("S5", {}).get("trusted", "")
    if not isinstance(name, str) or not name:
        return None
    try:
        table = context.tables(name)
    except KeyError:
        return None
    table = usable(table)
    if len(table) < TRUSTED:
        raise UnsupportedError(
            "filter.trusted", f"data.{name} holds {len(table)} usable rows; {TRUSTED} are needed.",
            remedy="Have people vet more rows.",
        )  # fmt: skip
    return table
