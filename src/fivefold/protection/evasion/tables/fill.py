"""Fill: the change that a budget buys where each item adds so much to a score (a knapsack, all rows at once)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.subject.possible.domain import Domain

_DEEP = 40
"""Most items that one filling buys."""


def filled(
    domain: Domain,
    start: np.ndarray,
    slope: np.ndarray,
    levels: list[np.ndarray],
    budget: float,
    *,
    base: np.ndarray | None = None,
) -> np.ndarray:
    """Return (n, d) changed rows: greedily by gain for cost, in three ways, the best of them for each row.

    Ways: numbers and blocks by gain for cost; numbers alone; the block that adds most first. For numbers alone the
    greedy choice is exact (fractional knapsack, Dantzig 1957); blocks make it a bound from below.

    Args:
        domain: Possible rows.
        start: (n, d).
        slope: (n, d) what a unit of each number, as stored, adds to the score.
        levels: For each block (n, L) what each combination adds, beyond what the row has.
        budget: Most that a row's changes may cost.
        base: (n, d) rows to end up with where nothing is bought; None: ``start``.
    """
    low, high = domain.reach(start, np.inf)
    at = domain.numbers
    rate = np.abs(slope[:, at]) * domain.unit[at]
    room = np.where(slope[:, at] > 0, high[:, at] - start[:, at], start[:, at] - low[:, at]) / domain.unit[at]
    room = np.nan_to_num(room)
    step = domain.space.step[at] / domain.unit[at]
    rate = np.where((room > 0) & np.isfinite(rate), rate, 0.0)
    best_level = [one.argmax(axis=1) for one in levels]
    price = np.array([block.price for block in domain.blocks])
    gain = np.array([one.max(axis=1) for one in levels]).T if levels else np.zeros((len(start), 0))
    known = [~np.isnan(start[:, block.columns]).any(axis=1) for block in domain.blocks]
    gain = np.where(np.array(known).T, gain, 0.0) if levels else gain
    ways = [(rate, gain / np.maximum(price, 1e-12) if levels else gain)]
    if levels and (price <= budget).any():
        ways += [(rate, np.zeros_like(gain))]
        first = np.where(price <= budget, gain, 0.0)
        lone = np.where(first == first.max(axis=1, keepdims=True), np.where(first > 0, np.inf, 0.0), ways[0][1])
        ways += [(rate, lone)]
    made, total = (start if base is None else base).copy(), np.zeros(len(start))
    for numbers, blocks in ways:
        values, worth = _bought(
            domain, start, (numbers, blocks), (rate, gain), (room, step, slope[:, at], best_level, budget)
        )
        better = worth > total
        made[better], total[better] = values[better], worth[better]
    return made


def _bought(
    domain: Domain,
    start: np.ndarray,
    order: tuple[np.ndarray, np.ndarray],
    worth: tuple[np.ndarray, np.ndarray],
    rest: tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray], float],
) -> tuple[np.ndarray, np.ndarray]:
    room, step, slope, best_level, budget = rest
    rate, gain = worth
    keys = np.concatenate(order, axis=1)
    made, left, total = start.copy(), np.full(len(start), float(budget)), np.zeros(len(start))
    m, here = len(domain.numbers), np.arange(len(start))
    deep = min(_DEEP, keys.shape[1])
    # where steps are whole, what one item leaves over buys steps of the next
    ranked = np.argsort(-keys, axis=1, kind="stable")[:, :deep]
    for turn in range(deep):
        item = ranked[:, turn]
        wanted = keys[here, item] > 0
        is_number = wanted & (item < m)
        if m:
            number = np.minimum(item, m - 1)
            spend = np.minimum(left, room[here, number])
            size = step[number]
            spend = np.where(size > 0, np.floor(spend / np.where(size > 0, size, 1.0) + 1e-9) * size, spend)
            spend = np.where(is_number, np.maximum(spend, 0.0), 0.0)
            column = domain.numbers[number]
            made[here, column] += np.sign(slope[here, number]) * spend * domain.unit[column]
            left, total = left - spend, total + spend * rate[here, number]
        for place, block in enumerate(domain.blocks):
            take = wanted & (item == m + place) & (block.price <= left + 1e-12) & (gain[:, place] > 0)
            if take.any():
                made[np.ix_(take, block.columns)] = block.levels[best_level[place][take]]
                left, total = left - np.where(take, block.price, 0.0), total + np.where(take, gain[:, place], 0.0)
        if not (left > 1e-12).any():
            break
    return made, total


def ceiling(
    domain: Domain, start: np.ndarray, slope: np.ndarray, levels: list[np.ndarray], budget: float
) -> np.ndarray:
    """Return (n,) the most that any change within budget can add to a score: items may be bought in parts.

    Args:
        domain: See :func:`filled`; rules and whole steps are not asked for here.
        start: See :func:`filled`.
        slope: See :func:`filled`.
        levels: See :func:`filled`.
        budget: See :func:`filled`.
    """
    low, high = domain.reach(start, np.inf)
    at = domain.numbers
    gain = np.abs(slope[:, at]) * domain.unit[at]
    room = np.where(slope[:, at] > 0, high[:, at] - start[:, at], start[:, at] - low[:, at]) / domain.unit[at]
    rate, price = [np.where(np.nan_to_num(room) > 0, gain, 0.0)], [np.nan_to_num(room)]
    for block, one in zip(domain.blocks, levels, strict=True):
        known = ~np.isnan(start[:, block.columns]).any(axis=1)
        cost = max(block.price, 1e-12)
        rate.append((np.where(known, np.maximum(one.max(axis=1), 0.0), 0.0) / cost)[:, None])
        price.append(np.full((len(start), 1), cost))
    rates, prices = np.concatenate(rate, axis=1), np.concatenate(price, axis=1)
    order = np.argsort(-rates, axis=1, kind="stable")
    rates, prices = np.take_along_axis(rates, order, axis=1), np.take_along_axis(prices, order, axis=1)
    before = np.cumsum(prices, axis=1) - prices
    return np.asarray((rates * np.clip(budget - before, 0.0, prices)).sum(axis=1))
