"""Evidence: value, bounds, tests and outcome of every judged comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from fivefold.contract.outcome import Outcome
from fivefold.fairness.gaps.comparisons import (
    ALPHA,
    COUNTED,
    Design,
    Moments,
    adjust,
    ordered_cells,
    p_counted,
    p_means,
    welch,
)
from fivefold.stats import difference, ratio

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Evidence:
    """All judged comparisons, arrays of length m.

    Attributes:
        plan: What was compared.
        value: Ratio at most 1 (selection) or difference at least 0; NaN: not defined.
        low: One-sided 95 % lower bound.
        high: One-sided 95 % upper bound.
        adjusted: Holm-adjusted p-value of "within the floor".
        rows: Rows of both cells together.
        outcomes: The judgement of each.
    """

    plan: Design
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    adjusted: np.ndarray
    rows: np.ndarray
    outcomes: tuple[Outcome, ...]


def gather(plan: Design, hits: np.ndarray, totals: np.ndarray, means: Mapping[int, Moments]) -> Evidence:
    """Measure and judge every comparison.

    Args:
        plan: The comparisons.
        hits: (4, G) hits of the counted rates.
        totals: (4, G) totals.
        means: Index of a rate that is a mean to its moments.
    """
    size = len(plan)
    value, low, high, p = np.full(size, np.nan), np.zeros(size), np.zeros(size), np.ones(size)
    rows = np.zeros(size, dtype=np.int64)
    counted = plan.rate < COUNTED
    if counted.any():
        part = plan.take(counted)
        value[counted], low[counted], high[counted] = _counted(part, hits, totals)
        p[counted] = p_counted(part, hits, totals)
        rows[counted] = totals[part.rate, part.first] + totals[part.rate, part.second]
    for rate, found in means.items():
        mine = plan.rate == rate
        if mine.any():
            part = plan.take(mine)
            gap, error, freedom = welch(part, found)
            rows[mine] = found.rows[part.first] + found.rows[part.second]
            half = error * stdtrit(freedom, 1 - ALPHA)
            value[mine], low[mine], high[mine], p[mine] = gap, gap - half, gap + half, p_means(part, found)
    adjusted = adjust(plan.crossed, p)
    is_found, is_cleared = adjusted <= ALPHA, _cleared(plan, value, low, high)
    outcomes = tuple(
        Outcome.FAIL if bad else Outcome.PASS if good else Outcome.INCONCLUSIVE
        for bad, good in zip(is_found.tolist(), is_cleared.tolist(), strict=True)
    )
    return Evidence(plan, value, low, high, adjusted, rows, outcomes)


def _counted(plan: Design, hits: np.ndarray, totals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cells = ordered_cells(plan, hits, totals)
    is_ratio = plan.rate == 0
    value, low, high = np.full(len(plan), np.nan), np.empty(len(plan)), np.empty(len(plan))
    k1, n1, k2, n2 = (cell[is_ratio] for cell in cells)
    value[is_ratio] = np.divide(k1 * n2, k2 * n1, out=np.full(len(k1), np.nan), where=k2 * n1 > 0)
    low[is_ratio], high[is_ratio] = ratio.miettinen_nurminen(k1, n1, k2, n2)
    k1, n1, k2, n2 = (cell[~is_ratio] for cell in cells)
    value[~is_ratio] = k2 / n2 - k1 / n1
    low[~is_ratio], high[~is_ratio] = difference.miettinen_nurminen(k2, n2, k1, n1)
    return value, low, high


def _cleared(plan: Design, value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    is_ratio = plan.rate == 0
    inverse = 1 / np.maximum(plan.floor, 1e-12)
    inside = np.where(is_ratio, (low > plan.floor) & (high < inverse), (low > -plan.floor) & (high < plan.floor))
    near = np.where(is_ratio, value >= plan.floor, value <= plan.floor)
    return np.where(plan.crossed, near, inside)
