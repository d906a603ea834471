"""Audit: counterfactuals asked for afresh, and looked at by a validator that shares no code with their maker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson
from fivefold.subject.possible.faults import faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fivefold.contract.outcome import Outcome
    from fivefold.contract.subject import Table
    from fivefold.explanation.counterfactual.question import Given, Question

_UNASKABLE = ("columns", "type")


@dataclass(frozen=True)
class Terms:
    """What every counterfactual has to obey.

    Attributes:
        seen: Reads the data sets one after the other.
        declared: Feature name to what the manifest declares.
        groups: Names of columns that change together.
    """

    seen: Callable[[], Iterable[Table]]
    declared: Mapping[str, Mapping[str, object]]
    groups: Sequence[Sequence[str]] = ()


@dataclass(frozen=True)
class Audit:
    """What became of m counterfactuals of n rows.

    Attributes:
        origin: (m,) explained rows.
        held: (m,) bool: asked afresh, the row is answered otherwise than wanted and the counterfactual as wanted.
        wrong: What is not obeyed, in words, to (m,) bool.
        changed: (m, items) bool.
        cost: (m,).
        rows: n.
    """

    origin: np.ndarray
    held: np.ndarray
    wrong: dict[str, np.ndarray]
    changed: np.ndarray
    cost: np.ndarray
    rows: int

    @property
    def obeys(self) -> np.ndarray:
        """(m,) bool, nothing is wrong."""
        return np.asarray(~np.any([np.zeros(len(self.origin), dtype=bool), *self.wrong.values()], axis=0))

    def share(self, good: np.ndarray) -> tuple[int, int]:
        """Return of how many rows all counterfactuals are good, and how many rows have any."""
        rows = np.unique(self.origin)
        return len(rows) - len(np.unique(self.origin[~good])), len(rows)

    @property
    def first(self) -> np.ndarray:
        """Positions of the first counterfactual of each row that has any."""
        return np.unique(self.origin, return_index=True)[1]


def audit(
    question: Question, given: Given, answer: Callable[[Table], np.ndarray], terms: Terms, rng: np.random.Generator
) -> Audit:
    """Ask for rows and counterfactuals in an order of their own, and hold them against everything that is declared.

    Args:
        question: What the maker was told.
        given: What it gave.
        answer: The model as it is deployed: rows to (m,) answers.
        terms: What is to be obeyed.
        rng: Draws the order.
    """
    domain, n = question.domain, len(question.rows)
    before = question.rows.features.iloc[given.origin].reset_index(drop=True)
    after = given.rows.features.reset_index(drop=True)
    rules = domain.rules if list(after.dtypes) == list(before.dtypes) else ()  # another type is told as one
    wrong = faults(before, after, terms.seen(), terms.declared, rules=rules, groups=terms.groups)
    count = np.bincount(given.origin, minlength=n)
    wrong["too many"] = count[given.origin] > question.several
    askable = ~np.any([wrong.get(what, np.zeros(len(before), dtype=bool)) for what in _UNASKABLE], axis=0)
    some = rng.permutation(np.flatnonzero(askable))
    held = np.zeros(len(before), dtype=bool)
    if len(some):
        now = np.unique(given.origin[some])
        still = np.zeros(n, dtype=bool)
        still[now] = ~question.wanted.met(now, answer(question.rows.take(now)))
        told = answer(given.rows.take(some))
        held[some] = question.wanted.met(given.origin[some], told) & still[given.origin[some]]
    prices = np.zeros((len(before), domain.items))
    if askable.any():
        rows = given.origin[askable]
        prices[askable] = domain.prices(
            domain.space.encode(question.rows)[rows], domain.space.encode(given.rows.take(np.flatnonzero(askable)))
        )
    return Audit(given.origin, held, wrong, prices > 0, prices.sum(axis=1), n)


def bounds(hits: int, n: int, floor: float) -> tuple[float, float, Outcome]:
    """Return one-sided 95 % bounds of a share of rows, and what they say of its floor."""
    low, high = (float(one) for one in clopper_pearson(hits, n))
    return low, high, judge(low, high, floor, "min")
