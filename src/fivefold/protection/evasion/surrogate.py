"""Surrogate: what an attacker learns of the model from its answers to rows that he has (transfer attacks)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.stats.forest import shares

if TYPE_CHECKING:
    from fivefold.protection.evasion.hunt import Hunt
    from fivefold.subject.possible.space import Space

_WIDE = 10_000
_TREES = 40
_ROUNDS = 8


@dataclass(frozen=True)
class Linear:
    """Additive scores of the answers.

    Attributes:
        weights: (K, d) slope of each number in its stored unit, 0 for categories.
        levels: Column to (K, L) score of each of its values.
        answers: (K,) the answer that each score speaks for (regression: one score, the value itself).
        agreement: Share of left-out rows (regression: R2) on which it says the same as the model.
    """

    weights: np.ndarray
    levels: dict[int, np.ndarray]
    answers: np.ndarray
    agreement: float


def design(space: Space, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (n, p) inputs, and column and place (-1: the number itself) of each.

    Numbers are in units of their range (0 where missing), categories are indicators of their commonest values.
    """
    numbers = ~np.array([column.kind == "category" for column in space.columns] or [False] * values.shape[1])
    width = np.where(space.high > space.low, space.high - space.low, 1.0)
    centre = (space.low + space.high) / 2
    where = np.flatnonzero(numbers)
    parts = [np.nan_to_num((values[:, where] - centre[where]) / width[where])]
    columns, places = [where], [np.full(len(where), -1)]
    for at in np.flatnonzero(~numbers):
        many = space.count(int(at))
        parts.append((values[:, [at]] == np.arange(many)).astype(np.float64))
        columns.append(np.full(many, at))
        places.append(np.arange(many))
    return np.concatenate(parts, axis=1), np.concatenate(columns), np.concatenate(places)


