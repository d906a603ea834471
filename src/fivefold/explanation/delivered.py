"""Delivered: the reason of one answer while the asker waits: which fields moved it most, and which change flips it.

Source: Shapley values by antithetic permutations (Castro et al. 2009; Mitchell et al. 2022, section 4), as in
:mod:`fivefold.stats.shapley`; single-field counterfactuals (Wachter et al. 2018), among values that occur.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from fivefold.explanation import players as who_plays
from fivefold.explanation.explainer import Question, explain
from fivefold.explanation.store import Store, plain
from fivefold.subject.rows import bare

if TYPE_CHECKING:
    from fivefold.contract.subject import Table

Ask = Callable[[pd.DataFrame], np.ndarray]
"""m rows to (m, K) probabilities, indicators of the label, or (m, 1) values."""

TOP = 3
FEWEST_PAIRS = 4
_ERRORS = 2.0
_CANDIDATES = 12
_UNORDERED = 0.5


class Moved(msgspec.Struct, frozen=True):
    """One field that moved an answer.

    Attributes:
        field: Its name; several that are taken as one are joined by ``+``.
        value: What it is.
        credit: How much it moves the score of the answer given, signed.
        error: Standard error of that.
    """

    field: str
    value: Any
    credit: float
    error: float


class Flip(msgspec.Struct, frozen=True):
    """The smallest change of one field that changes the answer.

    Attributes:
        field: Its name.
        value: What it is.
        instead: What it would have to be.
        answer: Index of the class that would be answered.
    """

    field: str
    value: Any
    instead: Any
    answer: int


class Reason(msgspec.Struct, frozen=True):
    """Why a model answered as it did.

    Attributes:
        moved: At most three fields, strongest first, each moved more than twice its error.
        flip: None: no change of one field among those tried flips it, or there is nothing to flip.
    """

    moved: tuple[Moved, ...]
    flip: Flip | None


class Reasoner:
    """Explains single rows of a table against rows that stand for all.

    Limit: what the model goes by, not what causes what; a change of one field leaves the others as they are, which may
    not be possible in the world.
    """

    def __init__(self, background: pd.DataFrame, immutable: frozenset[str] = frozenset()) -> None:
        """Take what rows are compared with.

        Args:
            background: (M, d) rows of the training data.
            immutable: Columns whose change is not proposed.
        """
        self._background: Table = bare(background, ())
        self._players = who_plays.of(self._background)
        columns = list(background.columns)
        self._fixed = {int(self._players.of[columns.index(name)]) for name in immutable if name in columns}
        self._scores: np.ndarray | None = None

    def cost(self, pairs: int) -> int:
        """Return how many rows one reason asks."""
        count = len(self._players)
        return 2 * max(count - 1, 0) * pairs + count * _CANDIDATES + len(self._background)

    def __call__(self, ask: Ask, row: pd.DataFrame, *, pairs: int, seed: int, regression: bool) -> Reason:
        """Explain one row.

        Args:
            ask: The model.
            row: (1, d).
            pairs: Pairs of permutations, at least 4.
            seed: The same row and seed give the same reason.
            regression: The answer is a value, which does not flip.
        """
        if self._scores is None:
            self._scores = ask(self._background.features)
        own = ask(row)
        column = 0 if regression else int(own[0].argmax())
        both = bare(pd.concat([row, self._background.features], ignore_index=True), ())
        count = len(self._players)
        store = Store(both, 1, self._players, np.zeros((len(both), count)))

        def asked(cells: np.ndarray) -> np.ndarray:
            return ask(store.mixed(cells).features)

        question = Question(
            asked, 1, store.codes, np.array([column]), pairs, 50_000, np.concatenate([own, self._scores])
        )
        made = explain(question, np.random.Generator(np.random.PCG64(seed)))
        credit, error = made.value[0], made.error[0]
        order = np.argsort(-np.abs(credit), kind="stable")[:TOP]
        moved = tuple(
            Moved(self._players.names[at], self._value(row, int(at)), float(credit[at]), float(error[at]))
            for at in order
            if abs(credit[at]) > _ERRORS * error[at]
        )
        return Reason(moved, None if regression else self._flip(asked, both, column))

    def _flip(self, asked: Callable[[np.ndarray], np.ndarray], both: Table, column: int) -> Flip | None:
        """Ask for each field values over its whole range, all at once; then all nearer ones of the nearest that flips.

        Nearness is that of ranks; between texts all are as near.
        """
        codes = who_plays.codes(both, self._players)
        tries = [
            (player, at)
            for player in range(len(self._players))
            if player not in self._fixed
            for at in _spread(codes[:, player], _CANDIDATES)
        ]
        first = self._nearest(asked, both, (codes, column), tries)
        if first is None:
            return None
        gap, player, _, _ = first
        if self._ordered(both, player):
            every = _spread(codes[:, player], len(codes))
            tries = [(player, at) for at in every if abs(codes[at, player] - codes[0, player]) < gap]
            first = self._nearest(asked, both, (codes, column), tries) or first
        _, player, source, answer = first
        frame, name = both.features, self._players.names[player]
        value, instead = (self._value(frame.iloc[at : at + 1], player) for at in (0, source))
        return Flip(name, value, instead, answer)

    def _nearest(
        self,
        asked: Callable[[np.ndarray], np.ndarray],
        both: Table,
        known: tuple[np.ndarray, int],
        tries: list[tuple[int, int]],
    ) -> tuple[float, int, int, int] | None:
        """Return gap, player, source and answer of the nearest change that flips; None: none does."""
        if not tries:
            return None
        codes, column = known
        cells = np.zeros((len(tries), len(self._players)), dtype=np.int64)
        for number, (player, at) in enumerate(tries):
            cells[number, player] = at
        answers = asked(cells).argmax(axis=1)
        found = []
        for (player, at), answer in zip(tries, answers.tolist(), strict=True):
            if answer == column:
                continue
            gap = abs(codes[at, player] - codes[0, player]) if self._ordered(both, player) else _UNORDERED
            found.append((float(gap), player, at, int(answer)))
        return min(found, default=None)

    def _ordered(self, both: Table, player: int) -> bool:
        columns = np.flatnonzero(self._players.of == player)
        return len(columns) == 1 and both.features.iloc[:, columns[0]].dtype.kind in "biufM"

    def _value(self, row: pd.DataFrame, player: int) -> Any:
        """Return a field's value as a plain one; of several columns, those that are set."""
        columns = [row.columns[int(at)] for at in np.flatnonzero(self._players.of == player)]
        if len(columns) > 1:
            return ", ".join(str(name) for name in columns if row[name].iloc[0]) or "none"
        return plain(row[columns[0]].iloc[0])


def _spread(codes: np.ndarray, most: int) -> list[int]:
    """Return positions of at most ``most`` other values than the first row's, evenly over all of them."""
    levels, firsts = np.unique(codes, return_index=True)
    other = firsts[levels != codes[0]]
    if len(other) > most:
        other = other[np.linspace(0, len(other) - 1, most).astype(np.int64)]
    return [int(at) for at in other]
