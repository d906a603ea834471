"""Curves: accumulated local effects over cells that occur, with intervals, and how far single rows go along with them.

A row's cell is exchanged for the lower and the upper end of the bin that it lies in, never for one far away: where
columns go together the model is asked about rows that could nearly be, and what a column does is not mixed up with what
goes along with it. The mean difference in each bin, added up, is the curve (Apley and Zhu 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fivefold.explanation.asking import Ask

BINS = 10
_FEWEST = 2
_CELLS = 6_000_000


@dataclass(frozen=True)
class Ladder:
    """The bins of one column.

    Attributes:
        ends: (B + 1,) positions of the cells between the bins, rising.
        gone: Position of a missing cell; -1: there is none.
        low: (n,) position of the cell at the lower end of each row's bin; -1: the row takes no part.
        high: (n,) of that at the upper end.
        bin: (n,) its bin; B: from the middle cell to a missing one.
    """

    ends: np.ndarray
    gone: int
    low: np.ndarray
    high: np.ndarray
    bin: np.ndarray

    @property
    def middle(self) -> int:
        """Which end a missing cell is held against."""
        return len(self.ends) // 2


def ladder(codes: np.ndarray, missing: np.ndarray, rng: np.random.Generator) -> Ladder:
    """Cut a column into bins of about as many rows; a column of few values steps from each to the next.

    Args:
        codes: (n,) ranks of the cells.
        missing: (n,) bool.
        rng: Of a row between two steps decides which it takes.
    """
    n = len(codes)
    low, high, bin_ = np.full(n, -1), np.full(n, -1), np.full(n, -1)
    known = np.flatnonzero(~missing)
    values, first, place = np.unique(codes[known], return_index=True, return_inverse=True)
    place = place.ravel()
    if len(values) <= BINS + 1:
        ends = known[first]
        step = np.clip(place - (rng.random(len(place)) < 0.5), 0, max(len(values) - 2, 0))
    else:
        share = np.cumsum(np.bincount(place)) / len(place)
        cut = np.unique(np.concatenate([[0], np.searchsorted(share, np.arange(1, BINS) / BINS), [len(values) - 1]]))
        ends = known[first[cut]]
        step = np.clip(np.searchsorted(cut, place, side="left") - 1, 0, len(cut) - 2)
    if len(ends) > 1:
        low[known], high[known], bin_[known] = ends[step], ends[step + 1], step
    gone = np.flatnonzero(missing)
    if len(gone) and len(ends):
        low[gone], high[gone], bin_[gone] = ends[len(ends) // 2], gone, max(len(ends) - 1, 0)
    return Ladder(ends, int(gone[0]) if len(gone) and len(ends) else -1, low, high, bin_)


def steps(
    ask: Ask, ladders: list[Ladder], scores: int, batch: int, told: Callable[[float], None] = lambda _share: None
) -> list[np.ndarray]:
    """Return for each column (n, K) how the answers move from the lower to the upper end; NaN where a row is out.

    Args:
        ask: The model.
        ladders: P columns.
        scores: K.
        batch: Most rows in one question.
        told: Called with the share that is done.
    """
    n, players = len(ladders[0].low), len(ladders)
    made = [np.full((n, scores), np.nan) for _ in ladders]
    each = max(1, min(batch, _CELLS // players) // (2 * n))
    for start in range(0, players, each):
        # several columns in one question: putting together a wide table costs as much as asking
        block = [(at, np.flatnonzero(ladders[at].low >= 0)) for at in range(start, min(start + each, players))]
        parts = []
        for at, rows in block:
            mixed = np.repeat(np.tile(rows, 2)[:, None], players, axis=1)
            mixed[:, at] = np.concatenate([ladders[at].low[rows], ladders[at].high[rows]])
            parts.append(mixed)
        cells = np.concatenate(parts)
        found = [ask(cells[first : first + batch]) for first in range(0, len(cells), batch)]
        answers, done = np.concatenate(found) if found else np.zeros((0, scores)), 0
        for at, rows in block:
            low, high = np.split(answers[done : done + 2 * len(rows)], 2)
            made[at][rows] = high - low
            done += 2 * len(rows)
        told(min(start + each, players) / players)
    return made


@dataclass(frozen=True)
class Curve:
    """How the answer moves with one column.

    Attributes:
        value: (B + 1,) the curve at the ends of the bins, its mean over rows 0.
        error: (B + 1,) standard error of each.
        gone: What a missing cell adds, on the same scale; None: there is none.
        gone_error: Its standard error.
        spread: (B, 2) between which steps eight of ten rows of each bin go.
        range: From the lowest to the highest end.
        range_error: Its standard error, as if it were known which ends these are.
    """

    value: np.ndarray
    error: np.ndarray
    gone: float | None
    gone_error: float
    spread: np.ndarray
    range: float
    range_error: float

    @property
    def extent(self) -> float:
        """How far the curve goes in all, a missing cell taken in."""
        found = self.value if self.gone is None else np.append(self.value, self.gone)
        return float(np.ptp(found)) if len(found) else 0.0


def curve(one: Ladder, moved: np.ndarray) -> Curve:
    """Add up the mean steps of a column.

    The bins' means are of different rows; the curve is linear in them, and so is its variance in theirs.

    Args:
        one: Bins.
        moved: (n,) steps of the rows in one score; NaN where a row is out.
    """
    bins = max(len(one.ends) - 1, 0)
    used = np.isfinite(moved) & (one.bin >= 0)
    count, mean, variance = _means(one.bin[used], moved[used], bins + 1)
    up = np.tril(np.ones((bins + 1, bins)), -1)
    weight = count[:bins] / max(count[:bins].sum(), 1)
    # a row lies between the two ends of its bin
    centre = ((up[:-1] + up[1:]) / 2 * weight[:, None]).sum(axis=0) if bins else np.zeros(0)
    whole = up - centre
    value, error = whole @ mean[:bins], np.sqrt(whole**2 @ variance[:bins])
    top, bottom = (int(value.argmax()), int(value.argmin())) if len(value) else (0, 0)
    apart = up[top] - up[bottom] if bins else np.zeros(0)
    spread = np.zeros((bins, 2))
    for at in range(bins):
        mine = moved[used & (one.bin == at)]
        spread[at] = np.quantile(mine, (0.1, 0.9)) if len(mine) else 0.0
    gone, gone_error = None, 0.0
    if one.gone >= 0 and len(value) and count[bins] >= _FEWEST:
        gone = float(value[one.middle] + mean[bins])
        gone_error = float(np.sqrt(error[one.middle] ** 2 + variance[bins]))
    return Curve(value, error, gone, gone_error, spread, float(apart @ mean[:bins]),
                 float(np.sqrt(apart**2 @ variance[:bins])))  # fmt: skip


def _means(bin_: np.ndarray, moved: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (bins,) count, mean, and variance of the mean; that of a bin of one row is the mean of the others'."""
    count = np.bincount(bin_, minlength=bins).astype(np.float64)
    mean = np.bincount(bin_, moved, minlength=bins) / np.maximum(count, 1)
    inner = np.bincount(bin_, (moved - mean[bin_]) ** 2, minlength=bins) / np.maximum(count - 1, 1)
    enough = count >= _FEWEST
    inner = np.where(enough, inner, inner[enough].mean() if enough.any() else 0.0)
    return count, mean, inner / np.maximum(count, 1)


def untold(ladders: Sequence[Ladder], moved: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return (P, n) squared steps that the curves of all other rows do not tell, and squared steps; 0: a row is out.

    Of m rows in a bin, one lies m / (m - 1) times as far from the mean of the others as from that of all.

    Args:
        ladders: P columns.
        moved: P arrays (n, K).
    """
    n = len(ladders[0].bin)
    inner, outer = np.zeros((len(ladders), n)), np.zeros((len(ladders), n))
    for at, (one, steps_) in enumerate(zip(ladders, moved, strict=True)):
        rows = np.flatnonzero(np.isfinite(steps_[:, 0]) & (one.bin >= 0))
        bin_ = one.bin[rows]
        count = np.bincount(bin_)
        for part in steps_[rows].T:
            mean = np.bincount(bin_, part) / np.maximum(count, 1)
            away = np.where(count[bin_] > 1, (part - mean[bin_]) * count[bin_] / np.maximum(count[bin_] - 1, 1), part)
            inner[at, rows] += away**2
            outer[at, rows] += part**2
    return inner, outer
