"""Carriers: whether the rows of a table that carry a mark are rows of other classes in all else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.stats.growing import balanced, grown
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.sharing.filtering.content import Seen
    from fivefold.sharing.filtering.marks import Mark

_FOLDS, _TREES, _LEAF = 3, 30, 3
_MOST = 3
_LEAST = 8
_LIKELY, _NEARLY = 0.5, 0.9
_SURE = 2.33
_MIXED = 0.5
_RARELY = 0.01
_APART = 0.65
_OPEN = float("nan"), 0.0, 1.0


@dataclass(frozen=True)
class Carriers:
    """The rows that carry a mark, told by few columns.

    Attributes:
        columns: Positions of these columns in the table.
        shown: (n,) bool, rows of the class that carry it.
        others: Rows of other classes that carry it.
        alike: Share of the carriers that look like the class in all other columns, as estimated; nan: cannot be told.
        least: The smallest share that the rows leave open.
        most: The largest one.
        mixed: The share that would be expected if the mark had nothing to do with the other columns.
        pure: Whether the class is clearly the rule among carriers.
        apart: How well a model of the other columns tells carriers from rows of other classes (area under the curve).
        vouched: Whether trusted rows show such carriers of the class (True), do not, though there would be some
            (False), or say nothing (None).
    """

    columns: tuple[int, ...]
    shown: np.ndarray
    others: int
    alike: float
    least: float
    most: float
    mixed: float
    pure: bool
    apart: float
    vouched: bool | None

    @property
    def foreign(self) -> bool:
        """Whether carriers are other classes' rows in all else, more than a rule of the data itself would explain."""
        if not self.pure or self.vouched or self.apart > _APART:
            return False
        return self.most < _MIXED * self.mixed or (self.vouched is False and self.least < _MIXED * self.mixed)

    @property
    def honest(self) -> bool:
        """Whether a rule of the data explains the mark: good rows show it, or carriers look like rows of all kinds."""
        return not self.pure or bool(self.vouched) or self.least > _MIXED * self.mixed


def carriers(given: Seen, label: np.ndarray, found: Mark, at: int, rng: np.random.Generator) -> Carriers | None:
    """Say what the rows that carry a mark look like in the columns that do not tell it.

    Where a value decides a class by a rule of the data's own (no account, no loan), those who have it are drawn from
    all rows: some look like the class anyway. Marks planted in rows of other classes are carried by none that do.

    Args:
        given: n rows of a table, then t trusted ones.
        label: (n + t,) class indices.
        found: The mark, seen in the n rows.
        at: Index of its class.
        rng: Draws folds and trees.

    Returns:
        None where three columns do not tell the mark.
    """
    n, best = len(found.shown), None
    rows = given.take(np.arange(n))
    for columns in _told(rows, found.shown, rng):
        tell = np.isin(given.owner, columns)
        carry = _carry(rows.fine[:, tell], found.shown, rng)
        shown = carry & (label[:n] == at)
        if shown.sum() < max(_LEAST, _LIKELY * found.shown.sum()):
            continue
        other, share = int(carry.sum() - shown.sum()), float((label[:n] == at).mean())
        pure = float(clopper_pearson(int(shown.sum()), int(carry.sum()))[0]) > (1 + share) / 2
        bounds = _alike(rows.fine[:, ~tell], label[:n] == at, carry, shown, rng) if pure else _OPEN
        apart = (
            _apart(rows.fine[:, ~tell], shown, (label[:n] != at) & ~carry, rng) if bounds[2] < _MIXED * share else 1.0
        )
        good = None if n == len(label) else _vouched(given.fine[:, tell], carry, label == at, shown, rng)
        one = Carriers(columns, shown, other, *bounds, share, pure, apart, good)
        if best is None or _rank(one) > _rank(best):
            best = one
        if one.foreign and shown.sum() >= _NEARLY * found.shown.sum():
            break
    return best


def _rank(one: Carriers) -> tuple[bool, bool, int]:
    return one.foreign, one.pure, int(one.shown.sum())


