"""Ranks: twelve figures by group of an ordering by score, from one table of counts: group, truth, step of the score.

Scores are cut into at most 64 steps of about equal size; equal scores stay together and count half against each other.
"""

from __future__ import annotations

import numpy as np

NAMES = (
    "AUC within the group", "AUC of the group's positives over other negatives",
    "AUC of other positives over the group's negatives", "mean rank", "share in the top", "precision in the top",
    "recall in the top", "skew in the top", "exposure", "exposure of positives", "average precision",
    "NDCG within the group",
)  # fmt: skip
STEPS = 64


def steps(score: np.ndarray, most: int = STEPS) -> np.ndarray:
    """Return (n,) steps of scores, 0 the highest; equal scores are of one step."""
    edges = np.unique(np.quantile(score, np.arange(1, most) / most))
    at = np.searchsorted(edges, score, side="right")
    return np.asarray(len(edges) - at)


def count(codes: np.ndarray, truth: np.ndarray, step: np.ndarray, groups: int) -> np.ndarray:
    """Return (G, 2, S) rows by group, truth and step, in one pass."""
    wide = int(step.max(initial=0)) + 1
    cell = (codes * 2 + truth) * wide + step
    return np.bincount(cell, minlength=groups * 2 * wide).reshape(groups, 2, wide)


def drawn(counts: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    """Return (D, G, 2, S) tables drawn group by group, each of its group's size."""
    flat = counts.reshape(len(counts), -1)
    sizes = flat.sum(axis=1)
    made = rng.multinomial(sizes, flat / np.maximum(sizes, 1)[:, None], size=(draws, len(counts)))
    return made.reshape(draws, *counts.shape)


def figures(counts: np.ndarray, top: float = 0.1) -> np.ndarray:
    """Return (..., 12, G) figures of (..., G, 2, S) counts.

    AUC, and those across groups: Borkan et al. 2019 (BNSP, BPSN). Skew: Geyik, Ambler and Kenthapadi 2019, equation 2
    (natural logarithm). Exposure: Singh and Joachims 2018, equation 2, 1/log2(1 + rank). The top is a share of rows.

    Args:
        counts: Rows by group, truth and step, 0 the highest score.
        top: Share of all rows that are in the top, in (0, 1).
    """
    held = counts.astype(np.float64)
    bad, good = held[..., 0, :], held[..., 1, :]
    both = bad + good
    every = both.sum(axis=-2, keepdims=True)
    rows = every.sum(axis=-1, keepdims=True)
    before = np.cumsum(every, axis=-1) - every
    rank = before + (every + 1) / 2  # the mean rank of a step
    taken = np.clip((top * rows - before) / np.maximum(every, 1), 0.0, 1.0)
    size = both.sum(axis=-1)
    weight = 1 / np.log2(1 + rank)
    others_bad, others_good = bad.sum(axis=-2, keepdims=True) - bad, good.sum(axis=-2, keepdims=True) - good
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (both * taken).sum(axis=-1) / size
        precision = (good * taken).sum(axis=-1) / (both * taken).sum(axis=-1)
        recall = (good * taken).sum(axis=-1) / good.sum(axis=-1)
        overall = (every * taken).sum(axis=-1) / rows[..., 0]
        own = np.cumsum(both, axis=-1) - both
        ahead = np.cumsum(good, axis=-1) - good
        positives = good.sum(axis=-1)
        # within a step: precision at its middle, for each of its positives (ties as expected under a random order)
        average = (good * (ahead + (good + 1) / 2) / np.maximum(own + (both + 1) / 2, 1)).sum(axis=-1) / positives
        gain = (good / np.log2(1 + own + (both + 1) / 2)).sum(axis=-1)
        found = [
            _auc(good, bad), _auc(good, others_bad), _auc(others_good, bad),
            (both * rank).sum(axis=-1) / size / rows[..., 0], share, precision, recall, np.log(share / overall),
            (both * weight).sum(axis=-1) / size, (good * weight).sum(axis=-1) / positives, average,
            gain / _ideal(positives),
        ]  # fmt: skip
    whole = np.stack(found, axis=-2)
    return np.where(np.isfinite(whole), whole, np.nan)


def _auc(good: np.ndarray, bad: np.ndarray) -> np.ndarray:
    below = bad.sum(axis=-1, keepdims=True) - np.cumsum(bad, axis=-1) + bad / 2
    return np.asarray((good * below).sum(axis=-1) / (good.sum(axis=-1) * bad.sum(axis=-1)))


def _ideal(positives: np.ndarray) -> np.ndarray:
    """Return the sum of 1/log2(1 + r) over the first ranks."""
    most = int(positives.max(initial=0))
    table = np.concatenate([[0.0], np.cumsum(1 / np.log2(2 + np.arange(most)))])
    return np.asarray(table[positives.astype(int)])


def auc_spread(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return AUC within each group of (G, 2, S) counts and its standard error (DeLong et al. 1988, from the table)."""
    bad, good = counts[:, 0].astype(np.float64), counts[:, 1].astype(np.float64)
    n, m = bad.sum(axis=1), good.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        under = (n[:, None] - np.cumsum(bad, axis=1) + bad / 2) / n[:, None]  # of a positive of this step
        over = (np.cumsum(good, axis=1) - good / 2) / m[:, None]  # of a negative of this step
        auc = (good * under).sum(axis=1) / m
        first = (good * (under - auc[:, None]) ** 2).sum(axis=1) / (m - 1) / m
        second = (bad * (over - auc[:, None]) ** 2).sum(axis=1) / (n - 1) / n
    return auc, np.sqrt(first + second)
