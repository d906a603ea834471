"""Strangers: rows that could not be among the others, in a table of which nothing is learned from a target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import UnsupportedError
from fivefold.sharing.filtering.columns import alike
from fivefold.sharing.filtering.foreign import ANYWHERE, MAKERS, MIXED, SLIPPED, Sample, told_apart
from fivefold.sharing.filtering.removal import Removal, joined

if TYPE_CHECKING:
    from fivefold.contract.subject import Table

FEWEST = 200
_APART = 0.8
_LEFT_OUT = 0.7
_TEXTS = {
    MIXED: "its cells do not go together: it looks put together from several rows",
    ANYWHERE: "its values look drawn at random",
    SLIPPED: "a number looks as if its unit or sign had slipped",
}


def filtered(table: Table, rng: np.random.Generator, trusted: Table | None = None) -> Removal:
    """Say which rows are left out of a table without a target before anything is computed from them.

    Rows are told from rows made of them: cells of several rows, cells anywhere in their ranges, a slipped unit or sign
    (extremely randomised trees, cross-fitted; see :mod:`.foreign`). A row is left out where it is of such a kind with a
    chance of over 0.7, were there as many of that kind as of the others. Kinds that these columns do not tell from
    their own rows (AUC below 0.8) leave nobody out.

    Threat: rows made up, joined wrongly or in another unit move the figures that are computed from the table.
    Limit: a made-up row that looks like the others stays; so do rows of another population that agree with each other.

    Args:
        table: n rows, at least 200 with the trusted ones.
        rng: Draws foreign rows, folds and trees.
        trusted: Rows that are known to be good; they count as the others do, and are never left out.

    Raises:
        UnsupportedError: ``filter.rows`` for too few rows; ``filter.columns`` where no kind can be told.
    """
    both, n = joined(table, trusted)
    if len(both) < FEWEST:
        raise UnsupportedError("filter.rows", f"there are fewer than {FEWEST} rows.")
    sample = Sample.of(both, alike(both))
    able = [kind for kind in told_apart(sample, rng, sample.makers) if kind.auc >= _APART]
    if not able:
        raise UnsupportedError(
            "filter.columns", "the columns are not tied to each other: nothing tells a made-up row from the others.",
            remedy="Give columns that go together, or a target.",
        )  # fmt: skip
    chances = np.array([kind.real[:n] for kind in able])
    suspicion = chances.max(axis=0)
    out = suspicion > _LEFT_OUT
    return Removal(
        kept=~out, suspicion=suspicion, reasons=np.where(out, chances.argmax(axis=0), -1),
        texts=tuple(_TEXTS[kind.name] for kind in able),
        notes=tuple(f"{kind.name}: told from these rows with AUC {kind.auc:.2f}" for kind in able),
    )  # fmt: skip


def made_up(table: Table, wrong: np.ndarray, rng: np.random.Generator) -> Table:
    """Return the rows of which those in ``wrong`` hold values drawn at random, each column within its range."""
    sample = Sample.of(table, alike(table))
    if not sample.named:
        raise UnsupportedError("filter.kind", "rows are made up for tables only.", remedy="Declare a target.")
    made = MAKERS[ANYWHERE](sample.rows, rng)
    return replace(table, features=sample.plant(made, wrong).rows)
