"""Shapley values of any function by antithetic permutations, with a standard error for each, or by enumeration.

For one explained row x, one background row b and a set S of players, v(S) is the answer to the row that takes the cells
of S from x and the others from b (the interventional game). A permutation of the players is walked from b to x: each
player is credited with the change that its turn makes. The same permutation is walked backwards with the same b; the
mean of the two is one *pair*, and pairs are independent and unbiased for the game over the whole background.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import comb, stdtrit

from fivefold.errors import InputError

Ask = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Present (m, P) bool, explained row (m,), background row (m,) to answers (m,): cells from x where present, else b."""

_CELLS = 20_000_000
MOST_ENUMERATED = 12
"""Most players whose coalitions are enumerated."""
_HARDLY = 0.9
_ALIKE = 8
"""Fewest explained rows that tell what a background row does to all of them."""


@dataclass(frozen=True)
class Attributions:
    """What each player adds to each answer.

    Attributes:
        value: (n, P), in the unit of the answers.
        error: (n, P) standard errors over pairs.
        halves: (2, n, P) values from either half of the pairs.
        half_errors: (2, n, P) their standard errors.
        base: (n,) mean answer to the background rows that were drawn; value sums to answer less base.
        pairs: Pairs behind each value.
        asked: Rows asked.
    """

    value: np.ndarray
    error: np.ndarray
    halves: np.ndarray
    half_errors: np.ndarray
    base: np.ndarray
    pairs: int
    asked: int

    def quantile(self, confidence: float = 0.95, comparisons: int = 1) -> float:
        """Return by how many standard errors a two-sided bar reaches out (Student's t over pairs, Bonferroni)."""
        return float(stdtrit(self.pairs - 1, 1 - (1 - confidence) / (2 * comparisons)))


def cost(players: int, pairs: int) -> int:
    """Return how many rows one explanation asks, known end points apart."""
    return 2 * max(players - 1, 0) * pairs


