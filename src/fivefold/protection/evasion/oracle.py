"""Oracle: the model behind a counter of questions that is never overdrawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.guarded import Guarded
    from fivefold.contract.subject import Subject, Table
    from fivefold.subject.possible.space import Space

_CALL = 50_000
"""Most rows in one question, to bound memory."""

SHARE = 0.5
"""Part of an endpoint's remaining calls that one check may use; other checks need the rest."""


class Oracle:
    """Answers for vectors, counted.

    Attributes:
        asked: Rows asked so far.
        calls: Calls made so far.
        calls_left: Calls that may still be made; None: no limit.
        max_rows: Most rows in one call.
        refuses: It may answer no more later on: what it answered once counts, and is not asked again.
    """

    refuses = False

    def __init__(
        self,
        answer: Callable[[np.ndarray, np.ndarray], np.ndarray],
        calls_left: int | None = None,
        max_rows: int = _CALL,
    ) -> None:
        """Wrap a way of answering.

        Args:
            answer: Vectors (m, d) and the attacked row (m,) that each belongs to, to (m,) classes or values.
            calls_left: Calls that may be made; None: no limit.
            max_rows: Most rows in one call.
        """
        self._answer, self.calls_left, self.asked, self.calls = answer, calls_left, 0, 0
        self.max_rows = max(1, min(max_rows, _CALL))

    def can(self, rows: int) -> bool:
        """Whether so many rows may still be asked."""
        return self.calls_left is None or -(-rows // self.max_rows) <= self.calls_left

    @property
    def affordable(self) -> int | None:
        """Rows that may still be asked if every call is full; None: no limit."""
        return None if self.calls_left is None else self.calls_left * self.max_rows

    def charge(self, rows: int) -> None:
        """Count rows that were asked of the model in another way (gradients)."""
        self.asked += rows
        self.calls += -(-rows // self.max_rows)
        if self.calls_left is not None:
            self.calls_left -= -(-rows // self.max_rows)

    def __call__(self, values: np.ndarray, origin: np.ndarray) -> np.ndarray:
        """Return (m,) classes or values; the caller has made sure that :meth:`can` allows it."""
        self.asked += len(values)
        parts = []
        for at in range(0, len(values), self.max_rows):
            self.calls += 1
            parts.append(self._answer(values[at : at + self.max_rows], origin[at : at + self.max_rows]))
            if self.calls_left is not None:
                self.calls_left -= 1
        return np.concatenate(parts) if parts else np.empty(0)


def of_subject(
    subject: Subject, space: Space, like: Table, calls_left: int | None, guarded: Guarded | None = None
) -> Oracle:
    """Return the model under test as an oracle over a space.

    Behind a guard a row that nobody answers has fallen for nobody: it counts as answered with the truth.

    Args:
        subject: The model.
        space: Turns vectors into rows.
        like: The rows that ``origin`` counts in.
        calls_left: Calls that may be made; None: no limit.
        guarded: The subject behind its guard; None: it is bare.
    """

    def answer(values: np.ndarray, origin: np.ndarray) -> np.ndarray:
        rows = space.decode(values, origin, like)
        if guarded is None:
            return subject.predict(rows)
        found = guarded.decide(rows)
        return np.asarray(np.where(found.answered, found.answers, like.target[origin]))

    made = Oracle(answer, calls_left, subject.capabilities.max_rows)
    made.refuses = guarded is not None
    return made
