"""Asking: the model as a function of cells, the questions that it may be asked, and which rows are explained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import UnsupportedError
from fivefold.explanation import players as who_plays
from fivefold.explanation.store import Store
from fivefold.stats import shapley

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table

Ask = Callable[[np.ndarray], np.ndarray]
"""(m, P) positions of cells to (m, K) scores: probabilities, indicators of the label, or (m, 1) values."""

QUESTIONS = {"quick": 100_000, "standard": 400_000, "thorough": 2_000_000}
"""Most rows that one check asks the model, by effort."""

SHARE = 0.5
"""Part of an endpoint's remaining calls that one check may use; other checks need the rest."""

BACKGROUND = 1000
FEWEST_PAIRS = 16
FEWEST_ROWS = 8
CANDIDATES = 2000
_BATCH = 50_000
_SCORES = 20_000_000
FEWEST_DATA = 20


class Asker:
    """A subject behind a purse: full calls where there is a limit, and never more of them than its share."""

    def __init__(self, subject: Subject) -> None:
        """Take a share of the calls that an endpoint still allows."""
        able = subject.capabilities
        self.subject = subject
        self.batch = max(1, min(able.max_rows, _BATCH, _SCORES // max(len(subject.classes), 1)))
        self._calls = None if able.calls_left is None else int(able.calls_left * SHARE)

    def allowance(self, effort: str) -> int:
        """Return how many rows may be asked; half of an endpoint's, for calls are not always full."""
        most = QUESTIONS[effort]
        if self._calls is None:
            return most
        return min(most, self._calls * self.batch // (2 if self.batch > 1 else 1))

    @property
    def calls(self) -> int | None:
        """Calls that are left of the share; None: there is no limit."""
        return self._calls

    def __call__(self, table: Table) -> np.ndarray:
        """Return (m, K) probabilities, indicators of the label, or (m, 1) values.

        Raises:
            UnsupportedError: ``explanation.budget`` before a call too many is made.
        """
        return self._in_parts(table, lambda part: _answers(self.subject, part))

    def told(self, table: Table) -> np.ndarray:
        """Return (m,) class indices or values, as whoever uses the model is told them; raises as a call does."""
        return self._in_parts(table, self.subject.predict)

    def _in_parts(self, table: Table, answer: Callable[[Table], np.ndarray]) -> np.ndarray:
        parts = []
        for start in range(0, max(len(table), 1), self.batch):
            if self._calls is not None:
                if self._calls == 0:
                    raise too_few("the calls that are left do not suffice.")
                self._calls -= 1
            one = len(table) <= self.batch
            part = table if one else table.take(np.arange(start, min(start + self.batch, len(table))))
            parts.append(answer(part))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def too_few(message: str) -> UnsupportedError:
    """Return the error ``explanation.budget``."""
    return UnsupportedError("explanation.budget", message, remedy="Raise `model.calls`.")


def _answers(subject: Subject, table: Table) -> np.ndarray:
    if subject.task == "regression":
        return subject.predict(table)[:, None]
    if subject.capabilities.scores:
        return subject.predict_proba(table)
    is_told: np.ndarray = subject.predict(table)[:, None] == np.arange(len(subject.classes))
    return is_told.astype(np.float64)


@dataclass(frozen=True)
class Setting:
    """What is explained, against what, with which effort.

    Attributes:
        asker: The model.
        store: Explained and background rows.
        pairs: Pairs of permutations for each explained row.
        column: (n,) score that each row is explained in: that of the class predicted for it; 0 for a regression.
        scores: (N, K) answers to all rows of the store, asked once more after the rows were chosen.
        positions: (n,) positions of the explained rows in the test data.
        allowed: Rows that may be asked in all.
        notes: What the reader should know.
    """

    asker: Asker
    store: Store
    pairs: int
    column: np.ndarray
    scores: np.ndarray
    positions: np.ndarray
    allowed: int
    notes: tuple[str, ...]

    @property
    def subject(self) -> Subject:
        """The model under test."""
        return self.asker.subject

    @property
    def batch(self) -> int:
        """Most rows in one question."""
        return self.asker.batch

    def ask(self, cells: np.ndarray) -> np.ndarray:
        """Ask the model; see :data:`Ask`."""
        return self.asker(self.store.mixed(cells))


def pure(positions: np.ndarray, players: int) -> np.ndarray:
    """Return (m, P) cells of rows as they are."""
    return np.repeat(positions[:, None], players, axis=1)


def plain_rows(context: Context, least: int = 1) -> tuple[Subject, Table]:
    """Return the subject and the test data, or say why nothing can be explained.

    Raises:
        UnsupportedError: ``explanation.subject``, ``explanation.inputs``, ``explanation.columns`` or
            ``explanation.rows``.
    """
    subject = context.subject
    if subject is None or not subject.capabilities.perturbable:
        raise UnsupportedError("explanation.subject", "there is no model that answers for rows put together anew.")
    test = context.tables("test")
    if test.kind == "text":
        raise UnsupportedError(
            "explanation.inputs", "a text is no set of cells to swap; words are not yet taken one by one."
        )
    if len(test) < FEWEST_DATA:
        raise UnsupportedError("explanation.rows", f"only {len(test)} test rows.", remedy="Bring more test rows.")
    width = test.features.shape[1] if test.inputs is None else least
    if width < least:
        raise UnsupportedError("explanation.columns", f"the model sees {width} columns; this check needs {least}.")
    return subject, test


def background_of(context: Context, test: Table, rng: np.random.Generator, most: int) -> Table:
    """Return rows drawn from the training data, or from the test data where those are absent or stored otherwise."""
    try:
        train: Table | None = context.tables("train")
    except KeyError:
        train = None
    same = train is not None and len(train) >= FEWEST_DATA and list(train.features.dtypes) == list(test.features.dtypes)
    if same and train is not None and (train.inputs is None) != (test.inputs is None):
        same = False
    if same and train is not None and train.inputs is not None and test.inputs is not None:
        same = train.inputs.shape[1:] == test.inputs.shape[1:]
    source = train if same and train is not None else test
    return source.take(np.sort(rng.choice(len(source), min(most, len(source)), replace=False)))


def lay_out(
    context: Context,
    *,
    rows: int,
    pairs: int,
    rounds: int = 1,
    asks: int = 3,
    least: int = 1,
    background_rows: int = BACKGROUND,
    most: int | None = None,
) -> Setting:
    """Choose rows, background, players and pairs so that the questions stay within what is allowed.

    Args:
        context: The check's context.
        rows: Rows to explain if the questions suffice.
        pairs: Pairs of permutations to walk for each of them.
        rounds: How many times the rows are explained.
        asks: How many times the background is asked.
        least: Fewest columns.
        background_rows: Most background rows.
        most: Most players; columns that go together most are then joined. None: no limit.

    Raises:
        UnsupportedError: As :func:`plain_rows`; ``explanation.budget`` if the calls left are too few.
    """
    subject, test = plain_rows(context, least)
    rng, asker = context.rng, Asker(subject)
    allowed = asker.allowance(context.effort)
    overhead = allowed // 5
    background = background_of(context, test, rng, min(background_rows, max(overhead // asks, FEWEST_DATA)))
    able = max(int((allowed - overhead) // rounds), 0)
    sized, notes = _sized(who_plays.of(background, most), able, (rows, pairs), background, least)
    players, rows, pairs = sized
    pool = np.sort(rng.choice(len(test), min(len(test), CANDIDATES, max(overhead // 4, rows)), replace=False))
    context.progress(0.05, "asking the model")
    first = asker(test.take(pool))
    chosen = pool[spread(first, rows, rng)]
    explained = test.take(chosen)
    both = _stacked(explained, background)
    store = Store(both, len(explained), players, who_plays.codes(both, players))
    column = np.zeros(len(chosen), dtype=np.int64)
    if subject.task != "regression":
        column = first[np.searchsorted(pool, chosen)].argmax(axis=1)
    scores = asker(both)
    return Setting(asker, store, pairs, column, scores, chosen, allowed, (*players.notes, *notes))


def _sized(
    players: who_plays.Players, able: int, wanted: tuple[int, int], background: Table, least: int
) -> tuple[tuple[who_plays.Players, int, int], list[str]]:
    """Return players, rows and pairs that ``able`` questions pay for: given up are rows, then pairs, then players."""
    rows, pairs = wanted
    for fewest_rows, fewest_pairs in ((20, pairs), (20, 24), (FEWEST_ROWS, FEWEST_PAIRS)):
        for walked in (pairs, min(fewest_pairs, pairs)):
            each = max(shapley.cost(len(players), walked), 1)
            some = min(rows, able // each)
            if some >= min(fewest_rows, rows):
                note = f"{some} rows were explained from {walked} pairs of permutations each, in {able:,} questions."
                return (players, some, walked), [note] if (some, walked) != wanted else []
    most = able // (2 * FEWEST_ROWS * FEWEST_PAIRS) + 1
    if most < max(least, 2):
        raise too_few(f"{able} questions are too few to explain anything.")
    joined = who_plays.of(background, most)
    return (joined, min(rows, FEWEST_ROWS), min(pairs, FEWEST_PAIRS)), []


def spread(scores: np.ndarray, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return rising positions of ``rows`` rows, as evenly over predicted classes (or bands of values) as they allow."""
    if scores.shape[1] == 1:
        order = np.argsort(np.argsort(scores[:, 0], kind="stable"), kind="stable")
        band = order * 4 // max(len(order), 1)
    else:
        band = scores.argmax(axis=1)
    shuffled = rng.permutation(len(band))
    place = np.empty(len(band), dtype=np.int64)
    for one in np.unique(band):
        mine = shuffled[band[shuffled] == one]
        place[mine] = np.arange(len(mine))
    turn = np.lexsort((rng.random(len(band)), place))
    return np.sort(turn[:rows])


def _stacked(explained: Table, background: Table) -> Table:
    inputs = None
    if explained.inputs is not None and background.inputs is not None:
        inputs = np.concatenate([explained.inputs, background.inputs])
    features = pd.concat([explained.features, background.features], ignore_index=True)
    return replace(
        explained,
        rows=np.concatenate([explained.rows, background.rows]),
        features=features,
        target=np.concatenate([explained.target, background.target]),
        others=pd.DataFrame(index=features.index),
        inputs=inputs,
    )
