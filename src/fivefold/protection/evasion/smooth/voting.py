"""Voting: which numbers are noised and in which unit, and what a model answers to noised copies of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.subject import Table
    from fivefold.subject.possible.space import Space

    Answer = Callable[[np.ndarray, np.ndarray], np.ndarray]
    """Vectors of the space (m, d) and the row that each was made of (m,), to (m,) classes."""

_CELLS = 4_000_000
"""Most numbers in noised copies that are held at once."""

_CALL = 50_000


@dataclass(frozen=True)
class Lens:
    """The numbers that are noised, each in a unit of its own.

    Attributes:
        space: Possible rows.
        columns: (c,) features.
        scale: (c,) width of one unit as stored.
        free: Copies may leave ranges and steps: the model is a formula.
    """

    space: Space
    columns: np.ndarray
    scale: np.ndarray
    free: bool = False

    @property
    def at(self) -> np.ndarray | slice:
        """The columns, as a slice where they are all: views are quick, copies are not."""
        return slice(None) if len(self.columns) == len(self.space.low) else self.columns

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return vectors of the space (m, d) in units, (m, c); missing cells are 0."""
        return np.asarray(np.nan_to_num(values[:, self.at] / self.scale))

    def moved(self, values: np.ndarray, by: np.ndarray) -> np.ndarray:
        """Return (m, d) vectors moved by (m, c) units; missing cells stay missing."""
        found = values.copy()
        found[:, self.at] += by * self.scale
        return found

    def inside(self, values: np.ndarray, by: np.ndarray) -> np.ndarray:
        """Return possible (m, d) vectors no farther from ``values`` in any number than ``by``."""
        space, at = self.space, self.at
        found, start, step = self.moved(values, by), values[:, at], space.step[at]
        part = found[:, at]
        if step.any():
            part = np.where(step > 0, start + np.trunc((part - start) / np.where(step > 0, step, 1.0)) * step, part)
        with np.errstate(invalid="ignore"):
            found[:, at] = np.clip(part, np.minimum(start, space.low[at]), np.maximum(start, space.high[at]))
        return found

    def possible(self, values: np.ndarray) -> np.ndarray:
        """Return the possible vectors next to (m, d) ones, which are overwritten.

        In ranges and on whole steps from the lowest value: one fixed function of the vector, whatever row it was made
        of. What it does belongs to the model, so that a certificate for the model after it holds.
        """
        if self.free:
            return values
        space, at = self.space, self.at
        low, step, part = space.low[at], space.step[at], values[:, at]
        if step.any():
            part = np.where(step > 0, low + np.round((part - low) / np.where(step > 0, step, 1.0)) * step, part)
        values[:, at] = np.clip(part, low, space.high[at], out=part)
        return values


def lens(space: Space, train: Table) -> Lens:
    """Return what is noised of rows of a space.

    Pictures: every pixel, in units of their range. Tables: numbers that may move and have more than two values, in
    deviations over the training rows; dates, categories, flags and immutable features stay.

    Args:
        space: Possible rows.
        train: Rows that deviations are taken of.

    Raises:
        UnsupportedError: ``evasion.fixed`` if no number may be noised.
    """
    can = space.moves & (space.unit > 0)
    if not space.columns:
        columns = np.flatnonzero(can)
        return Lens(space, columns, space.unit[columns])
    width = np.zeros(len(can))
    for at in np.flatnonzero(can).tolist():
        cells = train.features[space.columns[at].name]
        if space.columns[at].kind == "number" and cells.nunique() > 2:
            width[at] = float(np.nan_to_num(float(cells.std(ddof=0)), posinf=0.0))
    columns = np.flatnonzero(width > 0)
    if not len(columns):
        raise UnsupportedError("evasion.fixed", "no number may move, so that there is nothing to noise.")
    return Lens(space, columns, width[columns])


@dataclass(frozen=True)
class Votes:
    """Answers to noised copies of n rows.

    Attributes:
        counts: (n, K) votes of each class.
        pull: (n, c) sum of the noise of copies that were answered otherwise, less their share of all noise: in
            expectation along the steepest fall of the share of ``own`` (Stein's identity).
    """

    counts: np.ndarray
    pull: np.ndarray


class Voters:
    """A model, asked about noised copies.

    Attributes:
        asked: Copies asked so far.
        step: Most copies in one call.
    """

    def __init__(self, lens: Lens, answer: Answer, classes: int, call: int = _CALL) -> None:
        """Take what is noised, the model, how many classes it has, and the most rows in one call."""
        self.lens, self._answer, self.classes, self.asked = lens, answer, classes, 0
        self.step = max(1, min(call, _CALL, _CELLS // len(lens.space.low)))

    def __call__(
        self, values: np.ndarray, rows: np.ndarray, votes: int, rng: np.random.Generator, *, sigma: np.ndarray,
        own: np.ndarray | None = None,
    ) -> Votes:  # fmt: skip
        """Ask ``votes`` noised copies of each row, all rows together as far as memory allows.

        Args:
            values: (n, d) vectors of the space.
            rows: (n,) what each was made of.
            votes: Copies of each.
            rng: The noise.
            sigma: (n,) deviation of the noise in units; 0: none.
            own: (n,) class whose fall ``pull`` follows; None: ``pull`` is not counted.
        """
        n, c = len(values), len(self.lens.columns)
        counts, pull, drawn = np.zeros((n, self.classes), dtype=np.int64), np.zeros((n, c)), np.zeros((n, c))
        scale = self.lens.scale
        for begin in range(0, n * votes, self.step):
            at = np.arange(begin, min(begin + self.step, n * votes)) // votes
            noise = rng.standard_normal((len(at), c), dtype=np.float32)
            made = values[at]
            made[:, self.lens.at] += noise * sigma[at, None].astype(np.float32) * scale
            made = self.lens.possible(made)
            told = np.asarray(self._answer(made, rows[at]), dtype=np.int64)
            np.add.at(counts, (at, told), 1)
            if own is not None:
                first = np.flatnonzero(np.diff(at, prepend=-1))
                other = (told != own[at])[:, None]
                pull[at[first]] += np.add.reduceat(np.where(other, noise, 0), first, axis=0)
                drawn[at[first]] += np.add.reduceat(noise, first, axis=0)
        if own is not None:
            pull -= (1 - counts[np.arange(n), own] / votes)[:, None] * drawn
        self.asked += n * votes
        return Votes(counts, pull)
