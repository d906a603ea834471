"""Canary: the same attack on a linear model fitted to the user's own rows, and on one that never changes its answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary
from fivefold.protection.evasion import planted
from fivefold.protection.evasion.hunt import Goal
from fivefold.protection.evasion.tables import attack
from fivefold.protection.evasion.tables.fill import ceiling, filled
from fivefold.protection.evasion.tables.guess import Guess
from fivefold.protection.evasion.tables.search import Search

if TYPE_CHECKING:
    from fivefold.protection.evasion.planted import LinearModel
    from fivefold.protection.evasion.tables.layout import Layout

MOST = 60
"""Rows of the planted model that surely fall, and as many that surely stand."""

NOTICED = 0.8
_LEAST = 10
_POOL = 600
_CUTS = (0.5, 0.3, 0.7, 0.15, 0.85, 0.05, 0.95)


@dataclass(frozen=True)
class _Reach:
    """By how much the score of rows can be raised and lowered: surely, and at most."""

    up: np.ndarray
    down: np.ndarray
    most_up: np.ndarray
    most_down: np.ndarray


def prove(layout: Layout, rng: np.random.Generator) -> Canary:
    """Attack both models with the very attack, domain, budget and number of questions.

    Args:
        layout: The user's rows.
        rng: Draws rows and added weights.
    """
    given = layout.given
    known, pool = given.public.target, given.public_values
    regression = given.tolerance is not None
    codes = np.where(known >= 0, known, 0).astype(np.int64) if not regression else known
    target = np.nan_to_num(known.astype(np.float64)) if regression else known == np.bincount(codes).argmax()
    model = planted.fit(given.space, pool, target, rng, regression=regression)
    some = rng.choice(len(pool), min(len(pool), _POOL), replace=False)
    start, origin = pool[some], some % len(given.values)
    reach = _reach(layout, model, start, origin)
    model, tolerance, doomed, safe = _placed(model, start, reach, regression=regression)
    picks = [rng.permutation(np.flatnonzero(side))[:MOST] for side in (doomed, safe)]
    rows = np.concatenate(picks)
    fell = _struck(layout, model, (start[rows], origin[rows]), tolerance, rng)
    constant = replace(model, weights=np.zeros_like(model.weights), offset=1.0)
    still = _struck(layout, constant, (start[: MOST // 2], origin[: MOST // 2]), tolerance, rng)
    planted_rows, many = doomed[rows], int(doomed[rows].sum())
    found, wrong = int((fell & planted_rows).sum()), int((fell & ~planted_rows).sum())
    alarms = wrong + int(still.sum())
    return Canary(
        kind="an undefended linear model fitted to these rows",
        planted=many,
        found=found,
        clean=len(rows) - many + len(still),
        false_alarms=alarms,
        noticed=many >= _LEAST and found >= NOTICED * many and alarms == 0,
        detail=(
            f"Same fields, groups, rules, costs and budget. Of the planted model it is known which rows a possible "
            f"change within the budget makes fall: {found} of {many} did. Known-good: rows of it that no such change "
            f"reaches, and a model that never changes its answer."
        ),
    )


def _guess(layout: Layout, model: LinearModel) -> Guess:
    """Return the planted model's own weights in the form of a surrogate."""
    return Guess(layout.domain, model.slopes()[None], model.levels(), np.array([0.0]), 1.0)


def _reach(layout: Layout, model: LinearModel, start: np.ndarray, origin: np.ndarray) -> _Reach:
    """Return what changes add to and take from scores: what a possible row was seen to reach, and a bound on all."""
    now, here, domain = model.score(start), np.arange(len(start)), layout.domain
    search = _search(layout, model, (start, origin), Goal(now, 0.0))
    exact, found, most = _guess(layout, model), [], []
    for rank, sign in ((0, 1.0), (1, -1.0)):
        slope, levels = exact.against(search, here, rank)
        made = search.fit(here, filled(domain, start, slope, levels, layout.purse.budget))
        fits = domain.cost(start, made) <= layout.purse.budget * (1 + 1e-9)
        fits &= domain.possible(made, origin, layout.given.sample, search.kept)
        found.append(np.where(fits, sign * (model.score(made) - now), 0.0))
        most.append(ceiling(domain, start, slope, levels, layout.purse.budget))
    return _Reach(np.maximum(found[0], 0.0), np.maximum(found[1], 0.0), *most)


def _placed(
    model: LinearModel, start: np.ndarray, reach: _Reach, *, regression: bool
) -> tuple[LinearModel, float | None, np.ndarray, np.ndarray]:
    """Put the threshold (regression: the tolerance) where some rows surely fall and others surely stand."""
    if regression:
        sure, most = np.maximum(reach.up, reach.down), np.maximum(reach.most_up, reach.most_down)
        tolerance = float(np.median(sure))
        if int((sure > tolerance).sum()) < _LEAST:
            tolerance *= 0.9
        return model, tolerance, sure > tolerance, most < tolerance * (1 - 1e-9)
    score, best = model.score(start), None
    for cut in _CUTS:
        moved = score - float(np.quantile(score, cut))
        doomed = np.where(moved > 0, moved - reach.down <= -1e-9, moved + reach.up > 1e-9)
        safe = np.where(moved > 0, moved - reach.most_down > 1e-9, moved + reach.most_up <= -1e-9)
        worth = min(int(doomed.sum()), MOST)
        if best is None or worth > best[0]:
            made = replace(model, offset=model.offset - float(np.quantile(score, cut)))
            best = worth, (made, None, doomed, safe)
    if best is None:
        raise RuntimeError("no cut was tried")
    return best[1]


def _search(layout: Layout, model: LinearModel, rows: tuple[np.ndarray, np.ndarray], goal: Goal) -> Search:
    start, origin = rows

    def answer(values: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return model(values, places), _scores(layout, model, values)

    purse = replace(layout.purse, can=lambda _: True)
    return Search(
        layout.domain, answer, start, origin, like=layout.given.sample, goal=goal,
        scores=_scores(layout, model, start), purse=purse,
    )  # fmt: skip


def _scores(layout: Layout, model: LinearModel, values: np.ndarray) -> np.ndarray:
    """Return (m, 2) scores where the user's model tells some, else (m, 0)."""
    if not layout.model.scored or model.regression:
        return np.empty((len(values), 0))
    chance = 1 / (1 + np.exp(-np.clip(model.score(values), -30, 30)))
    return np.stack([1 - chance, chance], axis=1)


def _struck(
    layout: Layout,
    model: LinearModel,
    rows: tuple[np.ndarray, np.ndarray],
    tolerance: float | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return (n,) bool: rows that the attack felled."""
    public, places = layout.given.public_values, np.zeros(len(layout.given.public_values), dtype=np.int64)
    known = attack.Known(public, model(public, places), _scores(layout, model, public))
    goal = Goal(model(rows[0], rows[1]), tolerance)
    found = attack.run(
        layout.domain,
        lambda part, one: _search(layout, model, (rows[0][part], rows[1][part]), one),
        goal,
        known,
        rng,
    )
    return np.concatenate([one.fallen for one in found]) if found else np.zeros(0, dtype=bool)
