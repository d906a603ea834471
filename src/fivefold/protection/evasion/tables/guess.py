"""Guess: surrogates of the model, additive or a forest, taught by everything that it said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.protection.evasion import surrogate
from fivefold.protection.evasion.surrogate import design
from fivefold.stats.forest import shares

if TYPE_CHECKING:
    from fivefold.protection.evasion.tables.search import Search
    from fivefold.subject.possible.domain import Domain

_LESSONS = 12_000
_TREES = 60
_MISSING = -1e6
_FLOOR = 1e-4


@dataclass(frozen=True)
class Guess:
    """Additive scores of the answers.

    Attributes:
        domain: Possible rows.
        weights: (K, d) slope of each number in its stored unit, 0 for categories.
        levels: Column of a category to (K, L) score of each of its values.
        answers: (K,) the answer that each score speaks for; one score: the value itself.
        agreement: Share of left-out rows (values: R2) on which it says the same.
    """

    domain: Domain
    weights: np.ndarray
    levels: dict[int, np.ndarray]
    answers: np.ndarray
    agreement: float

    @property
    def sides(self) -> int:
        """How many ways there are to be wrong: the other answers, or up and down."""
        return 2 if len(self.answers) == 1 else len(self.answers) - 1

    def against(self, search: Search, rows: np.ndarray, rank: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return (m, d) slopes and for each block (m, L) gains of the likeliest (``rank`` 0) other answer's lead."""
        start = search.start[rows]
        if len(self.answers) == 1:
            sign = 1.0 if rank == 0 else -1.0
            slope = np.repeat(sign * self.weights, len(rows), axis=0)
            return slope, self._swaps(
                start, slope, {at: sign * np.repeat(one, len(rows), 0) for at, one in self.levels.items()}
            )
        own = np.minimum(np.searchsorted(self.answers, search.goal.answers[rows]), len(self.answers) - 1)
        score = np.nan_to_num(start) @ self.weights.T
        for at, levels in self.levels.items():
            code = np.nan_to_num(start[:, at], nan=0.0).astype(np.int64)
            score += levels[:, np.minimum(code, levels.shape[1] - 1)].T
        score[np.arange(len(rows)), own] = -np.inf
        other = np.argsort(-score, axis=1, kind="stable")[:, min(rank, len(self.answers) - 2)]
        slope = self.weights[other] - self.weights[own]
        return slope, self._swaps(start, slope, {at: one[other] - one[own] for at, one in self.levels.items()})

    def _swaps(self, start: np.ndarray, slope: np.ndarray, levels: dict[int, np.ndarray]) -> list[np.ndarray]:
        found = []
        for block in self.domain.blocks:
            gain = np.zeros((len(start), len(block.levels)))
            for place, at in enumerate(block.columns.tolist()):
                new, now = block.levels[:, place], start[:, at]
                if at not in levels:
                    gain += np.nan_to_num((new[None] - now[:, None]) * slope[:, [at]])
                    continue
                table = levels[at]
                code = np.minimum(np.nan_to_num(now), table.shape[1] - 1).astype(np.int64)
                own = table[np.arange(len(start)), code]
                gain += table[:, np.minimum(new, table.shape[1] - 1).astype(np.int64)] - own[:, None]
            found.append(gain)
        return found


