"""Canary of E3.permutation: known functions over the user's own cells, one column leaned on, one without use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary
from fivefold.explanation import known
from fivefold.explanation.permutation import importance

if TYPE_CHECKING:
    from fivefold.explanation.asking import Ask

FUNCTIONS = 8
SHARE = 0.15
"""Share of the variance of a planted function's score that hangs on the column that must be found."""

_ROWS = 3000
_FLICKER = 0.1
_USUAL = 0.9
_LEAST_SHARE = 0.8


def prove(codes: np.ndarray, form: str, floor: float, repeats: int, rng: np.random.Generator) -> Canary:
    """Measure known functions: a column that they lean on must exceed the floor, one without use must not.

    Args:
        codes: (n, P) ranks of the user's cells.
        form: ``value``, ``probability`` or ``label``, as the user's model answers.
        floor: Largest share of a column that may not be used.
        repeats: Deals for each column.
        rng: Draws functions and columns.
    """
    codes = codes[:_ROWS]
    varied = _varied(codes)
    found, alarms, cases = 0, 0, FUNCTIONS if len(varied) >= 2 else 0
    rows = np.repeat(np.arange(len(codes))[:, None], codes.shape[1], axis=1)
    for _ in range(cases):
        used, idle = (int(one) for one in rng.choice(varied, 2, replace=False))
        g = _leaning(codes, used, idle, rng)
        score = g(rows)
        ask = _form(g, form, score, rng)
        scores = ask(rows)
        target = _truth(_form(g, form, score, None)(rows), rng)
        whole, _, size = importance.whole(scores, target, rng)
        effects, _ = importance.single(
            ask, scores, target, codes, [(used,), (idle,)], repeats=repeats, batch=50_000, rng=rng
        )
        found += importance.shared(effects[0], whole, size)[1] > floor
        alarms += importance.shared(effects[1], whole, size)[1] > floor
    return Canary(
        kind="a column leaned on, and one without use",
        planted=cases,
        found=found,
        clean=cases,
        false_alarms=alarms,
        noticed=cases > 0 and found >= _LEAST_SHARE * cases and alarms <= max(1, cases // 8),
        detail=f"{cases} known functions of these very columns, answers flickering by a tenth; of the variance of "
        f"their scores {SHARE:.0%} hangs on the first column drawn, nothing on the second.",
    )


def _varied(codes: np.ndarray) -> np.ndarray:
    """Return players whose commonest cell is in at most nine rows of ten; where those are few, all that vary."""
    usual = np.array([np.unique(column, return_counts=True)[1].max() for column in codes.T])
    some = np.flatnonzero(usual <= _USUAL * len(codes))
    return some if len(some) >= 2 else np.flatnonzero(usual < len(codes))


def _leaning(codes: np.ndarray, used: int, idle: int, rng: np.random.Generator) -> known.Known:
    g = known.draw(codes, rng)
    parts = g.parts.copy()
    # neither column may act through a product: the share would not be known
    keep = ~np.isin(g.pairs, (used, idle)).any(axis=1) if len(g.pairs) else np.zeros(0, dtype=bool)
    g = known.Known(parts, g.pairs[keep], g.strength[keep])
    parts[:, idle] = 0.0
    parts[:, used] = 0.0
    rest = float(g(np.repeat(np.arange(len(codes))[:, None], codes.shape[1], axis=1)).var())
    shape = codes[:, used] - codes[:, used].mean()
    shape /= shape.std()
    parts[:, used] = shape * np.sqrt(SHARE / (1 - SHARE) * rest) if rest > 0 else shape
    return g


def _form(g: known.Known, form: str, score: np.ndarray, rng: np.random.Generator | None) -> Ask:
    """Return the function in the form of the user's model; with a generator its answers flicker."""
    middle, spread = float(np.median(score)), float(score.std()) or 1.0

    def ask(cells: np.ndarray) -> np.ndarray:
        z = (g(cells)[:, 0] - middle) / spread
        if rng is not None and form != "label":
            z += np.sqrt(_FLICKER) * rng.normal(size=len(cells))
        if form == "value":
            return np.asarray(z[:, None])
        one = (z > 0).astype(np.float64) if form == "label" else 1 / (1 + np.exp(-3 * z))
        return np.column_stack([1 - one, one])

    return ask


def _truth(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if scores.shape[1] == 1:
        return np.asarray(scores[:, 0] + 0.5 * rng.normal(size=len(scores)))
    chance = np.clip(scores[:, 1], 0.1, 0.9) if np.isin(scores, (0.0, 1.0)).all() else scores[:, 1]
    return (rng.random(len(scores)) < chance).astype(np.int64)
