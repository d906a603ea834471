"""Importance: what is lost when the cells of a column are dealt out anew among the rows, with bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fivefold.explanation.asking import Ask

_ALL_REPEATS = 20
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Effect:
    """A mean over rows that were dealt partners, with what each row adds to it.

    Attributes:
        value: The mean.
        influence: (n,) what each row adds, as a row and as a giver of cells; mean 0.
        touched: Rows whose loss changed at least once.
    """

    value: float
    influence: np.ndarray
    touched: int

    def bounds(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return one-sided bounds."""
        low, high = skew_t(self.value + self.influence, confidence)
        return float(low), float(high)


def losses(scores: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return (m,) losses: half the Brier score, for labels 0 or 1; the absolute error for a regression.

    Args:
        scores: (m, K) probabilities or indicators of the label, or (m, 1) values.
        target: (m,) class indices, or values.
    """
    if scores.shape[1] == 1:
        return np.asarray(np.abs(scores[:, 0] - target))
    right = scores[np.arange(len(target)), target]
    return np.asarray(((scores**2).sum(axis=1) - 2 * right + 1) / 2)


def deal(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) givers: each row gets the cell of another row, each row gives once."""
    order = rng.permutation(n)
    giver = np.empty(n, dtype=np.int64)
    giver[order] = np.roll(order, 1)
    return giver


def effect(dealt: np.ndarray, givers: np.ndarray, plain: np.ndarray) -> Effect:
    """Return the mean loss with dealt cells less the mean loss without, and its influence values.

    Rows take part twice, as takers and as givers of a cell. The influence of a row is the sum of both parts (Hajek's
    projection of a U-statistic, Hoeffding 1948): bounds that look at takers alone are too narrow where few rows give
    the cells that do harm.

    Args:
        dealt: (R, n) losses at row i after it took the cell of ``givers[r, i]``.
        givers: (R, n).
        plain: (n,) losses as they are.
    """
    mean = float(dealt.mean())
    given = np.empty_like(dealt)
    np.put_along_axis(given, givers, dealt, axis=1)
    parts = (dealt.mean(axis=0) - mean) + (given.mean(axis=0) - mean) - (plain - plain.mean())
    touched = int((np.abs(dealt - plain) > _ROUNDING * float(plain.mean())).any(axis=0).sum())
    return Effect(mean - float(plain.mean()), parts, touched)


def whole(scores: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> tuple[Effect, float, float]:
    """Return what is lost when all columns are dealt out together (each row gets another's answer).

    Returns:
        The effect, the mean loss with dealt answers, and the mean size of a row's change.
    """
    plain = losses(scores, target)
    givers = np.stack([deal(len(target), rng) for _ in range(_ALL_REPEATS)])
    dealt = np.stack([losses(scores[giver], target) for giver in givers])
    return effect(dealt, givers, plain), float(dealt.mean()), float(np.abs(dealt - plain).mean())


def single(
    ask: Ask,
    scores: np.ndarray,
    target: np.ndarray,
    codes: np.ndarray,
    groups: Sequence[tuple[int, ...]],
    *,
    repeats: int,
    batch: int,
    rng: np.random.Generator,
    told: Callable[[float], None] = lambda _share: None,
) -> tuple[list[Effect], int]:
    """Deal out each group of players by itself.

    Args:
        ask: The model.
        scores: (n, K) answers to the rows as they are.
        target: (n,) class indices, or values.
        codes: (n, P) ranks of cells; a row that would get an equal cell is not asked.
        groups: Players that are dealt together.
        repeats: R.
        batch: Most rows in one question.
        rng: Deals.
        told: Called with the share that is done.

    Returns:
        An effect for each group, and how many rows were asked.
    """
    n, players = codes.shape
    plain, made, asked = losses(scores, target), [], 0
    step = max(1, batch // (repeats * n))
    for start in range(0, len(groups), step):
        block = groups[start : start + step]
        givers = np.stack([[deal(n, rng) for _ in range(repeats)] for _ in block])  # (G, R, n)
        dealt = np.tile(plain, (len(block), repeats, 1))
        which, turn, row = np.nonzero(_moved(codes, givers, block))
        for first in range(0, len(row), batch):
            part = slice(first, first + batch)
            mixed = np.repeat(row[part][:, None], players, axis=1)
            for at, group in enumerate(block):
                mine = which[part] == at
                given = givers[at][turn[part][mine], row[part][mine]]
                mixed[np.ix_(mine, group)] = given[:, None]
            dealt[which[part], turn[part], row[part]] = losses(ask(mixed), target[row[part]])
        asked += len(row)
        made += [effect(one, giver, plain) for one, giver in zip(dealt, givers, strict=True)]
        told(min(start + step, len(groups)) / len(groups))
    return made, asked


def _moved(codes: np.ndarray, givers: np.ndarray, block: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Return (G, R, n) bool: the row would get a cell that differs from its own."""
    made = np.zeros(givers.shape, dtype=bool)
    for at, group in enumerate(block):
        mine = codes[:, list(group)]
        made[at] = (mine[givers[at]] != mine).any(axis=2)
    return made


def shared(one: Effect, all_: Effect, size: float, confidence: float = 0.95) -> tuple[float, float, float]:
    """Return an effect as a share of the whole, with one-sided bounds (linearised ratio of two means).

    Args:
        one: What a column loses.
        all_: What all columns together lose, above 0.
        size: Mean size of a row's change when all columns are dealt.
        confidence: Of each bound.
    """
    ratio, n = one.value / all_.value, len(one.influence)
    values = ratio + (one.influence - ratio * all_.influence) / all_.value
    low, high = skew_t(values, confidence)
    if not one.touched:
        # none of n rows changed: with this confidence fewer than -log(1 - confidence) / n of all rows do
        low, high = 0.0, -float(np.log(1 - confidence)) / n * size / all_.value
    return ratio, float(low), float(high)
