"""Student: a cheap regression that says what a model would answer at x had it not seen the row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve

if TYPE_CHECKING:
    from collections.abc import Sequence

_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_FOLDS = 4


def widen(encoded: np.ndarray, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Add random hinge features, so that a linear fit can bend and let columns interact.

    One half of the hinges looks at one column each, the other half at a few columns (random features in the sense
    of Rahimi and Recht 2008; extreme learning machines, Huang et al. 2006).

    Args:
        encoded: (n, w) from :func:`fivefold.protection.membership.rows.encode`.
        rows: Rows that later fits will have; fewer rows give fewer hinges.
        rng: Draws the hinges.

    Returns:
        (n, 1 + w + h) float32 (half the memory; fits add up in float64), the first column constant.
    """
    n, width = encoded.shape
    hinges = int(np.clip(rows // 6, 8, 160))
    weights = np.zeros((width, hinges))
    for at in range(hinges):
        several = 1 if at % 2 == 0 else min(width, 3)
        weights[rng.choice(width, several, replace=False), at] = rng.normal(size=several) / np.sqrt(several)
    projected = encoded @ weights
    offsets = projected[rng.integers(0, n, size=hinges), np.arange(hinges)]
    wide = np.empty((n, 1 + width + hinges), dtype=np.float32)
    wide[:, 0], wide[:, 1 : 1 + width] = 1.0, encoded
    np.maximum(projected - offsets, 0.0, out=wide[:, 1 + width :], casting="same_kind")
    return wide


@dataclass(frozen=True)
class Fit:
    """Predictions that no row had a part in.

    Attributes:
        guess: (n, m) predictions; rows used for fitting get the one of the fold that left them out.
        error: (m,) mean squared error over the fitting rows, out of fold.
    """

    guess: np.ndarray
    error: np.ndarray


def crossfit(design: np.ndarray, rows: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> Fit:
    """Ridge regression, cross-fitted on ``rows`` and applied to every row.

    The penalty (relative to the mean diagonal of the Gram matrix) is the one with the least out-of-fold error,
    summed over targets in units of their variance.

    Args:
        design: (n, p) features, float32 or float64, first column constant.
        rows: (k,) positions to fit on, at least 8.
        targets: (k, m) finite.
        rng: Draws the folds.
    """
    fold = rng.permutation(np.arange(len(rows)) % _FOLDS)
    kept = [np.flatnonzero(fold == at) for at in range(_FOLDS)]
    # one fold at a time in float64: copies of the whole design would double the memory of a check
    sums = [_sums(design[rows[held]].astype(np.float64), targets[held]) for held in kept]
    grams, moments = [one[0] for one in sums], [one[1] for one in sums]
    solved = [[_solve(_but(grams, at), _but(moments, at), penalty) for at in range(_FOLDS)] for penalty in _PENALTIES]
    guessed = np.empty((len(_PENALTIES), *targets.shape))
    for at, held in enumerate(kept):
        part = design[rows[held]]
        for which, betas in enumerate(solved):
            guessed[which, held] = part @ betas[at].astype(design.dtype)
    errors = ((targets - guessed) ** 2).mean(axis=1)
    best = int((errors / (targets.var(axis=0) + 1e-12)).sum(axis=1).argmin())
    values = (design @ np.mean(solved[best], axis=0).astype(design.dtype)).astype(np.float64)
    values[rows] = guessed[best]
    return Fit(values, errors[best])


def _sums(part: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Gram matrix and moments of one fold."""
    return part.T @ part, part.T @ targets


def _but(parts: Sequence[np.ndarray], left_out: int) -> np.ndarray:
    """Return the sum of all parts but one."""
    return np.asarray(np.sum([part for at, part in enumerate(parts) if at != left_out], axis=0))


def _solve(gram: np.ndarray, moment: np.ndarray, penalty: float) -> np.ndarray:
    size = penalty * float(np.trace(gram)) / len(gram) + 1e-9
    ridge = np.full(len(gram), size)
    ridge[0] = 1e-9 * size + 1e-9  # the constant is not shrunk
    return np.asarray(cho_solve(cho_factor(gram + np.diag(ridge)), moment))


def logistic(inputs: np.ndarray, outcome: np.ndarray, penalty: float, start: np.ndarray | None = None) -> np.ndarray:
    """Ridge-penalised logistic regression by iteratively reweighted least squares, at most eight steps.

    Args:
        inputs: (n, p), first column constant (not shrunk).
        outcome: (n,) bool.
        penalty: Added to the diagonal of the Hessian, above 0.
        start: (p,) where to start; from zero if not given.

    Returns:
        (p,) coefficients.
    """
    beta = np.zeros(inputs.shape[1]) if start is None else start.copy()
    ridge = np.full(len(beta), penalty)
    ridge[0] = 1e-6
    truth = outcome.astype(np.float64)
    for _ in range(8):
        chance = 1.0 / (1.0 + np.exp(-np.clip(inputs @ beta, -30.0, 30.0)))
        weight = np.maximum(chance * (1.0 - chance), 1e-3)
        gradient = inputs.T @ (truth - chance) - ridge * beta
        hessian = (inputs * weight[:, None]).T @ inputs + np.diag(ridge)
        step = np.asarray(cho_solve(cho_factor(hessian), gradient))
        beta = beta + step
        if float(np.abs(step).max()) < 1e-2:
            break
    return beta
