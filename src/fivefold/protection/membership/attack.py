"""Attack: fitted and chosen on one half of the pool, stated on the other, so that no choice flatters a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.membership import answers as view
from fivefold.protection.membership.student import crossfit, logistic

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.protection.membership.answers import Answers

_FOLDS = 4
_BINS = 8


@dataclass(frozen=True)
class Halves:
    """The split of the pool.

    Attributes:
        is_member: (n,) bool.
        fit: (n,) bool, the half on which attacks are fitted and chosen; the rest states the figure.
    """

    is_member: np.ndarray
    fit: np.ndarray


@dataclass(frozen=True)
class Scored:
    """Attack scores, larger: more like a member; ties are broken at random (a randomised attack).

    Attributes:
        scores: Attack name to (n,) scores; on the fitting half they are out of fold.
        best_auc: Name of the attack with the largest AUC on the fitting half.
        best_low: Name of the attack with the largest true-positive rate at low false-positive rates there.
    """

    scores: dict[str, np.ndarray]
    best_auc: str
    best_low: str


def halve(is_member: np.ndarray, rng: np.random.Generator) -> Halves:
    """Split members and non-members at random, each into two halves (the held-back one is never the smaller)."""
    fit = np.zeros(len(is_member), dtype=bool)
    for side in (True, False):
        rows = np.flatnonzero(is_member == side)
        fit[rng.choice(rows, len(rows) // 2, replace=False)] = True
    return Halves(is_member, fit)


def attack(answers: Answers, design: np.ndarray, halves: Halves, rng: np.random.Generator) -> Scored:
    """Run every attack and choose on the fitting half.

    Non-members of the fitting half teach a student (what the model answers at x) and a reference (what the truth is
    at x); both are cross-fitted, so members and non-members are treated alike.

    Args:
        answers: The model's answers for the pool.
        design: (n, p) features from :func:`fivefold.protection.membership.student.widen`.
        halves: The split.
        rng: Folds and ties.
    """
    taught = np.flatnonzero(halves.fit & ~halves.is_member)
    asked, truth = view.student_targets(answers, taught), view.truth_targets(answers, taught)
    fitted = crossfit(design, taught, np.column_stack([asked, truth]), rng)
    expected, reference = fitted.guess[:, : asked.shape[1]], fitted.guess[:, asked.shape[1] :]
    scores = view.direct(answers) | view.calibrated(answers, expected, reference)
    scores |= view.against_neighbours(answers) | view.against_shadows(answers)
    if answers.task != "regression":
        scores |= _by_class(scores, answers, halves)
    scores["learned"] = _learned(scores, answers, halves, rng)
    broken = {name: _untied(values, rng) for name, values in scores.items()}
    return Scored(broken, _best(broken, halves, _area), _best(broken, halves, _low_area))


def _by_class(scores: dict[str, np.ndarray], answers: Answers, halves: Halves) -> dict[str, np.ndarray]:
    """Standardise the loss and the distance from the student by the non-members of the row's class."""
    found = {}
    for name in ("loss", "distance from student"):
        if name not in scores:
            continue
        values = scores[name].copy()
        for code in range(answers.classes):
            same = answers.target == code
            known = values[same & halves.fit & ~halves.is_member]
            if len(known) >= 10:
                low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
                values[same] = (values[same] - middle) / (high - low + 0.05)
        found[f"{name} by class"] = values
    return found


def _learned(scores: dict[str, np.ndarray], answers: Answers, halves: Halves, rng: np.random.Generator) -> np.ndarray:
    """Fit an additive logistic attack on all signals (as the supervised attack of ART and Shokri et al. 2017)."""
    inputs = _features(scores, answers, halves)
    rows = np.flatnonzero(halves.fit)
    outcome = halves.is_member[rows]
    fold = rng.permutation(np.arange(len(rows)) % _FOLDS)
    penalty = 4.0
    values = np.empty(len(inputs))
    whole = logistic(inputs[rows], outcome, penalty)
    values[~halves.fit] = inputs[~halves.fit] @ whole
    for at in range(_FOLDS):
        beta = logistic(inputs[rows[fold != at]], outcome[fold != at], penalty, whole)
        values[rows[fold == at]] = inputs[rows[fold == at]] @ beta
    return values


def _features(scores: dict[str, np.ndarray], answers: Answers, halves: Halves) -> np.ndarray:
    """Return (n, p): constant, each signal straight and in steps at its quantiles, and the class."""
    parts = [np.ones(len(halves.fit))]
    for values in scores.values():
        known = values[halves.fit]
        inner = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
        spread = known.std() or 1.0
        parts.append(np.clip((values - known.mean()) / spread, -4.0, 4.0))
        codes = np.searchsorted(inner, values, side="left")
        parts.extend((codes == code).astype(np.float64) for code in range(1, len(inner) + 1))
    if answers.task != "regression":
        counts = np.bincount(answers.target, minlength=answers.classes)
        common = np.argsort(-counts, kind="stable")[: min(answers.classes - 1, 12)]
        parts.extend((answers.target == code).astype(np.float64) for code in common)
    return np.column_stack(parts)


def _untied(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) distinct ranks from 0, ties in random order."""
    ranks = np.empty(len(values))
    ranks[np.lexsort((rng.random(len(values)), values))] = np.arange(len(values))
    return ranks


def _best(scores: dict[str, np.ndarray], halves: Halves, merit: Callable[[np.ndarray, np.ndarray], float]) -> str:
    inside = halves.fit & halves.is_member
    outside = halves.fit & ~halves.is_member
    return max(scores, key=lambda name: merit(scores[name][inside], scores[name][outside]))


def _area(members: np.ndarray, others: np.ndarray) -> float:
    """Return the AUC."""
    return float(np.searchsorted(np.sort(others), members).mean() / len(others))


def _low_area(members: np.ndarray, others: np.ndarray) -> float:
    """Return the mean true-positive rate at false-positive rates up to 2 %."""
    steps = max(1, round(0.02 * len(others)))
    edges = np.sort(others)[::-1][:steps]
    return float((len(members) - np.searchsorted(np.sort(members), edges, side="right")).mean() / len(members))
