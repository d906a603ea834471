"""Values: twelve figures by group of a regression, from one pass over eight sums and their products.

Draws are of the sums, normal with the covariance that the very products show; rows are not looked at twice.
"""

from __future__ import annotations

import numpy as np

NAMES = (
    "mean prediction", "mean target", "mean error", "mean absolute error", "mean squared error",
    "root mean squared error", "R2", "Pearson correlation", "slope of target on prediction", "mean over-prediction",
    "mean under-prediction", "share over-predicted",
)  # fmt: skip
_SUMS = 8


def sums(codes: np.ndarray, target: np.ndarray, answer: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows (G,), and the means of eight sums and of their products, (G, 8) and (G, 8, 8), as one (G, 8, 9).

    Args:
        codes: (n,) groups.
        target: (n,) truth; best centred and scaled by the caller, so that squares do not cancel.
        answer: (n,) predictions, in the same unit.
        groups: G.
    """
    error = answer - target
    parts = np.stack([
        target, answer, target**2, answer**2, target * answer, np.abs(error), np.maximum(error, 0.0),
        (error > 0).astype(np.float64),
    ])  # fmt: skip
    rows = np.bincount(codes, minlength=groups).astype(np.float64)
    found = np.zeros((groups, _SUMS, _SUMS + 1))
    order = np.argsort(codes, kind="stable")
    parts = parts[:, order]
    ends = np.cumsum(rows).astype(int)
    for group, (start, end) in enumerate(zip(ends - rows.astype(int), ends, strict=True)):
        mine = parts[:, start:end]
        if end > start:
            found[group, :, 0] = mine.mean(axis=1)
            found[group, :, 1:] = mine @ mine.T / (end - start)
    return rows, found


def drawn(rows: np.ndarray, found: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    """Return (D, G, 8) draws of the means of the sums (central limit; a group of one row does not vary)."""
    means, products = found[..., 0], found[..., 1:]
    covariance = products - means[..., :, None] * means[..., None, :]
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0) / np.maximum(rows - 1, 1)[:, None])[:, None, :]
    return np.asarray(means + np.einsum("gij,dgj->dgi", root, rng.standard_normal((draws, *means.shape))))


def figures(means: np.ndarray) -> np.ndarray:
    """Return (..., 12, G) figures of the (..., G, 8) means of sums; NaN where one is not defined."""
    y, p, yy, pp, yp, absolute, over, share = (means[..., at] for at in range(_SUMS))
    square = np.maximum(yy - 2 * yp + pp, 0.0)
    spread, guessed, joint = yy - y**2, pp - p**2, yp - y * p
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [
            p, y, p - y, absolute, square, np.sqrt(square), np.where(spread > 0, 1 - square / spread, np.nan),
            np.where((spread > 0) & (guessed > 0), joint / np.sqrt(spread * guessed), np.nan),
            np.where(guessed > 0, joint / guessed, np.nan), over, absolute - over, share,
        ]  # fmt: skip
    return np.stack(found, axis=-2)
