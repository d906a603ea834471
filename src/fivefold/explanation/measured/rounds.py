"""Rounds: explained rows cut into parts, each put to another altered model; shared by both checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.explanation.explainer import Question
from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from fivefold.explanation.asking import Ask, Setting

ROUNDS = 8
LEAST = 3
"""Fewest columns: with two there is no order to speak of."""


@dataclass(frozen=True)
class Round:
    """One part of the explained rows, with the background.

    Attributes:
        rows: (n,) positions of explained rows in the store.
        kept: (n + M,) positions of these and of the background.
    """

    rows: np.ndarray
    kept: np.ndarray


def cut(layout: Setting, rounds: int = ROUNDS) -> list[Round]:
    """Return the explained rows in ``rounds`` parts (fewer where there are fewer rows)."""
    n = layout.store.explained
    background = np.arange(n, len(layout.store.rows))
    parts = np.array_split(np.arange(n), min(rounds, n))
    return [Round(part, np.concatenate([part, background])) for part in parts]


def question(
    layout: Setting,
    part: Round,
    ask: Ask,
    column: np.ndarray,
    scores: np.ndarray | None = None,
) -> Question:
    """Return what an explainer is told about one part; its cells count from 0 within the part.

    Args:
        layout: Rows, players and pairs.
        part: Which rows.
        ask: A function of cells of the whole store.
        column: (n,) score that each row of the part is explained in.
        scores: (n + M, K) answers that are known.
    """
    return Question(
        lambda cells: ask(part.kept[cells]),
        len(part.rows),
        layout.store.codes[part.kept],
        column,
        layout.pairs,
        layout.batch,
        scores,
    )


def bounds(each: list[np.ndarray], cap: tuple[float, float]) -> tuple[float | None, float | None, float | None]:
    """Return the mean over rounds with one-sided bounds.

    Rows of one round share an altered model, so rounds are what varies. Where they are all alike, so few rows still
    bound the mean only so far: with n rows, less than -log(0.05) / n of all others (the rule of three).

    Args:
        each: Values of the rows of each round; rounds without rows do not count.
        cap: Least and largest possible value.
    """
    some = [part for part in each if len(part)]
    if len(some) < LEAST:
        return None, None, None
    means, rows = np.array([part.mean() for part in some]), sum(len(part) for part in some)
    value = float(means.mean())
    low, high = (float(one) for one in skew_t(means))
    three = -float(np.log(0.05)) / rows
    low = min(low, value - three * (value - cap[0]))
    high = max(high, value + three * (cap[1] - value))
    return value, max(low, cap[0]), min(high, cap[1])
