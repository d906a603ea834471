"""Fit: a sum over few columns, fitted to the answers around one row, and held against fresh neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fivefold.explanation.nearby.around import WIDTH
from fivefold.stats.auc import delong

Link = Literal["answer", "log-odds", "label"]
"""What the sum is of: the answer, its log-odds, or a vote for the label that the row has."""

_EDGE = 0.005
_SURE = 4.0
_RIDGE = 1e-6


@dataclass(frozen=True)
class Sum:
    """A local surrogate.

    Attributes:
        link: What is added up.
        base: What the sum starts from.
        players: (k,) columns, weightiest first.
        weights: (k, WIDTH) what each feature adds.
        spread: (k WIDTH, k WIDTH) covariance of the weights.
    """

    link: Link
    base: float
    players: np.ndarray
    weights: np.ndarray
    spread: np.ndarray

    def says(self, features: np.ndarray) -> np.ndarray:
        """Return (m,) answers, or votes, for (m, P, WIDTH) neighbours."""
        total = self.base + np.einsum("mkw,kw->m", features[:, self.players], self.weights)
        return np.asarray(_back(total) if self.link == "log-odds" else total)

    def moves(self, at: int, features: np.ndarray, which: np.ndarray) -> tuple[float, float]:
        """Return what the k-th column adds on average in the neighbours ``which``, and its standard error."""
        mean = features[which][:, self.players[at]].mean(axis=0)
        part = slice(at * WIDTH, (at + 1) * WIDTH)
        return float(mean @ self.weights[at]), float(np.sqrt(max(mean @ self.spread[part, part] @ mean, 0.0)))


def _back(total: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(total, -30, 30))))


def left(answers: np.ndarray, said: np.ndarray, link: Link) -> float:
    """Return how much of the variance of the answers is left untold.

    Of answers the mean squared error. Votes are judged by how surely they rank a neighbour with the label above one
    without: of the variance the square of Somers' D (twice the AUC less 1) is told.

    Args:
        answers: (m,).
        said: (m,) what a sum says.
        link: What it is a sum of.
    """
    if link != "label":
        return float(((answers - said) ** 2).mean())
    has = answers > 0.5
    if has.all() or not has.any():
        return 0.0
    return float(answers.var() * (1 - max(2 * delong(said[has], said[~has])[0] - 1, 0.0) ** 2))


def fit(features: np.ndarray, answers: np.ndarray, most: int, link: Link) -> Sum:
    """Fit a sum: columns are taken in by turns, that of the feature which the residual goes with most.

    It ends at ``most`` columns, or where the best feature is what chance gives among so many. Source: Pati, Rezaiifar
    and Krishnaprasad 1993 (orthogonal matching pursuit); Ribeiro, Singh and Guestrin 2016 (sparse local sums).

    Args:
        features: (m, P, WIDTH).
        answers: (m,) in [0, 1] for ``log-odds`` and ``label``.
        most: Most columns.
        link: What is added up.
    """
    m, players = features.shape[:2]
    target = answers
    if link == "log-odds":
        kept = np.clip(answers, _EDGE, 1 - _EDGE)
        target = np.log(kept / (1 - kept))
    flat = features.reshape(m, -1)
    centre = flat.mean(axis=0, dtype=np.float64)
    size = np.maximum(np.einsum("mf,mf->f", flat, flat, dtype=np.float64) - m * centre**2, 1e-9)
    chosen, base, weights = list[int](), float(target.mean()), np.zeros(0)
    rest, spread = target - base, np.zeros((0, 0))
    while len(chosen) < min(most, players):
        told = (
            ((rest.astype(np.float32) @ flat - m * centre * rest.mean()) ** 2 / size)
            .reshape(players, WIDTH)
            .max(axis=1)
        )
        told[chosen] = 0.0
        best = int(told.argmax())
        if told[best] <= rest.var() * (2 * np.log(flat.shape[1]) + _SURE) or told[best] <= 1e-12 * (target**2).sum():
            break
        chosen.append(best)
        used = features[:, chosen].reshape(m, -1).astype(np.float64)
        base, weights, spread = _solved(used, target)
        rest = target - base - used @ weights
    return Sum(link, base, np.array(chosen, dtype=np.int64), weights.reshape(-1, WIDTH), spread)


def _solved(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return base, weights and their covariance by least squares; features that never vary get nothing."""
    centre, m = x.mean(axis=0), len(x)
    away = x - centre
    gram = away.T @ away
    ridge = _RIDGE * m + np.where(np.diag(gram) <= 1e-9, 1.0, 0.0)
    inverse = np.linalg.inv(gram + np.diag(ridge))
    weights = inverse @ (away.T @ (y - y.mean()))
    free = max(m - int((np.diag(gram) > 1e-9).sum()) - 1, 1)
    variance = float(((y - y.mean() - away @ weights) ** 2).sum()) / free
    return float(y.mean() - centre @ weights), weights, variance * inverse @ gram @ inverse
