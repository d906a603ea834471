"""Hunt: the rows under attack, what each may become, and what has been asked for each so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.protection.evasion.oracle import Oracle
    from fivefold.subject.possible.space import Space


@dataclass(frozen=True)
class Goal:
    """When a row has fallen.

    Attributes:
        answers: (n,) what the model says of the unchanged rows.
        tolerance: Regression: the answer must move by more; None: another class.
    """

    answers: np.ndarray
    tolerance: float | None = None

    def met(self, rows: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Return (m,) bool for answers to changed copies of ``rows``."""
        if self.tolerance is None:
            return np.asarray(answers != self.answers[rows])
        return np.asarray(np.abs(answers - self.answers[rows]) > self.tolerance)


@dataclass(frozen=True)
class Limit:
    """What the attacker is given.

    Attributes:
        epsilon: Reach of each number as a share of its range.
        swaps: Categories that he may swap in a row (a feature's cost counts as so many swaps).
        queries: Most questions per attacked row.
    """

    epsilon: float
    swaps: float
    queries: int


class Hunt:
    """Rows under attack.

    Attributes:
        space: Possible rows.
        oracle: The model.
        start: (n, d) unchanged rows.
        origin: (n,) their positions in the table that the oracle decodes with.
        low: (n, d) lowest allowed values.
        high: (n, d) highest.
        goal: When a row has fallen.
        limit: What the attacker is given.
        spent: (n,) questions asked for each row.
        fallen: (n,) bool.
        found: (n, d) the changed row that fell, else the unchanged one.
    """

    def __init__(
        self, space: Space, oracle: Oracle, start: np.ndarray, origin: np.ndarray, *, goal: Goal, limit: Limit
    ) -> None:
        """Lay out the allowed values of each row."""
        self.space, self.oracle, self.start, self.origin = space, oracle, start, origin
        self.goal, self.limit = goal, limit
        self.low, self.high = space.ball(start, limit.epsilon)
        self.spent = np.zeros(len(start), dtype=np.int64)
        self.fallen = np.zeros(len(start), dtype=bool)
        self.found = start.copy()

    def standing(self, price: int = 1) -> np.ndarray:
        """Return positions of rows that have not fallen and may still cost ``price`` questions."""
        rows = np.flatnonzero(~self.fallen & (self.spent + price <= self.limit.queries))
        return rows if self.oracle.can(price * len(rows)) else rows[:0]

    def ask(self, rows: np.ndarray, values: np.ndarray, *, inside: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Ask for changed copies.

        Args:
            rows: (m,) positions; a row may occur several times.
            values: (m, d) what they become.
            inside: The copies are allowed ones: one that meets the goal fells its row.

        Returns:
            (m,) whether the goal is met, and (m,) the answers.
        """
        answers = self.oracle(values, self.origin[rows])
        np.add.at(self.spent, rows, 1)
        met = self.goal.met(rows, answers)
        if inside:
            self.fell(rows[met], values[met])
        return met, answers

    def fell(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Record rows (m,) and what they became (m, d); the first copy of a row counts."""
        hit, first = np.unique(rows, return_index=True)
        self.fallen[hit], self.found[hit] = True, values[first]


def is_allowed(hunt: Hunt) -> np.ndarray:
    """Return (n,) bool: whether each found row keeps ranges, steps, fixed and missing cells and the number of swaps."""
    space, found, start = hunt.space, hunt.found, hunt.start
    swapped = space.swaps & (np.nan_to_num(found, nan=-1.0) != np.nan_to_num(start, nan=-1.0))
    kept = (np.isnan(found) == np.isnan(start)).all(axis=1)
    with np.errstate(invalid="ignore"):
        inside = (((found >= hunt.low - 1e-9) & (found <= hunt.high + 1e-9)) | np.isnan(start) | space.swaps).all(
            axis=1
        )
    paid = (swapped * space.cost).sum(axis=1) <= hunt.limit.swaps + 1e-9
    return np.asarray(kept & inside & paid)
