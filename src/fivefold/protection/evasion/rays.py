"""Rays: a decision attack that turns a straight line until the answer changes within the allowed distance.

After RayS (Chen and Gu 2020), all rows at once: a direction is a sign for each number; blocks of signs are flipped,
from halves to single features, and a flip is kept where the answer changes nearer by. Labels are all that it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion import surrogate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.protection.evasion.hunt import Hunt

_NEARER = 0.97
_BISECTIONS = 4
_SWAP_EVERY = 5


def rays(hunt: Hunt, slope: np.ndarray | None, home: np.ndarray, rng: np.random.Generator) -> None:
    """Attack the rows that stand, until they fall or their questions are spent.

    Args:
        hunt: The attack.
        slope: (n, d) where a surrogate would move each row; None: unknown.
        home: (n, d) rows to start from: unchanged, or with swaps.
        rng: Order of the features, first signs.
    """
    space = hunt.space
    movable = np.flatnonzero(space.moves & (space.unit > 0))
    if not len(movable):
        _swaps_only(hunt, home, rng)
        return
    n, d = hunt.start.shape
    sign = np.where(rng.random((n, d)) < 0.5, 1.0, -1.0)
    if slope is not None:
        sign = np.where(slope != 0, np.sign(slope), sign)
    home, farthest = home.copy(), float((space.cost[movable] / hunt.limit.epsilon).max())
    farthest = max(1.0, farthest)
    radius = np.full(n, np.inf)
    _begin(hunt, home, sign, radius, farthest=farthest, rng=rng)
    since = np.zeros(n, dtype=np.int64)
    patience = _patience(hunt, len(movable))
    for turn, block in enumerate(_blocks(movable, rng)):
        rows = hunt.standing()
        rows = rows[since[rows] < patience]
        if not len(rows):
            return
        since[rows] += 1
        there = np.minimum(radius[rows] * _NEARER, farthest)
        trial, from_home = sign[rows], home[rows]
        if space.swaps.any() and hunt.limit.swaps > 0 and turn % _SWAP_EVERY == _SWAP_EVERY - 1:
            from_home = from_home.copy()
            surrogate.swap(hunt, rows, from_home, rng)
        else:
            trial = trial.copy()
            trial[:, block] *= -1.0
        values = _at(hunt, rows, from_home, trial, there)
        met, _ = hunt.ask(rows, values, inside=False)
        _note(hunt, rows, values, met, there)
        if met.any():
            better = rows[met]
            sign[better], home[better], radius[better] = trial[met], from_home[met], there[met]
            since[better] = 0
            _nearer(hunt, better, home, sign, radius)


def _patience(hunt: Hunt, movable: int) -> int:
    """Return how many turns in a row may gain nothing: every block twice, and every swap about once."""
    levels = sum(hunt.space.count(int(at)) for at in np.flatnonzero(hunt.space.swaps)) if hunt.limit.swaps > 0 else 0
    return 4 * movable + min(_SWAP_EVERY * levels, 40) + 8


def _begin(
    hunt: Hunt,
    home: np.ndarray,
    sign: np.ndarray,
    radius: np.ndarray,
    *,
    farthest: float,
    rng: np.random.Generator,
) -> None:
    """Find any direction in which the answer changes."""
    for turn in range(4):
        rows = hunt.standing()
        rows = rows[np.isinf(radius[rows])]
        if not len(rows):
            return
        trial = sign[rows] if turn == 0 else np.where(rng.random((len(rows), sign.shape[1])) < 0.5, 1.0, -1.0)
        if turn == 1:
            trial = -sign[rows]
        values = _at(hunt, rows, home[rows], trial, np.full(len(rows), farthest))
        met, _ = hunt.ask(rows, values, inside=False)
        better = rows[met]
        sign[better], radius[better] = trial[met], farthest
        _nearer(hunt, better, home, sign, radius)


def _nearer(hunt: Hunt, rows: np.ndarray, home: np.ndarray, sign: np.ndarray, radius: np.ndarray) -> None:
    """Halve the way to the nearest change on each row's line, in logarithms, the allowed distance first."""
    low = np.zeros(len(rows))
    for step in range(_BISECTIONS + 1):
        open_ = np.isin(rows, hunt.standing())
        if not open_.any():
            return
        high = radius[rows]
        middle = np.where(low == 0, np.minimum(1.0, high), np.sqrt(np.maximum(low, 1e-9) * high))
        if step == 0:
            middle = np.minimum(1.0, high)
        some = np.flatnonzero(open_)
        values = _at(hunt, rows[some], home[rows[some]], sign[rows[some]], middle[some])
        met, _ = hunt.ask(rows[some], values, inside=False)
        _note(hunt, rows[some], values, met, middle[some])
        radius[rows[some[met]]] = middle[some[met]]
        low[some[~met]] = middle[some[~met]]


def _note(hunt: Hunt, rows: np.ndarray, values: np.ndarray, met: np.ndarray, radius: np.ndarray) -> None:
    """Record rows whose answer changes within the allowed distance."""
    fell = met & (radius <= 1.0)
    hunt.fell(rows[fell], values[fell])


def _at(hunt: Hunt, rows: np.ndarray, home: np.ndarray, sign: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Return (m, d) the points at ``radius`` (in units of epsilon) on each row's line."""
    low, high = hunt.space.ball(hunt.start[rows], radius[:, None] * hunt.limit.epsilon)
    moved = np.where(sign > 0, high, low)
    return np.where(hunt.space.moves, moved, home)


def _blocks(movable: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield blocks of features for ever: halves, quarters, ..., single ones, then in another order again."""
    while True:
        order = rng.permutation(movable)
        parts = 2
        while True:
            yield from (block for block in np.array_split(order, min(parts, len(order))) if len(block))
            if parts >= len(order):
                break
            parts *= 2


def _swaps_only(hunt: Hunt, home: np.ndarray, rng: np.random.Generator) -> None:
    """Try random swaps where no number may move."""
    while hunt.space.swaps.any() and hunt.limit.swaps > 0:
        rows = hunt.standing()
        if not len(rows):
            return
        values = home[rows].copy()
        surrogate.swap(hunt, rows, values, rng)
        hunt.ask(rows, values)
