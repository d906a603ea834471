"""Check E2.counterfactual: other rows that would get the wanted answer; do they get it, and could they be?"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.errors import UnsupportedError
from fivefold.explanation import asking
from fivefold.explanation.counterfactual import canary, price, result, wanted
from fivefold.explanation.counterfactual.audit import Terms, audit
from fivefold.explanation.counterfactual.make import ours
from fivefold.explanation.counterfactual.question import KEY, Given, Purse, Question

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result
    from fivefold.contract.subject import Subject, Table
    from fivefold.explanation.counterfactual.question import Maker, Model
    from fivefold.explanation.counterfactual.wanted import Wanted
    from fivefold.subject.possible.domain import Domain

LEAST = 200
"""Fewest questions for one row that a search is worth."""

_MOST = 1500
_SEARCH = 0.8
_POOL = 0.05


@dataclass(frozen=True)
class Layout:
    """What is explained.

    Attributes:
        subject: The model.
        asker: The same behind a purse.
        question: For the maker.
        terms: What every counterfactual has to obey.
        pool: Test rows among which those to explain were looked for.
        eligible: Those of them that are not answered as wanted.
        scored: Whether scores are told.
        notes: What the reader should know.
    """

    subject: Subject
    asker: asking.Asker
    question: Question
    terms: Terms
    pool: int
    eligible: int
    scored: bool
    notes: tuple[str, ...]


def run(context: Context) -> Result:
    """Explain sampled rows by counterfactuals, and judge whether these flip the deployed model and obey what is said.

    Threat: a person is told what to change, changes it, and gets the same answer; or is told what nobody can change.
    Limit: a model that is trained anew answers anew; a change is no advice on causes.

    Args:
        context: Needs a subject that answers for changed rows and the table ``test``; thresholds ``min_flips`` and
            ``min_obeying``; options as in the pack.

    Raises:
        UnsupportedError: ``explanation.fixed`` where nothing may be changed; else as
            :func:`fivefold.explanation.asking.plain_rows` and ``explanation.budget``.
        InputError: A rule or group names no column of the model's.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    layout = lay_out(context)
    maker, name = chosen(context)
    rows = layout.question.rows
    given = maker(layout.question, context.rng) if len(rows) else Given(rows, np.empty(0, dtype=np.int64))
    context.progress(0.75, "asking afresh")
    seen = audit(layout.question, given, layout.asker.told, layout.terms, context.rng)
    context.progress(0.85, "explaining planted models")
    proof = canary.prove(layout, context.thresholds, context.rng)
    return result.result(layout, seen, proof, context.thresholds, name)


def chosen(context: Context) -> tuple[Maker, str]:
    """Return the maker that is measured, and which one it is, in words."""
    handed = context.uses.get(KEY)
    if handed is None:
        return ours, "this product's"
    return cast("Maker", handed), "those of the maker handed in"


def lay_out(context: Context) -> Layout:
    """Read rows and options, ask the model about rows as they are, and choose whom to explain.

    Raises:
        UnsupportedError: See :func:`run`.
        InputError: See :func:`run`.
    """
    subject, test = asking.plain_rows(context)
    if test.kind != "table":
        raise UnsupportedError("explanation.inputs", f"these are no tables but data of kind {test.kind}.")
    rng, asker = context.rng, asking.Asker(subject)
    allowed = asker.allowance(context.effort)
    several = int(context.options.get("several") or 3)
    rows = min(context.rows, int(_SEARCH * allowed) // LEAST)
    if rows < asking.FEWEST_ROWS:
        raise asking.too_few(f"{allowed} questions are too few to look for changes.")
    most = max(int(_POOL * allowed), asking.FEWEST_DATA)
    pool = test.take(np.sort(rng.choice(len(test), min(len(test), asking.CANDIDATES, most), replace=False)))
    known = asking.background_of(context, test, rng, min(asking.BACKGROUND, most))
    del test  # the whole set is large
    declared = context.settings.features or {}
    domain = price.possible([pool, known], declared, _given(context))
    if domain.is_empty:
        raise UnsupportedError(
            "explanation.fixed",
            "nothing may be changed: every feature is immutable, constant or hardly repeats.",
            remedy="Declare `range:` for features that people can change.",
        )
    context.progress(0.05, "asking the model")
    scores, answers, scored = _asked(asker, pool)
    told = asker.told(known)
    aim = _wanted(context, subject, answers, told)
    here = np.arange(len(pool))
    eligible = np.flatnonzero(~aim.met(here, answers))
    picked = eligible[asking.spread(scores[eligible], rows, rng)] if len(eligible) else eligible
    calls = asker.calls
    if calls is not None:
        calls = max(calls - 2 - len(picked) * (several + 1) // asker.batch, 0)
    per_row = min(allowed * _SEARCH / max(len(picked), 1), _MOST)
    question = Question(
        _model(asker, scored=scored),
        pool.take(picked),
        aim.take(picked),
        domain,
        known,
        told,
        aim.lead(picked, scores[picked] if scored else np.empty((len(picked), 0))),
        several,
        Purse(int(per_row * len(picked)), calls, asker.batch),
        lambda share: context.progress(0.1 + 0.6 * share, "looking for changes"),
    )
    return Layout(
        subject, asker, question, Terms(lambda: _seen(context), declared, _groups(domain)), len(pool), len(eligible),
        scored, domain.notes,
    )  # fmt: skip


def _given(context: Context) -> dict[str, object]:
    return {key: value for key, value in context.options.items() if value is not None}


def _groups(domain: Domain) -> list[list[str]]:
    names = [str(column.name) for column in domain.space.columns]
    return [[names[at] for at in block.columns] for block in domain.blocks if len(block.columns) > 1]


def _asked(asker: asking.Asker, pool: Table) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return (N, K) scores or indicators, (N,) answers, and whether scores are told that say the same as answers."""
    subject, answers = asker.subject, asker.told(pool)
    if subject.task == "regression":
        return answers[:, None], answers, True
    if subject.capabilities.scores:
        scores = asker(pool)
        if (scores.argmax(axis=1) == answers).all():
            return scores, answers, True
    return (answers[:, None] == np.arange(len(subject.classes))).astype(np.float64), answers, False


def _model(asker: asking.Asker, *, scored: bool) -> Model:
    regression = asker.subject.task == "regression"

    def model(table: Table) -> tuple[np.ndarray, np.ndarray]:
        if not scored:
            return asker.told(table), np.empty((len(table), 0))
        scores = asker(table)
        return (scores[:, 0] if regression else scores.argmax(axis=1)), scores

    return model


def _wanted(context: Context, subject: Subject, answers: np.ndarray, known: np.ndarray) -> Wanted:
    if subject.task != "regression":
        positive = context.settings.positive
        return wanted.of_classes(answers, len(subject.classes), None if positive is None else (positive,))
    low, high = (_number(context.options.get(key)) for key in ("at_least", "at_most"))
    return wanted.of_values(answers, low, high, float(np.median(known)))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _seen(context: Context) -> Iterator[Table]:
    """Read the data sets one after the other; no more than one is held at a time."""
    yield context.tables("test")
    with contextlib.suppress(KeyError):
        yield context.tables("train")
