"""Canary of E3.sensitivity: known functions of the user's own columns, indices known exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary
from fivefold.contract.outcome import Outcome
from fivefold.explanation import known
from fivefold.explanation.sensitivity import indices
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.explanation.sensitivity.indices import Shares

FUNCTIONS = 6
HOLDS = 0.7
"""Share of the bounds (two-sided 90 %) of all functions that must cover the known indices; they err together."""

_COLUMNS = 6
_USUAL = 0.9


def prove(codes: np.ndarray, count: int, floor: float, rng: np.random.Generator) -> Canary:
    """Measure known functions as the user's model is measured.

    To be noticed: indices told of the next column, and named columns that carry half of the floor. Not to be flagged:
    honest bounds, of which enough must cover the known indices, and named columns that carry nearly all.

    Args:
        codes: (n, P) ranks of the user's cells.
        count: Pairs of rows.
        floor: Of the share that named columns carry.
        rng: Draws functions and columns.
    """
    varied = np.flatnonzero([np.unique(one, return_counts=True)[1].max() <= _USUAL * len(codes) for one in codes.T])
    functions = FUNCTIONS if len(varied) >= 2 else 0
    covered, displaced, found, alarms = list[float](), list[float](), 0, 0
    for _ in range(functions):
        some = codes[:, rng.permutation(varied)[:_COLUMNS]]
        made = known.draw(some, rng)
        total, first = exact(made)
        drawn = indices.pairs(len(some), some.shape[1], count, rng)
        told = indices.measure(made, drawn, [(at,) for at in range(some.shape[1])])
        for inside, turn in ((covered, 0), (displaced, 1)):
            inside.append(_covers(told, np.roll(total, turn), np.roll(first, turn), len(some)))
        found += _judged(some, floor / 2, count, floor, rng) is Outcome.FAIL
        alarms += _judged(some, (1 + floor) / 2, count, floor, rng) is not Outcome.PASS
    holds, moved = (float(np.mean(one)) if one else 0.0 for one in (covered, displaced))
    return Canary(
        kind="indices of known functions, and named columns that carry too little",
        planted=functions + bool(functions),
        found=found + (functions > 0 and moved < HOLDS),
        clean=functions + bool(functions),
        false_alarms=alarms + (functions > 0 and holds < HOLDS),
        noticed=functions > 0 and moved < HOLDS <= holds and found >= functions - 1 and alarms <= 1,
        detail=f"{functions} known functions of up to {_COLUMNS} of these very columns, products of two among them: "
        f"{holds:.0%} of the bounds cover the known indices ({moved:.0%} where each column is told the next one's). "
        f"Columns named that carry {floor / 2:.0%} must be noticed, such that carry {(1 + floor) / 2:.0%} not.",
    )


def exact(made: known.Known) -> tuple[np.ndarray, np.ndarray]:
    """Return (P,) total and (P,) first-order indices of a known function whose parts have mean 0.

    The parts are then uncorrelated with their products, and variances add up (Sobol 2001, section 4).
    """
    alone = made.parts.var(axis=0)
    first, total = alone.copy(), alone.copy()
    whole = float(alone.sum())
    for (j, k), strength in zip(made.pairs.tolist(), made.strength.tolist(), strict=True):
        both = strength**2 * float(alone[j] * alone[k])
        total[[j, k]] += both
        whole += both
    return total / whole, first / whole


def _covers(told: Shares, total: np.ndarray, first: np.ndarray, rows: int) -> float:
    inside = []
    for parts, truth in ((told.total, total), (told.first, first)):
        for part, one in zip(parts, truth.tolist(), strict=True):
            _, low, high = indices.share(part, told.signal, rows)
            inside.append(low - 1e-9 <= one <= high + 1e-9)
    return float(np.mean(inside))


def _judged(codes: np.ndarray, carried: float, count: int, floor: float, rng: np.random.Generator) -> Outcome:
    """Judge a sum of which the first column carries a known share of the variance."""
    parts = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    weight = np.append(carried, np.full(codes.shape[1] - 1, (1 - carried) / (codes.shape[1] - 1)))
    none = np.zeros((0, 2), dtype=np.int64)
    drawn = indices.pairs(len(codes), codes.shape[1], count, rng)
    rest = tuple(range(1, codes.shape[1]))
    told = indices.measure(known.Known(parts * np.sqrt(weight), none, np.zeros(0)), drawn, [rest])
    _, low, high = indices.share(told.total[0], told.signal, len(codes))
    return judge(1 - high, 1 - low, floor, "min")
