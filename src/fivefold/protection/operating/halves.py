"""Halves: on one a threshold is chosen, on the other it is stated; nobody is in both where persons are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.protection.operating.scores import Scores

_LEAST = 10


def halve(scores: Scores, rng: np.random.Generator) -> tuple[Scores, Scores]:
    """Return the half to choose on and the half to state on (never the smaller one).

    Probes are dealt out whole where they are named and each half gets ten rows of either side; else rows are, genuine
    ones and impostors apart.
    """
    if scores.groups:
        codes = np.unique(scores.groups[0], return_inverse=True)[1].ravel()
        count = int(codes.max()) + 1
        first = np.zeros(count, dtype=bool)
        first[rng.permutation(count)[: count // 2]] = True
        chosen = first[codes]
        sides = [int((part & side).sum()) for part in (chosen, ~chosen) for side in (scores.genuine, ~scores.genuine)]
        if min(sides) >= _LEAST:
            return scores.take(chosen), scores.take(~chosen)
    chosen = np.zeros(len(scores.value), dtype=bool)
    for side in (True, False):
        rows = np.flatnonzero(scores.genuine == side)
        chosen[rng.permutation(rows)[: len(rows) // 2]] = True
    return scores.take(chosen), scores.take(~chosen)
