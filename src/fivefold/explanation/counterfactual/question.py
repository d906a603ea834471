"""Question: what a maker of counterfactuals is told, and what it gives; ours, and the seam for another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from fivefold.contract.subject import Table
    from fivefold.explanation.counterfactual.wanted import Wanted
    from fivefold.subject.possible.domain import Domain

KEY = "counterfactuals"
"""Under this name in ``Context.uses`` a maker other than ours may be handed in."""

Model = Callable[["Table"], tuple["np.ndarray", "np.ndarray"]]
"""m rows to (m,) answers and (m, K) scores; K = 0: labels only."""


@dataclass
class Purse:
    """What may still be asked.

    Attributes:
        rows: Rows in all.
        calls: Calls in all; None: as many as wanted.
        batch: Most rows in one call.
        asked: Rows that were asked.
    """

    rows: int
    calls: int | None = None
    batch: int = 50_000
    asked: int = 0

    def can(self, rows: int) -> bool:
        """Whether ``rows`` may be asked."""
        return rows <= self.rows and (self.calls is None or -(-rows // self.batch) <= self.calls)

    def pay(self, rows: int) -> None:
        """Take note of a question."""
        self.rows, self.asked = self.rows - rows, self.asked + rows
        if self.calls is not None:
            self.calls -= -(-rows // self.batch)

    def spend(self, part: Purse) -> None:
        """Take note of what was asked from a purse that was filled from this one."""
        self.rows, self.asked, self.calls = self.rows - part.asked, self.asked + part.asked, part.calls


@dataclass(frozen=True)
class Question:
    """What a maker of counterfactuals is told.

    Attributes:
        model: The model; whoever asks it pays the purse.
        rows: n rows to explain.
        wanted: What each should be answered.
        domain: Possible rows, what may be changed, and what that costs.
        known: M rows of the data.
        answers: (M,) the model's answers to them.
        leads: (n,) by how much each row's answer leads towards a wanted one; NaN: labels only.
        several: Most counterfactuals of one row.
        purse: What may be asked.
        told: Called with the share that is done.
    """

    model: Model
    rows: Table
    wanted: Wanted
    domain: Domain
    known: Table
    answers: np.ndarray
    leads: np.ndarray
    several: int
    purse: Purse
    told: Callable[[float], None] = lambda _share: None


@dataclass(frozen=True)
class Given:
    """Counterfactuals.

    Attributes:
        rows: m changed rows, cheapest of each explained row first.
        origin: (m,) the row of the question that each explains.
    """

    rows: Table
    origin: np.ndarray


class Maker(Protocol):
    """Makes counterfactuals."""

    def __call__(self, question: Question, rng: np.random.Generator, /) -> Given:
        """Return at most ``several`` changed rows for each explained one."""
        ...
