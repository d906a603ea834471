"""Attack: from what surrogates say, over single items and neighbours with another answer, to a search item by item.

All rows advance at once; the order of the stages is that of their price in questions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion.tables import back, guess, moves, wander
from fivefold.protection.evasion.tables.fill import filled

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.protection.evasion.hunt import Goal
    from fivefold.protection.evasion.tables.search import Search
    from fivefold.subject.possible.domain import Domain

_CELLS = 6_000_000
_SINGLES = 0.35
_CHEAPER = 0.25
"""Share of the questions that may be spent on a cheaper change once a row has fallen."""

_RELEARN = 4
_TREES_UP_TO = 512
_CLEAR = 0.995


@dataclass(frozen=True)
class Known:
    """Rows that the attacker has, and what the model said to them.

    Attributes:
        values: (m, d) encoded.
        answers: (m,).
        scores: (m, K); K = 0: labels only.
    """

    values: np.ndarray
    answers: np.ndarray
    scores: np.ndarray


def attack(
    search: Search,
    known: Known,
    rng: np.random.Generator,
    *,
    told: Callable[[float], None] = lambda _share: None,
) -> None:
    """Attack until every row has fallen within its budget, or its questions are spent.

    Args:
        search: The rows; what is found is kept there.
        known: What the attacker knows before.
        rng: All choices.
        told: Called with the share done.
    """
    model = guess.learned(search.domain, known.values, known.answers, known.scores, search.goal.tolerance)
    told(0.1)
    if model is not None:
        model = _transfer(search, known, model)
    told(0.3)
    gains = _singles(search, model, rng)
    _together(search, gains)
    told(0.5)
    if model is not None and search.start.shape[1] <= _TREES_UP_TO:
        _trees(search, known, model, rng)
    told(0.6)
    back.neighbours(search, known.values, known.answers, rng)
    told(0.8)
    if model is not None:
        _transfer(search, known, model)
    wander.wander(search, known.values, rng)
    back.cheapen(search, rng, share=_CHEAPER)
    told(1.0)


def _transfer(search: Search, known: Known, model: guess.Guess) -> guess.Guess:
    """Ask for what the surrogate thinks the budget should buy; learn from the answers, and ask again."""
    for turn in range(_RELEARN):
        before = int(search.fallen.sum())
        for rank in range(min(3, model.sides)):
            rows = search.standing()
            if not len(rows):
                return model
            slope, levels = model.against(search, rows, rank)
            search.ask(rows, filled(search.domain, search.start[rows], slope, levels, search.purse.budget))
        if turn and int(search.fallen.sum()) == before:
            break
        again = guess.relearned(search, known.values, known.answers, known.scores)
        model = model if again is None else again
    return model


def _singles(search: Search, model: guess.Guess | None, rng: np.random.Generator) -> np.ndarray:
    """Spend the whole budget on one item, each in turn, likeliest first.

    Returns:
        (n, items, 2) by how much each lowered the lead (numbers: downwards, upwards; blocks: the best swap, place 0,
        and its level, place 1); NaN: not asked.
    """
    domain, purse = search.domain, search.purse
    tries = moves.singles(domain, purse.budget)
    most = max(1, int(purse.queries * _SINGLES))
    if len(tries) > most:
        weight = moves.weights(domain, model, tries, rng)
        tries = [tries[at] for at in np.argsort(-weight, kind="stable")[:most]]
    gains = np.full((len(search.start), domain.items, 2), np.nan)
    for item, aim in tries:
        rows = search.standing()
        if not len(rows):
            break
        values = moves.single(search, rows, item, aim)
        _, lead = search.ask(rows, values)
        gain = search.base[rows] - lead
        if item < len(domain.numbers):
            gains[rows, item, int(aim > 0)] = gain
        else:
            better = np.isfinite(gain) & ~(gain <= gains[rows, item, 0])
            gains[rows[better], item, 0], gains[rows[better], item, 1] = gain[better], aim
    return gains


def _together(search: Search, gains: np.ndarray) -> None:
    """Spend the budget on what helped by itself, by gain for cost (scores only)."""
    rows = search.standing()
    if not len(rows) or not np.isfinite(gains[rows]).any():
        return
    domain = search.domain
    m = len(domain.numbers)
    slope = np.zeros((len(rows), search.start.shape[1]))
    some = np.nan_to_num(gains[rows, :m])
    up = some[:, :, 1] > some[:, :, 0]
    room = np.where(
        up, search.high[rows][:, domain.numbers] - search.start[rows][:, domain.numbers],
        search.start[rows][:, domain.numbers] - search.low[rows][:, domain.numbers],
    )  # fmt: skip
    best = np.maximum(some.max(axis=2), 0.0)
    slope[:, domain.numbers] = np.where(up, 1.0, -1.0) * np.nan_to_num(best / np.where(room > 0, room, np.inf))
    levels = []
    for place, block in enumerate(domain.blocks):
        one = np.zeros((len(rows), len(block.levels)))
        gain, level = gains[rows, m + place].T
        has = np.isfinite(gain) & (gain > 0)
        one[has, level[has].astype(np.int64)] = gain[has]
        levels.append(one)
    search.ask(rows, filled(domain, search.start[rows], slope, levels, search.purse.budget))


def _trees(search: Search, known: Known, model: guess.Guess, rng: np.random.Generator) -> None:
    """Climb on a forest that learned the same answers, where it agrees better than the additive surrogate."""
    if model.agreement >= _CLEAR or not len(search.standing()):
        return
    for _ in range(2):
        trees = guess.trees(search, known.values, known.answers, known.scores, rng)
        if trees is None or trees.agreement <= model.agreement:
            return
        for _ in range(3):
            rows = search.standing()
            if not len(rows):
                return
            search.ask(rows, moves.climbed(search, rows, trees, known.values, rng))


def blocks_of(d: int) -> int:
    """Return how many rows are attacked at once, to bound memory."""
    return max(1, _CELLS // (16 * max(d, 1)))


def _part_of(told: Callable[[float], None], begun: float, share: float) -> Callable[[float], None]:
    return lambda done: told(begun + done * share)


def run(
    domain: Domain,
    make: Callable[[slice, Goal], Search],
    goal: Goal,
    known: Known,
    rng: np.random.Generator,
    *,
    told: Callable[[float], None] = lambda _share: None,
) -> list[Search]:
    """Attack block after block of rows.

    Args:
        domain: Possible rows.
        make: Lays out the search of a slice of rows.
        goal: Of all rows.
        known: What the attacker knows.
        rng: All choices.
        told: Called with the share done.
    """
    n, size = len(goal.answers), blocks_of(len(domain.unit))
    found = []
    for begin in range(0, n, size):
        part = slice(begin, min(begin + size, n))
        search = make(part, type(goal)(goal.answers[part], goal.tolerance))
        attack(search, known, rng, told=_part_of(told, begin / n, (part.stop - part.start) / n))
        found.append(search)
    return found