def linear(space: Space, values: np.ndarray, answers: np.ndarray, *, regression: bool) -> Linear | None:
    """Fit additive scores to the model's answers; None if it always says the same.

    Args:
        space: Of the rows.
        values: (m, d) rows that were asked.
        answers: (m,) classes or values.
        regression: Whether answers are values.
    """
    inputs, columns, places = design(space, values)
    kinds = np.array([0.0]) if regression else np.unique(answers)
    if np.ptp(answers) == 0:
        return None
    cut = max(1, len(inputs) * 4 // 5)
    scores, offset = _fit(inputs[:cut], answers[:cut], kinds, regression=regression)
    told = inputs[cut:] @ scores.T + offset
    if regression:
        spread = float(((answers[cut:] - answers[cut:].mean()) ** 2).sum()) or 1.0
        agreement = 1.0 - float(((told[:, 0] - answers[cut:]) ** 2).sum()) / spread if len(told) else 0.0
    else:
        agreement = float((kinds[told.argmax(axis=1)] == answers[cut:]).mean()) if len(told) else 0.0
    weights = np.zeros((len(kinds), values.shape[1]))
    levels: dict[int, np.ndarray] = {}
    for at in np.unique(columns):
        mine = columns == at
        if (places[mine] < 0).all():
            width = space.high[at] - space.low[at]
            weights[:, at] = scores[:, mine][:, 0] / (width if width > 0 else 1.0)
        else:
            levels[int(at)] = scores[:, mine]
    return Linear(weights, levels, kinds, agreement)


def _fit(inputs: np.ndarray, answers: np.ndarray, kinds: np.ndarray, *, regression: bool) -> tuple[Any, Any]:
    """Return (K, p) scores and (K,) offsets: logistic where that is quick, else ridge regression on indicators."""
    if not regression and len(np.unique(answers)) == len(kinds) and inputs.shape[1] * len(kinds) <= _WIDE:
        from sklearn.linear_model import LogisticRegression

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fit that has not converged still points the right way
            # few rows for many inputs: smooth weights transfer better than ones that fit every row
            penalty = 100.0 if len(inputs) > 10 * inputs.shape[1] else 0.3
            model = LogisticRegression(C=penalty, max_iter=60).fit(inputs, answers)
        if len(kinds) == 2:
            return np.vstack([-model.coef_, model.coef_]), np.concatenate([-model.intercept_, model.intercept_])
        return model.coef_, model.intercept_
    wanted = answers[:, None] if regression else (answers[:, None] == kinds).astype(np.float64)
    middle, mean = inputs.mean(axis=0), wanted.mean(axis=0)
    centred = inputs - middle
    size = 1e-3 * float((centred**2).sum()) / max(min(inputs.shape), 1) + 1e-9
    if inputs.shape[1] <= len(inputs):
        gram = centred.T @ centred + size * np.eye(inputs.shape[1])
        scores = np.linalg.solve(gram, centred.T @ (wanted - mean)).T
    else:
        gram = centred @ centred.T + size * np.eye(len(inputs))
        scores = (centred.T @ np.linalg.solve(gram, wanted - mean)).T
    return scores, mean - scores @ middle


def corner(hunt: Hunt, rows: np.ndarray, gain: np.ndarray, levels: dict[int, np.ndarray]) -> np.ndarray:
    """Return (m, d): each row moved as far as it may along ``gain``, with the swaps that add most.

    Args:
        hunt: The attack.
        rows: (m,) positions.
        gain: (m, d) slope of each number, in its stored unit.
        levels: Column to (m, L) score of each value for each row.
    """
    moved = np.where(gain > 0, hunt.high[rows], np.where(gain < 0, hunt.low[rows], hunt.start[rows]))
    if not levels or hunt.limit.swaps <= 0:
        return np.asarray(moved)
    best_gain = np.full((len(rows), len(levels)), -np.inf)
    best_level = np.zeros((len(rows), len(levels)))
    names = sorted(levels)
    for place, at in enumerate(names):
        if not hunt.space.swaps[at]:
            continue
        now = hunt.start[rows, at]
        known = ~np.isnan(now)
        code = np.where(known, np.minimum(np.nan_to_num(now), levels[at].shape[1] - 1), 0).astype(np.int64)
        own = np.where(known & (np.nan_to_num(now) < levels[at].shape[1]), levels[at][np.arange(len(rows)), code], 0.0)
        scores = levels[at] - own[:, None]
        best_level[:, place] = scores.argmax(axis=1)
        best_gain[:, place] = np.where(known, scores.max(axis=1), -np.inf) / hunt.space.cost[at]
    left = np.full(len(rows), hunt.limit.swaps)
    for _ in range(len(names)):
        place = best_gain.argmax(axis=1)
        column = np.array(names)[place]
        take = (best_gain[np.arange(len(rows)), place] > 0) & (hunt.space.cost[column] <= left + 1e-9)
        if not take.any():
            break
        moved[take, column[take]] = best_level[take, place[take]]
        left = left - np.where(take, hunt.space.cost[column], 0.0)
        best_gain[np.arange(len(rows)), place] = -np.inf
    return np.asarray(moved)


def towards(hunt: Hunt, rows: np.ndarray, model: Linear, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (m, d) the corner that the surrogate holds for worst, and (m, d) its slope.

    Args:
        hunt: The attack.
        rows: (m,) positions.
        model: The surrogate.
        rank: 0: the likeliest other answer (regression: upwards), 1: the next (downwards), ...
    """
    if len(model.answers) == 1:
        sign = 1.0 if rank == 0 else -1.0
        levels = {at: np.repeat(sign * scores, len(rows), axis=0) for at, scores in model.levels.items()}
        slope = np.repeat(sign * model.weights, len(rows), axis=0)
        return corner(hunt, rows, slope, levels), slope
    own = np.searchsorted(model.answers, hunt.goal.answers[rows])
    own = np.minimum(own, len(model.answers) - 1)
    score = _scores(model, hunt.start[rows])
    score[np.arange(len(rows)), own] = -np.inf
    other = np.argsort(-score, axis=1, kind="stable")[:, min(rank, len(model.answers) - 2)]
    slope = model.weights[other] - model.weights[own]
    levels = {at: scores[other] - scores[own] for at, scores in model.levels.items()}
    return corner(hunt, rows, slope, levels), slope


def _scores(model: Linear, values: np.ndarray) -> np.ndarray:
    found = np.nan_to_num(values) @ model.weights.T
    for at, levels in model.levels.items():
        code = np.nan_to_num(values[:, at], nan=0.0).astype(np.int64)
        found += levels[:, np.minimum(code, levels.shape[1] - 1)].T
    return np.asarray(found)


def forest(public: tuple[np.ndarray, np.ndarray], seed: int, *, regression: bool) -> tuple[Any, float]:
    """Return a forest taught by the model's answers, for models that are not additive, and its agreement.

    Args:
        public: (m, d) rows and (m,) answers; the last fifth is left out and says how well it agrees.
        seed: Of the forest.
        regression: Whether answers are values.
    """
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    kind = ExtraTreesRegressor if regression else ExtraTreesClassifier
    inputs, answers = np.nan_to_num(public[0], nan=-1e6), public[1]
    cut = max(1, len(inputs) * 4 // 5)
    model = kind(n_estimators=_TREES, min_samples_leaf=2, random_state=seed, n_jobs=1).fit(inputs[:cut], answers[:cut])
    return model, float(model.score(inputs[cut:], answers[cut:])) if cut < len(inputs) else 0.0


def climb(hunt: Hunt, rows: np.ndarray, model: Any, rng: np.random.Generator) -> np.ndarray:
    """Return (m, d): rows changed one feature at a time so that the forest doubts the answer most (no questions).

    Each round tries a few moves of every row at once and keeps the best.
    """
    now, space = hunt.start[rows].copy(), hunt.space
    movable = np.flatnonzero(space.moves)
    swaps = np.flatnonzero(space.swaps)
    best = _doubt(model, now, hunt.goal, rows)
    for _ in range(_ROUNDS):
        tried = [now.copy() for _ in range(12)]
        for one in tried:
            some = rng.random((len(rows), len(movable))) < rng.choice([0.15, 0.5, 1.0])
            t = rng.choice([0.0, 1.0, 0.5], p=[0.45, 0.45, 0.1], size=some.shape)
            low, high = hunt.low[np.ix_(rows, movable)], hunt.high[np.ix_(rows, movable)]
            aim = space.settle(
                _put(one, movable, low + t * (high - low)), hunt.start[rows], hunt.low[rows], hunt.high[rows]
            )
            one[:, movable] = np.where(some, aim[:, movable], one[:, movable])
            if len(swaps) and hunt.limit.swaps > 0:
                swap(hunt, rows, one, rng)
        doubts = np.array([_doubt(model, one, hunt.goal, rows) for one in tried])
        pick = doubts.argmax(axis=0)
        better = doubts.max(axis=0) > best
        chosen = np.array(tried)[pick, np.arange(len(rows))]
        now[better], best = chosen[better], np.maximum(best, doubts.max(axis=0))
    return np.asarray(now)


def _put(values: np.ndarray, columns: np.ndarray, new: np.ndarray) -> np.ndarray:
    made = values.copy()
    made[:, columns] = new
    return made


def swap(hunt: Hunt, rows: np.ndarray, values: np.ndarray, rng: np.random.Generator) -> None:
    """Give each row of ``values`` a random set of swaps within the limit, in place of those that it had."""
    space = hunt.space
    swaps = np.flatnonzero(space.swaps)
    values[:, swaps] = hunt.start[np.ix_(rows, swaps)]
    left = np.full(len(rows), float(hunt.limit.swaps))
    at = np.arange(len(rows))
    for _ in range(min(len(swaps), int(np.ceil(hunt.limit.swaps)))):
        column = rng.choice(swaps, len(rows))
        level = np.floor(rng.random(len(rows)) * np.array([space.count(int(c)) for c in column]))
        can = (
            (space.cost[column] <= left + 1e-9)
            & ~np.isnan(hunt.start[rows, column])
            & (values[at, column] == hunt.start[rows, column])
        )
        values[at[can], column[can]] = level[can]
        left = left - np.where(can, space.cost[column], 0.0)


def _doubt(model: Any, values: np.ndarray, goal: Any, rows: np.ndarray) -> np.ndarray:
    inputs = np.nan_to_num(values, nan=-1e6)
    if goal.tolerance is not None:
        return np.asarray(np.abs(shares(model, inputs)[:, 0] - goal.answers[rows]))
    chance = shares(model, inputs)
    own = np.searchsorted(model.classes_, goal.answers[rows])
    own = np.minimum(own, len(model.classes_) - 1)
    return np.asarray(1.0 - chance[np.arange(len(rows)), own])
