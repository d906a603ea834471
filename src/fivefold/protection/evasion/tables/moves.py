"""Moves: single items, and changes drawn within the budget, for all rows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.protection.evasion.tables.guess import Guess, Trees
    from fivefold.protection.evasion.tables.search import Search
    from fivefold.subject.possible.domain import Domain

_ROUNDS, _DRAWS = 10, 12


def singles(domain: Domain, budget: float) -> list[tuple[int, int]]:
    """Return what one item can do: (item, -1 or 1) for numbers, (item, level) for blocks that the budget buys."""
    m = len(domain.numbers)
    found = [(item, sign) for item in range(m) for sign in (1, -1)]
    for place, block in enumerate(domain.blocks):
        if block.price <= budget:
            found += [(m + place, level) for level in range(len(block.levels))]
    return found


def weights(domain: Domain, model: Guess | None, tries: list[tuple[int, int]], rng: np.random.Generator) -> np.ndarray:
    """Return (tries,) how much a surrogate expects of each; by chance where there is none."""
    chance = 1e-6 * rng.random(len(tries))
    if model is None:
        return np.asarray(chance)
    m, found = len(domain.numbers), np.zeros(len(tries))
    size = np.abs(model.weights).max(axis=0) * np.where(np.isfinite(domain.unit), domain.unit, 0.0)
    for at, (item, _) in enumerate(tries):
        columns = domain.columns_of(item)
        if item < m:
            found[at] = size[columns[0]]
            continue
        tables = [model.levels[int(one)] for one in columns if int(one) in model.levels]
        found[at] = max([float(np.ptp(one, axis=1).max()) for one in tables] or [float(size[columns].sum())])
    return np.asarray(found + chance)


def single(search: Search, rows: np.ndarray, item: int, aim: int) -> np.ndarray:
    """Return (m, d) rows with one item changed as far as the budget allows."""
    domain, values = search.domain, search.start[rows].copy()
    m = len(domain.numbers)
    if item < m:
        at = domain.numbers[item]
        values[:, at] = search.high[rows, at] if aim > 0 else search.low[rows, at]
    else:
        block = domain.blocks[item - m]
        values[:, block.columns] = block.levels[aim]
    return np.asarray(values)


def drawn(search: Search, rows: np.ndarray, base: np.ndarray, pool: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (m, d) rows with one to three items drawn anew: numbers to an end or a seen value, blocks to any level.

    What the budget does not allow is shrunk: changed numbers by the same share, after blocks that it does not buy are
    put back.
    """
    domain, values = search.domain, base.copy()
    m, here = len(domain.numbers), np.arange(len(rows))
    many = rng.integers(1, 4, len(rows))
    for turn in range(3):
        item = rng.integers(0, domain.items, len(rows))
        act = turn < many
        if m:
            at = domain.numbers[np.minimum(item, m - 1)]
            way = rng.random(len(rows))
            seen = pool[rng.integers(0, len(pool), len(rows)), at]
            aim = np.where(way < 0.3, search.low[rows, at], np.where(way < 0.6, search.high[rows, at], seen))
            aim = np.where(way > 0.9, search.start[rows, at], aim)
            take = act & (item < m) & ~np.isnan(aim)
            values[here[take], at[take]] = aim[take]
        for place, block in enumerate(domain.blocks):
            take = np.flatnonzero(act & (item == m + place))
            level = rng.integers(0, len(block.levels) + 1, len(take))
            back = level == len(block.levels)
            chosen = block.levels[np.minimum(level, len(block.levels) - 1)]
            values[np.ix_(take, block.columns)] = np.where(
                back[:, None], search.start[rows[take]][:, block.columns], chosen
            )
    return shrunk(search, rows, values, search.purse.budget)


def shrunk(search: Search, rows: np.ndarray, values: np.ndarray, budget: float | np.ndarray) -> np.ndarray:
    """Return ``values`` made no dearer than ``budget``: dear blocks put back, then numbers by the same share."""
    domain, start = search.domain, search.start[rows]
    m, made = len(domain.numbers), values.copy()
    prices = domain.prices(start, made)
    left = np.broadcast_to(np.asarray(budget, dtype=np.float64), (len(rows),)).copy()
    for place, block in enumerate(domain.blocks):
        dear = prices[:, m + place] > left + 1e-12
        if dear.any():
            made[np.ix_(dear, block.columns)] = start[np.ix_(dear, block.columns)]
        left = left - np.where(dear, 0.0, prices[:, m + place])
    total = prices[:, :m].sum(axis=1)
    share = np.where(total > left, left / np.where(total > 0, total, 1.0), 1.0)[:, None]
    at = domain.numbers
    moved = start[:, at] + share * (made[:, at] - start[:, at])
    made[:, at] = domain.space.whole(start, _placed(start, at, moved), np.trunc)[:, at]
    return made


def _placed(start: np.ndarray, at: np.ndarray, cells: np.ndarray) -> np.ndarray:
    made = start.copy()
    made[:, at] = cells
    return made


def climbed(search: Search, rows: np.ndarray, model: Trees, pool: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (m, d) rows changed within budget so that the forest doubts the answer most; asks nothing."""
    own = search.goal.answers[rows]
    now = search.near[rows].copy()
    best = model.doubt(now, own)
    for _ in range(_ROUNDS):
        every, start = np.tile(rows, _DRAWS), np.tile(now, (_DRAWS, 1))
        tried = search.fit(every, drawn(search, every, start, pool, rng))
        doubts = model.doubt(tried, np.tile(own, _DRAWS)).reshape(_DRAWS, len(rows))
        pick, most = doubts.argmax(axis=0), doubts.max(axis=0)
        better = most > best
        now[better] = tried.reshape(_DRAWS, *now.shape)[pick, np.arange(len(rows))][better]
        best = np.maximum(best, most)
    return np.asarray(now)
