"""Search: changes of many rows at once, made possible, asked for, and kept where the answer is as wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.explanation.counterfactual.question import Question

HAIR = 1e-9


@dataclass(frozen=True)
class Tries:
    """Changes that were asked for.

    Attributes:
        rows: (m,) the explained row of each.
        values: (m, d) encoded, as asked.
        met: (m,) bool, answered as wanted; False where it was not asked.
        lead: (m,) towards the wanted answer; NaN: unknown.
    """

    rows: np.ndarray
    values: np.ndarray
    met: np.ndarray
    lead: np.ndarray

    def hits(self) -> Tries:
        """Return those that were answered as wanted."""
        return self.take(np.flatnonzero(self.met))

    def take(self, some: np.ndarray) -> Tries:
        """Return some of them."""
        return Tries(self.rows[some], self.values[some], self.met[some], self.lead[some])


def joined(parts: list[Tries]) -> Tries:
    """Return tries one after the other."""
    return Tries(
        np.concatenate([one.rows for one in parts]),
        np.concatenate([one.values for one in parts]),
        np.concatenate([one.met for one in parts]),
        np.concatenate([one.lead for one in parts]),
    )


class Search:
    """The rows of a question and their possible changes.

    Attributes:
        domain: Possible rows.
        start: (n, d) unchanged rows.
        item: (d,) the item that each column belongs to, as :meth:`Domain.prices` counts them; -1: it is fixed.
    """

    def __init__(self, question: Question) -> None:
        """Encode the rows; nothing is asked."""
        self._question = question
        self.domain, self.purse, self.wanted = question.domain, question.purse, question.wanted
        self.start = self.domain.space.encode(question.rows)
        self._kept = self.domain.kept(self.start, np.arange(len(self.start)), question.rows)
        self.item = np.full(self.start.shape[1], -1)
        for at in range(self.domain.items):
            self.item[self.domain.columns_of(at)] = at

    def prices(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return (m, items) what each item of a change costs."""
        return self.domain.prices(self.start[rows], values)

    def effort(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return (m,) what ranks changes: their cost, and 1 for each item that is changed."""
        prices = self.prices(rows, values)
        return np.asarray(prices.sum(axis=1) + (prices > 0).sum(axis=1))

    def changed(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return (m, d) bool, cells that differ from the unchanged row's."""
        start = self.start[rows]
        return np.asarray((values != start) & ~(np.isnan(values) & np.isnan(start)))

    def nothing(self) -> Tries:
        """Return no tries."""
        empty = np.empty(0, dtype=np.int64)
        return Tries(empty, self.start[empty], np.empty(0, dtype=bool), np.empty(0))

    def with_items(self, rows: np.ndarray, values: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return (m, d) ``values`` with all but some items as they were; ``items`` is (m, items) bool."""
        padded = np.concatenate([items, np.zeros((len(items), 1), dtype=bool)], axis=1)
        return np.where(padded[:, self.item], values, self.start[rows])

    def ask(self, rows: np.ndarray, values: np.ndarray) -> Tries:
        """Make changes possible, and ask for those that are possible and change anything, as far as the purse goes."""
        made = self.domain.fitted(self.start[rows], values)
        met, lead = np.zeros(len(rows), dtype=bool), np.full(len(rows), np.nan)
        some = np.flatnonzero(self.prices(rows, made).sum(axis=1) > 0)
        if self.domain.rules and len(some):
            kept = self._kept[rows[some]]
            some = some[self.domain.possible(made[some], rows[some], self._question.rows, kept)]
        if len(some) and self.purse.can(len(some)):
            self.purse.pay(len(some))
            table = self.domain.space.decode(made[some], rows[some], self._question.rows)
            answers, scores = self._question.model(table)
            met[some] = self.wanted.met(rows[some], answers)
            lead[some] = self.wanted.lead(rows[some], scores)
        return Tries(rows, made, met, lead)
