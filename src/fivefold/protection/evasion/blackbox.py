"""Black box: an attack that sees answers only, from cheap tries to a decision attack, all rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion import surrogate
from fivefold.protection.evasion.hunt import Hunt
from fivefold.protection.evasion.rays import rays

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.protection.evasion.hunt import Goal, Limit
    from fivefold.protection.evasion.oracle import Oracle
    from fivefold.subject.possible.space import Space

_CELLS = 6_000_000
"""Most numbers in one array of changed rows."""

_NEIGHBOURS = 6
_CLEAR = 0.97
_SINGLES = 0.4
_TREES_UP_TO = 512
_RELEARN = 3
_LESSONS = 4000
_LEARNS_UP_TO = 4096


@dataclass(frozen=True)
class Public:
    """Rows that the attacker has, and the model's answers to them.

    Attributes:
        values: (m, d) in the space of the attack.
        answers: (m,).
    """

    values: np.ndarray
    answers: np.ndarray


def attack(
    space: Space,
    oracle: Oracle,
    *,
    start: np.ndarray,
    origin: np.ndarray,
    goal: Goal,
    limit: Limit,
    public: Public,
    rng: np.random.Generator,
    told: Callable[[float], None] = lambda _share: None,
) -> Hunt:
    """Attack rows until they fall or their questions are spent.

    Order: corners where a surrogate (taught by the answers to public rows) holds for worst; plain corners; rows with
    another answer, drawn into the allowed box; single features and swaps; where the model is not additive, climbing on
    a forest surrogate; at last rays.

    Args:
        space: Possible rows.
        oracle: The model.
        start: (n, d) rows to attack.
        origin: (n,) their positions in the table that the oracle decodes with.
        goal: When a row has fallen.
        limit: What the attacker is given.
        public: What he knows.
        rng: All choices.
        told: Called with the share done.

    Returns:
        The hunt, over all rows.
    """
    whole = Hunt(space, oracle, start, origin, goal=goal, limit=limit)
    regression = goal.tolerance is not None
    linear = surrogate.linear(space, public.values, public.answers, regression=regression)
    trees = None
    if linear is not None and linear.agreement < _CLEAR and start.shape[1] <= _TREES_UP_TO:
        seed = int(rng.integers(2**31))
        grown, agreement = surrogate.forest((public.values, public.answers), seed, regression=regression)
        trees = grown if agreement > linear.agreement else None
    size = max(1, _CELLS // (16 * start.shape[1]))
    for begin in range(0, len(start), size):
        part = slice(begin, begin + size)
        hunt = Hunt(space, oracle, start[part], origin[part], goal=_part(goal, part), limit=limit)
        _one_block(hunt, public, linear, trees, rng)
        whole.fallen[part], whole.found[part], whole.spent[part] = hunt.fallen, hunt.found, hunt.spent
        told(min(1.0, (begin + size) / max(len(start), 1)))
    return whole


def _part(goal: Goal, part: slice) -> Goal:
    return type(goal)(goal.answers[part], goal.tolerance)


def _one_block(
    hunt: Hunt, public: Public, linear: surrogate.Linear | None, trees: object, rng: np.random.Generator
) -> None:
    slope = home = None
    if linear is not None:
        slope, home = _transfer(hunt, public, linear)
    _corners(hunt)
    _neighbours(hunt, public, rng)
    _singles(hunt, linear, rng)
    if trees is not None:
        for _ in range(2):
            rows = hunt.standing()
            if len(rows):
                hunt.ask(rows, surrogate.climb(hunt, rows, trees, rng))
    rays(hunt, slope, hunt.start if home is None else home, rng)


def _transfer(hunt: Hunt, public: Public, model: surrogate.Linear) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the corners that the surrogate holds for worst; learn from the answers, and ask again.

    Returns:
        (n, d) where the surrogate would move each row, and (n, d) the rows with its swaps.
    """
    slope, home = np.zeros_like(hunt.start), hunt.start.copy()
    values, answers = [public.values], [public.answers]
    for turn in range(_RELEARN):
        for rank in range(min(3, max(2, len(model.answers) - 1))):
            rows = hunt.standing()
            if not len(rows):
                return slope, home
            tried, gain = surrogate.towards(hunt, rows, model, rank)
            if rank == 0:
                slope[rows], home[rows] = gain, np.where(hunt.space.swaps, tried, hunt.start[rows])
            values.append(tried)
            answers.append(hunt.ask(rows, tried)[1])
        known = np.concatenate(values), np.concatenate(answers)
        if turn == _RELEARN - 1 or len(known[0]) > _LESSONS or hunt.start.shape[1] > _LEARNS_UP_TO:
            break
        again = surrogate.linear(hunt.space, *known, regression=hunt.goal.tolerance is not None)
        model = model if again is None else again
    return slope, home


def _corners(hunt: Hunt) -> None:
    for corner in (hunt.high, hunt.low):
        rows = hunt.standing()
        if len(rows):
            hunt.ask(rows, np.where(hunt.space.moves, corner[rows], hunt.start[rows]))


