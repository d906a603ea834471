"""Search: how often somebody who is not in a gallery is matched to somebody who is.

A search compares one probe with N people. Given the probe, the people of the gallery are taken as drawn one like the
other. Then the chance that none of N matches is h(N) = E[Y^N] for a random Y in [0, 1] (one less the probe's own
false-match rate), and for a search of m <= N seen in the data

    h(m)^(N/m) <= h(N) <= h(m),

the left side by Jensen's inequality, the right because Y is at most 1. So 1 - h(m) and 1 - h(m)^(N/m) enclose the
false-positive identification rate at N, whatever people differ in; the right end is reached where all are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.operating.point import Rate
from fivefold.stats import clustered
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.protection.operating.scores import Scores

_SHORT = 0.1  # share of probes with the fewest comparisons that are left out


@dataclass(frozen=True)
class Searches:
    """Searches of the same length, made of impostor rows.

    Attributes:
        rows: (p, m) positions of the rows of each search in the scores.
        reference: (p, m) codes of whom the probe is compared with; None: nobody says.
    """

    rows: np.ndarray
    reference: np.ndarray | None

    @property
    def length(self) -> int:
        """How many comparisons each search has."""
        return int(self.rows.shape[1])


def searches(scores: Scores, most: int, rng: np.random.Generator) -> Searches:
    """Gather the impostor rows of each probe to searches of one length.

    The length is what nine probes in ten have, at most ``most``; comparisons beyond it and probes with fewer are left
    out at random. Without named probes each row is a search of one.

    Args:
        scores: All rows.
        most: Size of the gallery.
        rng: Order of comparisons.
    """
    rows = np.flatnonzero(~scores.genuine)
    if not scores.groups:
        return Searches(rows[:, None], None)
    rows = rng.permutation(rows)
    codes = np.unique(scores.groups[0][rows], return_inverse=True)[1].ravel()
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    length = int(np.clip(np.quantile(counts, _SHORT, method="lower"), 1, most))
    start = np.cumsum(counts) - counts
    kept = start[counts >= length]
    chosen = rows[order[kept[:, None] + np.arange(length)]]
    return Searches(chosen, scores.groups[1][chosen] if len(scores.groups) > 1 else None)


def rate(matched: np.ndarray, found: Searches, gallery: int) -> Rate:
    """Return the false-positive identification rate at a gallery size.

    Args:
        matched: (n,) bool, whether each row of the scores is taken for a match.
        found: The searches.
        gallery: N, at least the searches' length.

    Returns:
        The value if all people are alike; bounds that hold whatever they differ in.
    """
    inside = matched[found.rows]
    hit = inside.any(axis=1)
    share = float(hit.mean())
    worth = len(hit) / _reference_effect(inside, found)
    low, high = (float(bound) for bound in clopper_pearson(share * worth, worth))
    power = float(gallery / found.length)
    return Rate(1 - (1 - share) ** power, low, 1 - (1 - high) ** power, len(hit))


def _reference_effect(inside: np.ndarray, found: Searches) -> float:
    """Return by how much searches count for less because they meet the same people: a ratio of effective sizes."""
    if found.reference is None:
        return 1.0
    p, m = inside.shape
    probe, reference = np.repeat(np.arange(p), m), found.reference.ravel()
    people = len(np.unique(reference))
    if not inside.any() or inside.all():
        # nothing seen of how references differ: no more searches than people that they could differ in
        return float(max(1.0, p / max(people, 1)))
    alone = clustered.effective(inside.ravel(), [probe])
    return float(max(1.0, alone / clustered.effective(inside.ravel(), [probe, reference])))


def largest(value: np.ndarray, found: Searches) -> np.ndarray:
    """Return (p,) the highest score of each search."""
    return np.asarray(value[found.rows].max(axis=1))


def threshold_for(highest: np.ndarray, length: int, gallery: int, limit: float) -> float | None:
    """Return the lowest threshold at which the upper bound of the rate at ``gallery`` is below ``limit``.

    Args:
        highest: (p,) highest score of each search, from :func:`largest`.
        length: Comparisons of each.
        gallery: N.
        limit: In (0, 1).

    Returns:
        The threshold, just above a score that occurs; None if there are too few searches for any.
    """
    counts = np.arange(len(highest) + 1)
    most = int((clopper_pearson(counts, len(highest))[1] < 1 - (1 - limit) ** (length / gallery)).sum()) - 1
    if most < 0 or most >= len(highest):
        return None
    falling = np.sort(highest)[::-1]
    return float(np.nextafter(falling[most], np.inf))
