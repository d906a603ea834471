"""Constraints: the learner is handed relabelled, weighed rows until its rates are alike (Agarwal et al. 2018).

Exponentiated gradient over the signed constraints "rate of group g is the mean rate within ``slack``"; each step is one
cost-sensitive fit. Kept is one iterate, not the mixture of all: a decision must not hang on a draw. It is the one with
the fewest errors among those within the slack on the training rows, or that with the smallest gap if none is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from fivefold.fairness.mitigation.aims import counted, gap, rates

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.fairness.mitigation.aims import Aim


class Fit(Protocol):
    """Fits a classifier."""

    def __call__(self, truth: np.ndarray, weight: np.ndarray) -> Callable[[], np.ndarray]:
        """Return what gives (n,) scores of the training rows; the rows are known to the learner."""
        ...


def constrained(
    fit: Fit,
    truth: np.ndarray,
    codes: np.ndarray,
    aim: Aim,
    *,
    slack: float = 0.02,
    steps: int = 40,
    bound: float = 10.0,
) -> Callable[[], np.ndarray]:
    """Return the classifier that was kept.

    Args:
        fit: The learner.
        truth: (n,) 0 or 1.
        codes: (n,) groups.
        aim: What is to be alike.
        slack: How far a group's rate may lie from the mean.
        steps: How many fits.
        bound: Largest sum of the multipliers.
    """
    groups = int(codes.max(initial=0)) + 1
    mine = counted(aim, truth)
    size = np.bincount(codes[mine], minlength=groups).astype(np.float64)
    theta = np.zeros((2, groups))
    best: tuple[float, float] = (np.inf, np.inf)
    kept = None
    for step in range(steps):
        spread = np.exp(theta - theta.max())
        pull = bound * spread / (np.exp(-theta.max()) + spread.sum())
        slope = pull[0] - pull[1] if step else np.zeros(groups)
        # cost of a favourable answer: of the error, and of the constraints: mean over the group less mean over all
        cost = (1.0 - 2.0 * truth) / len(truth)
        each = np.divide(slope, size, out=np.zeros(groups), where=size > 0)
        cost = cost + np.where(mine, each[codes] - slope.sum() / max(mine.sum(), 1), 0.0)
        model = fit((cost < 0).astype(np.int64), np.abs(cost) * len(truth))
        chosen = model() >= 0.5
        found = rates(chosen, codes, truth, aim)
        overall = float(chosen[mine].mean()) if mine.any() else 0.0
        away = np.nan_to_num(found - overall, nan=0.0)
        apart, wrong = gap(chosen, codes, truth, aim), float((chosen != truth).mean())
        key = (0.0, wrong) if apart <= 2 * slack else (apart, wrong)
        if key < best:
            best, kept = key, model
        theta += 2.0 / np.sqrt(1 + step) * np.stack([away - slack, -away - slack]) * bound / 2
    return kept if kept is not None else fit(truth, np.ones(len(truth)))
