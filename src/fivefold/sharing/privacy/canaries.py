r"""Canaries: what a training gives away at least, from one run with planted persons, each in it or not by a fair coin.

Each canary has a score, higher where it looks more like having been in the training. The auditor guesses of r canaries,
those that look most like in and most like out, and passes on the others. Under (epsilon, delta) privacy the number of
right guesses is below a binomial one with share e^epsilon / (1 + e^epsilon), but for what delta adds: of m canaries v
of r guesses are right with probability at most

  beta + 2 m delta max_i (P[v - i <= B < v] / i),   beta = P[B >= v],  B ~ Binomial(r, 1 / (1 + e^-epsilon))

(Steinke, Nasr and Jagielski 2023, theorem 5.2). The largest epsilon for which that is below the level, shared among all
r and scores that are tried, is a bound from below, whatever the noise and whatever else is in the data.

Where noise, rate and steps of a Gaussian training are claimed, more is known: any weighted sum of its steps sets a
canary apart from chance by at most q sqrt(T) / s deviations (Cauchy and Schwarz), and the distance of the mean scores
of the two kinds is an estimate of it, with the usual bounds of a difference of means. Less noise, noise that is not
fresh in the sum, or more of a canary than the clip make it larger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.995
_SHARES = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 1.0)
_FEWEST = 8
_MOST = 60.0


@dataclass(frozen=True)
class Audit:
    """What canaries show.

    Attributes:
        epsilon: Lower bound of epsilon at the delta that is claimed.
        guesses: Of the attack that gave it.
        right: Of these.
        apart: Distance of the mean scores of those in and those out, in deviations; of the first score.
        low: Its lower bound.
        high: Its upper bound.
    """

    epsilon: float
    guesses: int
    right: int
    apart: float
    low: float
    high: float


def audit(included: np.ndarray, scores: np.ndarray, delta: float, *, confidence: float = CONFIDENCE) -> Audit:
    """Bound epsilon from below.

    Args:
        included: (m,) bool, by fair coins.
        scores: (m, k) float64, higher for a canary that looks included; the first one is a sum over steps.
        delta: Claimed.
        confidence: Of the bounds, one-sided.
    """
    m, kinds = scores.shape
    counts = sorted({max(_FEWEST, round(share * m)) // 2 for share in _SHARES if share * m >= _FEWEST})
    level = (1 - confidence) / max(1, kinds * len(counts))
    best, guesses, right = 0.0, 0, 0
    for score in scores.T:
        order = np.argsort(score, kind="stable")
        for half in counts:
            hits = int(included[order[-half:]].sum() + (~included[order[:half]]).sum())
            found = _bound(m, 2 * half, hits, delta, level)
            if found > best or not guesses:
                best, guesses, right = found, 2 * half, hits
    return Audit(best, guesses, right, *_apart(scores[included, 0], scores[~included, 0], confidence))


def chance(m: int, r: int, v: int, epsilon: float, delta: float) -> float:
    """Return the most probability with which v of r guesses of m canaries are right under (epsilon, delta)."""
    from scipy.stats import binom

    share = 1 / (1 + math.exp(-epsilon))
    beta = float(binom.sf(v - 1, r, share))
    if not delta or not v:
        return beta
    below = np.cumsum(binom.pmf(np.arange(v - 1, -1, -1), r, share))
    return min(1.0, beta + 2 * m * delta * float((below / np.arange(1, v + 1)).max()))


def _bound(m: int, r: int, v: int, delta: float, level: float) -> float:
    if chance(m, r, v, 0.0, delta) >= level:
        return 0.0
    low, high = 0.0, _MOST
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if chance(m, r, v, middle, delta) < level else (low, middle)
    return low


def _apart(one: np.ndarray, other: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """Return the distance of means in deviations of those who are out, with bounds (Hedges and Olkin 1985, 5.A)."""
    from scipy.stats import norm

    width = float(other.std(ddof=1)) if len(other) > 1 else 0.0
    if not width or not len(one):
        return (0.0, 0.0, _MOST) if not len(one) or np.ptp(np.concatenate([one, other])) == 0 else (_MOST, _MOST, _MOST)
    found = float(one.mean() - other.mean()) / width
    error = math.sqrt(float(one.var()) / width**2 / len(one) + 1 / len(other) + found**2 / (2 * len(other)))
    reach = float(norm.ppf(confidence)) * error
    return found, found - reach, found + reach


def scores(steps: np.ndarray) -> np.ndarray:
    """Return (m, 2) scores of canaries that move one number each, from what a trainer gives out at each step.

    The sum over steps, and the sum of squared differences from one step to the next, which noise that is used again
    does not hide.

    Args:
        steps: (T, m) float, the step along each canary's number.
    """
    steps = np.asarray(steps, dtype=np.float64)
    return np.stack([steps.sum(axis=0), (np.diff(steps, axis=0) ** 2).sum(axis=0)], axis=1)


def most_apart(rate: float, noise: float, steps: int) -> float:
    """Return how far apart a Gaussian training may set a canary, in deviations: q sqrt(T) / s."""
    return rate * math.sqrt(steps) / noise


def gaussian_apart(epsilon: float, delta: float) -> float:
    """Return the distance mu of two normal laws that are (epsilon, delta) apart and no less.

    Source: Dong, Roth and Su 2022, Corollary 2.13: delta = Phi(-epsilon / mu + mu / 2) - e^epsilon Phi(-epsilon / mu -
    mu / 2).
    """
    from scipy.stats import norm

    low, high = 1e-6, 100.0
    for _ in range(100):
        mu = math.sqrt(low * high)
        tail = norm.cdf(-epsilon / mu + mu / 2) - math.exp(epsilon + norm.logcdf(-epsilon / mu - mu / 2))
        low, high = (mu, high) if tail < delta else (low, mu)
    return math.sqrt(low * high)