def learned(
    domain: Domain, values: np.ndarray, answers: np.ndarray, scores: np.ndarray, tolerance: float | None
) -> Guess | None:
    """Fit additive scores to answers, or better to the logarithms of scores where there are any; None: no use."""
    if not len(values) or np.ptp(answers) == 0:
        return None
    if tolerance is not None or not scores.shape[1]:
        made = surrogate.linear(domain.space, values, answers, regression=tolerance is not None)
        return None if made is None else Guess(domain, made.weights, made.levels, made.answers, made.agreement)
    inputs, columns, places = design(domain.space, values)
    wanted = np.log(np.clip(scores, _FLOOR, 1.0))
    wanted = wanted - wanted.mean(axis=1, keepdims=True)
    cut = max(1, len(inputs) * 4 // 5)
    middle, mean = inputs[:cut].mean(axis=0), wanted[:cut].mean(axis=0)
    centred = inputs[:cut] - middle
    size = 1e-3 * float((centred**2).sum()) / max(min(centred.shape), 1) + 1e-9
    if centred.shape[1] <= len(centred):
        fit = np.linalg.solve(
            centred.T @ centred + size * np.eye(centred.shape[1]), centred.T @ (wanted[:cut] - mean)
        ).T
    else:
        gram = centred @ centred.T + size * np.eye(len(centred))
        fit = (centred.T @ np.linalg.solve(gram, wanted[:cut] - mean)).T
    told = (inputs[cut:] - middle) @ fit.T + mean
    agreement = float((told.argmax(axis=1) == answers[cut:]).mean()) if len(told) else 0.0
    weights, levels = np.zeros((scores.shape[1], values.shape[1])), {}
    width = np.where(domain.space.high > domain.space.low, domain.space.high - domain.space.low, 1.0)
    for at in np.unique(columns).tolist():
        mine = columns == at
        if (places[mine] < 0).all():
            weights[:, at] = fit[:, mine][:, 0] / width[at]
        else:
            levels[at] = fit[:, mine]
    return Guess(domain, weights, levels, np.arange(scores.shape[1]), agreement)


def lessons(
    search: Search, values: np.ndarray, answers: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what was known and the latest of what was asked since: rows, answers, scores."""
    parts = [(values, answers, scores), *search.taught]
    made = tuple(np.concatenate([part[place] for part in parts]) for place in range(3))
    if len(made[0]) <= _LESSONS:
        return made  # type: ignore[return-value]
    keep = np.unique(np.linspace(0, len(made[0]) - 1, _LESSONS).astype(np.int64))
    return made[0][keep], made[1][keep], made[2][keep]


def relearned(search: Search, values: np.ndarray, answers: np.ndarray, scores: np.ndarray) -> Guess | None:
    """Return :func:`learned` from everything that was said so far."""
    return learned(search.domain, *lessons(search, values, answers, scores), search.goal.tolerance)


@dataclass(frozen=True)
class Trees:
    """A forest that learned the answers.

    Attributes:
        model: Fitted.
        agreement: As of :class:`Guess`.
        tolerance: Values: see :class:`Goal`.
    """

    model: Any
    agreement: float
    tolerance: float | None

    def doubt(self, values: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return (m,) how far the forest doubts the answers ``own`` (m,) for changed rows."""
        inputs = np.nan_to_num(values, nan=_MISSING)
        if self.tolerance is not None:
            return np.asarray(np.abs(shares(self.model, inputs)[:, 0] - own))
        chance = shares(self.model, inputs)
        place = np.minimum(np.searchsorted(self.model.classes_, own), len(self.model.classes_) - 1)
        return np.asarray(1.0 - chance[np.arange(len(values)), place])


def trees(
    search: Search, values: np.ndarray, answers: np.ndarray, scores: np.ndarray, rng: np.random.Generator
) -> Trees | None:
    """Fit a forest to everything that was said; its agreement is that on rows left out."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    rows, said, _ = lessons(search, values, answers, scores)
    if np.ptp(said) == 0:
        return None
    order = rng.permutation(len(rows))
    inputs, said = np.nan_to_num(rows[order], nan=_MISSING), said[order]
    cut = max(1, len(inputs) * 4 // 5)
    kind = ExtraTreesClassifier if search.goal.tolerance is None else ExtraTreesRegressor
    model = kind(n_estimators=_TREES, min_samples_leaf=2, random_state=int(rng.integers(2**31)), n_jobs=1)
    model.fit(inputs[:cut], said[:cut])
    agreement = float(model.score(inputs[cut:], said[cut:])) if cut < len(inputs) else 0.0
    return Trees(model, agreement, search.goal.tolerance)
