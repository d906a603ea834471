"""Square attack: random changes of windows, kept where the margin shrinks; scores are all that it needs.

Source: Andriushchenko et al. 2020; l1 by the same windows (Croce and Hein 2021). All rows at once, each with a window
of its own; rows leave when they fall. Features that are no picture are windows of a random order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion.engine import norms

if TYPE_CHECKING:
    from fivefold.protection.evasion.engine.trial import Trial

_SCHEDULE = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
_SHARES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_FIRST = 0.8
_TINY = np.float32(1e-10)


class _Grid:
    """Features as channels, height and width, and windows in them as positions of a flat vector."""

    def __init__(self, shape: tuple[int, ...], d: int, rng: np.random.Generator) -> None:
        shape = shape if len(shape) == 3 else (1, 1, d)
        self.order = np.arange(d) if shape != (1, 1, d) else rng.permutation(d)
        self.c, self.h, self.w = shape

    def size(self, share: float, least: int) -> tuple[int, int]:
        """Return height and width of a window with so large a share of all features."""
        if self.h == 1:
            return 1, int(np.clip(round(share * self.w), min(least, self.w), self.w))
        side = max(round((share * self.h * self.w) ** 0.5), least)
        return min(side, self.h - (1 if self.h > least else 0)), min(side, self.w - (1 if self.w > least else 0))

    def windows(self, n: int, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        """Return (n, c, size) positions of a random window for each row."""
        top = rng.integers(0, self.h - size[0] + 1, n)
        left = rng.integers(0, self.w - size[1] + 1, n)
        inside = (np.arange(size[0])[:, None] * self.w + np.arange(size[1])).reshape(-1)
        first = (top * self.w + left)[:, None, None] + np.arange(self.c)[None, :, None] * (self.h * self.w)
        return self.order[first + inside]


def search(trial: Trial, *, queries: int, rng: np.random.Generator, rows: np.ndarray | None = None) -> np.ndarray:
    """Attack the rows that stand.

    Args:
        trial: The rows.
        queries: Most questions for each row.
        rng: Windows and signs.
        rows: (m,) positions; None: all that stand.

    Returns:
        (n,) bool, rows that fell in the last quarter of the questions.
    """
    late = np.zeros(len(trial.own), dtype=bool)
    rows = trial.standing() if rows is None else rows
    if not len(rows) or queries < 1:
        return late
    field = trial.field
    grid = _Grid(field.shape, field.start.shape[1], rng)
    change = _stripes(grid, len(rows), rng) if field.norm == "linf" else _tiles(grid, len(rows), rng)
    best = norms.project(field, rows, field.start[rows] + np.float32(field.epsilon) * _unit(change, field.norm))
    loss = trial.margins(rows, best)
    for turn in range(1, queries):
        gone = trial.fallen[rows]
        if gone.any():
            rows, best, loss = rows[~gone], best[~gone], loss[~gone]
        if not len(rows) or not trial.victim.can(len(rows)):
            break
        share = _FIRST / _SHARES[int(np.searchsorted(_SCHEDULE, turn * 10000 / queries, side="left"))]
        moved = _signs if field.norm == "linf" else _bumps
        tried = moved(trial, grid, rows, best, (share, rng))
        found = trial.margins(rows, tried)
        better = np.flatnonzero(found > loss)
        best[better], loss[better] = tried[better], found[better]
        if turn >= 0.75 * queries:
            late[rows[trial.fallen[rows]]] = True
    return late


def _unit(change: np.ndarray, norm: str) -> np.ndarray:
    if norm == "linf":
        return change
    return np.asarray(change / np.maximum(norms.size(change, norm), _TINY)[:, None])  # type: ignore[arg-type]


def _stripes(grid: _Grid, n: int, rng: np.random.Generator) -> np.ndarray:
    signs = rng.integers(0, 2, (n, grid.c, 1, grid.w), dtype=np.int8).astype(np.float32) * 2 - 1
    made = np.broadcast_to(signs, (n, grid.c, grid.h, grid.w)).reshape(n, -1)
    found = np.empty_like(made)
    found[:, grid.order] = made
    return found


def _signs(
    trial: Trial, grid: _Grid, rows: np.ndarray, best: np.ndarray, plan: tuple[float, np.random.Generator]
) -> np.ndarray:
    """Return changed copies: in a window, every channel moves by epsilon up or down."""
    field, n, (share, rng) = trial.field, len(rows), plan
    at = grid.windows(n, grid.size(share, 1), rng).reshape(n, -1)
    signs = rng.integers(0, 2, (n, grid.c, 1), dtype=np.int8).astype(np.float32) * 2 - 1
    moves = np.repeat(signs, at.shape[1] // grid.c, axis=2).reshape(n, -1) * np.float32(field.epsilon)
    tried, here = best.copy(), np.arange(n)[:, None]
    low, high = field.box(rows)
    low = low[0][at] if len(low) == 1 else low[here, at]
    high = high[0][at] if len(high) == 1 else high[here, at]
    tried[here, at] = np.clip(field.start[rows[:, None], at] + moves, low, high)
    return tried


def _bump(size: tuple[int, int]) -> np.ndarray:
    """Return (size) a bump that falls off from two centres of opposite sign (the paper's pseudo-Gaussian)."""

    def one(h: int, w: int) -> np.ndarray:
        made, y, x = np.zeros((h, w), dtype=np.float32), np.arange(h), np.arange(w)
        away = np.maximum(np.abs(y - h // 2)[:, None], np.abs(x - w // 2)[None])
        for ring in range(max(h, w) // 2 + 1):
            made[away <= ring] += 1.0 / (max(h, w) // 2 + 1 - ring) ** 2
        return made / max(float(np.sqrt((made**2).sum())), 1e-10)

    h, w = size
    if h >= w:
        both = np.vstack([one(h // 2, w), -one(h - h // 2, w)]) if h > 1 else one(h, w)
    else:
        both = np.hstack([one(h, w // 2), -one(h, w - w // 2)])
    return np.asarray(both / max(float(np.sqrt((both**2).sum())), 1e-10), dtype=np.float32).reshape(-1)


def _tiles(grid: _Grid, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n, d) first changes: bumps of random sign on a grid of tiles."""
    made = np.zeros((n, grid.c * grid.h * grid.w), dtype=np.float32)
    side = (max(grid.h // 5, 1), max(grid.w // 5, 1))
    bump = _bump(side)
    inside = (np.arange(side[0])[:, None] * grid.w + np.arange(side[1])).reshape(-1)
    for top in range(0, grid.h - side[0] + 1, side[0]):
        for left in range(0, grid.w - side[1] + 1, side[1]):
            for channel in range(grid.c):
                at = grid.order[channel * grid.h * grid.w + top * grid.w + left + inside]
                made[:, at] += bump * (rng.integers(0, 2, (n, 1)) * 2 - 1)
    return made


def _bumps(
    trial: Trial, grid: _Grid, rows: np.ndarray, best: np.ndarray, plan: tuple[float, np.random.Generator]
) -> np.ndarray:
    """Return changed copies: the change in one window is moved to another, and gets a new bump."""
    field, n, c, (share, rng) = trial.field, len(rows), grid.c, plan
    power = 2 if field.norm == "l2" else 1
    change, here = best - field.start[rows], np.arange(n)[:, None, None]
    size = grid.size(share, 3)
    one, two = grid.windows(n, size, rng), grid.windows(n, size, rng)

    def length(values: np.ndarray) -> np.ndarray:
        return np.asarray((np.abs(values) ** power).sum(axis=2, keepdims=True) ** (1 / power))

    whole = (np.abs(change) ** power).sum(axis=1)[:, None, None]
    old = change[here, one]
    emptied = change.copy()
    emptied[here, two] = 0
    emptied[here, one] = 0
    moved = np.abs(change - emptied)[:, grid.order] ** power
    rest = moved.reshape(n, c, -1).sum(axis=2, keepdims=True)
    signs = (rng.integers(0, 2, (n, c, 1)) * 2 - 1).astype(np.float32)
    new = _bump(size) * signs + old / (length(old) + _TINY)
    free = np.maximum(field.epsilon**power - whole, 0) / c + rest
    new = new / (length(new) + _TINY) * free ** (1 / power)
    emptied[here, one] = new.astype(np.float32)
    tried = field.start[rows] + np.float32(field.epsilon) * _unit(emptied, field.norm)
    return norms.project(field, rows, tried)
