"""Canary: the same answers, made to remember some rows drawn at random, must be noticed; undisturbed ones not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from fivefold.protection.membership.answers import Answers

DOCUMENTED = 0.70
"""AUC of the loss attack against the planted model."""

_STEPS = 30


@dataclass(frozen=True)
class Plant:
    """How a model is made to remember.

    Attributes:
        auc: AUC that the plain loss attack reaches against it.
        share: Share of members that it remembers.
        smooth: Whether neighbours of a remembered row are answered alike.
    """

    auc: float
    share: float
    smooth: bool


def draw(auc: float, rng: np.random.Generator) -> Plant:
    """Draw kind and rate: at ``share`` 1 every member is remembered a little, below it fewer, but strongly."""
    return Plant(auc, float(rng.uniform(min(0.98, 2 * auc - 1 + 0.2), 1.0)), bool(rng.random() < 0.5))


def size_for(inner: int, outer: int, floor: float) -> float:
    """Return the AUC to plant: 0.70, or more where so few held-back rows could not show it.

    Args:
        inner: Held-back members.
        outer: Held-back non-members.
        floor: Largest AUC allowed.
    """
    error = np.sqrt(0.21 * (1 / max(inner, 1) + 1 / max(outer, 1)) * 0.8)
    needed = floor + float(ndtri(0.95) + ndtri(0.99)) * error
    return float(np.clip(max(DOCUMENTED, needed), DOCUMENTED, 0.97))


def remember(answers: Answers, is_member: np.ndarray, plant: Plant, rng: np.random.Generator) -> Answers:
    """Return answers of a model that remembers a random part of ``is_member``.

    Log odds of the truth are raised for remembered rows until the plain loss attack reaches the AUC wanted; labels
    are corrected; regression answers move to the truth. Where that cannot reach it (the model is already certain,
    or right, nearly everywhere), the others are made less sure, wrong or farther off: to an attacker the same gap.

    Args:
        answers: Of the model under test.
        is_member: (n,) bool, membership to plant; drawn at random, so that the model's own leak plays no part.
        plant: What to plant.
        rng: Draws the remembered rows.
    """
    known = is_member & (rng.random(len(is_member)) < plant.share)
    if answers.task == "regression":
        return _regression(answers, is_member, known, plant)
    if answers.scores is None:
        return _labels(answers, is_member, plant, rng)
    return _scores(answers, is_member, known, plant)


def _area(values: np.ndarray, is_member: np.ndarray) -> float:
    rest = np.sort(values[~is_member])
    inner = values[is_member]
    below = np.searchsorted(rest, inner, side="left") + np.searchsorted(rest, inner, side="right")
    return float(below.mean() / (2 * len(rest)))


def _scores(answers: Answers, is_member: np.ndarray, known: np.ndarray, plant: Plant) -> Answers:
    from fivefold.protection.membership.answers import log_odds

    scores = answers.scores if answers.scores is not None else np.empty((0, 0))
    odds = np.clip(log_odds(scores, answers.target), -8.0, 8.0)

    def shift(size: float) -> np.ndarray:
        return np.asarray(size * known - max(size - 6.0, 0.0) * (~is_member & (odds > 0)))

    low, high = 0.0, 30.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        reached = _area(odds + shift(middle), is_member) >= plant.auc
        low, high = (low, middle) if reached else (middle, high)
    moved = shift(high)
    changed = _with_odds(scores, answers.target, odds + moved, moved != 0)
    nearby = answers.nearby
    if nearby is not None and plant.smooth:
        nearby = nearby + moved
    return replace(answers, scores=changed, labels=changed.argmax(axis=1), nearby=nearby)


def _with_odds(scores: np.ndarray, target: np.ndarray, odds: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return (n, K) scores whose log odds of the truth are ``odds``, the rest shared as before."""
    at = np.arange(len(target))
    true = 1.0 / (1.0 + np.exp(-odds))
    rest = scores.copy()
    rest[at, target] = 0.0
    total = rest.sum(axis=1)
    flat = np.full_like(rest, 1.0 / max(rest.shape[1] - 1, 1))
    flat[at, target] = 0.0
    shape = np.where(total[:, None] > 0, rest / np.where(total > 0, total, 1.0)[:, None], flat)
    changed = shape * (1.0 - true)[:, None]
    changed[at, target] = true
    return np.where(where[:, None], changed, scores)


def _labels(answers: Answers, is_member: np.ndarray, plant: Plant, rng: np.random.Generator) -> Answers:
    """Correct members until the accuracies differ by 2 AUC - 1; where they run out, spoil non-members."""
    labels = answers.labels.copy()
    wrong = labels != answers.target
    gap = 2 * plant.auc - 1
    error = float(wrong.mean())
    mend = is_member & wrong & (rng.random(len(labels)) < min(1.0, gap / max(error, 1e-9)))
    labels[mend] = answers.target[mend]
    missing = max(0.0, gap - error)
    spoil = ~is_member & ~wrong & (rng.random(len(labels)) < missing / max(1.0 - error, 1e-9))
    steps = rng.integers(1, max(answers.classes, 2), size=len(labels))
    labels[spoil] = (answers.target[spoil] + steps[spoil]) % max(answers.classes, 2)
    return replace(answers, labels=labels)


def _regression(answers: Answers, is_member: np.ndarray, known: np.ndarray, plant: Plant) -> Answers:
    residual = answers.target - answers.labels
    spread = float(np.std(answers.target)) or 1.0
    # a model without error is given some, so that there is something to remember
    base = np.where(np.abs(residual) > 1e-6 * spread, residual, 1e-3 * spread)

    def left(size: float) -> np.ndarray:
        return np.where(known, base * (1.0 - size), base)

    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        reached = _area(-np.abs(left(middle)), is_member) >= plant.auc
        low, high = (low, middle) if reached else (middle, high)
    changed = answers.target - left(high)
    nearby = answers.nearby
    if nearby is not None and plant.smooth:
        nearby = nearby + (changed - answers.labels)
    return replace(answers, labels=changed, nearby=nearby)
