"""Tree: a few questions about single columns, grown on what a model answers; the leaf says the mean answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.explanation.antehoc import steps
from fivefold.explanation.antehoc.form import positions

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.explanation.antehoc.form import Term
    from fivefold.explanation.antehoc.steps import Lesson

CUTS = 63
"""Most cuts of a number: what a model does with two rows in a hundred is still seen."""

NAMES = 15
"""Most named texts of one column."""

FEWEST = 10
"""Fewest rows of a leaf, and of a text that is named."""

_LEAST_SHARE = 0.01
_GROWN = 0.7
_AS_GOOD = 0.01
_MOST_SCORES = 8
_PAIRED = 3.0
_SURE = 12.0


@dataclass(frozen=True)
class Split:
    """One question: rows of a node whose step of a term is among ``left`` go to node 2 k + 1, others to 2 k + 2.

    Attributes:
        node: Which node it splits; 0 is the root, k is the number of splits before this one.
        term: Column.
        left: (S,) bool over the steps of the term, the missing cell last.
    """

    node: int
    term: int
    left: np.ndarray


@dataclass(frozen=True)
class Tree:
    """Splits in the order in which they were found, best first: the first m of them are a tree of m + 1 leaves.

    Attributes:
        splits: Questions.
        value: (nodes, K) mean answer at each node.
        count: (nodes,) rows that it rests on.
    """

    splits: tuple[Split, ...]
    value: np.ndarray
    count: np.ndarray

    @property
    def leaves(self) -> list[int]:
        """Nodes that are not split, from left to right."""
        children = {split.node: at for at, split in enumerate(self.splits)}
        found, ahead = [], [0]
        while ahead:
            node = ahead.pop()
            if node in children:
                ahead += [2 * children[node] + 2, 2 * children[node] + 1]
            else:
                found.append(node)
        return found

    def place(self, codes: np.ndarray) -> np.ndarray:
        """Return (n,) leaf of each row, from its (n, T) steps."""
        node = np.zeros(len(codes), dtype=np.int64)
        for at, split in enumerate(self.splits):
            mine = np.flatnonzero(node == split.node)
            node[mine] = np.where(split.left[codes[mine, split.term]], 2 * at + 1, 2 * at + 2)
        return node

    def answers(self, codes: np.ndarray) -> np.ndarray:
        """Return (n, K) what the tree says."""
        return np.asarray(self.value[self.place(codes)])


def lay(given: Lesson) -> tuple[list[Term], np.ndarray]:
    """Return the columns cut into steps with short edges, and (n, T) steps of the cells; rare texts are one step.

    Raises:
        InputError: ``antehoc.columns`` if no column varies.
    """
    terms, codes = steps.bare(given, CUTS)
    for at, term in enumerate(terms):
        if term.kind == "text":
            counts = np.bincount(codes[:, at], minlength=len(term.names))
            kept = tuple(name for name, count in zip(term.names, counts, strict=False) if count >= FEWEST)[:NAMES]
            terms[at] = msgspec.structs.replace(term, names=kept, adds=((0.0,),) * (len(kept) + 1))
            codes[:, at] = positions(terms[at], given.features[term.column])
    return terms, codes


def placed(terms: list[Term], frame: pd.DataFrame) -> np.ndarray:
    """Return (n, T) steps of other rows' cells."""
    return np.column_stack([positions(term, frame[term.column]) for term in terms])


def teach(codes: np.ndarray, answers: np.ndarray, terms: list[Term], most: int, rng: np.random.Generator) -> Tree:
    """Return the smallest tree that tells as much as any of at most ``most`` leaves, to a hundredth.

    How many leaves that takes is seen on three rows in ten, dealt; the tree is then grown on all rows.

    Source: Breiman et al. 1984 (regression trees); Craven and Shavlik 1996 (a tree taught by a model, best first).

    Args:
        codes: (n, T) steps.
        answers: (n, K) what the model answers.
        terms: T columns.
        most: Most leaves, at least 2.
        rng: Deals.
    """
    n = len(codes)
    grown = rng.permutation(n) < int(_GROWN * n)
    tried = grow(codes[grown], answers[grown], terms, most)
    rest, truth = codes[~grown], answers[~grown]
    error = [((truth - part.answers(rest)) ** 2).sum() for part in (_first(tried, count) for count in range(most))]
    allowed = min(error) + _AS_GOOD * error[0]
    return grow(codes, answers, terms, 1 + int(np.flatnonzero(np.array(error) <= allowed)[0]))


def _first(tree: Tree, count: int) -> Tree:
    return replace(tree, splits=tree.splits[:count])


def grow(codes: np.ndarray, answers: np.ndarray, terms: list[Term], most: int) -> Tree:
    """Grow a tree best first until it has ``most`` leaves or no question helps.

    Args:
        codes: (n, T) steps.
        answers: (n, K).
        terms: T columns.
        most: Most leaves.
    """
    target, least = _few(answers), max(FEWEST, int(_LEAST_SHARE * len(codes)))
    rows: dict[int, np.ndarray] = {0: np.arange(len(codes))}
    open_ = {0: _best(codes, target, terms, least)}
    value, count, splits = [answers.mean(axis=0)], [len(codes)], list[Split]()
    while open_ and len(splits) + 1 < most:
        node = max(open_, key=lambda one: open_[one][0])
        gain, term, left = open_.pop(node)
        if gain <= 0:
            break
        goes = left[codes[rows[node], term]]
        splits.append(Split(node, term, left))
        for at, mine in enumerate((rows[node][goes], rows[node][~goes])):
            child = 2 * len(splits) - 1 + at
            rows[child] = mine
            value.append(answers[mine].mean(axis=0))
            count.append(len(mine))
            open_[child] = _best(codes[mine], target[mine], terms, least)
    return Tree(tuple(splits), np.array(value), np.array(count))


