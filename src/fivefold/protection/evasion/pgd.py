"""Projected gradient descent with restarts and early stop, all rows at once.

After Madry et al. 2018 and Croce and Hein 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.subject import Loss
    from fivefold.protection.evasion.hunt import Hunt

    Slopes = Callable[[np.ndarray, np.ndarray, np.ndarray, Loss], tuple[np.ndarray, np.ndarray]]
    """Vectors (m, d), attacked row of each (m,), targets (m,) and loss to losses (m,) and gradients (m, d)."""

_LAST_STEP = 0.02


@dataclass
class Trace:
    """What an attack saw on its way.

    Attributes:
        flat: Share of rows whose first gradient is zero in everything that may move, the least over the losses.
        late: Rows that fell in the last quarter of the steps of the last restart.
    """

    flat: float = 1.0
    late: int = 0


def descend(
    hunt: Hunt,
    slopes: Slopes,
    *,
    steps: int,
    restarts: int,
    norm: str,
    rng: np.random.Generator,
    told: Callable[[float], None] = lambda _share: None,
) -> Trace:
    """Attack rows until they fall or all steps are made.

    The step shrinks from the whole reach to a fiftieth of it (cosine). Restarts alternate between the margin and the
    cross-entropy; the first begins at the row itself, the others at random in the allowed box. For values the first
    two restarts push upwards and downwards.

    Args:
        hunt: Rows, limits and goal; its oracle confirms each success with the rounded, possible row.
        slopes: Losses and gradients.
        steps: Of each restart.
        restarts: At least 1.
        norm: ``linf`` or ``l2`` (over features in units of their ranges).
        rng: Random starts.
        told: Called with the share done.
    """
    trace = Trace()
    for turn in range(restarts):
        rows = hunt.standing()
        if not len(rows):
            break
        values = hunt.start[rows].copy()
        if turn > (1 if hunt.goal.tolerance is not None else 0):
            spread = rng.random(values.shape) * (hunt.high[rows] - hunt.low[rows])
            values = _inside(hunt, rows, hunt.low[rows] + spread, norm)
        loss, aim = _aim(hunt, rows, turn)
        trace.late = 0
        for step in range(steps):
            alive = ~hunt.fallen[rows]
            rows, values, aim = rows[alive], values[alive], aim[alive]
            if not len(rows) or not hunt.oracle.can(2 * len(rows)):
                break
            _, gradient = slopes(_possible(hunt, rows, values, norm), hunt.origin[rows], aim, loss)
            gradient = np.where(hunt.space.moves & ~np.isnan(values), np.nan_to_num(gradient), 0.0)
            if step == 0:
                trace.flat = min(trace.flat, float((gradient == 0).all(axis=1).mean()))
            size = _LAST_STEP + (1 - _LAST_STEP) * 0.5 * (1 + np.cos(np.pi * step / max(steps, 1)))
            values = _inside(hunt, rows, values + _move(hunt, gradient, size, norm), norm)
            met, _ = hunt.ask(rows, _possible(hunt, rows, values, norm))
            trace.late += int(met.sum()) if step >= 0.75 * steps else 0
            told((turn + (step + 1) / steps) / restarts)
    return trace


def _aim(hunt: Hunt, rows: np.ndarray, turn: int) -> tuple[Loss, np.ndarray]:
    answers = hunt.goal.answers[rows]
    if hunt.goal.tolerance is not None:
        # away from a value far below (the answer rises) or far above (it falls)
        far = 10.0 * hunt.goal.tolerance + 1e-6
        return "squared", answers + (far if turn % 2 else -far)
    return ("cross-entropy" if turn % 2 else "margin"), answers


def _move(hunt: Hunt, gradient: np.ndarray, size: float, norm: str) -> np.ndarray:
    reach = hunt.limit.epsilon * hunt.space.unit / hunt.space.cost
    if norm == "linf":
        return np.asarray(size * reach * np.sign(gradient))
    scaled = gradient * reach
    length = np.sqrt((scaled**2).sum(axis=1, keepdims=True))
    return np.asarray(size * reach * scaled / np.where(length > 0, length, 1.0))


def _inside(hunt: Hunt, rows: np.ndarray, values: np.ndarray, norm: str) -> np.ndarray:
    """Return values projected on the allowed ones; numbers only, not yet on whole steps."""
    start = hunt.start[rows]
    if norm == "l2":
        reach = hunt.limit.epsilon * hunt.space.unit / hunt.space.cost
        scaled = np.nan_to_num((values - start) / np.where(reach > 0, reach, 1.0))
        length = np.sqrt((scaled**2).sum(axis=1, keepdims=True))
        values = start + (values - start) / np.maximum(length, 1.0)
    return np.asarray(np.where(hunt.space.moves, np.clip(values, hunt.low[rows], hunt.high[rows]), start))


def _possible(hunt: Hunt, rows: np.ndarray, values: np.ndarray, norm: str) -> np.ndarray:
    """Return the possible rows next to values: on whole steps (l2: towards the unchanged row)."""
    start = hunt.start[rows]
    if norm == "l2":
        return np.asarray(np.clip(hunt.space.whole(start, values, np.trunc), hunt.low[rows], hunt.high[rows]))
    return np.where(hunt.space.moves, hunt.space.settle(values, start, hunt.low[rows], hunt.high[rows]), start)
