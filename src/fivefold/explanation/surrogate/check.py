"""Check E3.surrogate: a small tree is taught what the model answers, and held against it on rows held back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.errors import InputError, UnsupportedError
from fivefold.explanation import asking
from fivefold.explanation.antehoc.steps import Lesson, types
from fivefold.explanation.surrogate import canary, result, tree

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result
    from fivefold.contract.subject import Table

_TAUGHT = 3
"""Rows that are taught for each row that is held back."""

_MOST_TAUGHT = 10_000
_FEWEST = 40


@dataclass(frozen=True)
class Parts:
    """Rows to teach on and rows held back, drawn.

    Attributes:
        taught: Training rows, or half of the test rows.
        held: Test rows.
        notes: What the reader should know.
    """

    taught: Table
    held: Table
    notes: tuple[str, ...]


def run(context: Context) -> Result:
    """Teach a tree and judge what share of the variation of the answers it tells on rows that it never saw.

    Threat: people are shown a small tree, or a few rules, as what the model does, and the model does something else.
    Limit: the tree says what the model answers, not why, and not what is true.

    Args:
        context: Needs a subject that answers for rows put to it and the data set ``test``; threshold
            ``min_fidelity``; option ``leaves``.

    Raises:
        UnsupportedError: As :func:`fivefold.explanation.asking.plain_rows`; ``explanation.budget``.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    subject, test = asking.plain_rows(context)
    if test.kind != "table":
        raise UnsupportedError("explanation.inputs", "a tree asks about columns, and these rows have none.")
    asker = asking.Asker(subject)
    parts = _parts(context, test, asker.allowance(context.effort))
    del test  # the whole set is large
    context.progress(0.05, "asking the model")
    answers, truth = asker(parts.taught), asker(parts.held)
    lesson = Lesson(
        parts.taught.features, np.zeros(len(answers)), "regression", (), types(context.settings.features), {}
    )
    try:
        terms, codes = tree.lay(lesson)
    except InputError as error:
        if error.code != "antehoc.columns":
            raise
        raise UnsupportedError("explanation.columns", "no column varies in a way that a few steps show.",
                               remedy="Bring columns of numbers, dates, or texts that repeat.") from error  # fmt: skip
    held = tree.placed(terms, parts.held.features)
    context.progress(0.4, "growing a tree")
    most = int(context.options.get("leaves") or 16)
    made = tree.teach(codes, answers, terms, most, context.rng)
    context.progress(0.6, "growing trees on planted answers")
    form = "value" if subject.task == "regression" else "probability" if subject.capabilities.scores else "label"
    rows = canary.Rows(codes, answers, held, truth)
    floor = context.thresholds[result.FLOOR]
    proof = canary.prove(terms, rows, form, most, floor, context.rng)
    shown = result.Shown(made, tuple(terms), rows, subject.task, subject.classes, parts.notes)
    return result.result(shown, proof, floor)


def _parts(context: Context, test: Table, allowed: int) -> Parts:
    """Draw the rows; training rows of the same columns are taught on, else half of the test rows."""
    rng = context.rng
    try:
        train: Table | None = context.tables("train")
    except KeyError:
        train = None
    same = train is not None and list(train.features.dtypes) == list(test.features.dtypes)
    if train is not None and same and len(train) >= _FEWEST:
        found = min(context.rows, len(test), allowed // (1 + _TAUGHT))
        taught = min(_TAUGHT * context.rows, len(train), _MOST_TAUGHT, allowed - found)
        if found < _FEWEST // 2:
            raise asking.too_few(f"{allowed} questions are too few to teach a tree and to hold it against the model.")
        return Parts(_some(train, taught, rng), _some(test, found, rng), ())
    some = min(len(test), allowed, 2 * context.rows)
    if some < _FEWEST:
        if allowed < _FEWEST:
            raise asking.too_few(f"{allowed} questions are too few to teach a tree and to hold it against the model.")
        raise UnsupportedError("explanation.rows", f"only {len(test)} test rows, and no training rows like them.",
                               remedy="Bring more rows.")  # fmt: skip
    order = rng.permutation(len(test))[:some]
    notes = ("There are no training rows of these columns: half of the test rows were taught, the others held back.",)
    return Parts(test.take(np.sort(order[: some // 2])), test.take(np.sort(order[some // 2 :])), notes)


def _some(table: Table, count: int, rng: np.random.Generator) -> Table:
    return table.take(np.sort(rng.choice(len(table), count, replace=False)))
