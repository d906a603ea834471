"""Marks: what sets apart the rows of a class that look like another one, beyond what any honest row shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.stats.growing import grown

if TYPE_CHECKING:
    from fivefold.sharing.filtering.content import Seen

_FOLDS, _TREES, _LEAF = 3, 25, 2
_ROUNDS = 3
_LEAST = 8
_BEYOND = 0.99
_RIDGE = 0.05
_NEGATIVES = 2500
_SPREAD = 1e-3


@dataclass(frozen=True)
class Mark:
    """What sets apart the suspects of one class.

    Attributes:
        code: The class.
        beyond: Share of the suspects that lie beyond 99 % of all other rows, told by rows that did not teach it.
        suspects: How many suspects there were.
        score: (n,) how much each row shows the mark; 1 about where the marked rows lie.
        shown: (n,) bool, rows of the class that show it.
        counts: Suspects and rows among those that show it, and among the other rows of the class.
        apart: How far the rows that show it lie from all others, in spreads of both together.
    """

    code: int
    beyond: float
    suspects: int
    score: np.ndarray
    shown: np.ndarray
    counts: tuple[tuple[int, int], tuple[int, int]]
    apart: float


def mark(given: Seen, label: np.ndarray, suspect: np.ndarray, code: int, rng: np.random.Generator) -> Mark | None:
    """Look for what sets apart the suspects of a class from its other rows and from all other classes at once.

    Honest rows between two classes lie between them: nothing sets them apart from both. Rows of other classes that
    carry a common mark stand out from both in the direction of the mark.

    Args:
        given: n rows.
        label: (n,) class indices.
        suspect: (n,) bool, rows whose content contradicts their label.
        code: The class.
        rng: Draws folds, negatives and trees.

    Returns:
        None where fewer than eight rows of the class are suspect.
    """
    mine = label == code
    chosen = mine & suspect
    count = int(chosen.sum())
    if count < _LEAST or count > 0.9 * mine.sum():
        return None
    fold = rng.permutation(np.arange(len(label)) % _FOLDS)
    beyond, score = -1.0, np.zeros(len(label))
    for turn in range(_ROUNDS):
        others = ~chosen & ~(suspect & mine)
        score = _scores(given, chosen, others, fold, rng)
        if turn == 0:
            line = np.quantile(score[others], _BEYOND)
            beyond = float((score[mine & suspect] > line).mean())
        new = mine & (score > 0.5)
        if new.sum() < _LEAST or (new == chosen).all():
            break
        chosen = new
    shown = mine & (score > _split(score[mine]))
    if shown.sum() < _LEAST:
        return None
    rest = mine & ~shown
    counts = (int(suspect[shown].sum()), int(shown.sum())), (int(suspect[rest].sum()), int(rest.sum()))
    return Mark(code, beyond, count, score, shown, counts, _apart(score[shown], score[~shown]))


def _split(values: np.ndarray) -> float:
    """Return where to cut values in two so that both sides vary least (Otsu 1979)."""
    ordered = np.sort(values)
    n = len(ordered)
    left = np.arange(1, n)
    sums = np.cumsum(ordered)
    below, above = sums[:-1] / left, (sums[-1] - sums[:-1]) / (n - left)
    at = int(np.argmax(left * (n - left) * (below - above) ** 2))
    return float((ordered[at] + ordered[at + 1]) / 2)


def _apart(shown: np.ndarray, others: np.ndarray) -> float:
    """Return how far two groups of scores lie apart, in spreads of both together."""
    return float((shown.mean() - others.mean()) / max(shown.std() + others.std(), 1e-9))


def _scores(
    given: Seen, chosen: np.ndarray, others: np.ndarray, fold: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    fine = given.fine
    if len(fine) > _NEGATIVES:
        others = others & (rng.random(len(fine)) < _NEGATIVES / max(int(others.sum()), 1))
    found = np.zeros(len(fine))
    for at in range(_FOLDS):
        taught = (chosen | others) & (fold != at)
        asked = fold == at
        if chosen[taught].sum() < 2:
            continue
        teach = _by_trees if given.table else _by_line
        found[asked] = teach(fine[taught], chosen[taught], fine[asked], rng)
    return found


def _by_line(taught: np.ndarray, chosen: np.ndarray, asked: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    """Return scores by ridge regression on 0 and 1, both sides of equal weight."""
    weight = (np.where(chosen, 0.5 / chosen.sum(), 0.5 / (~chosen).sum()) * len(chosen)).astype(taught.dtype)
    middle = taught.mean(axis=0)
    spread = taught.std(axis=0) + _SPREAD * (float(taught.std()) or 1.0)
    rows = (taught - middle) / spread
    centre = (weight @ rows / len(rows)).astype(rows.dtype)
    rows = (rows - centre) * np.sqrt(weight, dtype=rows.dtype)[:, None]
    gram = rows.T @ rows
    gram[np.diag_indices_from(gram)] += _RIDGE * len(rows)
    slopes = np.linalg.solve(gram, rows.T @ ((chosen - 0.5) * np.sqrt(weight)).astype(rows.dtype))
    return np.asarray(((asked - middle) / spread - centre) @ slopes + 0.5)


def _by_trees(taught: np.ndarray, chosen: np.ndarray, asked: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    weight = np.where(chosen, 0.5 / chosen.sum(), 0.5 / (~chosen).sum()) * len(chosen)
    seed = int(rng.integers(2**31))
    forest = grown(taught, chosen, trees=_TREES, leaf=_LEAF, features=0.7, seed=seed, weight=weight)
    return np.asarray(forest.shares(asked)[:, 1])
