"""Bench: a network whose weights are changed, the rows that it answers rightly, and draws of faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.subject.altered import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.subject import Table
    from fivefold.subject.altered import Alterable

EXPONENT = {16: (10, 15), 32: (23, 31), 64: (52, 63)}
"""Bits of a weight to its first exponent bit and its sign bit (IEEE 754); lower ones are the mantissa."""

KINDS = ("sign", "exponent", "mantissa")
_CLASS = 5
_NEAR = 3


@dataclass(frozen=True)
class Bench:
    """What is counted.

    Attributes:
        model: The network.
        table: n rows that it answers rightly as it is.
        right: Tells (n,) answers that are right.
        groups: (n,) classes, 0 for all rows of a regression.
        counts: (t,) weights of each stored tensor.
        bits: (t,) bits of each of its weights.
    """

    model: Alterable
    table: Table
    right: Callable[[np.ndarray], np.ndarray]
    groups: np.ndarray
    counts: np.ndarray
    bits: np.ndarray

    @property
    def weights(self) -> int:
        """How many weights are stored."""
        return int(self.counts.sum())

    def kept(self, change: Change) -> np.ndarray:
        """Return (n,) bool, which rows stay right."""
        if change.how == "flips" and not len(change.places):
            return np.ones(len(self.table), dtype=bool)
        self.model.alter(change)
        said, usable = self.model.tried(self.table)
        return np.asarray(self.right(said) & usable)

    def share(self, kept: np.ndarray) -> float:
        """Return the share of (n,) kept rows, each class of five rows and more alike."""
        found, back = np.unique(self.groups, return_inverse=True)
        rows = np.bincount(back, minlength=len(found))
        each = np.bincount(back, weights=kept.astype(float), minlength=len(found)) / rows
        common = rows >= min(_CLASS, int(rows.max()))
        return float(each[common].mean())

    def take(self, rows: np.ndarray) -> Bench:
        """Return the same with some rows."""
        whole, right = len(self.table), self.right

        def some(said: np.ndarray) -> np.ndarray:
            wide = np.zeros(whole, dtype=said.dtype)
            wide[rows] = said
            return np.asarray(right(wide)[rows])

        return Bench(self.model, self.table.take(rows), some, self.groups[rows], self.counts, self.bits)

    def at_rate(self, rate: float, rng: np.random.Generator) -> Change:
        """Return a draw in which each stored bit flips with chance ``rate``."""
        total = self.counts * self.bits
        found = np.unique(rng.integers(0, int(total.sum()), int(rng.binomial(int(total.sum()), rate))))
        ends = np.cumsum(total)
        which = np.searchsorted(ends, found, side="right")
        inside = found - (ends - total)[which]
        first = (np.cumsum(self.counts) - self.counts)[which]
        return Change("flips", first + inside // self.bits[which], inside % self.bits[which])

    def of_kind(self, kind: str, share: float, rng: np.random.Generator) -> Change:
        """Return a draw in which so many of the weights, at least one, lose one bit of a kind.

        Args:
            kind: One of :data:`KINDS`; ``top``: the highest bit of the exponent; ``last``: the lowest of the mantissa.
            share: Of the weights.
            rng: Draws them.
        """
        places = np.sort(rng.choice(self.weights, max(1, round(share * self.weights)), replace=False))
        return self._single(places, np.full(len(places), kind), rng)

    def _single(self, places: np.ndarray, kinds: np.ndarray, rng: np.random.Generator) -> Change:
        width = self.bits[np.searchsorted(np.cumsum(self.counts), places, side="right")]
        low = np.array([EXPONENT[one][0] for one in sorted(EXPONENT)])[np.searchsorted(sorted(EXPONENT), width)]
        luck = rng.random(len(places))
        inside = {
            "sign": width - 1,
            "top": width - 2,
            "last": np.zeros_like(width),
            "exponent": low + (luck * (width - 1 - low)).astype(np.int64),
            "mantissa": (luck * low).astype(np.int64),
        }
        return Change("flips", places, np.select([kinds == name for name in inside], list(inside.values())))

    def worst(self, tries: int, rng: np.random.Generator) -> tuple[str, float, int]:
        """Search the single bit that costs most on half of the rows, and state it on the other half.

        Tensors are tried alike, however large; then more weights of the three that cost most.

        Args:
            tries: Most single bits.
            rng: Draws halves and candidates.

        Returns:
            Where it stands, the share kept on the other half, and that half's rows.
        """
        order = rng.permutation(len(self.table))
        one, other = (self.take(np.sort(part)) for part in (order[: len(order) // 2], order[len(order) // 2 :]))
        starts = np.cumsum(self.counts) - self.counts
        found: list[tuple[float, int, int, int]] = []
        sized = np.flatnonzero(self.counts)
        for at in range(tries):
            again = at >= 2 * tries // 3
            if again:
                _, tensor, _, bit = sorted(found)[int(rng.integers(min(_NEAR, len(found))))]
            else:
                tensor, bit = int(sized[at % len(sized)]), -1
            place = np.array([starts[tensor] + rng.integers(self.counts[tensor])])
            kind = np.array([("top", "sign", "exponent")[int(rng.choice(3, p=(0.6, 0.2, 0.2)))]])
            change = self._single(place, kind, rng) if bit < 0 else Change("flips", place, np.array([bit]))
            found.append((one.share(one.kept(change)), tensor, int(change.places[0]), int(change.bits[0])))
        _, tensor, spot, bit = min(found)
        left = other.share(other.kept(Change("flips", np.array([spot]), np.array([bit]))))
        return f"tensor {tensor + 1} of {len(self.counts)}, bit {bit}", left, len(other.table)
