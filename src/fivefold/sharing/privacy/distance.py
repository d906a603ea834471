r"""Distance: how far two worlds are apart in what is released of them, from runs alone.

Two measurements. (1) *Any noise*: a score is learned on one half of the runs, thresholds too; on the other half
the shares p and q of runs beyond a threshold are bounded exactly. rho-zCDP says D_a(p || q) <= a rho for every order
a > 1 (Bun and Steinke 2016, with the data-processing inequality; D_a is the Renyi divergence of two coins), so that
max_a D_a(p_low || q_high) / a bounds rho from below. (2) *Normal-like noise*: rho = d' S^-1 d / 2, with d what the
person moves and S the covariance of the noise; d' S^-1 d is bounded through chi^2 where d is known, through the
non-central F of Hotelling's T^2 where it is estimated, too. It sees half the noise in far fewer runs, and figures that
share noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fivefold.stats.proportion import clopper_pearson

_ORDERS = 1 + np.exp(np.linspace(-5, 4, 60))
_NULL = 1e-9
_SHARED = 1e-6
_MOST = 120


@dataclass(frozen=True)
class Apart:
    """The loss as measured.

    Attributes:
        rho: Point estimate.
        low: One-sided 95 % lower bound, the larger one of both measurements (each at 97.5 %).
        high: One-sided 95 % upper bound for normal-like noise.
        sure: Lower bound for any noise.
        shares: Whether figures share noise, so that their difference tells the person without any.
    """

    rho: float
    low: float
    high: float
    sure: float
    shares: bool = False


def apart(first: np.ndarray, second: np.ndarray, moved: np.ndarray | None = None) -> Apart:
    """Measure.

    Args:
        first: (n, d) runs of one world.
        second: (m, d) of the other.
        moved: (d,) how far the person moves each figure without noise; None: not known.

    Returns:
        The loss; infinite where the worlds never overlap.
    """
    if first.shape[1] > _MOST:
        order = np.argsort(-_tells(first, second, moved))[:_MOST]
        first, second, moved = first[:, order], second[:, order], None if moved is None else moved[order]
    shift = second.mean(axis=0) - first.mean(axis=0) if moved is None else moved
    noise = np.concatenate([first - first.mean(axis=0), second - second.mean(axis=0)])
    width = noise.std(axis=0)
    if bool(((width == 0) & (np.abs(shift) > 0)).any()):
        return Apart(math.inf, math.inf, math.inf, math.inf)
    kept = width > 0
    if not kept.any():
        return Apart(0.0, 0.0, 0.0, 0.0)
    first, second, shift = first[:, kept] / width[kept], second[:, kept] / width[kept], shift[kept] / width[kept]
    sums = np.cov(np.concatenate([first - first.mean(axis=0), second - second.mean(axis=0)]), rowvar=False)
    values, vectors = np.linalg.eigh(np.atleast_2d(sums))
    null = values < _NULL
    if null.any() and float(np.abs(vectors[:, null].T @ shift).max()) > _SHARED:
        return Apart(math.inf, math.inf, math.inf, math.inf, shares=True)
    inverse = (vectors[:, ~null] / values[~null]) @ vectors[:, ~null].T
    direction = inverse @ shift
    square = float(shift @ direction)
    low, rho, high = _bounds(square, len(first), len(second), int((~null).sum()), known=moved is not None)
    sure = surely(first @ direction, second @ direction)
    return Apart(rho, max(low, sure), max(high, sure), sure)


def _tells(first: np.ndarray, second: np.ndarray, moved: np.ndarray | None) -> np.ndarray:
    shift = second.mean(axis=0) - first.mean(axis=0) if moved is None else moved
    return np.asarray(np.abs(shift) / np.maximum(first.std(axis=0), 1e-300))


def _bounds(square: float, n: int, m: int, d: int, *, known: bool) -> tuple[float, float, float]:
    """Return lower bound (97.5 %), estimate and upper bound (95 %) of rho from d' S^-1 d with the S of both worlds."""
    from scipy import stats
    from scipy.optimize import brentq

    free = n + m - 2
    if known:  # true / measured is chi^2 / free with free - d + 1 degrees (Muirhead 1982, Theorem 3.2.12)
        low, middle, high = (float(stats.chi2.ppf(p, free - d + 1)) / free for p in (0.025, 0.5, 0.95))
        return square * low / 2, square * middle / 2, square * high / 2
    scale = n * m / (n + m)
    statistic = scale * square * (free - d + 1) / (free * d)

    def at(tail: float) -> float:
        def beyond(apart_: float) -> float:
            return float(stats.ncf.sf(statistic, d, free - d + 1, apart_)) - tail if apart_ else float(
                stats.f.sf(statistic, d, free - d + 1)) - tail  # fmt: skip

        if beyond(0.0) >= 0:
            return 0.0
        top = 4 * (scale * square + 10 * d + 10)
        return float(brentq(beyond, 0.0, top)) if beyond(top) > 0 else top

    return at(0.025) / scale / 2, at(0.5) / scale / 2, at(0.95) / scale / 2


def surely(first: np.ndarray, second: np.ndarray) -> float:
    """Return a lower bound of rho at 97.5 %, whatever the noise: (n,) and (m,) scores, the second world's greater."""
    found = 0.0
    for one, two in ((first, second), (-second, -first)):
        cuts = np.quantile(np.concatenate([one[::2], two[::2]]), np.linspace(0.02, 0.98, 33))
        best = max(cuts, key=lambda cut: _order((two[::2] > cut).mean() * 0.98, (one[::2] > cut).mean() + 2 / len(one)))
        hits, misses = int((two[1::2] > best).sum()), int((one[1::2] > best).sum())
        low = float(clopper_pearson(hits, len(two[1::2]), 1 - 0.025 / 4)[0])
        high = float(clopper_pearson(misses, len(one[1::2]), 1 - 0.025 / 4)[1])
        found = max(found, _order(low, high))
    return found


def _order(p: float, q: float) -> float:
    """Return max over orders a of D_a(p || q) / a for two coins; 0 where p <= q."""
    if p <= q or q >= 1:
        return 0.0
    p, q = min(max(p, 1e-12), 1 - 1e-12), min(max(q, 1e-12), 1 - 1e-12)
    a = _ORDERS
    parts = np.logaddexp(a * np.log(p) + (1 - a) * np.log(q), a * np.log1p(-p) + (1 - a) * np.log1p(-q))
    return float(max(0.0, (parts / (a - 1) / a).max()))
