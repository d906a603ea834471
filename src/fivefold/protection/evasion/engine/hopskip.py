"""HopSkipJump for all rows at once: the nearest change of answer with labels alone, in few calls.

Source: Chen, Jordan and Wainwright 2020. Every step is one call for all rows; for pictures the noise is drawn on a
coarse grid (Li et al. 2020, QEBA), which needs fewer questions for the same direction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion.engine import fab, norms

if TYPE_CHECKING:
    from fivefold.protection.evasion.engine.trial import Field, Trial

_CELLS = 6_000_000
"""Most numbers in one call."""

_STARTS = 25
_POOL = 1000
_HALVINGS = 12
_SHRINKS = 15


def search(
    trial: Trial,
    *,
    queries: int,
    rng: np.random.Generator,
    pool: np.ndarray | None = None,
    begin: np.ndarray | None = None,
    first: int = 30,
    coarse: int = 2,
) -> fab.Nearest:
    """Walk along the boundary of each row that stands to its nearest point.

    Args:
        trial: The rows; those for which a change within epsilon is found fall.
        queries: Most questions for each row.
        rng: All choices.
        pool: (p, d) vectors that the attacker has, to start from; None: random ones.
        begin: (n, d) vectors that are answered otherwise, to start from; None: found from the pool.
        first: Questions of the first gradient; the t-th has sqrt(t) times as many.
        coarse: Pictures: side of the squares that noise is drawn on.
    """
    best = fab.none_found(trial)
    rows = trial.standing()
    spent = trial.answers.copy()
    if begin is None:
        x = _begin(trial, best, rows, pool, rng)
    else:
        x = begin.astype(np.float32)
        _ask(trial, best, rows, x[rows])
    rows = rows[np.isfinite(best.size[rows])]
    x = _halve(trial, best, rows, x[rows])
    turn = 0
    while len(rows):
        turn += 1
        many = int(first * turn**0.5)
        keep = trial.answers[rows] - spent[rows] + many + _HALVINGS + 4 <= queries
        rows, x = rows[keep], x[keep]
        if not len(rows) or not trial.victim.can((many + _HALVINGS + _SHRINKS) * len(rows)):
            break
        slope = _slope(trial, rows, x, (many, coarse if turn > 1 else coarse * 2), rng)
        x = _jump(trial, best, rows, (x, slope), turn)
        x = _halve(trial, best, rows, x)
    return best


def _note(trial: Trial, best: fab.Nearest, rows: np.ndarray, values: np.ndarray, met: np.ndarray) -> None:
    """Keep the nearest changed copy of each row; those within epsilon fell their row."""
    field = trial.field
    asked = field.whole(values, rows)
    size = norms.size(asked - field.start[rows], field.norm)
    better = np.flatnonzero(met & (size < best.size[rows]))
    best.size[rows[better]], best.values[rows[better]] = size[better], asked[better]
    trial.note(rows[better], asked[better], size[better] <= field.epsilon * (1 + 1e-6))


def _ask(trial: Trial, best: fab.Nearest, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    met = trial.ask(rows, values, fells=False)
    _note(trial, best, rows, values, met)
    return met


def _begin(
    trial: Trial, best: fab.Nearest, rows: np.ndarray, pool: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    """Find any changed copy of each row: pool vectors in order of distance, then random ones; return (n, d)."""
    field = trial.field
    x = field.start.copy()
    some_pool = np.empty((0, x.shape[1]), dtype=np.float32) if pool is None else pool
    some_pool = some_pool[rng.permutation(len(some_pool))[:_POOL]]
    mine = field.start[rows]
    away = (mine**2).sum(axis=1)[:, None] + (some_pool**2).sum(axis=1) - 2 * mine @ some_pool.T
    order = np.argsort(away, axis=1, kind="stable")[:, :_STARTS]
    open_ = np.arange(len(rows))
    for turn in range(2 * _STARTS):
        if not len(open_):
            break
        some = rows[open_]
        low, high = field.box(some)
        if turn < order.shape[1]:
            tried = np.clip(some_pool[order[open_, turn]], low, high)
        else:
            tried = low + (high - low) * rng.random((len(some), field.start.shape[1]), dtype=np.float32)
        met = _ask(trial, best, some, tried)
        x[some[met]] = tried[met]
        open_ = open_[~met]
    return x


def _halve(trial: Trial, best: fab.Nearest, rows: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return (m, d) points just beyond the boundary between the unchanged rows and x (which is beyond)."""
    field = trial.field
    start = field.start[rows]
    whole = norms.size(x - start, field.norm)
    low, high = np.zeros(len(rows)), np.ones(len(rows)) if field.norm != "linf" else whole.copy()
    tight = np.full(len(rows), 1e-3) if field.norm != "linf" else 1e-3 * whole
    for _ in range(_HALVINGS):
        open_ = np.flatnonzero(high - low > tight)
        if not len(open_):
            break
        middle = (low[open_] + high[open_]) / 2
        met = _ask(trial, best, rows[open_], _between(field, start[open_], x[open_], middle))
        high[open_[met]], low[open_[~met]] = middle[met], middle[~met]
    return _between(field, start, x, high)


