"""Area under the ROC curve with its error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit

from fivefold.errors import InputError
from fivefold.stats._arrays import Side, normal_quantile, tail

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def delong(scores_pos: ArrayLike, scores_neg: ArrayLike) -> tuple[float, float]:
    """AUC and its standard error from placements, in O(n log n) (DeLong 1988; Sun and Xu 2014).

    Args:
        scores_pos: (m,) scores of positives, larger means more positive, finite.
        scores_neg: (n,) scores of negatives.

    Returns:
        ``(auc, se)``; ties count one half. The standard error is NaN with fewer than two scores on a side.

    Raises:
        InputError: ``stats.empty`` if a side has no scores, ``stats.finite`` if a score is not finite.
    """
    pos, neg = np.asarray(scores_pos, dtype=np.float64), np.asarray(scores_neg, dtype=np.float64)
    if len(pos) == 0 or len(neg) == 0:
        raise InputError("stats.empty", "AUC needs at least one positive and one negative score.")
    if not (np.isfinite(pos).all() and np.isfinite(neg).all()):
        raise InputError("stats.finite", "AUC needs finite scores.")
    place_pos = _below(pos, neg) / len(neg)
    place_neg = 1.0 - _below(neg, pos) / len(pos)
    auc = float(place_pos.mean())
    if len(pos) < 2 or len(neg) < 2:
        return auc, float("nan")
    return auc, float(np.sqrt(place_pos.var(ddof=1) / len(pos) + place_neg.var(ddof=1) / len(neg)))


def _below(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how many of ``others`` lie below each score, equal ones counted one half."""
    rising = np.sort(others)
    return (np.searchsorted(rising, scores, "left") + np.searchsorted(rising, scores, "right")) / 2.0


def bound(
    auc: float, se: float, n_pos: int, n_neg: int, *, confidence: float = 0.95, side: Side = "one"
) -> tuple[float, float]:
    """Bounds of an AUC on the logit scale, never narrower than perfect separation allows (Qin and Hotilovac 2008).

    Near 0 and 1 the estimated error vanishes. There the exact bound of m = min(n_pos, n_neg) disjoint pairs takes
    over: all m pairs are in order with probability AUC^m, so AUC below tail^(1/m) is refused.

    Args:
        auc: In [0, 1].
        se: From :func:`delong`; NaN: unknown.
        n_pos: Number of positives.
        n_neg: Number of negatives.
        confidence: In (0, 1).
        side: ``one``: each bound holds alone with ``confidence``; ``two``: both together.

    Returns:
        ``(low, high)`` in [0, 1].

    Raises:
        InputError: ``stats.confidence``.
    """
    pairs = min(n_pos, n_neg)
    if pairs == 0 or np.isnan(se):
        return 0.0, 1.0
    edge = float(tail(confidence, side) ** (1.0 / pairs))
    if auc <= 0.0 or auc >= 1.0 or se == 0.0:
        return (edge, 1.0) if auc >= 1.0 else (0.0, 1.0 - edge) if auc <= 0.0 else (auc, auc)
    half = normal_quantile(confidence, side) * se / (auc * (1 - auc))
    low, high = float(expit(logit(auc) - half)), float(expit(logit(auc) + half))
    return min(low, edge), max(high, 1.0 - edge)
