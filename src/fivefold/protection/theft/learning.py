"""Learning: what the application's own rows look like, and how often an honest row looks unlike them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv

from fivefold.protection.theft import coding, density, nearness, oddities, wealth

if TYPE_CHECKING:
    from fivefold.protection.theft.coding import Cells, Coding, Rows
    from fivefold.protection.theft.density import Unlike
    from fivefold.protection.theft.nearness import Nearness
    from fivefold.protection.theft.wealth import Bets

FEWEST = 100
"""Fewest rows to learn from."""
TAILS = (0.0, 0.0005, 0.005, 0.03)
"""Shares of the population's rows beyond each threshold: none that was seen, one in 200, three in 100."""
CONFIDENCE = 1e-3
"""Chance that a bound on how often honest rows go beyond a threshold does not hold."""
_FOLDS = 2


@dataclass(frozen=True)
class Profile:
    """What an application's rows look like.

    Attributes:
        coding: Rows to cells.
        unlike: How unlike the population a row is.
        near: When a row is a variant of another.
        cuts: (t,) nats from which on a row is unusual.
        rates: (t,) upper bounds on the share of the population's rows beyond each.
        rows: Rows that the bounds rest on.
    """

    coding: Coding
    unlike: Unlike
    near: Nearness
    cuts: np.ndarray
    rates: np.ndarray
    rows: int

    def unlikely(self, cells: Cells) -> np.ndarray:
        """Return (n,) nats."""
        return self.unlike.score(cells.codes)

    def bets(self, weight: float) -> Bets:
        """Return the bets against callers whose rows are at most so many times as likely as in the population."""
        found = self._bets.get(weight)
        if found is None:
            found = self._bets[weight] = wealth.bets(self.cuts, np.minimum(weight * self.rates, 1.0))
        return found

    @cached_property
    def _bets(self) -> dict[float, Bets]:
        return {}

    def masses(self, places: np.ndarray, marks: np.ndarray) -> np.ndarray:
        """Return (m,) upper bounds on the share of the population that are variants of each row."""
        return upper(self.near.variants(places, marks), len(self.near.known))


def upper(hits: np.ndarray, n: int) -> np.ndarray:
    """Return upper bounds of shares (Clopper and Pearson 1934), each wrong with :data:`CONFIDENCE`."""
    return np.asarray(np.where(hits >= n, 1.0, betaincinv(hits + 1, np.maximum(n - hits, 1), 1 - CONFIDENCE)))


def learn(rows: Rows, rng: np.random.Generator) -> Profile:
    """Learn a profile: on one half what rows look like, on the other how often they do not.

    Args:
        rows: n of the population, in any order.
        rng: Draws the halves.

    Raises:
        ValueError: Fewer than :data:`FEWEST` rows.
    """
    n = len(rows)
    if n < FEWEST:
        raise ValueError(f"{n} rows are too few to learn from; {FEWEST} are needed.")
    order = rng.permutation(n)
    mine, other = order[: n // 2], order[n // 2 :]
    known = coding.learn(_taken(rows, mine))
    learnt, held = known.cells(_taken(rows, mine)), known.cells(_taken(rows, other))
    third = len(mine) // 3
    made, alone = density.tables(learnt.codes[third:], coding.widths(known))
    real = [learnt.codes[:third]]
    source = _taken(rows, mine[:third])
    odd = np.concatenate([known.cells(oddities.made(source, rng)).codes for _ in range(3)])
    unlike = density.weigh(made, alone, np.concatenate(real), odd)
    near = nearness.learn(coding.concatenated([learnt, held]), alone, coding.is_number(known), rng)
    found = np.sort(unlike.score(held.codes))
    cuts, rates = _tails(found)
    return Profile(known, unlike, near, cuts, rates, len(found))


def _tails(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = len(found)
    beyond = np.floor(np.array(TAILS) * n).astype(np.int64)
    cuts = found[n - 1 - beyond]
    rates = upper((found[:, None] > cuts).sum(axis=0), n)
    cuts = cuts + 1e-9 * np.maximum(np.abs(cuts), 1.0)  # sums in another order are not beyond
    usual = found[int(0.8 * n)]
    width = max(cuts[0] - usual, 1e-9)
    far = np.array([0.5, 1.0, 2.0])
    return np.concatenate([cuts, cuts[0] + far * width]), np.concatenate(
        [rates, np.maximum(rates[0] * (rates[0] / 0.2) ** far, 1e-3)]
    )


def _taken(rows: Rows, where: np.ndarray) -> Rows:
    return rows[where] if isinstance(rows, np.ndarray) else rows.iloc[where]
