"""Canary: the same attack on linear models fitted to the user's own rows, and on one that never changes its answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary
from fivefold.protection.evasion import planted
from fivefold.protection.evasion.hunt import Goal, Hunt
from fivefold.protection.evasion.oracle import Oracle

if TYPE_CHECKING:
    from collections.abc import Callable

    Strike = Callable[[planted.LinearModel, np.ndarray, Goal], np.ndarray]
    """The attack of a check: model, (n, d) rows and goal to (n,) bool, fallen."""

    from fivefold.protection.evasion.setting import Setting

MOST = 60
"""Rows of the planted model that surely fall, and as many that surely stand."""

_LEAST = 10
_POOL = 600
_CUTS = (0.5, 0.3, 0.7, 0.15, 0.85)
_ROUNDING = 1e-6  # rows whose reach is the tolerance itself are on neither side: rounding would decide
NOTICED = 0.8
"""Smallest share of rows that surely fall which the attack must fell."""


@dataclass(frozen=True)
class Plant:
    """A linear model, its rows, and which of them can be made to fall.

    Attributes:
        model: Undefended.
        start: (n, d) rows, public ones.
        goal: When a row has fallen.
        doomed: (n,) bool, exactly; the others surely stand.
    """

    model: planted.LinearModel
    start: np.ndarray
    goal: Goal
    doomed: np.ndarray


def plant(setting: Setting, rng: np.random.Generator, norm: str = "linf") -> Plant:
    """Fit a linear model to public rows and draw rows that surely fall and rows that surely stand.

    Args:
        setting: The user's rows, ranges, immutable features and budget.
        rng: Draws rows and added weights.
        norm: Of the changes.
    """
    pool = setting.public_values
    known = setting.public.target
    regression = setting.tolerance is not None
    target = np.nan_to_num(known.astype(np.float64)) if regression else known == _common(known)
    model = planted.fit(setting.space, pool, target, rng, regression=regression)
    start = pool[rng.choice(len(pool), min(len(pool), _POOL), replace=False)]
    model, goal, doomed, safe = _placed(setting, model, start, norm)
    picks = [rng.permutation(np.flatnonzero(side))[:MOST] for side in (doomed, safe)]
    rows = np.concatenate(picks)
    return Plant(model, start[rows], Goal(goal.answers[rows], goal.tolerance), doomed[rows])


def _common(codes: np.ndarray) -> int:
    known = codes[codes >= 0]
    return int(np.bincount(known).argmax()) if len(known) else 0


def _placed(
    setting: Setting, model: planted.LinearModel, start: np.ndarray, norm: str
) -> tuple[planted.LinearModel, Goal, np.ndarray, np.ndarray]:
    """Put the threshold (regression: the tolerance) where some rows can be made to fall and others cannot."""
    place = np.zeros(len(start), dtype=np.int64)

    def hunt(goal: Goal) -> Hunt:
        return Hunt(setting.space, Oracle(model), start, place, goal=goal, limit=setting.limit)

    if setting.tolerance is not None:
        sure, bound = planted.reach(model, hunt(Goal(place)), norm)
        tolerance = float(np.median(sure))
        if int((sure > tolerance * (1 + _ROUNDING)).sum()) < _LEAST:  # most rows may be moved as far as any other
            tolerance *= 0.9
        doomed, safe = sure > tolerance * (1 + _ROUNDING), bound <= tolerance * (1 - _ROUNDING)
        return model, Goal(model.score(start), tolerance), doomed, safe
    score, best = model.score(start), None
    for cut in _CUTS:
        moved = replace(model, offset=model.offset - float(np.quantile(score, cut)))
        goal = Goal(moved(start, place))
        doomed, safe = planted.falls(moved, hunt(goal), norm)
        if best is None or min(doomed.sum(), MOST) > min(best[2].sum(), MOST):
            best = moved, goal, doomed, safe
    return best or (model, Goal(place), place > 0, place > 0)


def prove(
    setting: Setting,
    strike: Strike,
    rng: np.random.Generator,
    *,
    norm: str = "linf",
) -> Canary:
    """Attack both models.

    Args:
        setting: The user's rows and budget.
        strike: The attack of the check.
        rng: Source of the planted model.
        norm: Of the changes.
    """
    one = plant(setting, rng, norm)
    fell = strike(one.model, one.start, one.goal)
    found, wrong = int((fell & one.doomed).sum()), int((fell & ~one.doomed).sum())
    constant = replace(one.model, weights=np.zeros_like(one.model.weights), offset=1.0)
    some = one.start[: MOST // 2]
    still = strike(constant, some, Goal(constant(some, np.zeros(len(some), int)), one.goal.tolerance))
    many = int(one.doomed.sum())
    alarms = wrong + int(still.sum())
    return Canary(
        kind="an undefended linear model fitted to these rows",
        planted=many,
        found=found,
        clean=int((~one.doomed).sum()) + len(some),
        false_alarms=alarms,
        noticed=many >= _LEAST and found >= NOTICED * many and alarms == 0,
        detail=(
            f"Same ranges, immutable features and budget. Of the planted model it is known exactly which rows can be "
            f"changed: {found} of {many} were. Known-good: rows of it that no allowed change reaches, and a model that "
            f"never changes its answer."
        ),
    )