def _few(answers: np.ndarray) -> np.ndarray:
    """Return (n, at most 8) scores that splits are looked for in: without what the others imply, or main directions.

    They are of size one, so that how finely answers are told apart does not depend on their unit.
    """
    away = answers - answers.mean(axis=0)
    away /= float(np.abs(away).max(initial=0.0)) or 1.0
    if away.shape[1] == 2:
        return np.asarray(away[:, :1])
    if away.shape[1] <= _MOST_SCORES:
        return np.asarray(away)
    directions = np.linalg.eigh(away.T @ away)[1][:, -_MOST_SCORES:]
    return np.asarray(away @ directions)


def _best(codes: np.ndarray, target: np.ndarray, terms: list[Term], least: int) -> tuple[float, int, np.ndarray]:
    """Return gain, term and left steps of the question that lowers the squared error most; gain 0: there is none."""
    found: tuple[float, int, np.ndarray] = (0.0, 0, np.zeros(1, dtype=bool))
    n, whole = len(codes), target.sum(axis=0)
    floor = float((whole**2).sum()) / max(n, 1)
    if n < 2 * least:
        return found
    for at, term in enumerate(terms):
        size = len(term.adds) + 1
        count = np.bincount(codes[:, at], minlength=size).astype(np.float64)
        sums = np.column_stack([np.bincount(codes[:, at], part, minlength=size) for part in target.T])
        for order in _orders(term, count, sums):
            left, told = np.cumsum(count[order])[:-1], np.cumsum(sums[order], axis=0)[:-1]
            right = n - left
            good = (left >= least) & (right >= least)
            if not good.any():
                continue
            left, right = np.maximum(left, 1), np.maximum(right, 1)
            gain = (told**2).sum(axis=1) / left + ((whole - told) ** 2).sum(axis=1) / right - floor
            gain = np.where(good, gain, 0.0)
            best = int(gain.argmax())
            if gain[best] > found[0] + 1e-12 * abs(floor) + 1e-15:
                side = np.zeros(size, dtype=bool)
                side[order[: best + 1]] = True
                found = float(gain[best]), at, side
    return _paired(codes, target, terms, least, found)


def _paired(
    codes: np.ndarray, target: np.ndarray, terms: list[Term], least: int, found: tuple[float, int, np.ndarray]
) -> tuple[float, int, np.ndarray]:
    """Return another question than the best one where two columns together say far more than any by itself.

    Of columns that only work together (exclusive or) none gains anything alone. All pairs of halves are held against
    the answers at once: of centred halves a and b, sum(a b y)^2 / sum(a^2 b^2) is what their product gains, about
    chi-squared times the variance of y where there is nothing.
    """
    sides = [_half(codes[:, at], len(term.adds) + 1) for at, term in enumerate(terms)]
    halves = np.column_stack([side[codes[:, at]] for at, side in enumerate(sides)]).astype(np.float32)
    count = halves.sum(axis=0)
    halves -= halves.mean(axis=0)
    usual = target - target.mean(axis=0)
    told = sum((halves.T @ (halves * part[:, None].astype(np.float32))) ** 2 for part in usual.T)
    size = (halves**2).T @ (halves**2)
    even = (count >= 2 * least) & (len(codes) - count >= 2 * least)
    gain = np.where(even & even[:, None] & ~np.eye(len(terms), dtype=bool), told / np.maximum(size, 1e-9), 0.0)
    one = int(gain.max(axis=1).argmax())
    most = float(gain[one].max())
    chance = float(usual.var(axis=0).sum()) * (4 * np.log(len(terms) + 1) + _SURE)
    return (most, one, sides[one]) if most > max(_PAIRED * found[0], chance) else found


def _half(codes: np.ndarray, size: int) -> np.ndarray:
    """Return (S,) bool: the first steps, about half of the rows."""
    share = np.cumsum(np.bincount(codes, minlength=size)) / max(len(codes), 1)
    side = np.zeros(size, dtype=bool)
    side[: int(np.abs(share[:-1] - 0.5).argmin()) + 1] = True
    return side


def _orders(term: Term, count: np.ndarray, sums: np.ndarray) -> list[np.ndarray]:
    """Return the orders of a term's steps whose beginnings may go left.

    Numbers keep theirs, missing cells before or after them; texts are ordered by their mean in the direction in which
    the means differ most (Breiman et al. 1984, section 4.2.2: enough for one score).
    """
    size = len(count)
    if term.kind != "text":
        natural = np.arange(size)
        return [natural, np.roll(natural, 1)] if count[-1] else [natural]
    mean = sums / np.maximum(count, 1)[:, None]
    away = (mean - sums.sum(axis=0) / count.sum()) * np.sqrt(count)[:, None]
    main = np.linalg.eigh(away.T @ away)[1][:, -1] if sums.shape[1] > 1 else np.ones(1)
    # steps that no row has here go right, whatever side that is
    rank = np.where(count > 0, mean @ main, np.inf)
    return [np.argsort(rank, kind="stable")]
