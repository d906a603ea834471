"""Recall: what share of planted rows a ranking finds before too many of those it names are innocent."""

from __future__ import annotations

import numpy as np

from fivefold.contract.finding import Curve, Measure
from fivefold.stats.proportion import clopper_pearson

PRECISION = 0.8
_POINTS = 100


def recall(what: str, suspicion: np.ndarray, planted: np.ndarray, where: str = "") -> tuple[Measure, Curve]:
    """Return the largest share of planted rows that is found at the stated precision, and the whole curve.

    Args:
        what: What was planted, in the plural.
        suspicion: (n,) larger: more suspect.
        planted: (n,) bool, at least one True.
        where: Kind of planted rows; it names the curve too.
    """
    order = np.argsort(-suspicion, kind="stable")
    hits = np.cumsum(planted[order])
    precision = hits / np.arange(1, len(order) + 1)
    good = np.flatnonzero(precision >= PRECISION)
    found, n = int(hits[good[-1]]) if len(good) else 0, int(planted.sum())
    low, high = clopper_pearson(found, n)
    measure = Measure(
        name=f"planted {what} found at {PRECISION:.0%} precision", value=found / n, low=float(low), high=float(high),
        unit="share", n=n, where=where,
        note="Those that were there before count as false here, so the figure is cautious.",
    )  # fmt: skip
    at = np.unique(np.linspace(0, len(order) - 1, _POINTS).astype(int))
    name = where or "all rows by suspicion"
    return measure, Curve(name=name, x=tuple((hits[at] / n).tolist()), y=tuple(precision[at].tolist()))