def _between(field: Field, start: np.ndarray, x: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return points between: on the line, or in linf the nearest to x at that distance from the unchanged row."""
    by = share[:, None].astype(np.float32)
    if field.norm == "linf":
        return np.asarray(np.clip(x, start - by, start + by))
    return np.asarray(start + by * (x - start))


def _slope(
    trial: Trial,
    rows: np.ndarray,
    x: np.ndarray,
    plan: tuple[int, int],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return (m, d) estimates of the boundary's normal, from the answers around x."""
    field, (many, coarse), d = trial.field, plan, x.shape[1]
    reach = np.maximum(norms.size(x - field.start[rows], "l2"), 1e-6) / np.float32(d**0.5) * np.float32(3.0)
    found = np.zeros_like(x)
    noise = _noise(field, many, coarse, rng)  # the same directions for all rows: drawing them costs more than asking
    at_once = max(1, _CELLS // (many * d))
    for begin in range(0, len(rows), at_once):
        part = slice(begin, begin + at_once)
        low, high = field.box(rows[part])
        around = reach[part, None, None] * noise
        around += x[part][:, None]
        around = np.clip(around, low[:, None], high[:, None], out=around).reshape(-1, d)
        met = trial.ask(np.repeat(rows[part], many), around, fells=False).reshape(-1, many)
        sign = np.where(met, 1.0, -1.0)
        mean = sign.mean(axis=1, keepdims=True)
        found[part] = np.where(np.abs(mean) == 1.0, sign, sign - mean).astype(np.float32) @ noise
    return norms.steepest(found, "linf" if field.norm == "linf" else "l2")


def _noise(field: Field, n: int, coarse: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n, d) directions of length 1."""
    d = field.start.shape[1]
    if len(field.shape) != 3 or min(field.shape[1:]) < 4 * coarse:
        return norms.steepest(rng.standard_normal((n, d), dtype=np.float32), "l2")
    c, h, w = field.shape
    shift = rng.integers(0, coarse, 2)
    small = rng.standard_normal((n, c, h // coarse + 2, w // coarse + 2), dtype=np.float32)
    made = small.repeat(coarse, axis=2).repeat(coarse, axis=3)[:, :, shift[0] : shift[0] + h, shift[1] : shift[1] + w]
    return norms.steepest(np.ascontiguousarray(made).reshape(n, d), "l2")


def _jump(
    trial: Trial, best: fab.Nearest, rows: np.ndarray, line: tuple[np.ndarray, np.ndarray], turn: int
) -> np.ndarray:
    """Step along the slope, halving the step until the answer stays changed; return (m, d)."""
    field, (x, slope) = trial.field, line
    step = (norms.size(x - field.start[rows], field.norm) / turn**0.5).astype(np.float32)
    made, open_ = x.copy(), np.arange(len(rows))
    for _ in range(_SHRINKS):
        if not len(open_):
            break
        some = rows[open_]
        low, high = field.box(some)
        tried = np.clip(x[open_] + step[open_, None] * slope[open_], low, high)
        met = _ask(trial, best, some, tried)
        made[open_[met]] = tried[met]
        open_ = open_[~met]
        step[open_] /= 2
    return made
