"""The ensemble "standard": Auto-PGD, targeted Auto-PGD, targeted FAB, Square, one after the other on what stands.

After AutoAttack (Croce and Hein 2020). Targets race: all of them get a share of the steps, the best of them the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion.engine import apgd, fab, square

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.protection.evasion.engine.trial import Trial

_FAR = 1.25
_FIFTH = 5


@dataclass(frozen=True)
class Effort:
    """How hard the ensemble tries.

    Attributes:
        steps: Gradients of one ascent.
        targets: Other classes that are aimed at.
        heat: Steps for every target before the best are chosen.
        finalists: Targets that get all steps.
        queries: Questions of Square for each row.
        restarts: Of the first ascent.
    """

    steps: int = 100
    targets: int = 9
    heat: int = 20
    finalists: int = 3
    queries: int = 5000
    restarts: int = 1


@dataclass
class Seen:
    """What the ensemble saw of the model.

    Attributes:
        flat: Loss to (n,) bool, rows whose first gradient was zero.
        late: (n,) bool, rows that fell in the last quarter of the last attack that felled any.
        nearest: Nearest changes of FAB.
    """

    flat: dict[str, np.ndarray]
    late: np.ndarray
    nearest: fab.Nearest


def gradients(
    trial: Trial,
    effort: Effort,
    rng: np.random.Generator,
    told: Callable[[float], None] = lambda _share: None,
) -> Seen:
    """Run the white-box members on the rows that stand.

    Args:
        trial: The rows.
        effort: How hard.
        rng: Random starts.
        told: Called with the share done.
    """
    seen = Seen({}, np.zeros(len(trial.own), dtype=bool), fab.none_found(trial))
    several = trial.victim.classes > 2
    for turn in range(effort.restarts):
        trial.begin("APGD-CE")
        trace = apgd.climb(trial, "cross-entropy", steps=effort.steps, rng=rng)
        if turn == 0:
            seen.flat["cross-entropy"] = trace.flat
        seen.late |= trace.late
    told(0.25)
    rows = trial.begin("APGD-T" if several else "APGD-margin")
    if several and len(rows):
        _race(trial, seen, rows, effort, rng)
    else:
        trace = apgd.climb(trial, "margin", steps=effort.steps, rng=rng)
        seen.flat["margin"] = trace.flat
        seen.late |= trace.late
    told(0.5)
    rows = trial.begin("FAB-T")
    if len(rows):
        _walk(trial, seen, rows, effort)
    told(0.75)
    return seen


def _race(trial: Trial, seen: Seen, rows: np.ndarray, effort: Effort, rng: np.random.Generator) -> None:
    aims = fab.aims(trial, rows, min(effort.targets, trial.victim.classes - 1))
    place = np.full(len(trial.own), -1)
    place[rows] = np.arange(len(rows))
    best = np.full(aims.shape, -np.inf)

    def run(some: np.ndarray, rank: np.ndarray, steps: int) -> None:
        aim = aims[place[some], rank]
        trace = apgd.climb(
            trial, "dlr", steps=steps, rng=rng, rows=some, target=np.stack([trial.own[some], aim], axis=1)
        )
        best[place[some], rank] = np.maximum(best[place[some], rank], trace.best[some])
        seen.flat["dlr"] = seen.flat.get("dlr", True) & trace.flat
        seen.late |= trace.late

    for rank in range(aims.shape[1]):
        some = rows[~trial.fallen[rows]]
        if len(some):
            run(some, np.full(len(some), rank), effort.heat if aims.shape[1] > effort.finalists else effort.steps)
    if aims.shape[1] <= effort.finalists:
        return
    order = np.argsort(-best, axis=1, kind="stable")
    for turn in range(effort.finalists):
        some = rows[~trial.fallen[rows]]
        if len(some):
            run(some, order[place[some], turn], effort.steps)


def _walk(trial: Trial, seen: Seen, rows: np.ndarray, effort: Effort) -> None:
    aims = fab.aims(trial, rows, min(effort.targets, trial.victim.classes - 1))
    away = np.full(aims.shape, np.inf)
    short = max(effort.heat // 2, 1)
    for rank in range(aims.shape[1]):
        open_ = np.flatnonzero(~trial.fallen[rows])
        if len(open_):
            away[open_, rank] = fab.approach(trial, seen.nearest, rows[open_], aims[open_, rank], steps=short)
    order = np.argsort(away, axis=1, kind="stable")
    for turn in range(min(effort.finalists, aims.shape[1])):
        open_ = np.flatnonzero(~trial.fallen[rows])
        if len(open_):
            aim = aims[open_, order[open_, turn]]
            fab.approach(trial, seen.nearest, rows[open_], aim, steps=effort.steps // 2)


def questions(trial: Trial, effort: Effort, rng: np.random.Generator, seen: Seen | None = None) -> np.ndarray:
    """Run the black-box member on the rows that stand; return (n,) bool, rows that fell late in it.

    Where gradients say that the answer changes only far away, a fifth of the questions is asked first; if even one of
    those rows falls, the gradients are not believed and every row gets all of them.

    Args:
        trial: The rows.
        effort: How hard.
        rng: Windows and signs.
        seen: What the white-box members saw; None: there were none.
    """
    rows = trial.begin("Square")
    if seen is None or effort.queries < _FIFTH:
        return square.search(trial, queries=effort.queries, rng=rng)
    far = seen.nearest.size > _FAR * trial.field.epsilon
    late = square.search(trial, queries=effort.queries // _FIFTH, rng=rng)
    if trial.fallen[rows[far[rows]]].any():
        far[:] = False
    rows = rows[~trial.fallen[rows] & ~far[rows]]
    late |= square.search(trial, queries=effort.queries - effort.queries // _FIFTH, rng=rng, rows=rows)
    return late
