"""Fast adaptive boundary: nearest change of answer by linear approximations of the boundary to one class at a time.

Source: Croce and Hein 2020 (FAB; targeted as in AutoAttack). One gradient a step: the step back from beyond the
boundary is taken on the linear approximation too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion.engine import norms

if TYPE_CHECKING:
    from fivefold.protection.evasion.engine.trial import Trial

_BACK = np.float32(0.9)
_BEYOND = np.float32(1.05)
_ALPHA = 0.1


@dataclass
class Nearest:
    """Nearest changes found.

    Attributes:
        size: (n,) norm of the smallest change of answer; infinite where none was found.
        values: (n, d) what the rows became; the unchanged row where none was found.
    """

    size: np.ndarray
    values: np.ndarray


def none_found(trial: Trial) -> Nearest:
    """Return the state of a search before it begins."""
    return Nearest(np.full(len(trial.own), np.inf), trial.field.start.copy())


def aims(trial: Trial, rows: np.ndarray, most: int) -> np.ndarray:
    """Return (m, most) other classes of each row, likeliest first; one question a row."""
    scores = trial.victim.scores(trial.field.start[rows], rows).copy()
    trial.calls += 1
    np.add.at(trial.answers, rows, 1)
    scores[np.arange(len(rows)), trial.own[rows]] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :most]


def approach(
    trial: Trial, best: Nearest, rows: np.ndarray, aim: np.ndarray, *, steps: int, reach: bool = True
) -> np.ndarray:
    """Walk rows to the boundary of a class each, and along it towards the unchanged row.

    Args:
        trial: The rows.
        best: Nearest changes so far, bettered in place.
        rows: (m,) positions.
        aim: (m,) class of each.
        steps: Gradients.
        reach: Rows leave when a change within epsilon is found; else all steps are made.

    Returns:
        (m,) smallest distance to the boundary by any linear approximation on the way.
    """
    field = trial.field
    place, home = np.arange(len(rows)), field.start[rows]
    seen, x = np.full(len(rows), np.inf), field.start[rows].copy()
    for _ in range(steps):
        if not len(rows):
            break
        losses, slope = trial.slopes(rows, x, np.stack([trial.own[rows], aim], axis=1), "margin")
        beyond = losses > 0
        _record(trial, best, rows, x, beyond)
        losses = losses.astype(np.float32)
        if beyond.any():
            back = (_BACK - 1) * (x[beyond] - home[beyond])
            losses[beyond] += np.einsum("ij,ij->i", slope[beyond], back)
            x[beyond] += back
        box = field.box(rows)
        near = norms.nearest(x, slope, -losses, box, field.norm)
        far = norms.nearest(home, slope, np.einsum("ij,ij->i", slope, x - home) - losses, box, field.norm)
        one, two = norms.size(near, field.norm), norms.size(far, field.norm)
        seen[place] = np.minimum(seen[place], two)
        share = np.minimum(one / np.maximum(one + two, 1e-12), _ALPHA).astype(np.float32)[:, None]
        x = np.clip((1 - share) * (x + _BEYOND * near) + share * (home + _BEYOND * far), *box)
        if reach and trial.fallen[rows].any():
            keep = ~trial.fallen[rows]
            rows, aim, place, home, x = rows[keep], aim[keep], place[keep], home[keep], x[keep]
    return seen


def _record(trial: Trial, best: Nearest, rows: np.ndarray, x: np.ndarray, beyond: np.ndarray) -> None:
    field = trial.field
    size = norms.size(field.whole(x, rows) - field.start[rows], field.norm)
    better = np.flatnonzero(beyond & (size < best.size[rows]))
    if not len(better):
        return
    within = size[better] <= field.epsilon * (1 + 1e-6)
    some = better[within]
    held = np.ones(len(better), dtype=bool)
    held[within] = trial.ask(rows[some], norms.project(field, rows[some], x[some].copy()))
    hit = better[held]
    best.size[rows[hit]], best.values[rows[hit]] = size[hit], x[hit]
