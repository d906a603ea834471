"""Canary of E2.local: functions over the user's own cells whose attributions are known, and a model that flickers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary
from fivefold.explanation.explainer import Question, explain
from fivefold.explanation.known import draw
from fivefold.explanation.local import exact
from fivefold.explanation.local.steady import steady

if TYPE_CHECKING:
    from fivefold.explanation.asking import Setting

FUNCTIONS = 5
HOLDS = 0.85
"""Share of 95 % bars that must cover the known truth of one function."""

_ROWS = 24
_SPOILT = 0.4
_MOST_WALKS = 3_000_000
_LEAST_SHARE = 0.8


def prove(layout: Setting, floor: float, rng: np.random.Generator, way: exact.Route | None = None) -> Canary:
    """Explain known functions; bars cut by 60 % and flickering answers must be noticed, honest ones must not.

    Args:
        layout: The user's rows, players and pairs.
        floor: Of the steadiness.
        rng: Draws the functions.
        way: Where values come out of trees: of these, half of each credit displaced must be noticed as well.
    """
    codes, n = layout.store.codes, layout.store.explained
    each = max(2 * (codes.shape[1] - 1) * layout.pairs * codes.shape[1], 1)
    some = np.arange(max(3, min(n, _ROWS, 20 * _MOST_WALKS // (FUNCTIONS * each))))[:n]
    kept = np.concatenate([some, np.arange(n, len(codes))])
    found, alarms, shares = 0, 0, []
    for _ in range(FUNCTIONS):
        known = draw(codes[kept], rng)
        question = Question(
            known, len(some), codes[kept], np.zeros(len(some), dtype=np.int64), layout.pairs, layout.batch
        )
        made, truth = explain(question, rng), known.exact(len(some))
        off, reach = np.abs(made.value - truth), made.quantile() * made.error
        told = made.error > 0
        shares.append(_share(off, reach, told))
        alarms += shares[-1] < HOLDS
        found += _share(off, (1 - 0.6) * reach, told) < HOLDS
        answers = known(np.repeat(np.arange(len(kept))[:, None], codes.shape[1], axis=1))
        spread = float(answers.std())
        flicker = rng.normal(size=(2, *answers.shape)) * spread * np.sqrt(_SPOILT / (1 - _SPOILT))
        spoilt = steady(answers + flicker[0], answers + flicker[1])
        found += spoilt.high is not None and spoilt.high < floor
        calm = steady(answers, answers)
        alarms += calm.low is not None and calm.low <= floor
    cases, held, more = 2 * FUNCTIONS, True, ""
    if way is not None:
        right, wrong = exact.agrees(layout, way, rng)
        held, cases = right and not wrong, cases + 1
        found, alarms = found + (not wrong), alarms + (not right)
        more = " Of the model's own trees, columns joined to eight at most, all coalitions give the same values."
    return Canary(
        kind="bars too narrow, and answers that flicker",
        planted=cases,
        found=found,
        clean=cases,
        false_alarms=alarms,
        noticed=held and found >= _LEAST_SHARE * cases and alarms <= 1,
        detail=f"{FUNCTIONS} functions over these very columns, with interactions, their attributions known exactly: "
        f"{np.mean(shares):.1%} of the 95 % bars cover the truth (lowest {min(shares):.1%}). To be noticed: bars cut "
        f"to two fifths, and answers of which {_SPOILT:.0%} of the variation is noise.{more}",
    )


def _share(off: np.ndarray, reach: np.ndarray, told: np.ndarray) -> float:
    return float((off <= reach + 1e-12)[told].mean()) if told.any() else 1.0
