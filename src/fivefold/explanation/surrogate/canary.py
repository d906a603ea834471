"""Canary of E3.surrogate: models that are small trees over the user's own rows, and answers that no tree can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary
from fivefold.contract.outcome import Outcome
from fivefold.explanation.surrogate import tree
from fivefold.explanation.told import told
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.explanation.antehoc.form import Term

CASES = 6
_ROWS = 3000
_TERMS = 40
_LEAVES = 4
_LEAST_SIDE = 0.25
_LEAST_FOUND = 5


@dataclass(frozen=True)
class Rows:
    """What a surrogate is taught on and held against: (n, T) steps and (n, K) answers of both."""

    codes: np.ndarray
    answers: np.ndarray
    held: np.ndarray
    truth: np.ndarray


def prove(  # noqa: PLR0917  what is judged, and how
    terms: list[Term], rows: Rows, form: str, most: int, floor: float, rng: np.random.Generator
) -> Canary:
    """Teach trees on planted answers and judge them as the user's tree is judged.

    To be noticed: a tree taught on the user's answers shuffled among the rows; a small tree of whose answers so many
    are dealt to other rows that only half of the floor can be told. Not to be flagged: small trees of whose answers
    nearly all can be told.

    Args:
        terms: T columns.
        rows: The user's, with the user's answers.
        form: ``value``, ``probability`` or ``label``, as the user's model answers.
        most: Most leaves.
        floor: Of the fidelity.
        rng: Draws trees.
    """
    found, alarms, planted, clean = 0, 0, 0, 0
    rows = Rows(*(one[:_ROWS] for one in (rows.codes, rows.answers, rows.held, rows.truth)))
    for case in range(CASES):
        kept = np.sort(rng.choice(len(terms), min(_TERMS, len(terms)), replace=False))
        some = [terms[at] for at in kept.tolist()]
        taught, held = rows.codes[:, kept], rows.held[:, kept]
        if case % 2:
            answers, truth = rng.permutation(rows.answers), rows.truth
        else:
            drawn = _drawn(taught, some, form, rng)
            if drawn is None:
                continue
            answers, truth = (_dealt(drawn.answers(one), 1 - np.sqrt(floor / 2), rng) for one in (taught, held))
        planted += 1
        found += _judged(taught, answers, held, truth, some, most, floor, rng) is Outcome.FAIL
        drawn = _drawn(taught, some, form, rng)
        if drawn is None:
            continue
        share = 1 - np.sqrt(1 - 0.15 * (1 - floor))
        answers, truth = (_dealt(drawn.answers(one), share, rng) for one in (taught, held))
        clean += 1
        alarms += _judged(taught, answers, held, truth, some, most, floor, rng) is not Outcome.PASS
    return Canary(
        kind="a tree taught on shuffled answers, and small trees that must be told",
        planted=planted,
        found=found,
        clean=clean,
        false_alarms=alarms,
        noticed=found >= _LEAST_FOUND and clean >= _LEAST_FOUND and alarms <= 1,
        detail=f"Trees of up to {_LEAVES} leaves over these very columns stand for the model. To be noticed: answers "
        f"shuffled among the rows, and answers of which {floor / 2:.0%} can be told; not to be flagged: answers of "
        f"which {1 - 0.15 * (1 - floor):.0%} can.",
    )


def _judged(  # noqa: PLR0917  two sets of rows with their answers
    codes: np.ndarray, answers: np.ndarray, held: np.ndarray, truth: np.ndarray, terms: list[Term], most: int,
    floor: float, rng: np.random.Generator,
) -> Outcome:  # fmt: skip
    found = told(truth, tree.teach(codes, answers, terms, most, rng).answers(held))
    return judge(found.low, found.high, floor, "min")


def _drawn(codes: np.ndarray, terms: list[Term], form: str, rng: np.random.Generator) -> tree.Tree | None:
    """Return a tree of up to four leaves that splits rows about evenly; None: no column allows it."""
    rows, splits = {0: np.arange(len(codes))}, list[tree.Split]()
    while len(splits) < _LEAVES - 1:
        node = max(rows, key=lambda one: len(rows[one]))
        split = _even(codes[rows[node]], terms, node, rng)
        if split is None:
            break
        goes = split.left[codes[rows[node], split.term]]
        mine = rows.pop(node)
        splits.append(split)
        rows[2 * len(splits) - 1], rows[2 * len(splits)] = mine[goes], mine[~goes]
    if not splits:
        return None
    value = np.zeros((2 * len(splits) + 1, 1))
    leaves = sorted(rows)
    level = np.arange(len(leaves)) % 2 if form == "label" else np.linspace(0.05, 0.95, len(leaves))
    value[leaves, 0] = rng.permutation(level)
    if form == "label":
        # neighbours answer differently, so that no question is idle
        value[2 * len(splits) - 1, 0], value[2 * len(splits), 0] = rng.permutation([0, 1])
    if form != "value":
        value = np.column_stack([1 - value, value])
    return tree.Tree(tuple(splits), value, np.zeros(len(value), dtype=np.int64))


def _even(codes: np.ndarray, terms: list[Term], node: int, rng: np.random.Generator) -> tree.Split | None:
    """Return a question on a column drawn that sends at least a quarter of the rows to either side."""
    for at in rng.permutation(len(terms)).tolist():
        size = len(terms[at].adds) + 1
        order = rng.permutation(size) if terms[at].kind == "text" else np.arange(size)
        share = np.cumsum(np.bincount(codes[:, at], minlength=size)[order])[:-1] / max(len(codes), 1)
        good = np.flatnonzero((share >= _LEAST_SIDE) & (share <= 1 - _LEAST_SIDE))
        if len(good):
            left = np.zeros(size, dtype=bool)
            left[order[: int(rng.choice(good)) + 1]] = True
            return tree.Split(node, at, left)
    return None


def _dealt(answers: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return answers of which a share is that of another row: of their variation (1 - share) squared can be told."""
    giver = np.where(rng.random(len(answers)) < share, rng.integers(len(answers), size=len(answers)),
                     np.arange(len(answers)))  # fmt: skip
    return np.asarray(answers[giver])