def by_permutations(
    ask: Ask,
    at_rows: np.ndarray,
    at_background: np.ndarray,
    *,
    players: int,
    pairs: int,
    rng: np.random.Generator,
    told: Callable[[float], None] = lambda _share: None,
    batch: int = 50_000,
) -> Attributions:
    """Estimate the Shapley values of n answers (Castro et al. 2009; antithetic: Mitchell et al. 2022, section 4).

    Args:
        ask: The function; asked in batches.
        at_rows: (n,) answers to the explained rows, already known.
        at_background: (n, M) answers to the background rows, in the score that row i is explained by.
        players: P, at least 1.
        pairs: Pairs for each explained row, at least 4.
        rng: Draws permutations and background rows (without replacement until all were drawn).
        told: Called with the share that is done.
        batch: Most rows in one question.

    Raises:
        InputError: ``stats.shapley`` for no players or fewer than 4 pairs.
    """
    if players < 1 or pairs < 4:
        raise InputError("stats.shapley", f"{players} players and {pairs} pairs cannot be explained.")
    n = len(at_rows)
    drawn = _draw(n, at_background.shape[1], pairs, rng)
    made = np.empty((n * pairs, players))
    who, base = np.repeat(np.arange(n), pairs), drawn.ravel()
    inner = 2 * max(players - 1, 1)
    step = max(1, min(batch // inner, _CELLS // (inner * players)))
    for start in range(0, n * pairs, step):
        part = slice(start, min(start + step, n * pairs))
        ends = at_background[who[part], base[part]], at_rows[who[part]]
        made[part] = _walks(ask, (who[part], base[part]), ends, players, rng)
        told(part.stop / (n * pairs))
    each = made.reshape(n, pairs, players)
    half = pairs // 2
    parts = (each[:, :half], each[:, half : 2 * half])
    return Attributions(
        value=each.mean(axis=1),
        error=errors(each) * _evenly(each, drawn, at_background.shape[1]),
        halves=np.array([part.mean(axis=1) for part in parts]),
        half_errors=np.array([errors(part) for part in parts]),
        base=np.take_along_axis(at_background, drawn, axis=1).mean(axis=1),
        pairs=pairs,
        asked=n * cost(players, pairs),
    )


def by_enumeration(
    ask: Ask,
    rows: int,
    background: int,
    *,
    players: int,
    told: Callable[[float], None] = lambda _share: None,
    batch: int = 50_000,
) -> np.ndarray:
    """Return (n, P) exact Shapley values over all coalitions and the whole background (Shapley 1953).

    Args:
        ask: The function; asked 2^P M times for each row, in batches.
        rows: n.
        background: M, at least 1.
        players: P, 1 to 12.
        told: Called with the share that is done.
        batch: Most rows in one question.

    Raises:
        InputError: ``stats.shapley`` for no background, and for fewer players than 1 or more than 12.
    """
    if not 1 <= players <= MOST_ENUMERATED or background < 1:
        raise InputError("stats.shapley", f"coalitions of {players} players over {background} rows: 1 to 12, over 1.")
    present = (np.arange(1 << players)[:, None] >> np.arange(players)) & 1 > 0
    size = present.sum(axis=1)
    worth = np.empty((rows, len(present)))
    step = max(1, min(batch, _CELLS // players) // background)
    flat = worth.reshape(-1)
    for start in range(0, flat.size, step):
        part = np.arange(start, min(start + step, flat.size))
        who, which = np.divmod(part, len(present))
        answers = ask(
            np.repeat(present[which], background, axis=0),
            np.repeat(who, background),
            np.tile(np.arange(background), len(part)),
        )
        flat[part] = answers.reshape(len(part), background).mean(axis=1)
        told((start + len(part)) / flat.size)
    # a coalition of s players weighs (s - 1)! (P - s)! / P! for who is in it, and - s! (P - s - 1)! / P! for who is not
    inside = 1.0 / (np.maximum(size, 1) * comb(players, size))
    outside = 1.0 / (np.maximum(players - size, 1) * comb(players, size))
    return np.asarray(worth @ np.where(present, inside[:, None], -outside[:, None]))


def _draw(n: int, background: int, pairs: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n, pairs) background rows; each occurs equally often, give or take one."""
    rounds = -(-pairs // background)
    order = np.tile(np.arange(background), (n * rounds, 1))
    return rng.permuted(order, axis=1).reshape(n, rounds * background)[:, :pairs]


def _walks(
    ask: Ask,
    pair: tuple[np.ndarray, np.ndarray],
    ends: tuple[np.ndarray, np.ndarray],
    players: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return (u, P) what one pair of walks credits each player with, from background rows to explained ones."""
    (who, base), units = pair, len(pair[0])
    rank = np.argsort(rng.random((units, players)), axis=1)
    ranks = np.stack([rank, players - 1 - rank], axis=1)  # (u, 2, P)
    path = np.empty((units, 2, players + 1))
    path[:, :, 0], path[:, :, -1] = ends[0][:, None], ends[1][:, None]
    if players > 1:
        present = ranks[:, :, None, :] < np.arange(1, players)[:, None]  # (u, 2, P - 1, P)
        inner = 2 * (players - 1)
        answers = ask(present.reshape(-1, players), np.repeat(who, inner), np.repeat(base, inner))
        path[:, :, 1:-1] = answers.reshape(units, 2, players - 1)
    made: np.ndarray = np.take_along_axis(np.diff(path, axis=2), ranks, axis=2).mean(axis=1)
    return made


def _evenly(each: np.ndarray, drawn: np.ndarray, background: int) -> np.ndarray:
    """Return (n, P) by what part the errors are smaller since every background row is drawn equally often.

    Whole rounds over the background leave only the variance within background rows; an incomplete round adds that
    between them for its part (proportionate stratification and sampling without replacement; Cochran 1977, 2.6, 5.3).

    Args:
        each: (n, R, P) credits of single pairs.
        drawn: (n, R) background row of each.
        background: M.
    """
    n, pairs, players = each.shape
    rest = pairs % background
    left = rest * (1 - rest / background) / pairs
    if left > _HARDLY or (pairs < 2 * background and n < _ALIKE):
        return np.ones((n, players))
    off = each - each.mean(axis=1, keepdims=True)
    where = (drawn + background * np.arange(n)[:, None]).ravel()
    order = np.argsort(where, kind="stable")
    starts = np.flatnonzero(np.diff(where[order], prepend=-1))
    counts = np.diff(np.append(starts, len(where)))
    flat = off.reshape(-1, players)[order]
    sums = np.add.reduceat(flat, starts)
    own = (off**2).sum(axis=1) / (pairs - 1)
    if pairs >= 2 * background:
        inner = flat - np.repeat(sums / counts[:, None], counts, axis=0)
        within = (inner**2).reshape(n, pairs, players).sum(axis=1) / (pairs - background)
    else:
        within = _unlike(off, (where[order][starts], sums, counts), order, background)
    part = np.clip(np.divide(within, own, out=np.ones_like(own), where=own > 0), 0.0, 1.0)
    return np.asarray(np.sqrt(part + left * (1 - part)))


def _unlike(
    off: np.ndarray, groups: tuple[np.ndarray, np.ndarray, np.ndarray], order: np.ndarray, background: int
) -> np.ndarray:
    """Return (n, P) the variance that is not told by what the same background rows do to the other explained rows.

    Each row's credits are regressed on the mean of the others' at the same background row. What that leaves out of the
    variance between background rows counts as within: too large rather than too small.

    Args:
        off: (n, R, P) credits less their mean.
        groups: Place of each pair of explained and background row, its sum of ``off`` (G, P), and how many pairs (G,).
        order: (n R,) pairs sorted by group.
        background: M.
    """
    n, pairs, players = off.shape
    place, sums, counts = groups
    base = place % background
    total = np.zeros((background, players))
    np.add.at(total, base, sums)
    many = np.bincount(base, weights=counts, minlength=background)[base] - counts
    others = np.divide(total[base] - sums, many[:, None], out=np.zeros_like(sums), where=many[:, None] > 0)
    told = np.empty((n * pairs, players))
    told[order] = np.repeat(others, counts, axis=0)
    told = told.reshape(n, pairs, players)
    told -= told.mean(axis=1, keepdims=True)
    size, both = (told**2).sum(axis=1), (told * off).sum(axis=1)
    known = np.divide(both**2, size, out=np.zeros_like(size), where=size > 0)
    return np.asarray(((off**2).sum(axis=1) - known) / (pairs - 2))


def errors(each: np.ndarray) -> np.ndarray:
    """Return (n, P) standard errors of the means over pairs, each row's variance drawn towards that of all rows.

    A cell that is rare in the background may be in none of one row's pairs; its own variance is then 0, and the bar
    would be too narrow. Variances are shrunk by their sampling noise against their spread between rows (the moment
    form of Smyth 2004, with fourth moments in place of normality).

    Args:
        each: (n, R, P) credits of single pairs, R at least 2.
    """
    n, pairs, _ = each.shape
    off = each - each.mean(axis=1, keepdims=True)
    own = (off**2).sum(axis=1) / (pairs - 1)
    if n < 3 or pairs < 4:
        return np.asarray(np.sqrt(own / pairs))
    pooled = own.mean(axis=0)
    noise = (off**4).mean(axis=(0, 1)) / pairs - (own**2).mean(axis=0) * (pairs - 3) / (pairs * (pairs - 1))
    noise = np.maximum(noise, 0.0)
    between = np.maximum(own.var(axis=0, ddof=1) - noise, 0.0)
    total = between + noise
    weight = np.divide(between, total, out=np.ones_like(total), where=total > 0)
    return np.asarray(np.sqrt((weight * own + (1 - weight) * pooled) / pairs))
