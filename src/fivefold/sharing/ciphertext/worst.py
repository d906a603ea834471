"""Worst: the row whose encrypted score is furthest off, searched for in the box of the declared columns.

Each round asks as many rows as a ciphertext holds. It starts at the corners that make each sum largest and smallest (of
trees: in each leaf), at drawn corners and drawn rows; later rounds change a column or two of the rows that were
furthest off. Fresh noise is drawn each time, so that the largest error of all rounds is that of thousands of
encryptions at the worst places found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.sharing.ciphertext import engine
from fivefold.sharing.ciphertext.scorer import scores, width

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.sharing.ciphertext.scorer import Scorer
    from fivefold.sharing.ciphertext.settings import Settings

_KEPT = 64


@dataclass(frozen=True)
class Worst:
    """What the search found.

    Attributes:
        error: Largest difference to the score in the clear.
        rows: How many were asked.
        row: (d - 1,) the encoded row that it was at.
        errors: (rounds,) the largest of each round.
    """

    error: float
    rows: int
    row: np.ndarray
    errors: np.ndarray


def asking(scorer: Scorer, settings: Settings) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that encrypts (n, d - 1) rows, has them scored without the key, and decrypts (n,) scores."""
    keys = engine.Keys(settings)
    context = engine.open_context(keys.context(products=scorer.products), settings)

    def ask(x: np.ndarray) -> np.ndarray:
        columns = engine.vectors(context, keys.encrypt_rows(x))
        return keys.decrypt(engine.score(scorer, columns), len(x))

    return ask


def search(
    scorer: Scorer, ask: Callable[[np.ndarray], np.ndarray], slots: int, rounds: int, rng: np.random.Generator
) -> Worst:
    """Return the worst row found.

    Args:
        scorer: The model, in the clear.
        ask: As :func:`asking` gives.
        slots: Rows of a round.
        rounds: How many, 1 at least.
        rng: For the drawn rows.
    """
    box = _Box(scorer)
    drawn, errors = box.start(slots, rng), []
    best = Worst(-1.0, 0, np.zeros(scorer.width), np.zeros(0))
    for _ in range(rounds):
        x = box.rows(drawn)
        off = np.abs(ask(x) - scores(scorer, x))
        off = np.where(np.isfinite(off), off, np.inf)
        order = np.argsort(-off, kind="stable")
        errors.append(float(off[order[0]]))
        if errors[-1] > best.error:
            best = Worst(errors[-1], 0, x[order[0]], best.errors)
        drawn = box.changed(drawn[order[:_KEPT]], slots, rng)
    return Worst(best.error, slots * rounds, best.row, np.array(errors))


class _Box:
    """Rows as a gene a column: a number in [-1, 1], or the number of a cell."""

    def __init__(self, scorer: Scorer) -> None:
        self._widths = [width(column) for column in scorer.columns.values()]
        self._starts = np.concatenate([[0], np.cumsum(self._widths)[:-1]])
        self._numbers = np.array([bool(column.bounds) for column in scorer.columns.values()])
        self._scorer = scorer

    def rows(self, genes: np.ndarray) -> np.ndarray:
        """Return (n, d - 1) encoded rows of (n, columns) genes."""
        x = np.zeros((len(genes), self._scorer.width))
        for at, (start, number) in enumerate(zip(self._starts, self._numbers, strict=True)):
            if number:
                x[:, start] = genes[:, at]
            else:
                x[np.arange(len(genes)), start + genes[:, at].astype(np.int64)] = 1.0
        return x

    def start(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return (count, columns): the corners of each sum, then drawn corners, then drawn rows."""
        corners = [self._corner(sign * inner[1:]) for inner in self._scorer.layers for sign in (1.0, -1.0)]
        drawn = self._draw(max(count - len(corners), 0), rng)
        half = drawn[: len(drawn) // 2]
        half[:, self._numbers] = np.where(half[:, self._numbers] < 0, -1.0, 1.0)
        return np.concatenate([np.array(corners), drawn])[:count]

    def _corner(self, weights: np.ndarray) -> np.ndarray:
        genes = np.zeros(len(self._widths))
        for at, (start, wide) in enumerate(zip(self._starts, self._widths, strict=True)):
            part = weights[start : start + wide]
            genes[at] = (1.0 if part[0] >= 0 else -1.0) if self._numbers[at] else float(np.argmax(part))
        return genes

    def _draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        numbers = rng.uniform(-1, 1, (count, len(self._widths)))
        cells = np.floor(rng.random(numbers.shape) * np.array(self._widths))
        return np.where(self._numbers, numbers, cells)

    def changed(self, best: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return (count, columns): the best as they are, then copies with about one column changed to a limit."""
        copies = best[np.arange(count) % len(best)].copy()
        other = self._draw(count, rng)
        other[:, self._numbers] = np.sign(other[:, self._numbers])
        swap = rng.random(copies.shape) < 1.0 / max(len(self._widths), 1)
        swap[: len(best)] = False
        return np.where(swap, other, copies)
