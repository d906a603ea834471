"""Indices: shares of the variance of the answers (Sobol), by rows put together from cells drawn one by one.

Rows are cut into blocks, and the two rows of a pair are drawn within one block. A block is a small sample of its own
and its means are unbiased, so bounds over blocks hold for the rows' population, not for these very rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fivefold.explanation.asking import Ask

CELLS = 4_000_000
"""Most cells put together for one question."""

_BLOCKS = 40
_FEWEST_BLOCKS = 4
_BLOCK = 10


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows.

    Attributes:
        one: (N, P) positions of cells; N is a multiple of the blocks, whose pairs stand one after the other.
        other: (N, P) positions; each cell is of another row than that of ``one``.
        blocks: G.
    """

    one: np.ndarray
    other: np.ndarray
    blocks: int

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return (G,) means of (N,) values."""
        made: np.ndarray = values.reshape(self.blocks, -1).mean(axis=1)
        return made


def pairs(rows: int, players: int, count: int, rng: np.random.Generator, *, whole: bool = False) -> Pairs:
    """Draw pairs of rows.

    Args:
        rows: n, at least 8.
        players: P.
        count: Pairs at most, at least one a block.
        rng: Draws.
        whole: ``one`` are rows as they are; else each of their cells is drawn by itself.
    """
    blocks = min(_BLOCKS, max(_FEWEST_BLOCKS, rows // _BLOCK), count)
    size, each = rows // blocks, count // blocks
    block = rng.permutation(rows)[: blocks * size].reshape(blocks, size)
    place = rng.integers(size, size=(blocks, each, 1 if whole else players))
    other = (place + rng.integers(1, size, size=(blocks, each, players))) % size
    where = np.arange(blocks)[:, None, None]
    one = np.broadcast_to(block[where, place], other.shape).reshape(-1, players)
    return Pairs(one, block[where, other].reshape(-1, players), blocks)


@dataclass(frozen=True)
class Shares:
    """What was measured, as means of blocks; a share of the variance is a ratio of two of them.

    Attributes:
        total: (J, G) half the squared change of the answer when a group's cells are drawn anew, less that of asking
            again.
        first: (J, G) covariance of the answers to rows that share a group's cells and nothing else.
        spread: (G,) variance of the answers, summed over scores, that of asking again included.
        noise: (G,) half the squared change of asking again.
        size: Mean squared answer; a variance that is nothing beside it is none.
        asked: Rows asked.
    """

    total: np.ndarray
    first: np.ndarray
    spread: np.ndarray
    noise: np.ndarray
    size: float
    asked: int

    @property
    def signal(self) -> np.ndarray:
        """(G,) variance of the answers without that of asking again."""
        return np.asarray(self.spread - self.noise)


def measure(
    ask: Ask, drawn: Pairs, groups: Sequence[Sequence[int]], told: Callable[[float], None] = lambda _share: None
) -> Shares:
    """Ask about pairs, and about rows of which one group's cells are of the other row.

    Totals by Jansen (1999), first order by Saltelli et al. (2010, table 2, b; of groups that carry more than half c,
    which errs less there), over all scores together (Gamboa et al. 2014).

    Args:
        ask: The model.
        drawn: N pairs.
        groups: J groups of players.
        told: Called with the share that is done.
    """
    one, again, other = ask(drawn.one), ask(drawn.one), ask(drawn.other)
    middle = (one.mean(axis=0) + other.mean(axis=0)) / 2
    noise = drawn.means(_half(one, again))
    spread = drawn.means(((one - middle) ** 2 + (other - middle) ** 2).sum(axis=1) / 2)
    total, first = np.zeros((2, len(groups), drawn.blocks))
    for at, answers in enumerate(moved(ask, drawn, groups, one.shape[1])):
        total[at] = drawn.means(_half(one, answers)) - noise
        if total[at].mean() > (spread - noise).mean() / 2:
            first[at] = spread - drawn.means(_half(other, answers))
        else:
            first[at] = drawn.means(((other - middle) * (answers - one)).sum(axis=1))
        told((at + 1) / len(groups))
    size = float((one**2).sum(axis=1).mean())
    return Shares(total, first, spread, noise, size, (3 + len(groups)) * len(one))


def _half(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(((one - other) ** 2).sum(axis=1) / 2)


def moved(ask: Ask, drawn: Pairs, groups: Sequence[Sequence[int]], scores: int) -> Iterator[np.ndarray]:
    """Yield for each group (N, K) answers to ``one`` with the group's cells of ``other``."""
    n, players = drawn.one.shape
    step = max(1, CELLS // (n * max(players, scores)))
    for start in range(0, len(groups), step):
        block = groups[start : start + step]
        cells = np.tile(drawn.one, (len(block), 1))
        for at, group in enumerate(block):
            cells[at * n : (at + 1) * n, list(group)] = drawn.other[:, list(group)]
        yield from np.split(ask(cells), len(block))


def changed(ask: Ask, drawn: Pairs, groups: Sequence[Sequence[int]], noise: np.ndarray) -> tuple[np.ndarray, int]:
    """Return (J, G) of :attr:`Shares.total` alone, and how many rows were asked.

    Args:
        ask: The model.
        drawn: N pairs.
        groups: J groups of players.
        noise: See :class:`Shares`; its mean is taken off.
    """
    one = ask(drawn.one)
    made = [drawn.means(_half(one, answers)) - noise.mean() for answers in moved(ask, drawn, groups, one.shape[1])]
    return np.array(made).reshape(len(groups), drawn.blocks), (1 + len(groups)) * len(one)


def share(part: np.ndarray, whole: np.ndarray, least: int, confidence: float = 0.95) -> tuple[float, float, float]:
    """Return a part of the variance as a share in [0, 1], with one-sided bounds (linearised ratio of two means).

    Args:
        part: (G,) means of blocks.
        whole: (G,) variance of the answers.
        least: Rows; what happens in none of so many happens in up to -log(1 - confidence) of them.
        confidence: Of each bound.
    """
    value = float(part.mean() / whole.mean())
    low, high = skew_t(value + (part - value * whole) / whole.mean(), confidence)
    high = max(high, -float(np.log(1 - confidence)) / least)
    low, value, high = (float(np.clip(one, 0.0, 1.0)) for one in (low, value, high))
    return value, low, high


def alike(one: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """Return how far two profiles of totals over the same columns overlap, in [0, 1], with one-sided bounds.

    The overlap is the sum of the smaller of both shares; bounds by leaving out a block at a time.

    Args:
        one: (J, G) means of blocks.
        other: (J, G).
    """
    blocks = one.shape[1]
    value = _overlap(one.mean(axis=1), other.mean(axis=1))
    without = [
        _overlap(np.delete(one, at, axis=1).mean(axis=1), np.delete(other, at, axis=1).mean(axis=1))
        for at in range(blocks)
    ]
    low, high = skew_t(value + (blocks - 1) * (value - np.array(without)))
    # chance makes profiles differ: the mean of pseudo-values is free of most of that, and may lie above the value
    return value, max(min(low, value), 0.0), min(max(high, value), 1.0)


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    one, other = np.maximum(one, 0.0), np.maximum(other, 0.0)
    if not one.sum() or not other.sum():
        return 0.0
    return float(np.minimum(one / one.sum(), other / other.sum()).sum())
