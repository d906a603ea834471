"""Comparisons: which pairs of groups are judged on which rates, and Holm's correction over all of them.

A gap between groups a and b is judged against a floor d by two tests of opposite burden:

* *found* (fail): H0 "the gap is within the floor". The p-value of H0: |pa - pb| <= d at its worst point pa - pb = d
  is P(Z beyond the observed statistic at d) + P(the same at -d): both ends of the floor count. Holm's correction over
  all comparisons keeps the chance of any false alarm at 5 %; of that, 1 % belongs to the intersections where there
  are any, so that looking at them costs the declared fields little.
* *cleared* (pass): both one-sided 95 % bounds of every comparison lie inside the floor (intersection-union test:
  no correction is needed, Berger 1982). Intersections need only the point estimate inside the floor.

The ratio of selection rates is judged in the same way on the interval [d, 1/d].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import stdtr

from fivefold.stats import difference, ratio
from fivefold.stats.multiple import holm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fivefold.fairness.gaps.groups import Field

Rate = Literal["selection", "tpr", "fpr", "ppv", "calibration", "error"]
RATES: tuple[Rate, ...] = ("selection", "tpr", "fpr", "ppv", "calibration", "error")
COUNTED = 4
"""The first four rates are shares of counts; the others are means."""

ALPHA = 0.05
CROSSED_ALPHA = 0.01
"""Share of the 5 % that belongs to intersections."""


@dataclass(frozen=True)
class Design:
    """The judged comparisons, fixed before their outcomes are looked at.

    Attributes:
        rate: (m,) index into ``RATES``.
        first: (m,) position of the first group in the flat list of all groups.
        second: (m,) position of the second group.
        floor: (m,) smallest ratio (selection) or largest difference (other rates).
        crossed: (m,) whether the groups are intersections.
    """

    rate: np.ndarray
    first: np.ndarray
    second: np.ndarray
    floor: np.ndarray
    crossed: np.ndarray

    def __len__(self) -> int:
        return len(self.rate)

    def take(self, chosen: np.ndarray) -> Design:
        """Return the comparisons of a boolean mask."""
        return Design(
            self.rate[chosen], self.first[chosen], self.second[chosen], self.floor[chosen], self.crossed[chosen]
        )


@dataclass(frozen=True)
class Moments:
    """Rows, mean and variance of a value in each group; arrays (G,)."""

    rows: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


def offsets(fields: Sequence[Field]) -> np.ndarray:
    """Return where each field's groups begin in the flat list of all groups, and its length at the end."""
    return np.cumsum([0] + [len(field.labels) for field in fields])


def flat_codes(fields: Sequence[Field]) -> np.ndarray:
    """Return (f, n) int32 positions of each row's groups in the flat list of all groups."""
    starts = offsets(fields)
    return np.stack([(field.codes + start).astype(np.int32) for field, start in zip(fields, starts, strict=False)])


def tables(codes: np.ndarray, truth: np.ndarray, answer: np.ndarray, groups: int) -> np.ndarray:
    """Count rows by group, truth and answer, in one pass per field.

    Args:
        codes: (f, n) from :func:`flat_codes`.
        truth: (n,) 0 or 1: the favourable class.
        answer: (n,) 0 or 1: the favourable class was predicted.
        groups: G, length of the flat list.

    Returns:
        (G, 2, 2) counts.
    """
    cell = 2 * truth + answer
    counted = sum(np.bincount(mine * 4 + cell, minlength=4 * groups) for mine in codes)
    return np.asarray(counted).reshape(groups, 2, 2)


def moments(codes: np.ndarray, values: np.ndarray, groups: int) -> Moments:
    """Return moments of (n,) values in each group of the flat list."""
    centred = values - values.mean()
    rows, total, square = np.zeros((3, groups))
    for mine in codes:
        rows += np.bincount(mine, minlength=groups)
        total += np.bincount(mine, centred, minlength=groups)
        square += np.bincount(mine, centred**2, minlength=groups)
    safe = np.maximum(rows, 1.0)
    spread = np.maximum(square - total**2 / safe, 0.0) / np.maximum(rows - 1, 1.0)
    return Moments(rows, total / safe + values.mean(), spread)


