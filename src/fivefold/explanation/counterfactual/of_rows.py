"""Counterfactuals of rows for whoever holds a model: what would have to differ, in the fields' own values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from fivefold.errors import InputError
from fivefold.explanation.counterfactual import wanted as goals
from fivefold.explanation.counterfactual.audit import Terms, audit
from fivefold.explanation.counterfactual.make import ours
from fivefold.explanation.counterfactual.price import possible
from fivefold.explanation.counterfactual.question import Purse, Question
from fivefold.explanation.store import plain
from fivefold.subject.rows import bare

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from fivefold.contract.subject import Table
    from fivefold.explanation.counterfactual.wanted import Wanted

Ask = Callable[[pd.DataFrame], np.ndarray]
"""m rows to (m, K) probabilities, (m,) integer labels, or (m,) values (float: a regression)."""


class Change(msgspec.Struct, frozen=True):
    """One field that would have to differ.

    Attributes:
        field: Its name.
        value: What it is.
        instead: What it would have to be.
    """

    field: str
    value: Any
    instead: Any


class Counterfactual(msgspec.Struct, frozen=True):
    """One changed row.

    Attributes:
        changes: All of them.
        answer: Class index, or value, that the model gives the changed row.
        cost: Median absolute deviations of numbers and swaps of categories, times the declared cost.
    """

    changes: tuple[Change, ...]
    answer: float
    cost: float


def counterfactuals(
    model: Ask,
    rows: pd.DataFrame,
    background: pd.DataFrame,
    *,
    wanted: Collection[int] | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    features: Mapping[str, Mapping[str, object]] | None = None,
    rules: Sequence[str] = (),
    groups: Sequence[str] = (),
    several: int = 3,
    questions: int = 1500,
) -> list[tuple[Counterfactual, ...]]:
    """Return for each row up to ``several`` counterfactuals, cheapest first, each changing other fields.

    Every one was asked afresh and looked at by the validator; what did not hold is left out. A row that is already
    answered as wanted, or for which nothing was found, gets none. Limit: none found does not mean that there is none.

    Args:
        model: The model.
        rows: (n, d) to explain.
        background: (M, d) rows of the training data, in the same columns; ranges, categories and known rows are theirs
            and those of ``rows``.
        wanted: Classes that count as the wanted answer; None: any but the row's own.
        at_least: Regression: least value that is wanted. Neither bound: the other side of the background's median.
        at_most: Regression: largest.
        features: Column to ``type``, ``range``, ``immutable``, ``changes`` (up or down) and ``cost``, as in a manifest.
        rules: Across fields, as for P1.tables.
        groups: Columns that change together, names with commas between.
        several: Most counterfactuals of one row.
        questions: Most questions for each row, besides one for each background row.

    Raises:
        InputError: ``explanation.rows`` if the columns differ or there are no rows; ``evasion.rule`` or
            ``evasion.group``.
    """
    if list(rows.columns) != list(background.columns) or not len(rows) or not len(background):
        raise InputError(
            "explanation.rows",
            "the rows to explain and the background need the same columns, and a row each.",
            remedy="Pass background[rows.columns].",
        )
    declared = features or {}
    mine, known = bare(rows.reset_index(drop=True), ()), bare(background.reset_index(drop=True), ())
    domain = possible([mine, known], declared, {"rules": list(rules), "groups": list(groups)})
    scored, own, background_own = _answer(model, mine), _answer(model, mine)[0], _answer(model, known)[0]
    aim = _aim(scored, background_own, wanted, at_least, at_most)
    some = np.flatnonzero(~aim.met(np.arange(len(own)), own))
    found: list[tuple[Counterfactual, ...]] = [()] * len(rows)
    if not len(some) or domain.is_empty:
        return found
    question = Question(
        lambda table: _answer(model, table), mine.take(some), aim.take(some), domain, known, background_own,
        aim.lead(some, scored[1][some]), several, Purse(questions * len(some)),
    )  # fmt: skip
    rng = np.random.default_rng(0)  # orders the questions asked afresh; nothing else is drawn
    given = ours(question, rng)
    names = [str(column.name) for column in domain.space.columns]
    joint = [[names[at] for at in block.columns] for block in domain.blocks if len(block.columns) > 1]
    terms = Terms(lambda: (mine, known), declared, joint)
    seen = audit(question, given, lambda table: _answer(model, table)[0], terms, rng)
    kept = np.flatnonzero(seen.held & seen.obeys)
    if not len(kept):
        return found
    told = _answer(model, given.rows.take(kept))[0]
    for place, answer in zip(kept.tolist(), told.tolist(), strict=True):
        at = int(some[given.origin[place]])
        changes = _changes(mine.features.iloc[at], given.rows.features.iloc[place])
        found[at] = (*found[at], Counterfactual(changes, answer, float(seen.cost[place])))
    return found


def _answer(model: Ask, table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Return (m,) answers and (m, K) scores; K = 0: labels only."""
    made = np.asarray(model(table.features))
    if made.ndim == 1:
        return made, made[:, None] if made.dtype.kind == "f" else np.empty((len(made), 0))
    return made.argmax(axis=1), made


def _aim(
    told: tuple[np.ndarray, np.ndarray],
    known: np.ndarray,
    wanted: Collection[int] | None,
    at_least: float | None,
    at_most: float | None,
) -> Wanted:
    own, scores = told
    if own.dtype.kind == "f":
        return goals.of_values(own, at_least, at_most, float(np.median(known)))
    count = scores.shape[1] or int(max(own.max(), known.max(), *(wanted or (0,)))) + 1
    return goals.of_classes(own, max(count, 2), wanted)


def _changes(before: pd.Series, after: pd.Series) -> tuple[Change, ...]:
    return tuple(
        Change(str(name), plain(before[name]), plain(after[name]))
        for name in before.index
        if plain(before[name]) != plain(after[name])
    )
