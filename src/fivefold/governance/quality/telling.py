"""Telling: how well one view of a column, or two columns together, tell the answer to rows that were not looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fivefold.stats.auc import bound, delong

_FOLDS = 5
_BINS = (16, 256)
_IN_A_BIN = 20
_CUTS = 7
_FEWEST = 8
_MOST_CLASSES = 20
_CODES = 16
CERTAIN = 40
"""Rows on either side of a question from which an order without a fault counts as certain."""
WRONG = 0.002
"""Largest share of held-back rows that may be wrong where columns are said to decide the answer."""


@dataclass(frozen=True)
class Questions:
    """The answer as yes-or-no questions: is it this class, or is it above this value?

    Attributes:
        yes: (n, K) bool.
        ordered: The questions are cuts of one value.
        names: K names for the reader.
    """

    yes: np.ndarray
    ordered: bool

    @property
    def smallest(self) -> int:
        """Rows on the smaller side of the question that has fewest."""
        hits = self.yes.sum(axis=0)
        return int(np.minimum(hits, len(self.yes) - hits).min())


def questions(target: np.ndarray) -> Questions | None:
    """Return the questions about (n,) class indices or values; None where nothing varies enough.

    Classes, or cuts, with fewer than ``CERTAIN`` rows on one side are asked about only where all have so few: one of
    them would leave every column open.
    """
    if target.dtype.kind == "i":
        classes, counts = np.unique(target, return_counts=True)
        fit = classes[_fit(counts, len(target))]
        common = fit[np.argsort(-counts[np.isin(classes, fit)], kind="stable")][:_MOST_CLASSES]
        if len(classes) == 2 and len(common):
            common = classes[1:]
        return Questions(target[:, None] == common, ordered=False) if len(common) else None
    cuts = np.unique(np.quantile(target, np.linspace(0, 1, _CUTS + 2)[1:-1]))
    yes = target[:, None] > cuts
    yes = yes[:, _fit(yes.sum(axis=0), len(target))]
    return Questions(yes, ordered=True) if yes.shape[1] else None


def _fit(hits: np.ndarray, n: int) -> np.ndarray:
    """Return (K,) bool: which questions have enough rows on both sides."""
    smaller = np.minimum(hits, n - hits)
    return np.asarray(smaller >= (CERTAIN if smaller.max(initial=0) >= CERTAIN else _FEWEST))


def areas(scores: np.ndarray, yes: np.ndarray) -> np.ndarray:
    """Return (K,) AUC of (n,) or (n, K) scores for (n, K) questions (Mann and Whitney 1947)."""
    ranks = pd.DataFrame(scores).rank().to_numpy()
    hits = yes.sum(axis=0)
    total = (ranks * yes).sum(axis=0)
    return np.asarray((total - hits * (hits + 1) / 2) / (hits * (len(yes) - hits)))


def codes_of(values: np.ndarray, bins: int) -> np.ndarray:
    """Return (n,) int64 codes: values themselves where they are few, else bands of equal size; missing has its own."""
    there = np.isfinite(values)
    levels = np.unique(values[there])
    if len(levels) > bins:
        levels = np.unique(np.quantile(values[there], np.linspace(0, 1, bins + 1)[1:-1]))
        made = np.searchsorted(levels, values, side="right")
    else:
        made = np.searchsorted(levels, values)
    return np.asarray(np.where(there, made, len(levels) + 1), dtype=np.int64)


def learned(codes: np.ndarray, yes: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return (n, K) how often each question was answered yes at the same code in the other folds."""
    width, (n, count) = int(codes.max()) + 1, yes.shape
    made = np.empty((n, count))
    rows = np.bincount(codes * _FOLDS + fold, minlength=width * _FOLDS).reshape(width, _FOLDS)
    for k in range(count):
        hits = np.bincount(codes * _FOLDS + fold, weights=yes[:, k], minlength=width * _FOLDS).reshape(width, _FOLDS)
        out_rows, out_hits = rows.sum(axis=1, keepdims=True) - rows, hits.sum(axis=1, keepdims=True) - hits
        rate = float(yes[:, k].mean())
        made[:, k] = ((out_hits + rate) / (out_rows + 1))[codes, fold]
    return made