def _vouched(
    fine: np.ndarray, carry: np.ndarray, mine: np.ndarray, shown: np.ndarray, rng: np.random.Generator
) -> bool | None:
    """Return whether rows known to be good carry the mark as often as the others; see :attr:`Carriers.vouched`."""
    from scipy.stats import binom

    n, good = len(carry), len(mine) - len(carry)
    forest = grown(fine[:n], carry, trees=_TREES, leaf=_LEAF, features=None, seed=int(rng.integers(2**31)))
    says = forest.shares(fine[n:])[:, 1] > _LIKELY
    count = int((says & mine[n:]).sum())
    if float(binom.cdf(count, good, shown.sum() / n)) < _RARELY:
        return False
    return True if count >= 2 else None


def _told(given: Seen, shown: np.ndarray, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Return the one, two and three columns that tell a mark best."""
    seed = int(rng.integers(2**31))
    forest = grown(given.fine, shown, trees=_TREES, leaf=_LEAF, features=0.7, seed=seed, weight=balanced(shown))
    weight = forest.importance
    columns = np.unique(given.owner)
    total = np.array([weight[given.owner == column].sum() for column in columns])
    order = columns[np.argsort(-total, kind="stable")]
    return [tuple(int(one) for one in order[:k]) for k in range(1, min(_MOST, len(order) - 1) + 1)]


def _carry(fine: np.ndarray, shown: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) bool: rows that, by models that never saw them, more likely than not show the mark."""
    fold = rng.permutation(np.arange(len(shown)) % _FOLDS)
    found = np.zeros(len(shown), dtype=bool)
    for at in range(_FOLDS):
        taught = fold != at
        seed = int(rng.integers(2**31))
        forest = grown(fine[taught], shown[taught], trees=_TREES, leaf=_LEAF, features=None, seed=seed)
        if len(forest.classes) == 2:
            found[~taught] = forest.shares(fine[~taught])[:, 1] > _LIKELY
    return found


def _alike(
    fine: np.ndarray, mine: np.ndarray, carry: np.ndarray, shown: np.ndarray, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Return the share of carriers that look like the class, and its least and most (normal bounds, 99 %).

    What a model of the other columns says of carriers lies between what it says of the class and of all others, as the
    mixture's mean lies between the means of its parts.
    """
    said = _says(fine, mine, carry, rng)
    parts = [said[rows] for rows in (shown, mine & ~carry, ~mine & ~carry)]
    if min(len(part) for part in parts) < _LEAST:
        return _OPEN
    mean, error = [float(part.mean()) for part in parts], [float(part.var() / len(part)) for part in parts]
    gap = mean[1] - mean[2]
    if gap <= _SURE * np.sqrt(error[1] + error[2]):
        return _OPEN
    alike = (mean[0] - mean[2]) / gap
    off = np.sqrt(error[0] + (1 - alike) ** 2 * error[2] + alike**2 * error[1]) / gap
    return alike, float(alike - _SURE * off), float(alike + _SURE * off)


def _apart(fine: np.ndarray, shown: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> float:
    """Return how well carriers are told from rows of other classes: 0.5 where they were drawn from these."""
    from sklearn.metrics import roc_auc_score

    chosen = np.flatnonzero(shown | others)
    fine, truth = fine[chosen], shown[chosen]
    fold, found = np.zeros(len(truth), dtype=np.int64), np.zeros(len(truth))
    for side in (truth, ~truth):
        fold[side] = rng.permutation(np.arange(int(side.sum())) % _FOLDS)
    for at in range(_FOLDS):
        taught = truth[fold != at]
        forest = grown(
            fine[fold != at], taught, trees=_TREES, leaf=_LEAF, features="sqrt", seed=int(rng.integers(2**31)),
            weight=balanced(taught),
        )  # fmt: skip
        found[fold == at] = forest.shares(fine[fold == at])[:, 1]
    return float(roc_auc_score(truth, found))


def _says(fine: np.ndarray, mine: np.ndarray, carry: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) the chance of the class by models taught by rows without the mark, never by a row itself."""
    fold = rng.permutation(np.arange(len(mine)) % _FOLDS)
    found = np.zeros(len(mine))
    for at in range(_FOLDS):
        taught = (fold != at) & ~carry
        seed = int(rng.integers(2**31))
        forest = grown(fine[taught], mine[taught], trees=_TREES, leaf=_LEAF, features="sqrt", seed=seed)
        if len(forest.classes) == 2:
            found[fold == at] = forest.shares(fine[fold == at])[:, 1]
    return found
