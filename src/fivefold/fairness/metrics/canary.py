"""Canary of F1.metrics: one judged figure of one group is made worse, or nothing is; the check must tell which."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary
from fivefold.fairness.metrics.families import Family, Pairs, Payload, families, scores

if TYPE_CHECKING:
    from collections.abc import Mapping

BEYOND = 0.15
"""How far beyond the floor a planted gap lies where groups are large enough."""
_POWER = 2.6
_RECALL, _ALARMS = 0.8, 0.1


def run(
    codes: np.ndarray, rows: Payload, floors: Mapping[str, float], judged: tuple[Pairs, float, int],
    rng: np.random.Generator, *, replicates: int,
) -> Canary:  # fmt: skip
    """Plant gaps in copies whose group labels were permuted; judge them, and the permuted copies alone.

    Args:
        codes: (f, n) flat groups.
        rows: What is known of each row.
        floors: Key to floor.
        judged: The judged pairs, the standard errors from which on a gap is found, and how many groups there are.
        rng: Draws all.
        replicates: Copies with a fault, and copies without.
    """
    which, limit, groups = judged
    kind, found, alarms, planted = "a figure of one group made worse", 0, 0, 0
    named: set[str] = set()
    known = families(codes, rows, groups, floors)
    for copy in range(2 * replicates if len(which.family) else 0):
        dealt = rows.take(rng.permutation(codes.shape[1]))
        if copy < replicates:
            at = int(rng.integers(len(which.family)))
            family, group = known[int(which.family[at])], int((which.first, which.second)[int(rng.integers(2))][at])
            other = int(which.second[at] if group == which.first[at] else which.first[at])
            spoilt = _spoilt(family, (codes == group).any(axis=0), dealt, (group, other, limit), rng)
            if spoilt is None:
                continue
            dealt, planted = spoilt, planted + 1
            named.add(family.name)
        seen = bool((scores(families(codes, dealt, groups, floors), which) > limit).any())
        found, alarms = found + (seen and copy < replicates), alarms + (seen and copy >= replicates)
    clean = replicates if len(which.family) else 0
    return Canary(
        kind=kind, planted=planted, found=found, clean=clean, false_alarms=alarms,
        noticed=planted > 0 and found >= _RECALL * planted and alarms <= _ALARMS * clean,
        detail=f"Group labels were permuted; in {planted} copies one of {', '.join(sorted(named))} of one group drawn "
        "from the seed was then made worse." if planted else "No group is large enough to plant a gap in.",
    )  # fmt: skip


def _spoilt(
    family: Family, members: np.ndarray, rows: Payload, of: tuple[int, int, float], rng: np.random.Generator
) -> Payload | None:
    """Return the rows with one figure of the members made worse; None: there is no room for a gap that shows."""
    group, other, limit = of
    reach = (limit + _POWER) * float(np.hypot(family.error[group], family.error[other]))
    size = family.floor + max(0.5 if family.ratio else BEYOND, reach)
    made: Payload | None = None
    if rows.error is not None:
        enlarged = rows.error * np.where(members, np.exp(size), 1.0)
        made = replace(rows, error=enlarged if family.ratio else rows.error + size * members)
    elif family.name == "error rate" and rows.wrong is not None:
        room = 1 - float(rows.wrong.mean())
        hit = rng.random(len(members)) < size / max(room, 1e-9)
        made = replace(rows, wrong=rows.wrong | (members & hit)) if size <= room else None
    elif family.name == "AUC" and rows.score is not None:
        room = float(np.nanmean(family.value)) - 0.5
        mine = np.flatnonzero(members)
        mixed = mine[rng.random(len(mine)) < min(1.0, 1.05 * size / max(room, 1e-9))]
        score = rows.score.copy()
        score[mixed] = rng.permutation(score[mixed])  # of a share f of the members: AUC - 1/2 shrinks by f
        made = replace(rows, score=score) if size <= room else None
    elif rows.score is not None:
        made = replace(rows, score=rows.score + size * members)
    return made
