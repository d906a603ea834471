"""Auto-PGD and PGD: ascent on a loss with steps that shrink where they gain nothing; rows leave when they fall.

Source: Croce and Hein 2020 (AutoAttack: Auto-PGD, DLR loss), Croce and Hein 2021 (sparse steps in l1), Madry et al.
2018 (PGD).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion.engine import norms

if TYPE_CHECKING:
    from fivefold.contract.subject import Loss
    from fivefold.protection.evasion.engine.trial import Trial

_MOMENTUM = 0.75
_RISES = 0.75
_COMPACT = 0.03
_EVERY = 4
"""Plain PGD asks after so many steps which rows have fallen: an answer costs a third of a gradient."""

_DOUBTFUL = {"cross-entropy": float(np.log(2)) - 1e-6}
"""A row whose cross-entropy is lower has more than half of the probability in its own class: it cannot have fallen."""


@dataclass
class Trace:
    """What an ascent saw.

    Attributes:
        late: (n,) bool, rows that fell in the last quarter of the steps.
        flat: (n,) bool, rows whose first gradient was zero.
        best: (n,) float64, largest loss; -inf where a row was not attacked.
    """

    late: np.ndarray
    flat: np.ndarray
    best: np.ndarray


@dataclass
class _Run:
    """Arrays of the rows that are still in an ascent; all cut together."""

    rows: np.ndarray
    target: np.ndarray
    x: np.ndarray
    before: np.ndarray
    gradient: np.ndarray
    loss: np.ndarray
    best: np.ndarray
    best_loss: np.ndarray
    best_gradient: np.ndarray
    rises: np.ndarray
    step: np.ndarray
    last_best: np.ndarray
    halved: np.ndarray
    sparse: np.ndarray = field(default_factory=lambda: np.empty(0))

    def cut(self, keep: np.ndarray) -> None:
        for name, value in vars(self).items():
            setattr(self, name, value[keep])


def checkpoints(steps: int) -> list[int]:
    """Return the steps after which the step size is looked at: 22 % of all, then shrinking to 6 %."""
    at, gap, found = 0, max(int(0.22 * steps), 1), []
    while at + gap <= steps:
        at += gap
        found.append(at)
        gap = max(gap - max(int(0.03 * steps), 1), int(0.06 * steps), 1)
    return found


def climb(
    trial: Trial,
    loss: Loss,
    *,
    steps: int,
    rng: np.random.Generator,
    rows: np.ndarray | None = None,
    target: np.ndarray | None = None,
    begin: np.ndarray | None = None,
) -> Trace:
    """Attack the rows that stand with Auto-PGD.

    Args:
        trial: The rows.
        loss: ``cross-entropy``, ``margin`` or ``dlr``.
        steps: At most so many gradients of each row, besides the first.
        rng: Random start.
        rows: (m,) positions; None: all that stand.
        target: (m,) classes, or (m, 2) own and wanted ones; None: the own ones.
        begin: (m, d) where to start; None: at random.
    """
    n = len(trial.own)
    trace = Trace(np.zeros(n, dtype=bool), np.zeros(n, dtype=bool), np.full(n, -np.inf))
    rows = trial.standing() if rows is None else rows
    if not len(rows):
        return trace
    target = trial.own[rows] if target is None else target
    x = norms.anywhere(trial.field, rows, rng) if begin is None else begin
    losses, gradient = trial.slopes(rows, x, target, loss)
    trace.flat[rows] = ~gradient.any(axis=1)
    many = len(rows)
    first = 2.0 if trial.field.norm != "l1" else 1.0
    run = _Run(
        rows, target, x, x.copy(), gradient, losses, x.copy(), losses.copy(), gradient.copy(), np.zeros(many),
        np.full(many, first * trial.field.epsilon, dtype=np.float32), losses.copy(), np.ones(many, dtype=bool),
        np.full(many, max(1.0, 0.05 * x.shape[1])),
    )  # fmt: skip
    _leave(trial, run, loss)
    marks, last = checkpoints(steps), 0
    for step in range(steps):
        if not len(run.rows) or not trial.victim.can(2 * len(run.rows)):
            break
        _advance(trial, run, loss, first=step == 0)
        fell = _leave(trial, run, loss)
        trace.late[fell] = step >= 0.75 * steps
        trace.best[run.rows] = run.best_loss
        if step + 1 in marks:
            _adapt(trial, run, step + 1 - last)
            last = step + 1
    return trace


def _advance(trial: Trial, run: _Run, loss: Loss, *, first: bool) -> None:
    share = 1.0 if first else _MOMENTUM
    norm = trial.field.norm
    aim = norms.steepest(run.gradient, norm, run.sparse if norm == "l1" else None)
    aim *= run.step[:, None]
    aim += run.x
    aim = norms.project(trial.field, run.rows, aim)
    if not first and norm != "l1":
        aim -= run.x
        aim *= np.float32(share)
        aim += run.x
        run.before -= run.x
        run.before *= np.float32(share - 1)
        aim += run.before
        aim = norms.project(trial.field, run.rows, aim)
    run.before, run.x = run.x, aim
    losses, run.gradient = trial.slopes(run.rows, run.x, run.target, loss)
    run.rises += losses > run.loss
    run.loss = losses
    better = np.flatnonzero(losses > run.best_loss)
    run.best_loss[better] = losses[better]
    run.best[better], run.best_gradient[better] = run.x[better], run.gradient[better]


def _leave(trial: Trial, run: _Run, loss: Loss) -> np.ndarray:
    """Ask about rows whose loss says that they may have fallen; return positions of those that have, and cut them."""
    doubtful = np.flatnonzero((run.loss >= _DOUBTFUL.get(loss, 0.0)) & ~trial.fallen[run.rows])
    met = trial.ask(run.rows[doubtful], run.x[doubtful])
    fell = run.rows[doubtful[met]]
    gone = trial.fallen[run.rows]
    if gone.mean() > _COMPACT or gone.all():
        run.cut(~gone)
    return np.asarray(fell)


def _adapt(trial: Trial, run: _Run, gap: int) -> None:
    """Halve the steps of rows that oscillate or stand still, and send them back to their best place."""
    if trial.field.norm == "l1":
        moved = (np.abs(run.best - trial.field.start[run.rows]) > 1e-6).sum(axis=1)
        stuck = run.best_loss <= run.last_best
        fewer = np.clip(moved / 1.5, 1.0, 0.2 * run.x.shape[1])
        smaller = np.maximum(run.step / 1.5, trial.field.epsilon / 10).astype(np.float32)
        run.step = np.where(stuck | (run.rises < _RISES * gap), smaller, np.float32(trial.field.epsilon))
        run.sparse = np.maximum(np.where(moved > 0, fewer, run.sparse), 1.0)
        back = stuck
    else:
        back = (run.rises <= _RISES * gap) | (~run.halved & (run.last_best >= run.best_loss))
        run.step = np.where(back, run.step / 2, run.step).astype(np.float32)
    run.halved, run.last_best, run.rises = back, run.best_loss.copy(), np.zeros(len(run.rows))
    where = np.flatnonzero(back)
    run.x[where], run.gradient[where] = run.best[where], run.best_gradient[where]
    run.loss[where] = run.best_loss[where]


def descend(trial: Trial, *, steps: int, size: float, rng: np.random.Generator, restarts: int = 1) -> Trace:
    """Attack the rows that stand with plain PGD on the cross-entropy, fixed steps, early stop.

    Args:
        trial: The rows.
        steps: Of each restart.
        size: Of a step.
        rng: Random starts.
        restarts: At least 1.
    """
    n = len(trial.own)
    trace = Trace(np.zeros(n, dtype=bool), np.zeros(n, dtype=bool), np.full(n, -np.inf))
    for _ in range(restarts):
        rows = trial.standing()
        if not len(rows):
            break
        x = norms.anywhere(trial.field, rows, rng)
        for step in range(steps + 1):
            losses, gradient = trial.slopes(rows, x, trial.own[rows], "cross-entropy")
            if step == 0:
                trace.flat[rows] = ~gradient.any(axis=1)
            due = step % _EVERY == _EVERY - 1 or step == steps
            doubtful = np.flatnonzero(losses >= _DOUBTFUL["cross-entropy"]) if due else rows[:0]
            met = trial.ask(rows[doubtful], x[doubtful])
            trace.late[rows[doubtful[met]]] = step >= 0.75 * steps
            gone = trial.fallen[rows]
            if gone.any():
                rows, x, gradient = rows[~gone], x[~gone], gradient[~gone]
            if not len(rows) or step == steps:
                break
            x += np.float32(size) * norms.steepest(gradient, trial.field.norm)
            x = norms.project(trial.field, rows, x)
    return trace
