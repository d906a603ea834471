"""Unlike: how rows differ from rows before them, and how often those differ as much among themselves.

Every comparison gives a score to the rows in question and, each held against all others, to the rows before them.
*Chance* is the share of rows that score as high: had nothing changed, it would be below a figure in no more than that
share of cases (conformal p-value: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, section
2.2), multiplied by the rows in question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr, ndtri

_NEAREST = 10
_MOST_LEVELS = 20
_DRAWN = 0.01


@dataclass(frozen=True)
class Unlike:
    """What one comparison found.

    Attributes:
        chance: Chance of a difference as large, from 0 to 1.
        row: The row in question that differs most.
        scores: (p,) how much it differs in each column; the scale is the comparison's own.
    """

    chance: float
    row: int
    scores: np.ndarray


def beyond(before: np.ndarray, asked: np.ndarray) -> Unlike:
    """Compare numbers with the farthest that the others go from the middle of a column.

    Args:
        before: (n, p) float64, NaN where missing; n at least 2, p at least 1.
        asked: (m, p) float64.

    Returns:
        Scores above 1: farther from the middle than any row before.
    """
    with np.errstate(all="ignore"):
        middle = _median(before)
        gone, now = (np.nan_to_num(np.abs(part - middle), nan=0.0) for part in (before, asked))
        order = np.sort(gone, axis=0)
        first, second = order[-1], order[-2]
        rest = np.where(gone == first, np.where((gone == first).sum(axis=0) > 1, first, second), first)
        own, mine = _ratio(gone, rest), _ratio(now, np.broadcast_to(first, now.shape))
    return _ranked(own.max(axis=1), mine.max(axis=1), mine)


def rare(before: np.ndarray, asked: np.ndarray) -> Unlike:
    """Compare codes with how common they are in their column: one that is new where all others recur stands out.

    Args:
        before: (n, p) int64 codes, from 0.
        asked: (m, p) int64 codes, those that are new included.

    Returns:
        Scores: minus the share of rows whose code is as rare, from -1 to 0.
    """
    n, p = before.shape
    own, mine = np.empty((n, p)), np.empty((len(asked), p))
    for at in range(p):
        size = int(max(before[:, at].max(), asked[:, at].max())) + 1
        counts = np.bincount(before[:, at], minlength=size)
        others, now = counts[before[:, at]] - 1, counts[asked[:, at]]
        order = np.sort(others)
        own[:, at] = np.searchsorted(order, others, side="right") / n
        mine[:, at] = (np.searchsorted(order, now, side="right") + 1) / (n + 1)
    return _ranked(-own.min(axis=1), -mine.min(axis=1), -mine)


def places(before: np.ndarray, asked: np.ndarray, codes: np.ndarray, asked_codes: np.ndarray) -> list[np.ndarray]:
    """Return all rows as points, in which every column counts alike.

    Args:
        before: (n, p) float64 numbers.
        asked: (m, p) float64.
        codes: (n, q) int64; columns of more than 20 different codes are left out.
        asked_codes: (m, q) int64.

    Returns:
        (n, d) and (m, d) float64: numbers by their rank from 0 to 1 (missing: one half), codes by an axis each.
    """
    made: list[list[np.ndarray]] = [[], []]
    for at in range(before.shape[1]):
        order = np.sort(before[:, at][np.isfinite(before[:, at])])
        for part, whole in zip(made, (before, asked), strict=True):
            low, high = _place(order, whole[:, at], "left"), _place(order, whole[:, at], "right")
            rank = (low + high) / max(2 * len(order), 1)
            part.append(np.where(np.isnan(whole[:, at]), 0.5, rank)[:, None])
    for at in range(codes.shape[1]):
        levels = np.unique(codes[:, at])
        if 1 < len(levels) <= _MOST_LEVELS:
            for part, whole in zip(made, (codes, asked_codes), strict=True):
                part.append((whole[:, at, None] == levels) / np.sqrt(2.0))
    return [
        np.hstack(part) if part else np.zeros((len(whole), 0))
        for part, whole in zip(made, (before, asked), strict=True)
    ]


@dataclass(frozen=True)
class Untied:
    """What :func:`untied` found.

    Attributes:
        found: The comparison.
        usual: (p,) value that the other columns of the row let expect.
    """

    found: Unlike
    usual: np.ndarray


def untied(before: np.ndarray, asked: np.ndarray) -> Untied:
    """Compare each number with what the other columns of its row let expect.

    Numbers are taken by their rank, as normal scores; what is left of one after the others follows from the inverse of
    their covariance, drawn towards none (Whittaker, Graphical Models, 1990, section 5.8). Every other row fits, and the
    rest are compared with (split conformal), so that it holds with more columns than rows too.

    Args:
        before: (n, p) float64, NaN where missing: taken for the middle; n at least 4, p at least 2.
        asked: (m, p) float64.
    """
    fit, rest = before[::2], before[1::2]
    orders = [np.sort(column[~np.isnan(column)]) for column in fit.T]
    scores = [_scores(part, orders) for part in (fit, rest, asked)]
    spread = np.cov(scores[0], rowvar=False)
    lens = np.linalg.inv((1 - _DRAWN) * spread + _DRAWN * np.eye(before.shape[1]))
    left = [part @ lens / np.sqrt(np.diag(lens)) for part in scores[1:]]
    found = _ranked(np.abs(left[0]).max(axis=1), np.abs(left[1]).max(axis=1), np.abs(left[1]))
    expected = scores[2][found.row] - left[1][found.row] / np.sqrt(np.diag(lens))
    with np.errstate(all="ignore"):
        usual = [
            np.quantile(order, float(ndtr(one))) if len(order) else np.nan
            for order, one in zip(orders, expected, strict=True)
        ]
    return Untied(found, np.asarray(usual))


def _scores(part: np.ndarray, orders: list[np.ndarray]) -> np.ndarray:
    """Return (n, p) normal scores of the places of numbers among others (Blom 1958); 0 where missing."""
    made = np.zeros(part.shape)
    for at, order in enumerate(orders):
        low, high = _place(order, part[:, at], "left"), _place(order, part[:, at], "right")
        share = ((low + high) / 2 + 0.625) / (len(order) + 1.25)
        made[:, at] = np.where(np.isnan(part[:, at]), 0.0, ndtri(share))
    return made


def _place(order: np.ndarray, values: np.ndarray, side: Literal["left", "right"]) -> np.ndarray:
    return np.asarray(np.searchsorted(order, values, side=side))


def nearest(before: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray, Unlike]:
    """Return the (n, k) and (m, k) places of the nearest of the other rows, and whether one is far from all of them.

    Args:
        before: (n, d) points.
        asked: (m, d) points.
    """
    k = min(_NEAREST, len(before) - 1)
    own = _squares(before, before)
    np.fill_diagonal(own, np.inf)
    mine = _squares(asked, before)
    found = [np.argpartition(part, k - 1, axis=1)[:, :k] for part in (own, mine)]
    apart = [
        np.take_along_axis(part, which, axis=1).mean(axis=1) for part, which in zip((own, mine), found, strict=True)
    ]
    return found[0], found[1], _ranked(apart[0], apart[1], apart[1][:, None])


def unexpected(
    before: np.ndarray, asked: np.ndarray, near: np.ndarray, near_asked: np.ndarray, *, words: bool
) -> Unlike:
    """Compare answers with the answers of the nearest rows.

    Args:
        before: (n, a) answers: float64, or codes.
        asked: (m, a) answers.
        near: (n, k) places of the nearest other rows.
        near_asked: (m, k) places of the nearest rows.
        words: The answers are codes, equal or not.
    """
    with np.errstate(all="ignore"):
        parts = []
        for whole, which in ((before, near), (asked, near_asked)):
            beside = before[which]
            gone = (beside != whole[:, None]).mean(axis=1) if words else np.abs(np.nanmedian(beside, axis=1) - whole)
            parts.append(np.nan_to_num(gone, nan=0.0, posinf=np.finfo(np.float64).max))
        usual = parts[0].mean(axis=0) if not words else np.ones(before.shape[1])
        own, mine = (_ratio(part, np.broadcast_to(usual, part.shape)) for part in parts)
    return _ranked(own.max(axis=1), mine.max(axis=1), mine)


def running(before: np.ndarray) -> np.ndarray:
    """Return (p,) bool: a column of (n, p) float64 in order of time sets far more records than one without a trend.

    Of n values in random order, the expected number of records is about ln n on either side, with a variance below it
    (Renyi 1962).
    """
    filled = np.nan_to_num(before, nan=0.0)
    records = (np.diff(np.maximum.accumulate(filled, axis=0), axis=0) > 0).sum(axis=0)
    records = records + (np.diff(np.minimum.accumulate(filled, axis=0), axis=0) < 0).sum(axis=0)
    usual = 2 * np.log(max(len(before), 2))
    return np.asarray(records > usual + 6 * np.sqrt(usual))


def _ranked(own: np.ndarray, mine: np.ndarray, scores: np.ndarray) -> Unlike:
    row = int(mine.argmax())
    chance = (1 + int((own >= mine[row]).sum())) / (len(own) + 1)
    return Unlike(min(1.0, chance * len(mine)), row, scores[row])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.asarray(np.where(part == 0, 0.0, np.where(whole == 0, np.inf, part / np.where(whole == 0, 1.0, whole))))


def _median(values: np.ndarray) -> np.ndarray:
    """Return the middle of each column, 0 where all is missing; numbers that are infinite count as such."""
    there = ~np.isnan(values)
    order = np.sort(values, axis=0)  # NaN last
    count = there.sum(axis=0)
    middle = np.take_along_axis(order, np.maximum((count - 1) // 2, 0)[None], axis=0)[0]
    return np.asarray(np.where(count, middle, 0.0))


def _squares(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return (a, b) squared distances of (a, d) and (b, d) points."""
    sums = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.asarray(np.maximum(sums, 0.0))