def _neighbours(hunt: Hunt, public: Public, rng: np.random.Generator) -> None:
    """Draw the nearest public rows with another answer into the allowed box, with some of their categories."""
    rows = hunt.standing(_NEIGHBOURS)
    space = hunt.space
    numbers = np.flatnonzero(space.moves & (space.unit > 0))
    if not len(rows):
        return
    some = public.values[:1000], public.answers[:1000]
    scale = np.where(space.unit > 0, space.unit, 1.0)
    mine = np.nan_to_num(hunt.start[rows] / scale)[:, numbers]
    theirs = np.nan_to_num(some[0] / scale)[:, numbers]
    away = (mine**2).sum(axis=1)[:, None] + (theirs**2).sum(axis=1) - 2 * mine @ theirs.T
    answers = hunt.goal.answers[rows][:, None]
    tolerance = hunt.goal.tolerance
    other = some[1] != answers if tolerance is None else np.abs(some[1] - answers) > tolerance
    away = np.where(other, away, np.inf)
    many = min(_NEIGHBOURS, away.shape[1])
    near = np.argpartition(away, many - 1, axis=1)[:, :many]
    has = np.isfinite(np.take_along_axis(away, near, axis=1))
    for place in range(many):
        alive = has[:, place] & ~hunt.fallen[rows]
        if not alive.any() or not hunt.oracle.can(int(alive.sum())):
            continue
        picked, model = rows[alive], some[0][near[alive, place]]
        values = hunt.start[picked].copy()
        drawn = space.settle(model, hunt.start[picked], hunt.low[picked], hunt.high[picked])
        keep = space.moves & ~np.isnan(values) & ~np.isnan(model)
        values = np.where(keep, drawn, values)
        _borrow(hunt, picked, values, model, rng)
        hunt.ask(picked, values)


def _borrow(hunt: Hunt, rows: np.ndarray, values: np.ndarray, model: np.ndarray, rng: np.random.Generator) -> None:
    """Take over categories of another row, in random order, within the limit."""
    swaps = np.flatnonzero(hunt.space.swaps)
    left = np.full(len(rows), float(hunt.limit.swaps))
    for column in rng.permutation(swaps):
        price = hunt.space.cost[column]
        can = (price <= left + 1e-9) & ~np.isnan(hunt.start[rows, column]) & ~np.isnan(model[:, column])
        can &= model[:, column] != hunt.start[rows, column]
        values[can, column] = model[can, column]
        left = left - np.where(can, price, 0.0)


def _singles(hunt: Hunt, linear: surrogate.Linear | None, rng: np.random.Generator) -> None:
    """Move one feature at a time to either end, and swap one category at a time; regression: then the best together."""
    space = hunt.space
    tries: list[tuple[int, float]] = []
    for at in np.flatnonzero(space.moves & (space.unit > 0)).tolist():
        tries += [(at, np.inf), (at, -np.inf)]
    for at in np.flatnonzero(space.swaps & (space.cost <= hunt.limit.swaps)).tolist():
        tries += [(at, float(level)) for level in range(space.count(at))]
    most = int(hunt.limit.queries * _SINGLES)
    if len(tries) > most:
        weight = np.array([_weight(space, linear, at, rng) for at, _ in tries])
        tries = [tries[i] for i in np.argsort(-weight, kind="stable")[:most]]
    gains = np.zeros((len(tries), len(hunt.start)))
    for place, (at, aim) in enumerate(tries):
        rows = hunt.standing()
        if not len(rows):
            return
        values = hunt.start[rows].copy()
        values[:, at] = hunt.high[rows, at] if aim == np.inf else hunt.low[rows, at] if aim == -np.inf else aim
        differs = (values[:, at] != hunt.start[rows, at]) & ~np.isnan(hunt.start[rows, at])
        rows, values = rows[differs], values[differs]
        if len(rows):
            _, answers = hunt.ask(rows, values)
            if hunt.goal.tolerance is not None:
                gains[place, rows] = answers - hunt.goal.answers[rows]
    if hunt.goal.tolerance is not None:
        _together(hunt, tries, gains)


def _weight(space: Space, linear: surrogate.Linear | None, at: int, rng: np.random.Generator) -> float:
    chance = 1e-6 * rng.random()
    if linear is None:
        return chance
    if at in linear.levels:
        return float(np.ptp(linear.levels[at], axis=1).max()) + chance
    return float(np.abs(linear.weights[:, at]).max() * space.unit[at] / space.cost[at]) * 0.05 + chance


def _together(hunt: Hunt, tries: list[tuple[int, float]], gains: np.ndarray) -> None:
    """Join the single moves that raise a value most, then those that lower it most (additive models)."""
    for sign in (1.0, -1.0):
        rows = hunt.standing()
        if not len(rows):
            return
        values, best = hunt.start[rows].copy(), np.zeros((len(rows), hunt.start.shape[1]))
        left = np.full(len(rows), float(hunt.limit.swaps))
        order = np.argsort(-np.abs(gains[:, rows]).max(axis=1), kind="stable")
        for place in order.tolist():
            at, aim = tries[place]
            gain = sign * gains[place, rows]
            take = gain > np.maximum(best[:, at], 0.0)
            new = hunt.high[rows, at] if aim == np.inf else hunt.low[rows, at] if aim == -np.inf else aim
            if np.isfinite(aim):
                fresh = values[:, at] == hunt.start[rows, at]
                take &= ~fresh | (left >= hunt.space.cost[at] - 1e-9)
                left = left - np.where(take & fresh, hunt.space.cost[at], 0.0)
            values[:, at] = np.where(take, new, values[:, at])
            best[:, at] = np.where(take, gain, best[:, at])
        hunt.ask(rows, values)