def rates(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return hits and totals (..., 4, G) of the four counted rates from (..., G, 2, 2) counts."""
    rows = counts.sum(axis=(-1, -2))
    chosen = counts[..., :, 1].sum(axis=-1)
    true_hits, false_hits = counts[..., 1, 1], counts[..., 0, 1]
    positives, negatives = counts[..., 1, :].sum(axis=-1), counts[..., 0, :].sum(axis=-1)
    hits = np.stack([chosen, true_hits, false_hits, true_hits], axis=-2)
    totals = np.stack([rows, positives, negatives, chosen], axis=-2)
    return hits, totals


def design(
    fields: Sequence[Field], totals: Mapping[Rate, np.ndarray], floors: Mapping[Rate, float], least: tuple[int, int]
) -> Design:
    """List all pairs of groups whose cells are large enough.

    Args:
        fields: Cuts.
        totals: Rate to (G,) rows behind it.
        floors: Rates that are judged.
        least: Fewest rows in a cell of a declared field, and of an intersection.
    """
    starts = offsets(fields)
    parts: list[tuple[int, int, int, float, bool]] = []
    for position, field in enumerate(fields):
        members = range(int(starts[position]), int(starts[position + 1]))
        for rate, floor in floors.items():
            large = [group for group in members if totals[rate][group] >= least[field.crossed]]
            pairs = [(a, b) for at, a in enumerate(large) for b in large[at + 1 :]]
            parts += [(RATES.index(rate), a, b, floor, field.crossed) for a, b in pairs]
    columns = list(zip(*parts, strict=True)) or [()] * 5
    kinds = (np.int64, np.int64, np.int64, np.float64, np.bool_)
    return Design(*(np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True)))


def ordered_cells(plan: Design, hits: np.ndarray, totals: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return (..., m) ``k1, n1, k2, n2`` of both groups, the lower rate first; only counted rates."""
    at1, at2 = (..., plan.rate, plan.first), (..., plan.rate, plan.second)
    k1, n1 = hits[at1].astype(np.float64), totals[at1].astype(np.float64)
    k2, n2 = hits[at2].astype(np.float64), totals[at2].astype(np.float64)
    swap = k1 * n2 > k2 * n1
    return np.where(swap, k2, k1), np.where(swap, n2, n1), np.where(swap, k1, k2), np.where(swap, n1, n2)


def p_counted(plan: Design, hits: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return (..., m) p-values of H0 "the gap is within the floor" from (..., 4, G) hits and totals."""
    k1, n1, k2, n2 = ordered_cells(plan, hits, totals)
    is_ratio = plan.rate == 0
    result = np.ones(k1.shape)
    if is_ratio.any():
        low = k1[..., is_ratio], n1[..., is_ratio], k2[..., is_ratio], n2[..., is_ratio]
        floor = plan.floor[is_ratio]
        near = ratio.score_p(*low, floor, alternative="less")
        result[..., is_ratio] = near + ratio.score_p(*low, 1 / floor, alternative="less")
    if not is_ratio.all():
        rest = ~is_ratio
        gap = k2[..., rest], n2[..., rest], k1[..., rest], n1[..., rest]
        result[..., rest] = difference.score_p(*gap, plan.floor[rest]) + difference.score_p(*gap, -plan.floor[rest])
    return np.minimum(result, 1.0)


def welch(plan: Design, found: Moments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (m,) gaps of means (at least 0), their standard errors and degrees of freedom (Welch 1947)."""
    part1 = found.variance[plan.first] / np.maximum(found.rows[plan.first], 1.0)
    part2 = found.variance[plan.second] / np.maximum(found.rows[plan.second], 1.0)
    total = part1 + part2
    below = part1**2 / np.maximum(found.rows[plan.first] - 1, 1.0)
    below = below + part2**2 / np.maximum(found.rows[plan.second] - 1, 1.0)
    freedom = np.divide(total**2, below, out=np.ones_like(total), where=below > 0)
    return np.abs(found.mean[plan.first] - found.mean[plan.second]), np.sqrt(total), freedom


def p_means(plan: Design, found: Moments) -> np.ndarray:
    """Return (m,) p-values of H0 "the gap of means is within the floor" by Welch's t."""
    gap, error, freedom = welch(plan, found)
    with np.errstate(divide="ignore", invalid="ignore"):
        near = np.where(error > 0, stdtr(freedom, -(gap - plan.floor) / error), gap <= plan.floor)
        far = np.where(error > 0, stdtr(freedom, -(gap + plan.floor) / error), 0.0)
    return np.asarray(np.minimum(near + far, 1.0))


def adjust(crossed: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return (m,) Holm-adjusted p-values, scaled so that ``<= ALPHA`` means found.

    Args:
        crossed: (m,) whether a comparison is between intersections.
        p: (m,) p-values.
    """
    adjusted = np.ones(len(p))
    for family, alpha in _families(crossed):
        adjusted[family] = np.minimum(holm(p[family]) * ALPHA / alpha, 1.0)
    return adjusted


def any_found(crossed: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return (...,) whether anything is found in each replicate of (..., m); Holm's first step decides that."""
    found = np.zeros(p.shape[:-1], dtype=bool)
    for family, alpha in _families(crossed):
        found |= p[..., family].min(axis=-1) * family.sum() <= alpha
    return found


def _families(crossed: np.ndarray) -> list[tuple[np.ndarray, float]]:
    mixed = bool(crossed.any() and not crossed.all())
    alpha = (ALPHA - CROSSED_ALPHA, CROSSED_ALPHA) if mixed else (ALPHA, ALPHA)
    return [(family, share) for family, share in ((~crossed, alpha[0]), (crossed, alpha[1])) if family.any()]
