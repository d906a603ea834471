"""Shapley values of a sum of trees, exactly: each leaf shares out its value among the players on its path.

For one explained row x and one background row z, a leaf on whose path every player is met by x or by z gives
(|X| - 1)! |Z|! / (|X| + |Z|)! of its value to each player that only x meets, takes |X|! (|Z| - 1)! / (|X| + |Z|)! from
each that only z meets, and nothing where some player is met by neither (the interventional game over pairs of rows:
Lundberg et al. 2020, independent tree SHAP; Zern et al. 2023, proposition 2). The mean over background rows is that
over the whole background. What a row misses is a set of bits for each node; rows that miss the same are counted, once
for each leaf (as in Nadel and Wettenstein 2025).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import beta

from fivefold.subject.trees import Trees

if TYPE_CHECKING:
    from collections.abc import Callable

_CELLS = 2_000_000
_PAIRS = 100_000


def _levels(trees: Trees) -> list[np.ndarray]:
    """Return the nodes that are no leaves, those of each depth."""
    found, now = [], trees.roots[trees.left[trees.roots] >= 0]
    while len(now):
        found.append(now)
        below = np.concatenate([trees.left[now], trees.right[now]])
        now = below[trees.left[below] >= 0]
    return found


def _lefts(trees: Trees, nodes: np.ndarray, tall: np.ndarray) -> np.ndarray:
    """Return (k, N) bool: the row goes left at the node; ``tall`` (d, N)."""
    seen = tall[trees.feature[nodes]]
    made: np.ndarray = seen <= trees.threshold[nodes][:, None]
    gone = np.isnan(seen)
    return np.where(gone, trees.lost[nodes][:, None], made) if gone.any() else made


def _part(trees: Trees, first: int, last: int) -> Trees:
    """Return the trees ``first`` to ``last - 1``."""
    start = int(trees.roots[first])
    stop = int(trees.roots[last]) if last < len(trees.roots) else len(trees.left)
    cut = slice(start, stop)
    inner = trees.left[cut] >= 0
    return Trees(
        trees.roots[first:last] - start, np.where(inner, trees.left[cut] - start, -1),
        np.where(inner, trees.right[cut] - start, -1), trees.feature[cut], trees.threshold[cut], trees.lost[cut],
        trees.value[cut],
    )  # fmt: skip


def answers(trees: Trees, cells: np.ndarray) -> np.ndarray:
    """Return (N, K) sums over the trees for (N, d) cells."""
    rows, tall = np.arange(len(cells)), cells.T
    made = np.zeros((len(cells), trees.value.shape[1]))
    for root in trees.roots.tolist():
        at = np.full(len(cells), root)
        while (inner := trees.left[at] >= 0).any():
            some, node = rows[inner], at[inner]
            seen = tall[trees.feature[node], some]
            goes = np.where(np.isnan(seen), trees.lost[node], seen <= trees.threshold[node])
            at[some] = np.where(goes, trees.left[node], trees.right[node])
        made += trees.value[at]
    return made


def most_on_a_path(trees: Trees, players: np.ndarray) -> int:
    """Return how many players decide on the way to one leaf, at most."""
    return int((_slots(trees, players) >= 0).sum(axis=1).max(initial=0))


def by_trees(  # noqa: PLR0917  one question
    trees: Trees, cells: np.ndarray, rows: int, column: np.ndarray, of: np.ndarray,
    told: Callable[[float], None] = lambda _share: None,
) -> np.ndarray:  # fmt: skip
    """Return (n, P) exact Shapley values over the whole background.

    Args:
        trees: The model, or what it takes a mean of.
        cells: (N, d) float64 cells as the trees see them: the explained rows, then the background; NaN: missing.
        rows: n, below N.
        column: (n,) score that each row is explained in.
        of: (d,) player of each column of ``cells``; at most 62 may decide on the way to one leaf.
        told: Called with the share that is done.
    """
    made = np.zeros((rows, int(of.max(initial=0)) + 1))
    tall, ends = np.ascontiguousarray(cells.T), np.append(trees.roots[1:], len(trees.left))
    first, count = 0, len(trees.roots)
    while first < count:
        room = trees.roots[first] + max(_CELLS // len(cells), 1)
        last = max(first + 1, int(np.searchsorted(ends, room, "right")))
        _add(made, _part(trees, first, last), tall, column, of)
        first = last
        told(first / count)
    made /= len(cells) - rows
    return made


def _slots(trees: Trees, of: np.ndarray) -> np.ndarray:
    """Return (nodes, D) players that decide on the way to each node, in the order in which they first do; -1: none."""
    levels = _levels(trees)
    made = np.full((len(trees.left), max(len(levels), 1)), -1, dtype=np.int32)
    for nodes in levels:
        here, mine = made[nodes], of[trees.feature[nodes]]
        place = _place(here, mine)
        here[np.arange(len(nodes)), place] = mine
        made[trees.left[nodes]] = made[trees.right[nodes]] = here
    width = max(int((made >= 0).sum(axis=1).max(initial=0)), 1)
    return np.ascontiguousarray(made[:, :width])


def _place(here: np.ndarray, mine: np.ndarray) -> np.ndarray:
    """Return (k,) slot of each node's player: its own where it decided before, else the first that is free."""
    same = here == mine[:, None]
    return np.asarray(np.where(same.any(axis=1), same.argmax(axis=1), (here >= 0).sum(axis=1)))