def single(values: np.ndarray, ordered: bool, asked: Questions, fold: np.ndarray) -> np.ndarray:
    """Return (n, K) scores of the better of two readings: by the order of the values, or learned from their codes."""
    yes = asked.yes
    bins = int(np.clip(len(values) // _IN_A_BIN, *_BINS))
    best = learned(codes_of(values, bins if ordered else 4096), yes, fold)
    if not ordered:
        return best
    low = values[np.isfinite(values)].min(initial=0.0) - 1
    plain = np.where(np.isfinite(values), values, low)
    area = areas(plain, yes)
    turned = np.where(area < 0.5, -1.0, 1.0) if not asked.ordered else np.sign(area.mean() - 0.5 + 1e-12)
    straight = plain[:, None] * np.broadcast_to(turned, (yes.shape[1],))
    return straight if areas(straight, yes).mean() >= areas(best, yes).mean() else best


@dataclass(frozen=True)
class Figure:
    """A mean AUC over questions, with bounds."""

    value: float
    low: float
    high: float


def figure(scores: np.ndarray, asked: Questions) -> Figure:
    """Return the mean AUC, with DeLong bounds; exact where every row is in order and there are enough of them."""
    each = [delong(scores[yes, k], scores[~yes, k]) for k, yes in enumerate(asked.yes.T)]
    value = float(np.mean([auc for auc, _ in each]))
    if value >= 1.0 and asked.smallest >= CERTAIN:
        return Figure(1.0, 1.0, 1.0)
    error = float(np.mean([se for _, se in each]))
    hits = int(asked.yes.sum(axis=0).mean())
    low, high = bound(value, error, hits, len(asked.yes) - hits)
    return Figure(value, low, high)


def pairs(coded: np.ndarray, target: np.ndarray, fold: np.ndarray, *, most: int) -> tuple[int, int] | None:
    """Return two columns that together decide the answer of rows that were not looked at; None if no two do.

    Args:
        coded: (n, d) int64 codes below 16.
        target: (n,) class indices.
        fold: (n,) 0 to 4; the first two are held back.
        most: Largest number of held-back rows that may be wrong.
    """
    n, d = coded.shape
    classes = int(target.max()) + 1
    held = fold < 2
    cells = _CODES * _CODES
    for i in range(d - 1):
        width = max(1, 4_000_000 // (cells * classes))
        for start in range(i + 1, d, width):
            block = coded[:, start : start + width]
            joint = coded[:, i : i + 1] * _CODES + block + cells * np.arange(block.shape[1])
            size = cells * block.shape[1]
            seen = np.bincount(
                (joint[~held] * classes + target[~held][:, None]).ravel(), minlength=size * classes
            ).reshape(size, classes)
            best = np.where(seen.sum(axis=1) > 0, seen.argmax(axis=1), -1)
            wrong = (best[joint[held]] != target[held][:, None]).sum(axis=0)
            at = int(wrong.argmin())
            if wrong[at] <= most:
                return i, start + at
    del n
    return None


def linear(values: np.ndarray, asked: Questions, target: np.ndarray, fold: np.ndarray) -> tuple[list[int], bool]:
    """Return at most three number columns whose sum, weighted, is the answer in rows that were not looked at.

    Args:
        values: (n, d) float64 without gaps, each column of mean 0 and variance 1.
        asked: The questions.
        target: (n,) class indices (two classes) or values.
        fold: (n,) 0 to 4; the first two are held back.

    Returns:
        The columns, and whether they decide the answer.
    """
    held = fold < 2
    y = target.astype(np.float64)
    y = (y - y[~held].mean()) / (y[~held].std() or 1.0)
    weights = np.linalg.lstsq(values[~held], y[~held], rcond=None)[0]
    few = np.argsort(-np.abs(weights))[:3]
    if asked.ordered:
        design = np.column_stack([values[:, few], np.ones(len(y))])
        fitted = design @ np.linalg.lstsq(design[~held], y[~held], rcond=None)[0]
        left = float(((y - fitted)[held] ** 2).mean())
        return sorted(few.tolist()), left < 1e-6
    score = _parted(values[:, few], asked.yes[:, 0], held)
    return sorted(few.tolist()), _wrong(score[held], asked.yes[held, 0]) <= WRONG * int(held.sum())


def _parted(values: np.ndarray, yes: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return (n,) scores of a logistic model of whitened columns, so that columns that hang together do no harm."""
    from sklearn.linear_model import LogisticRegression

    middle = values[~held].mean(axis=0)
    size, turn = np.linalg.svd(values[~held] - middle, full_matrices=False)[1:]
    kept = size > 1e-9 * size[0]
    white = (values - middle) @ turn[kept].T / size[kept] * np.sqrt((~held).sum())
    model = LogisticRegression(C=1e6, max_iter=500).fit(white[~held], yes[~held])
    return np.asarray(model.decision_function(white))


def _wrong(score: np.ndarray, yes: np.ndarray) -> int:
    """Return how many rows lie on the wrong side of the best threshold."""
    order = np.argsort(score, kind="stable")
    told = yes[order]
    below = np.concatenate([[0], np.cumsum(told)])
    return int((below + (~told).sum() - np.concatenate([[0], np.cumsum(~told)])).min())
