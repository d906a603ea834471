"""Vectors: the numbers of rows that may move, in units of the attack, and a model asked about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from fivefold.protection.evasion.engine.trial import Field, Norm

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.subject import Loss
    from fivefold.protection.evasion.hunt import Hunt
    from fivefold.protection.evasion.pgd import Slopes

    Scores = Callable[[np.ndarray, np.ndarray], np.ndarray]
    """Vectors of the space (m, d) and attacked row of each (m,), to (m, K) scores."""


@dataclass(frozen=True)
class Vectors:
    """The moving numbers of the rows of a hunt.

    Attributes:
        hunt: Rows, ranges and reach.
        columns: (c,) features that move.
        base: (c,) lowest value of each.
        scale: (c,) width that counts as 1: the range divided by the cost.
    """

    hunt: Hunt
    columns: np.ndarray
    base: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, hunt: Hunt) -> Vectors:
        """Return the numbers of a hunt that may move."""
        space = hunt.space
        columns = np.flatnonzero(space.moves & (space.unit > 0))
        return cls(hunt, columns, space.low[columns], space.unit[columns] / space.cost[columns])

    def field(self, norm: str) -> Field:
        """Return where the rows may move; missing cells stay."""
        space = self.hunt.space
        start = (self.hunt.start[:, self.columns] - self.base) / self.scale
        missing = np.isnan(start)
        start = np.where(missing, 0.0, start).astype(np.float32)
        low = np.zeros((1, len(self.columns)), dtype=np.float32)
        high = ((space.high[self.columns] - self.base) / self.scale)[None].astype(np.float32)
        if missing.any() or (start < low).any() or (start > high).any():
            low, high = np.minimum(start, low), np.maximum(start, high)
            low, high = np.where(missing, start, low), np.where(missing, start, high)
        step = (space.step[self.columns] / self.scale).astype(np.float32)
        picture = len(self.columns) == int(np.prod(space.shape or (0,)))
        return Field(
            start, low, high, cast("Norm", norm), self.hunt.limit.epsilon, step if step.any() else None,
            space.shape if picture else (),
        )  # fmt: skip

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return vectors of the space (m, d) in units of the attack, (m, c) float32."""
        return np.asarray(np.nan_to_num((values[:, self.columns] - self.base) / self.scale), dtype=np.float32)

    def decode(self, values: np.ndarray, rows: np.ndarray, norm: str, *, inside: bool = False) -> np.ndarray:
        """Return possible vectors of the space, (m, d), of (m, c) in units of the attack.

        Args:
            values: (m, c).
            rows: (m,) the row that each was made of.
            norm: ``linf`` goes to the nearest whole step, the others towards the unchanged row.
            inside: Cut to the ball of each row in double precision, else to the ranges only.
        """
        hunt, start = self.hunt, self.hunt.start[rows]
        found = start.copy()
        kept = hunt.space.moves & ~np.isnan(start)
        found[:, self.columns] = self.base + values.astype(np.float64) * self.scale
        found = np.where(kept, found, start)
        rounding = np.round if norm == "linf" else np.trunc
        found = hunt.space.whole(start, found, rounding)
        with np.errstate(invalid="ignore"):
            low, high = np.minimum(start, hunt.space.low), np.maximum(start, hunt.space.high)
        if inside:
            low, high = hunt.low[rows], hunt.high[rows]
        return np.asarray(np.where(kept, np.clip(found, low, high), start))


class Asked:
    """A model as the engine asks it; see :class:`fivefold.protection.evasion.engine.trial.Victim`."""

    def __init__(
        self, vectors: Vectors, norm: str, classes: int, *, slopes: Slopes | None = None, scores: Scores | None = None
    ) -> None:
        """Wrap what answers: the hunt's oracle, and gradients and scores where there are any."""
        self.vectors, self.norm, self._classes = vectors, norm, classes
        self._slopes, self._scores = slopes, scores

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self._classes

    def can(self, rows: int) -> bool:
        """Whether so many rows may still be asked."""
        return self.vectors.hunt.oracle.can(rows)

    def labels(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return (m,) classes."""
        hunt = self.vectors.hunt
        return hunt.oracle(self.vectors.decode(values, rows, self.norm), hunt.origin[rows])

    def scores(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return (m, K) scores; without any, those of the labels alone."""
        hunt = self.vectors.hunt
        if self._scores is None:
            return np.eye(self._classes)[self.labels(values, rows).astype(np.int64)]
        hunt.oracle.charge(len(values))
        return self._scores(self.vectors.decode(values, rows, self.norm), hunt.origin[rows])

    def slopes(
        self, values: np.ndarray, rows: np.ndarray, target: np.ndarray, loss: Loss
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (m,) losses and (m, c) gradients in units of the attack."""
        if self._slopes is None:
            return np.zeros(len(values)), np.zeros(values.shape, dtype=np.float32)
        hunt = self.vectors.hunt
        losses, found = self._slopes(self.vectors.decode(values, rows, self.norm), hunt.origin[rows], target, loss)
        made = (found[:, self.vectors.columns] * self.vectors.scale).astype(np.float32)
        missing = np.isnan(hunt.start[rows][:, self.vectors.columns])
        made[missing] = 0
        return losses, made
