"""Wander: changes drawn until the questions are spent, from what came nearest, and trades around what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion.tables.moves import drawn

if TYPE_CHECKING:
    from fivefold.protection.evasion.tables.search import Search

_POOL = 1500
_TRADES = 0.5
_SHARES = (0.0, 0.5, 0.8)


def wander(search: Search, pool: np.ndarray, rng: np.random.Generator) -> None:
    """Draw changes until the questions are spent.

    With scores each draw starts from what came nearest to another answer, without from the unchanged row; a row that
    fell beyond its budget also trades one item of its change for another, and keeps what is cheaper.

    Args:
        search: The rows.
        pool: (p, d) rows whose values are drawn.
        rng: All choices.
    """
    pool = pool[rng.permutation(len(pool))[:_POOL]]
    if not len(pool):
        return
    while len(rows := search.standing()):
        before = search.spent[rows].copy()
        trades = np.isfinite(search.price[rows]) & (rng.random(len(rows)) < _TRADES)
        some = rows[~trades]
        if len(some):
            search.ask(some, drawn(search, some, search.near[some], pool, rng))
        some = rows[trades]
        if len(some):
            _trade(search, some, pool, rng)
        search.limit[rows] -= search.spent[rows] == before  # nothing that may be asked was drawn: this must end


def _trade(search: Search, rows: np.ndarray, pool: np.ndarray, rng: np.random.Generator) -> None:
    """Shrink one changed item, move others, and keep what is cheaper and still meets the goal."""
    domain, start = search.domain, search.start[rows]
    old = search.found[rows]
    kept = old != start
    for block in domain.blocks:  # the columns of a block are changed together or not at all
        kept[:, block.columns] = kept[:, block.columns].any(axis=1, keepdims=True)
    made = np.where(kept, old, drawn(search, rows, start, pool, rng))
    prices = domain.prices(start, old)
    item = np.where(prices > 0, prices * rng.random(prices.shape), -1.0).argmax(axis=1)
    share = rng.choice(_SHARES, len(rows))
    for one in np.unique(item).tolist():
        columns, some = domain.columns_of(one), np.flatnonzero(item == one)
        left = np.where(one < len(domain.numbers), share[some, None], 0.0)
        was = start[np.ix_(some, columns)]
        made[np.ix_(some, columns)] = was + left * (old[np.ix_(some, columns)] - was)
    search.ask(rows, made, within=False)