def _missed(trees: Trees, tall: np.ndarray, of: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """Return (nodes, N) bits of the slots whose player the row does not meet on the way to the node."""
    kind = np.int32 if slots.shape[1] < 31 else np.int64
    made = np.zeros((len(trees.left), tall.shape[1]), dtype=kind)
    for nodes in _levels(trees):
        left, here = _lefts(trees, nodes, tall), made[nodes]
        bit = np.left_shift(np.ones(len(nodes), dtype=kind), _place(slots[trees.left[nodes]], of[trees.feature[nodes]])
                            .astype(kind))[:, None]  # fmt: skip
        made[trees.left[nodes]] = here | np.where(left, 0, bit)
        made[trees.right[nodes]] = here | np.where(left, bit, 0)
    return made


def _add(made: np.ndarray, trees: Trees, tall: np.ndarray, column: np.ndarray, of: np.ndarray) -> None:
    """Add to (n, P) what a few trees give, summed over background rows."""
    n, slots = len(made), _slots(trees, of)
    leaves = np.flatnonzero((trees.left < 0) & (slots[:, 0] >= 0))
    if not len(leaves):
        return
    missed, players, value = _missed(trees, tall, of, slots)[leaves], slots[leaves], trees.value[leaves]
    order = np.argsort(missed[:, :n], axis=1)
    mine, kinds = _distinct(np.take_along_axis(missed[:, :n], order, axis=1))
    inverse = np.empty_like(order)
    np.put_along_axis(inverse, order, (np.cumsum(kinds.ravel()) - 1).reshape(kinds.shape), axis=1)
    theirs, firsts = _distinct(np.sort(missed[:, n:], axis=1))
    start = np.flatnonzero(firsts.ravel())
    counts = np.diff(np.append(start, firsts.size)).astype(np.float64)
    credit = _credits(mine, kinds.sum(axis=1), (theirs, firsts.sum(axis=1), counts), players.shape[1])
    wide = made.shape[1] + 1  # one place for free slots, whose credit is 0
    where = (players % wide).astype(np.int64)[None] + wide * np.arange(n)[:, None, None]  # (n, leaves, D)
    weight = credit[inverse.T] * value[:, column].T[:, :, None]
    made += np.bincount(where.ravel(), weights=weight.ravel(), minlength=n * wide).reshape(n, wide)[:, :-1]


def _distinct(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct values of each line of (L, N) sorted ones, one after another, and where each begins."""
    new = np.ones(ordered.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return ordered[new], new


def _bits(codes: np.ndarray, width: int) -> np.ndarray:
    """Return (k, width) bool: which of the lowest bits are set."""
    octets = codes[:, None].astype(f"<i{codes.dtype.itemsize}").view(np.uint8)
    return np.unpackbits(octets, axis=1, count=width, bitorder="little").view(bool)


def _credits(
    mine: np.ndarray, many: np.ndarray, background: tuple[np.ndarray, np.ndarray, np.ndarray], width: int
) -> np.ndarray:
    """Return (U, D) what each distinct explained row gets of a leaf of value 1, for each slot, summed over background.

    Args:
        mine: (U,) bits that it misses, leaf after leaf.
        many: (L,) of them at each leaf.
        background: (V,) bits that each distinct background row misses, (L,) how many at each leaf, (V,) how often.
        width: D.
    """
    theirs, others, counts = background
    leaf = np.repeat(np.arange(len(many)), many)
    partners, begin = others[leaf], (np.cumsum(others) - others)[leaf]
    size = np.arange(width + 1)
    gets, gives = beta(np.maximum(size, 1)[:, None], size + 1.0), beta(size[:, None] + 1.0, np.maximum(size, 1))
    mine_n, theirs_n = np.bitwise_count(mine).astype(np.int64), np.bitwise_count(theirs).astype(np.int64)
    set_theirs = np.flatnonzero(_bits(theirs, width)) % width
    set_begin = np.cumsum(theirs_n) - theirs_n
    made = np.zeros((len(mine), width))
    total, start = np.cumsum(partners), 0
    while start < len(mine):
        before = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, before + _PAIRS, "right")))
        some = slice(start, stop)
        left = np.repeat(np.arange(stop - start), partners[some])
        shift = begin[some] - (np.cumsum(partners[some]) - partners[some])
        right = np.arange(len(left)) + shift[left]
        alive = np.flatnonzero((mine[some][left] & theirs[right]) == 0)
        left, right = left[alive], right[alive]
        a, b = theirs_n[right], mine_n[some][left]
        taken = np.bincount(left, weights=gives[a, b] * counts[right], minlength=stop - start)
        part = _bits(mine[some], width) * -taken[:, None]
        entry = np.repeat(np.arange(len(left)), a)
        slot = set_theirs[np.arange(len(entry)) + (set_begin[right] - (np.cumsum(a) - a))[entry]]
        weights = (gets[a, b] * counts[right])[entry]
        part += np.bincount(left[entry] * width + slot, weights=weights, minlength=part.size).reshape(part.shape)
        made[some], start = part, stop
    return made
