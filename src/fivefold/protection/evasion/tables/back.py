"""Back: become a neighbour with another answer, and take back what is not needed (pointwise attack)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion.tables.moves import shrunk

if TYPE_CHECKING:
    from fivefold.protection.evasion.tables.search import Search

_NEIGHBOURS = 4
_POOL = 1500
_BISECTIONS = 4
_LEAST = 0.02
_ONE_BY_ONE = 6
_CELLS = 4_000_000


def neighbours(search: Search, values: np.ndarray, answers: np.ndarray, rng: np.random.Generator) -> None:
    """Become the cheapest known rows with another answer, as far as one can, and take back what is not needed.

    After the pointwise attack (Schott et al. 2019): a change that meets the goal is made cheaper by taking back
    halves, quarters, ... single items of it, as long as the answer stays changed.

    Args:
        search: The rows.
        values: (p, d) known rows.
        answers: (p,) to them.
        rng: Which of many known rows are looked at, and in which order items are taken back.
    """
    rows = search.standing(_NEIGHBOURS)
    if not len(rows) or not len(values):
        return
    some = rng.permutation(len(values))[:_POOL]
    pool, said = values[some], answers[some]
    size = max(1, _CELLS // len(pool))
    parts = [_nearest(search, rows[at : at + size], pool, said) for at in range(0, len(rows), size)]
    near, has = (np.concatenate([part[place] for part in parts]) for place in range(2))
    for place in range(near.shape[1]):
        alive = np.flatnonzero(has[:, place] & np.isin(rows, search.standing(2)))
        if not len(alive):
            continue
        goal = pool[near[alive, place]]
        search.ask(rows[alive], shrunk(search, rows[alive], search.fit(rows[alive], goal), search.purse.budget))
        stand = np.isin(rows[alive], search.standing())
        met, _ = search.ask(rows[alive][stand], goal[stand], within=False)
        reduce(search, rows[alive][stand][met], rng, least=search.purse.budget)


def _nearest(search: Search, rows: np.ndarray, pool: np.ndarray, said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (m, k) places in the pool of the cheapest rows with another answer, and whether there are so many."""
    domain, goal = search.domain, search.goal
    away = np.zeros((len(rows), len(pool)))
    for at in domain.numbers:
        away += np.nan_to_num(np.abs(search.start[rows, at][:, None] - pool[:, at]) / domain.unit[at])
    for block in domain.blocks:
        differs = np.zeros(away.shape, dtype=bool)
        for at in block.columns:
            one, other = search.start[rows, at][:, None], pool[:, at]
            differs |= (one != other) & ~np.isnan(one) & ~np.isnan(other)
        away += block.price * differs
    own = goal.answers[rows][:, None]
    other = said != own if goal.tolerance is None else np.abs(said - own) > goal.tolerance
    away = np.where(other, away, np.inf)
    many = min(_NEIGHBOURS, away.shape[1])
    near = np.argpartition(away, many - 1, axis=1)[:, :many]
    near = np.take_along_axis(near, np.argsort(np.take_along_axis(away, near, axis=1), axis=1, kind="stable"), axis=1)
    return near, np.isfinite(np.take_along_axis(away, near, axis=1))


def reduce(search: Search, rows: np.ndarray, rng: np.random.Generator, *, least: float) -> None:
    """Take back parts of what was found, while the goal stays met, until a change costs no more than ``least``.

    Args:
        search: The rows.
        rows: (m,) that have a change which meets the goal.
        rng: Order of the items.
        least: Cost that is good enough.
    """
    parts = 2
    while len(rows):
        many = _changed(search, rows).sum(axis=1)
        if parts >= 2 * max(int(many.max()), 1):
            break
        order = rng.random((len(rows), search.domain.items))
        share = _shares(_changed(search, rows), order, parts)
        for part in range(parts):
            changed = _changed(search, rows)
            back = changed & (share == part)
            act = _open(search, rows, least) & back.any(axis=1) & (back != changed).any(axis=1)
            if act.any():
                search.ask(rows[act], _taken_back(search, rows[act], back[act]), within=False)
        parts *= 2
    _bisect(search, rows, None, least)
    for turn in range(min(len(search.domain.numbers), _ONE_BY_ONE)):
        prices = search.domain.prices(search.start[rows], search.found[rows])[:, : len(search.domain.numbers)]
        dearest = np.argsort(-prices, axis=1, kind="stable")[:, min(turn, prices.shape[1] - 1)]
        _bisect(search, rows, dearest, least)


def _changed(search: Search, rows: np.ndarray) -> np.ndarray:
    return np.asarray(search.domain.prices(search.start[rows], search.found[rows]) > 0)


def _open(search: Search, rows: np.ndarray, least: float) -> np.ndarray:
    return np.asarray((search.price[rows] > least) & np.isin(rows, search.able(rows)))


def _shares(changed: np.ndarray, order: np.ndarray, parts: int) -> np.ndarray:
    """Return (m, items) which of ``parts`` about equal parts each changed item is in, by ``order``."""
    rank = np.argsort(np.argsort(np.where(changed, order, 2.0), axis=1), axis=1)
    return np.asarray(rank * parts // np.maximum(changed.sum(axis=1, keepdims=True), 1))


def _taken_back(search: Search, rows: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Return (m, d) what was found, with the items of ``back`` (m, items) as they were."""
    values = search.found[rows].copy()
    for item in np.flatnonzero(back.any(axis=0)).tolist():
        columns, some = search.domain.columns_of(item), back[:, item]
        values[np.ix_(some, columns)] = search.start[rows[some]][:, columns]
    return np.asarray(values)


def _bisect(search: Search, rows: np.ndarray, which: np.ndarray | None, least: float) -> None:
    """Bisect the way from the unchanged row to what was found: of all numbers, or of one (m,) number each."""
    at = search.domain.numbers
    if not len(at):
        return
    low, high, far = np.zeros(len(rows)), np.ones(len(rows)), search.found[rows].copy()
    mine = np.ones((len(rows), len(at)), dtype=bool) if which is None else which[:, None] == np.arange(len(at))
    moved = (far[:, at] != search.start[np.ix_(rows, at)]) & mine
    for _ in range(_BISECTIONS):
        some = np.flatnonzero(_open(search, rows, least) & (high - low > _LEAST) & moved.any(axis=1))
        if not len(some):
            return
        middle = (low + high) / 2
        start, values = search.start[rows[some]], far[some].copy()
        share = np.where(mine[some], middle[some, None], 1.0)
        values[:, at] = start[:, at] + share * (far[some][:, at] - start[:, at])
        met, _ = search.ask(rows[some], values, within=False)
        high[some[met]], low[some[~met]] = middle[some[met]], middle[some[~met]]


def cheapen(search: Search, rng: np.random.Generator, *, share: float) -> None:
    """Make changes that were found cheaper, with at most a share of each row's questions."""
    rows = np.flatnonzero(search.fallen)
    if len(rows):
        search.limit[rows] = np.minimum(search.spent[rows] + int(share * search.purse.queries), search.limit[rows])
        reduce(search, rows, rng, least=0.0)
