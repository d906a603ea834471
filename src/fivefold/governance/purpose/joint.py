"""Joint: scores that see all columns of a row at once: a broken dependence shows though each column is whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

_PARTS = 3
_CUTS = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)
_RIDGE = 0.1


@dataclass(frozen=True)
class Joint:
    """Scores of rows of codes: the main directions in which rows differ, and how unusual the whole is.

    Attributes:
        places: (d, width) the normal score of each code of each column.
        middle: (d,) mean of the normal scores.
        weights: (d, parts) the directions.
        inverse: (d, d) inverse covariance, for Mahalanobis's distance.
        edges: For each score its cuts.
        names: What each score is called.
    """

    places: np.ndarray
    middle: np.ndarray
    weights: np.ndarray
    inverse: np.ndarray
    edges: tuple[np.ndarray, ...]
    names: tuple[str, ...]

    def codes(self, codes: np.ndarray) -> np.ndarray:
        """Return (n, scores) codes of the scores.

        Args:
            codes: (n, d) codes of the columns.
        """
        scores = _scores(self, codes)
        made = [np.searchsorted(edges, scores[:, at], "left") for at, edges in enumerate(self.edges)]
        return np.column_stack(made) if made else np.zeros((len(codes), 0), dtype=np.int64)


def joined(codes: np.ndarray, width: int = 16) -> Joint:
    """Learn the scores from rows of codes, (n, d) integers below ``width``; one column alone has none."""
    n, d = codes.shape
    counts = np.array([np.bincount(codes[:, at], minlength=width) for at in range(d)]) + 0.5
    shares = counts / counts.sum(axis=1, keepdims=True)
    places = ndtri(np.cumsum(shares, axis=1) - shares / 2)
    values = places[np.arange(d), codes]
    middle = values.mean(axis=0)
    spread = (values - middle).T @ (values - middle) / max(n - 1, 1) + _RIDGE * np.eye(d)
    weights = np.linalg.eigh(spread)[1][:, ::-1][:, :_PARTS]
    bare = Joint(places, middle, weights, np.linalg.inv(spread), (), ())
    if d < 2:
        return bare
    scores = _scores(bare, codes)
    edges = tuple(np.unique(np.quantile(scores[:, at], _CUTS)) for at in range(scores.shape[1]))
    names = (*(f"direction {at + 1}" for at in range(weights.shape[1])), "distance from the middle")
    return Joint(places, middle, weights, bare.inverse, edges, names)


def _scores(joint: Joint, codes: np.ndarray) -> np.ndarray:
    values = joint.places[np.arange(codes.shape[1]), codes] - joint.middle
    far = np.einsum("ij,ij->i", values @ joint.inverse, values)
    return np.column_stack([values @ joint.weights, far])
