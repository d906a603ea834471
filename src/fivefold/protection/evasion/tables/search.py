"""Search: rows under attack in a domain, the cheapest change found for each so far, and what was asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.subject import Table
    from fivefold.protection.evasion.hunt import Goal
    from fivefold.subject.possible.domain import Domain

    Answer = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
    """(m, d) rows and (m,) their origins to (m,) answers and (m, K) scores (K = 0: labels only)."""


@dataclass(frozen=True)
class Purse:
    """What the attacker is given.

    Attributes:
        budget: Most that the changes of one row may cost.
        queries: Most questions for each row.
        can: Whether so many questions may still be asked over all rows.
    """

    budget: float
    queries: int
    can: Callable[[int], bool] = lambda _: True


class Search:
    """Rows under attack.

    Attributes:
        domain: Possible rows.
        start: (n, d) unchanged rows.
        origin: (n,) their positions in ``like``.
        goal: When an answer is another one.
        purse: What the attacker is given.
        found: (n, d) the cheapest change that meets the goal; the unchanged row where there is none.
        price: (n,) what it costs; infinity where there is none.
        near: (n, d) the change within budget that came nearest to the goal, by scores.
        lead: (n,) by how much the answer still leads there; infinity: unknown.
        base: (n,) by how much the answer to the unchanged row leads; NaN: unknown.
        spent: (n,) questions asked.
        limit: (n,) most questions.
        at: (n,) question at which a row first fell within its budget; 0: it stands.
        taught: Rows that were asked and what was said, for surrogates.
    """

    def __init__(
        self, domain: Domain, answer: Answer, start: np.ndarray, origin: np.ndarray,
        *, like: Table, goal: Goal, scores: np.ndarray, purse: Purse,
    ) -> None:  # fmt: skip
        """Lay out the attack; nothing is asked.

        Args:
            domain: See the attributes.
            answer: The model.
            start: See the attributes.
            origin: See the attributes.
            like: The rows that ``origin`` counts in.
            goal: See the attributes.
            scores: (n, K) of the unchanged rows; K = 0: labels only.
            purse: See the attributes.
        """
        self.domain, self._answer, self.start, self.origin = domain, answer, start, origin
        self.like, self.goal, self.purse = like, goal, purse
        n = len(start)
        self.found, self.price = start.copy(), np.full(n, np.inf)
        self.base = self._leads(np.arange(n), goal.answers, scores)
        self.near, self.lead = start.copy(), np.where(np.isnan(self.base), np.inf, self.base)
        self.spent, self.at = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.limit = np.full(n, purse.queries)
        self.kept = domain.kept(start, origin, like)
        self.low, self.high = domain.reach(start, purse.budget)
        self.taught: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    @property
    def fallen(self) -> np.ndarray:
        """(n,) bool: a change within budget meets the goal."""
        return self.price <= self.purse.budget * (1 + 1e-9)

    def standing(self, price: int = 1) -> np.ndarray:
        """Return positions of rows that have not fallen and may still cost ``price`` questions."""
        return self.able(np.flatnonzero(~self.fallen), price)

    def able(self, rows: np.ndarray, price: int = 1) -> np.ndarray:
        """Return those of ``rows`` that may still cost ``price`` questions."""
        rows = rows[self.spent[rows] + price <= self.limit[rows]]
        return rows if self.purse.can(price * len(rows)) else rows[:0]

    def fit(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return (m, d) ``values`` made possible: whole steps, ranges, directions, missing cells, sums mended."""
        return self.domain.fitted(self.start[rows], values)

    def ask(self, rows: np.ndarray, values: np.ndarray, *, within: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Make changes possible, and ask for those that are: changed, allowed, and cheaper than what was found.

        Args:
            rows: (m,) positions; a row may occur several times.
            values: (m, d) what they become.
            within: Ask only what the budget allows.

        Returns:
            (m,) whether the goal is met by an allowed change, and (m,) by how much the answer leads there (NaN: not
            asked, or labels only).
        """
        met, lead = np.zeros(len(rows), dtype=bool), np.full(len(rows), np.nan)
        made = self.fit(rows, values)
        price = self.domain.cost(self.start[rows], made)
        wanted = (price > 0) & (price < self.price[rows])
        if within:
            wanted &= price <= self.purse.budget * (1 + 1e-9)
        some = np.flatnonzero(wanted)
        if self.domain.rules and len(some):
            some = some[self.domain.possible(made[some], self.origin[rows[some]], self.like, self.kept[rows[some]])]
        if not len(some) or not self.purse.can(len(some)):
            return met, lead
        answers, scores = self._answer(made[some], self.origin[rows[some]])
        np.add.at(self.spent, rows[some], 1)
        self.taught.append((made[some], answers, scores))
        met[some] = self.goal.met(rows[some], answers)
        lead[some] = self._leads(rows[some], answers, scores)
        self._note(rows[some], made[some], price[some], met[some], lead[some])
        return met, lead

    def _leads(self, rows: np.ndarray, answers: np.ndarray, scores: np.ndarray) -> np.ndarray:
        if self.goal.tolerance is not None:
            return np.asarray(self.goal.tolerance - np.abs(answers - self.goal.answers[rows]))
        if not scores.shape[1]:
            return np.full(len(rows), np.nan)
        own = self.goal.answers[rows].astype(np.int64)
        at = np.arange(len(rows))
        others = scores.copy()
        others[at, own] = -np.inf
        return np.asarray(scores[at, own] - others.max(axis=1))

    def _note(self, rows: np.ndarray, values: np.ndarray, price: np.ndarray, met: np.ndarray, lead: np.ndarray) -> None:
        """Keep the cheapest change that meets the goal, and the nearest within budget."""
        order = np.argsort(price, kind="stable")
        hit = order[met[order]]
        hit = hit[np.unique(rows[hit], return_index=True)[1]]
        hit = hit[price[hit] < self.price[rows[hit]]]
        before = self.fallen[rows[hit]]
        self.found[rows[hit]], self.price[rows[hit]] = values[hit], price[hit]
        fresh = rows[hit][~before & self.fallen[rows[hit]]]
        self.at[fresh] = self.spent[fresh]
        inside = (price <= self.purse.budget * (1 + 1e-9)) & np.isfinite(lead)
        order = np.argsort(lead, kind="stable")
        close = order[inside[order]]
        close = close[np.unique(rows[close], return_index=True)[1]]
        close = close[lead[close] < self.lead[rows[close]]]
        self.near[rows[close]], self.lead[rows[close]] = values[close], lead[close]
