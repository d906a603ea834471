"""Families: the judged figures of every group, and tests of all pairs of groups at once.

The gap of a figure between two groups is judged against a floor by two tests of opposite burden, as in F1.gaps: it is
*found* where its score (Miettinen and Nurminen 1985 for shares, Wald for means) exceeds the floor by more than the
largest deviation that chance makes among all compared pairs of all figures (max-t, 1,000 draws), and *cleared* where
both one-sided 95 % bounds lie inside (intersection-union test, Berger 1982: no correction is needed).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from fivefold.contract.outcome import Outcome
from fivefold.fairness.gaps.comparisons import moments
from fivefold.fairness.metrics import ranked
from fivefold.stats.difference import miettinen_nurminen, score_z

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fivefold.fairness.gaps.groups import Field

LEAST = 30
"""Fewest rows of a kind behind a figure of a group for it to be judged."""
ALPHA = 0.05
_DRAWS = 1000


@dataclass(frozen=True)
class Family:
    """One judged figure of G groups.

    Attributes:
        name: In the field's words.
        value: (G,) figure; of a ratio its logarithm.
        error: (G,) standard error.
        rows: (G,) rows behind it.
        enough: (G,) whether it can be judged.
        floor: Largest gap allowed; of a ratio its logarithm.
        hits: (G,) count, where the figure is a share; None: a mean.
        ratio: Whether value and floor are logarithms.
    """

    name: str
    value: np.ndarray
    error: np.ndarray
    rows: np.ndarray
    enough: np.ndarray
    floor: float
    hits: np.ndarray | None = None
    ratio: bool = False


@dataclass(frozen=True)
class Payload:
    """What is known of each of n rows, beside its groups: of classes ``wrong``, of values ``error``.

    Attributes:
        wrong: (n,) whether the answer is wrong.
        truth: (n,) 0 or 1: favourable class; None: not declared.
        score: (n,) probability of the favourable class; None: none.
        error: (n,) prediction less target, in standard deviations of the target.
    """

    wrong: np.ndarray | None = None
    truth: np.ndarray | None = None
    score: np.ndarray | None = None
    error: np.ndarray | None = None

    def take(self, at: np.ndarray) -> Payload:
        """Return the same of other rows."""
        parts = (self.wrong, self.truth, self.score, self.error)
        return Payload(*(None if part is None else part[at] for part in parts))


@dataclass(frozen=True)
class Pairs:
    """Judged pairs: positions of family and groups, the larger value first."""

    family: np.ndarray
    first: np.ndarray
    second: np.ndarray


def families(codes: np.ndarray, rows: Payload, groups: int, floors: Mapping[str, float]) -> list[Family]:
    """Return the judged figures of every group, from one pass per cut.

    Args:
        codes: (f, n) flat groups of each row.
        rows: What is known of each.
        groups: G.
        floors: Key to floor.
    """
    found = []
    if rows.wrong is not None:
        k = np.sum([np.bincount(mine, rows.wrong, minlength=groups) for mine in codes], axis=0)
        n = np.sum([np.bincount(mine, minlength=groups) for mine in codes], axis=0)
        share = (k + 0.5) / (n + 1.0)
        error = np.sqrt(share * (1 - share) / np.maximum(n, 1))
        found.append(Family("error rate", k / np.maximum(n, 1), error, n, n >= LEAST, floors["max_error_rate_gap"], k))
    if rows.score is not None and rows.truth is not None:
        found += _scored(codes, rows.truth, rows.score, groups, floors)
    if rows.error is not None:
        size, bias = moments(codes, np.abs(rows.error), groups), moments(codes, rows.error, groups)
        mean = np.maximum(size.mean, 1e-12)
        spread = np.sqrt(size.variance / np.maximum(size.rows, 1))
        floor = float(np.log(floors["max_error_ratio"]))
        found.append(Family("mean absolute error", np.log(mean), spread / mean, size.rows, size.rows >= LEAST, floor,
                            ratio=True))  # fmt: skip
        spread = np.sqrt(bias.variance / np.maximum(bias.rows, 1))
        found.append(Family("mean error", bias.mean, spread, bias.rows, bias.rows >= LEAST, floors["max_bias_gap"]))
    return found


def _scored(
    codes: np.ndarray, truth: np.ndarray, score: np.ndarray, groups: int, floors: Mapping[str, float]
) -> list[Family]:
    step = ranked.steps(score)
    counts = sum(ranked.count(mine, truth, step, groups) for mine in codes)
    auc, error = ranked.auc_spread(np.asarray(counts))
    least = np.asarray(counts).sum(axis=2).min(axis=1)
    apart = moments(codes, truth - score, groups)
    spread = np.sqrt(apart.variance / np.maximum(apart.rows, 1))
    return [
        Family("AUC", auc, np.maximum(error, 1e-9), apart.rows, least >= LEAST, floors["max_auc_gap"]),
        Family("calibration", apart.mean, spread, apart.rows, least >= LEAST, floors["max_score_gap"]),
    ]


def pairs(fields: Sequence[Field], starts: np.ndarray, found: Sequence[Family]) -> Pairs:
    """Return all pairs of groups of each declared field that can be judged."""
    made = [
        (at, *sorted(pair, key=lambda group: -float(family.value[group])))
        for at, family in enumerate(found)
        for position, field in enumerate(fields)
        if not field.crossed
        for pair in combinations(
            [g for g in range(int(starts[position]), int(starts[position + 1])) if family.enough[g]], 2
        )
    ]
    columns = np.array(made, dtype=np.int64).reshape(-1, 3).T
    return Pairs(columns[0], columns[1], columns[2])


def scores(found: Sequence[Family], which: Pairs) -> np.ndarray:
    """Return (m,) by how many standard errors each gap exceeds its floor, whichever group has more."""
    z = np.full(len(which.family), -np.inf)
    for at, family in enumerate(found):
        mine = which.family == at
        a, b = which.first[mine], which.second[mine]
        if family.hits is None:
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = np.hypot(family.error[a], family.error[b])
                beyond = (np.abs(family.value[a] - family.value[b]) - family.floor) / scale
            z[mine] = np.nan_to_num(beyond, nan=-np.inf)
        else:
            more = family.hits[a] * family.rows[b] >= family.hits[b] * family.rows[a]
            a, b = np.where(more, a, b), np.where(more, b, a)
            z[mine] = score_z(family.hits[a], family.rows[a], family.hits[b], family.rows[b], family.floor)
    return z


def factor(found: Sequence[Family], which: Pairs, rng: np.random.Generator) -> float:
    """Return how many standard errors the largest of all gaps differs from its own at most, in 95 of 100."""
    if not len(which.family):
        return float(-ndtri(ALPHA / 2))
    error = np.stack([family.error for family in found])
    noise = rng.standard_normal((_DRAWS, *error.shape)) * np.where(np.isfinite(error), error, 0.0)
    one, two = noise[:, which.family, which.first], noise[:, which.family, which.second]
    scale = np.hypot(error[which.family, which.first], error[which.family, which.second])
    away = np.abs(one - two) / np.where(scale > 0, scale, 1.0)
    return float(np.quantile(away.max(axis=1), 1 - ALPHA))


def bounds(found: Sequence[Family], which: Pairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (m,) gaps and their one-sided 95 % bounds."""
    z = float(-ndtri(ALPHA))
    value, low, high = np.zeros(len(which.family)), np.zeros(len(which.family)), np.zeros(len(which.family))
    for at, family in enumerate(found):
        mine = which.family == at
        a, b = which.first[mine], which.second[mine]
        value[mine] = family.value[a] - family.value[b]
        if family.hits is not None:
            low[mine], high[mine] = miettinen_nurminen(family.hits[a], family.rows[a], family.hits[b], family.rows[b])
        else:
            half = z * np.hypot(family.error[a], family.error[b])
            low[mine], high[mine] = value[mine] - half, value[mine] + half
    return value, low, high


def outcomes(found: Sequence[Family], which: Pairs, limit: float) -> tuple[Outcome, ...]:
    """Judge every pair."""
    bad = scores(found, which) > limit
    _, low, high = bounds(found, which)
    floor = np.array([family.floor for family in found])[which.family] if len(found) else np.empty(0)
    good = (low > -floor) & (high < floor)
    return tuple(
        Outcome.FAIL if one else Outcome.PASS if two else Outcome.INCONCLUSIVE
        for one, two in zip(bad.tolist(), good.tolist(), strict=True)
    )
