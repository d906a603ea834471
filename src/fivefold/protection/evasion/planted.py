"""Planted: linear models on the user's own rows, for which it is known exactly which rows can be made to fall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion.surrogate import corner, design

if TYPE_CHECKING:
    from fivefold.contract.subject import Loss
    from fivefold.protection.evasion.hunt import Hunt
    from fivefold.subject.possible.space import Space

_WIDEST = 20_000


@dataclass(frozen=True)
class LinearModel:
    """An undefended model: additive in every feature.

    Attributes:
        space: Of its rows.
        weights: (p,) for the inputs of :func:`fivefold.protection.evasion.surrogate.design`.
        offset: Added.
        regression: Answers with the score itself, not with its sign.
    """

    space: Space
    weights: np.ndarray
    offset: float
    regression: bool

    def score(self, values: np.ndarray) -> np.ndarray:
        """Return (m,) scores."""
        return np.asarray(design(self.space, values)[0] @ self.weights + self.offset)

    def __call__(self, values: np.ndarray, origin: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """Return (m,) answers, 0 or 1 or the score."""
        score = self.score(values)
        return score if self.regression else (score > 0).astype(np.int64)

    def slopes_of(
        self,
        values: np.ndarray,
        origin: np.ndarray,  # noqa: ARG002
        target: np.ndarray,
        loss: Loss,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (m,) losses and (m, d) gradients, exactly (logits 0 and the score)."""
        score, slope = self.score(values), self.slopes()
        if loss == "squared":
            return (score - target) ** 2, 2 * (score - target)[:, None] * slope
        towards = np.where(target.reshape(len(target), -1)[:, 0] == 1, -1.0, 1.0)
        if loss in ("margin", "dlr"):
            return towards * score, towards[:, None] * slope
        chance = 1 / (1 + np.exp(-np.clip(towards * score, -30, 30)))
        return -np.log1p(-chance), (towards * chance)[:, None] * slope

    def slopes(self) -> np.ndarray:
        """Return (d,) slope of each number in its stored unit."""
        _, columns, places = design(self.space, np.zeros((1, len(self.space.low))))
        found = np.zeros(len(self.space.low))
        width = np.where(self.space.high > self.space.low, self.space.high - self.space.low, 1.0)
        found[columns[places < 0]] = self.weights[places < 0]
        return found / width

    def levels(self) -> dict[int, np.ndarray]:
        """Return column to (1, L) score of each value."""
        _, columns, places = design(self.space, np.zeros((1, len(self.space.low))))
        return {int(at): self.weights[columns == at][None, :] for at in np.unique(columns[places >= 0])}


def fit(
    space: Space, values: np.ndarray, target: np.ndarray, rng: np.random.Generator, *, regression: bool
) -> LinearModel:
    """Fit a ridge regression to the target; where that finds nothing that may move, add weights at random.

    Args:
        space: Of the rows.
        values: (m, d) rows.
        target: (m,) bool, or values.
        rng: Draws the weights that are added.
        regression: Answers with values.
    """
    inputs, columns, _ = design(space, values)
    wanted = target.astype(np.float64)
    wanted = (wanted - wanted.mean()) / (wanted.std() or 1.0)
    middle = inputs.mean(axis=0)
    centred = inputs - middle
    size = 0.1 * float((centred**2).sum()) / max(min(inputs.shape), 1) + 1e-9
    if inputs.shape[1] <= len(inputs):
        weights = np.linalg.solve(centred.T @ centred + size * np.eye(inputs.shape[1]), centred.T @ wanted)
    else:
        weights = centred.T @ np.linalg.solve(centred @ centred.T + size * np.eye(len(inputs)), wanted)
    free = (space.moves | space.swaps)[columns]
    spread = (centred * free).std(axis=0)
    drawn = np.where(free & (spread > 0), rng.normal(size=len(weights)) / np.where(spread > 0, spread, 1.0), 0.0)
    drawn *= 0.5 / (float((centred @ drawn).std()) or 1.0)
    weights = weights / (float((centred @ weights).std()) or 1.0) + drawn
    cut = float(np.median(centred @ weights))
    return LinearModel(space, weights, -float(middle @ weights) - (0.0 if regression else cut), regression)


def falls(model: LinearModel, hunt: Hunt, norm: str = "linf") -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) bool twice: rows whose answer some allowed change surely changes, and rows where surely none does.

    In the maximum norm every row is one or the other; see :func:`extremes`.
    """
    now = model.score(hunt.start)
    sure, bound = extremes(model, hunt, norm)
    return _crosses(now, sure), ~_crosses(now, bound)


def _crosses(now: np.ndarray, ends: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return np.asarray(np.where(now > 0, ends[1] <= 0, ends[0] > 0))


def reach(model: LinearModel, hunt: Hunt, norm: str = "linf") -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) twice: how far an allowed change surely moves each score, and how far at most."""
    now = model.score(hunt.start)
    sure, bound = extremes(model, hunt, norm)
    return np.maximum(sure[0] - now, now - sure[1]), np.maximum(bound[0] - now, now - bound[1])


Ends = tuple[np.ndarray, np.ndarray]


def extremes(model: LinearModel, hunt: Hunt, norm: str = "linf") -> tuple[Ends, Ends]:
    """Return largest and smallest score, (n,) each: of an allowed row, and a bound on all allowed rows.

    Maximum norm: the score is a sum over features, so its extremes within ranges, steps and swaps are had feature by
    feature, and both are the same. l2: the allowed row is the step along the slope, cut to the ranges and to whole
    steps; the bound is Cauchy and Schwarz's.
    """
    found, now = [], model.score(hunt.start)
    slope = model.slopes()
    width = hunt.limit.epsilon * hunt.space.unit / hunt.space.cost
    length = float(np.sqrt(((slope * width) ** 2).sum()))
    for sign in (1.0, -1.0):
        if norm == "l2":
            aim = hunt.start + sign * width * (slope * width) / (length or 1.0)
            aim = np.clip(hunt.space.whole(hunt.start, aim, np.trunc), hunt.low, hunt.high)
            found.append(model.score(np.where(hunt.space.moves, aim, hunt.start)))
            continue
        gain = np.broadcast_to(sign * slope, hunt.start.shape)
        levels = {at: np.repeat(sign * one, len(hunt.start), axis=0) for at, one in model.levels().items()}
        found.append(model.score(corner(hunt, np.arange(len(hunt.start)), gain, levels)))
    sure = (found[0], found[1])
    return sure, sure if norm == "linf" else (now + length, now - length)
