"""Weighing: what a small learner gets wrong on other rows, taught by all rows and by those that a filter keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.sharing.filtering.columns import encoded
from fivefold.sharing.filtering.removal import groups_of, joined
from fivefold.stats.growing import grown

if TYPE_CHECKING:
    from fivefold.contract.subject import Table

_TREES, _LEAF = 60, 2
_LEAST, _FEWEST = 10, 30
_MOST = 20_000


@dataclass(frozen=True)
class Weight:
    """An error before and after filtering.

    Attributes:
        group: Whose.
        rows: How many rows it is the mean of.
        before: Taught by all rows: share of rows told wrong, or the mean absolute error of values.
        after: Taught by the rows kept.
    """

    group: str
    rows: int
    before: float
    after: float


def weighed(
    table: Table, kept: np.ndarray, judges: Table, named: tuple[tuple[str, ...], tuple[str, ...]],
    rng: np.random.Generator,
) -> list[Weight]:  # fmt: skip
    """Return the errors of extremely randomised trees (Geurts, Ernst and Wehenkel 2006) on rows that taught nobody.

    Limit: a small learner, not the application's own model (the checks ``S5.label-noise`` and ``S5.regression`` train
    that one again); rows of ``judges`` that are bad themselves count as good.

    Args:
        table: n rows.
        kept: (n,) bool.
        judges: Rows of the same columns, with targets, to count errors on.
        named: Protected columns, and class labels (empty for a regression).
        rng: Draws trees, and 20,000 rows of more.

    Returns:
        All rows first, then each class (or quarter of the target) and each protected value of ten rows or more; empty
        where there are fewer than 30 judges or 30 rows kept.
    """
    classes = table.target.dtype.kind == "i"
    use = table.target >= 0 if classes else np.isfinite(table.target)
    chosen = np.flatnonzero(use)
    if len(chosen) > _MOST:
        chosen = np.sort(rng.choice(chosen, _MOST, replace=False))
    both, n = joined(table.take(chosen), judges)
    stay, truth = kept[chosen], both.target[n:]
    if len(truth) < _FEWEST or stay.sum() < _FEWEST or (classes and len(np.unique(both.target[:n][stay])) < 2):
        return []
    fine, seed = encoded(both), int(rng.integers(2**31))
    off = []
    for taught in (np.ones(n, dtype=bool), stay):
        said = _said(fine[:n][taught], both.target[:n][taught], fine[n:], seed)
        off.append((said != truth).astype(np.float64) if classes else np.abs(said - truth))
    good = judges.take(judges.target >= 0 if classes else np.isfinite(judges.target))
    there = tuple(name for name in named[0] if name in good.features.columns or name in good.others.columns)
    groups = {"all rows": np.ones(len(truth), dtype=bool), **groups_of(good, there, named[1])}
    return [
        Weight(name, int(rows.sum()), float(off[0][rows].mean()), float(off[1][rows].mean()))
        for name, rows in groups.items()
        if rows.sum() >= _LEAST
    ]


def _said(taught: np.ndarray, target: np.ndarray, asked: np.ndarray, seed: int) -> np.ndarray:
    values = target.dtype.kind != "i"
    features = None if values else "sqrt"
    forest = grown(taught, target, trees=_TREES, leaf=_LEAF, features=features, seed=seed, values=values)
    return forest.said(asked)
