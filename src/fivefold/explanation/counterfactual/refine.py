"""Refine: fewer changes, and smaller ones, while the answer stays as wanted; all candidates advance at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.explanation.counterfactual.search import HAIR

if TYPE_CHECKING:
    from fivefold.explanation.counterfactual.search import Search, Tries

_HALVINGS = 8
_NUMBERS = 4
"""Numbers of one change that are brought nearer, dearest first."""

DIGIT = 20.0
"""A number that takes any value is rounded to a power of ten of at most this part of a unit."""


def refined(search: Search, hits: Tries) -> Tries:
    """Take back what is not needed, bring numbers nearer, round them.

    Args:
        search: The rows.
        hits: Changes that are answered as wanted.

    Returns:
        As many changes that are answered as wanted, none dearer but for rounding.
    """
    rows, values = hits.rows, hits.values.copy()
    _sparse(search, rows, values)
    _near(search, rows, values)
    _sparse(search, rows, values)
    _round(search, rows, values)
    return type(hits)(rows, values, hits.met, hits.lead)


def _sparse(search: Search, rows: np.ndarray, values: np.ndarray) -> None:
    """Take back items in halves, quarters and so on, at last one by one (Zeller and Hildebrandt 2002, ddmin)."""
    open_ = np.ones(len(rows), dtype=bool)
    parts = 2
    while open_.any():
        prices = search.prices(rows, values)
        changed = prices > 0
        count = changed.sum(axis=1)
        open_ &= count > 1
        order = np.argsort(np.argsort(-prices, axis=1, kind="stable"), axis=1, kind="stable")
        cuts = np.minimum(parts, count)
        chunk = np.where(changed, order * cuts[:, None] // np.maximum(count, 1)[:, None], -1)
        before = open_.copy()
        for part in range(int(cuts[open_].max(initial=0))):
            some = np.flatnonzero(before & (cuts > part))
            now = search.prices(rows[some], values[some]) > 0
            kept = now & (chunk[some] != part)
            worth = kept.any(axis=1) & (kept != now).any(axis=1)
            if not worth.any():
                continue
            if not search.purse.can(int(worth.sum())):
                return
            some, kept = some[worth], kept[worth]
            _replace(search, rows, values, some, search.with_items(rows[some], values[some], kept))
        after = (search.prices(rows, values) > 0).sum(axis=1)
        # done: one by one, and nothing more could be taken back
        open_ &= ~((cuts == count) & (after == count))
        parts *= 2


def _near(search: Search, rows: np.ndarray, values: np.ndarray) -> None:
    """Halve the way of one number after the other, dearest first, by bisection."""
    numbers = search.domain.numbers
    if not len(numbers) or not len(rows):
        return
    prices = search.prices(rows, values)[:, : len(numbers)]
    order = np.argsort(-prices, axis=1, kind="stable")[:, :_NUMBERS]
    for rank in range(order.shape[1]):
        some = np.flatnonzero(prices[np.arange(len(rows)), order[:, rank]] > 0)
        column = numbers[order[some, rank]]
        good, bad = values[some, column], search.start[rows[some], column].copy()
        for _ in range(_HALVINGS):
            if not len(some) or not search.purse.can(len(some)):
                break
            tried = values[some].copy()
            tried[np.arange(len(some)), column] = (good + bad) / 2
            held = _replace(search, rows, values, some, tried)
            good = values[some, column]
            bad = np.where(held, bad, (tried[np.arange(len(some)), column]))


def _round(search: Search, rows: np.ndarray, values: np.ndarray) -> None:
    """Move numbers that take any value outwards to few digits: before they are asked for, never after."""
    domain = search.domain
    at = domain.numbers
    if not len(rows):
        return
    per = 10.0 ** -np.floor(np.log10(np.maximum(domain.unit[at] / DIGIT, 1e-300)))  # divided by it, 0.3 is 0.3
    start = search.start[rows][:, at]
    with np.errstate(invalid="ignore"):  # infinite cells that stay
        away = values[:, at] - start
    steps = values[:, at] * per
    rounded = np.where(away > 0, np.ceil(steps - 1e-6), np.floor(steps + 1e-6)) / per
    tried = values.copy()
    moves = (np.nan_to_num(away) != 0) & (domain.space.step[at] == 0)
    tried[:, at] = np.where(moves, rounded, values[:, at])
    some = np.flatnonzero((tried != values).any(axis=1) & moves.any(axis=1))
    if len(some) and search.purse.can(len(some)):
        _replace(search, rows, values, some, tried[some], dearer=True)


def _replace(
    search: Search, rows: np.ndarray, values: np.ndarray, some: np.ndarray, tried: np.ndarray, *, dearer: bool = False
) -> np.ndarray:
    """Ask, and put what is answered as wanted (and is cheaper) in place.

    Returns:
        (m,) bool, where that was so.
    """
    held = np.zeros(len(some), dtype=bool)
    made = search.domain.fitted(search.start[rows[some]], tried)
    worth = np.ones(len(some), dtype=bool)
    if not dearer:
        worth = search.effort(rows[some], made) < search.effort(rows[some], values[some]) - HAIR
    held[worth] = search.ask(rows[some[worth]], made[worth]).met
    values[some[held]] = made[held]
    return held
