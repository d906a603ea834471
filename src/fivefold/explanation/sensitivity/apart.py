"""Apart: whether rows put together from cells drawn one by one lie where real rows do."""

from __future__ import annotations

import numpy as np

_ROWS = 500
_USUAL = 0.95


def far(codes: np.ndarray, drawn: np.ndarray, rng: np.random.Generator) -> float:
    """Return the share of drawn rows farther from every real row than 95 % of real rows are; about 0.05 if none are.

    Args:
        codes: (n, P) ranks of cells, n at least 4.
        drawn: (m, P) positions of cells.
        rng: Draws which rows are held against which.
    """
    order = rng.permutation(len(codes))[: 2 * _ROWS]
    near, own = codes[order[::2]], codes[order[1::2]]
    some = drawn[rng.permutation(len(drawn))[:_ROWS]]
    edge = np.quantile(_nearest(own, near), _USUAL)
    return float((_nearest(codes[some, np.arange(codes.shape[1])], near) > edge + 1e-9).mean())


def _nearest(rows: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return (m,) squared distance of each row to the nearest one."""
    square = (rows**2).sum(axis=1)[:, None] + (near**2).sum(axis=1) - 2 * rows @ near.T
    return np.asarray(np.maximum(square, 0.0).min(axis=1))
