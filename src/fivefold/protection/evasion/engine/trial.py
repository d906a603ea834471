"""Trial: rows under attack as vectors, the ball that they may move in, and what has been asked and found so far.

Vectors are in units of the attack: a feature's whole range is 1 (times its declared cost), so that one figure bounds
all features and the three norms mean the same for pictures and tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from fivefold.contract.subject import Loss

Norm = Literal["linf", "l2", "l1"]


class Victim(Protocol):
    """The model, asked about vectors; it counts nothing, :class:`Trial` does."""

    @property
    def classes(self) -> int:
        """Number of classes."""
        ...

    def can(self, rows: int) -> bool:
        """Whether so many rows may still be asked."""
        ...

    def labels(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return (m,) classes of vectors (m, d) that stand for the attacked rows (m,)."""
        ...

    def scores(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return (m, K) scores, larger for likelier classes (logits or logarithms of probabilities)."""
        ...

    def slopes(
        self, values: np.ndarray, rows: np.ndarray, target: np.ndarray, loss: Loss
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (m,) losses and (m, d) gradients; see :meth:`fivefold.contract.subject.Subject.gradient`."""
        ...


@dataclass(frozen=True)
class Field:
    """Where rows may move.

    Attributes:
        start: (n, d) float32, unchanged rows.
        low: (n, d) or (1, d) float32, smallest possible values.
        high: (n, d) or (1, d), largest.
        norm: Of the change.
        epsilon: Largest change.
        step: (d,) smallest change of each number, 0: any; None: any of all.
        shape: (C, H, W) of a picture; empty: the order of features means nothing.
    """

    start: np.ndarray
    low: np.ndarray
    high: np.ndarray
    norm: Norm
    epsilon: float
    step: np.ndarray | None = None
    shape: tuple[int, ...] = ()

    def box(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return lowest and highest possible values of rows (m,), (m, d) or (1, d) each."""
        return (self.low if len(self.low) == 1 else self.low[rows]), (
            self.high if len(self.high) == 1 else self.high[rows]
        )

    def whole(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the possible vectors next to (m, d) ones: on whole steps, towards the unchanged row."""
        if self.step is None:
            return values
        start, safe = self.start[rows], np.where(self.step > 0, self.step, 1.0).astype(np.float32)
        moved = start + np.trunc((values - start) / safe + np.copysign(1e-4, values - start)) * safe
        if self.norm == "linf":  # the nearest step is as possible as the nearer one, where the ball ends on a step
            reach = np.floor(self.epsilon / safe + 1e-4) * safe
            moved = start + np.clip(np.round((values - start) / safe) * safe, -reach, reach)
        low, high = self.box(rows)
        return np.asarray(np.where(self.step > 0, np.clip(moved, low, high), values), dtype=np.float32)


class Trial:
    """Rows under attack.

    Attributes:
        field: Where they may move.
        victim: The model.
        own: (n,) classes to be moved away from.
        repeats: A row has fallen if more than half of so many answers say so (randomised models); 1: one answer.
        copies: Gradients are means over so many questions (expectation over transformation); 1: one.
        fallen: (n,) bool.
        found: (n, d) what fell, else the unchanged row.
        by: (n,) place in ``attacks`` of the attack that felled a row; -1: none.
        attacks: Names of the attacks so far.
        answers: (n,) answers asked for each row.
        gradients: (n,) gradients asked for each row.
        calls: Calls of the model.
    """

    def __init__(self, field: Field, victim: Victim, own: np.ndarray, *, repeats: int = 1, copies: int = 1) -> None:
        """Begin."""
        n = len(own)
        self.field, self.victim, self.own, self.repeats, self.copies = field, victim, own, repeats, copies
        self.fallen, self.found = np.zeros(n, dtype=bool), field.start.copy()
        self.by, self.attacks = np.full(n, -1), list[str]()
        self.answers, self.gradients = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.calls = 0

    def begin(self, name: str) -> np.ndarray:
        """Note the name of an attack; return positions of the rows that stand."""
        self.attacks.append(name)
        return self.standing()

    def standing(self) -> np.ndarray:
        """Return positions of the rows that stand."""
        return np.flatnonzero(~self.fallen)

    def slopes(
        self, rows: np.ndarray, values: np.ndarray, target: np.ndarray, loss: Loss
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (m,) losses and (m, d) gradients at the possible vectors next to (m, d) ones."""
        asked = self.field.whole(values, rows)
        losses, found = np.zeros(len(rows)), np.zeros(values.shape, dtype=np.float32)
        for _ in range(self.copies):
            one, slope = self.victim.slopes(asked, rows, target, loss)
            losses, found = losses + one, found + slope if self.copies > 1 else slope
            self.calls += 1
        np.add.at(self.gradients, rows, self.copies)
        return losses / self.copies, np.nan_to_num(found / self.copies if self.copies > 1 else found, copy=False)

    def margins(self, rows: np.ndarray, values: np.ndarray, *, fells: bool = True) -> np.ndarray:
        """Return (m,) largest other score minus the own one's; rows where it is above 0 fall, if ``fells``."""
        asked = self.field.whole(values, rows)
        total = np.zeros(len(rows))
        for _ in range(self.copies):
            total += margin(self.victim.scores(asked, rows), self.own[rows])
            self.calls += 1
        np.add.at(self.answers, rows, self.copies)
        total /= self.copies
        hit = np.flatnonzero(total > 0)
        if fells and len(hit):
            if self.repeats > 1:
                self.ask(rows[hit], values[hit])
            else:
                self._fell(rows[hit], asked[hit])
        return total

    def ask(self, rows: np.ndarray, values: np.ndarray, *, fells: bool = True) -> np.ndarray:
        """Return (m,) whether the answer is another one at the possible vectors next to (m, d) ones.

        Args:
            rows: (m,) positions.
            values: (m, d).
            fells: They are within reach: rows whose answer changes fall.
        """
        if not len(rows):
            return np.zeros(0, dtype=bool)
        asked = self.field.whole(values, rows)
        many = np.zeros(len(rows))
        for _ in range(self.repeats):
            many += self.victim.labels(asked, rows) != self.own[rows]
            self.calls += 1
        np.add.at(self.answers, rows, self.repeats)
        met = many > self.repeats / 2
        if fells:
            self._fell(rows[met], asked[met])
        return np.asarray(met)

    def note(self, rows: np.ndarray, values: np.ndarray, within: np.ndarray) -> None:
        """Record possible vectors whose answer was seen to change; those ``within`` (m,) reach fell their row."""
        self._fell(rows[within], values[within])

    def _fell(self, rows: np.ndarray, values: np.ndarray) -> None:
        fresh = ~self.fallen[rows]
        self.fallen[rows[fresh]] = True
        self.found[rows[fresh]] = values[fresh]
        self.by[rows[fresh]] = len(self.attacks) - 1


def margin(scores: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return (m,) largest other score minus that of the own class."""
    here = np.arange(len(scores))
    mine = scores[here, own]
    others = scores.copy()
    others[here, own] = -np.inf
    return np.asarray(others.max(axis=1) - mine)
