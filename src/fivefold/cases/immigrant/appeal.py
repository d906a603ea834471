"""The appeal of one person who was turned down, walked through to its remedy on a record of its own.

Once at a desk where whoever refused her may review it himself, once at the product's own. Both are judged by the log.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.cases.immigrant.people import LITTLE
from fivefold.errors import InputError
from fivefold.explanation.delivered import Reasoner
from fivefold.fairness.mitigation.fair import Model, Scorer, write
from fivefold.governance.appeals.check import SelfServing
from fivefold.governance.appeals.desk import Desk
from fivefold.governance.appeals.nouns import Receipt, Terms
from fivefold.governance.appeals.trial import Clock, Place
from fivefold.governance.appeals.verifying import verified

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.cases.immigrant.people import People

BRANCH, REVIEWER, DAYS = "branch-3", "officer-9", 30
_PERSON, _FRIEND = "the applicant", "a social worker"
_WHY = "reminders came as letters that I could not read; I paid as soon as I was told"
_BACKGROUND, _PAIRS = 100, 12


@dataclass(frozen=True)
class Walked:
    """How the appeal went at one desk.

    Attributes:
        faults: What the log says is wrong with its course; empty: nothing.
        reviewer: Who decided.
        refused: Whether the desk refused the one who had turned her down.
        replayed: What came of asking the score again.
        reason: What she was told.
        answer: That holds in the end.
        remedy: On record.
        proven: Records proven in the log.
    """

    faults: tuple[str, ...]
    reviewer: str
    refused: bool
    replayed: str
    reason: str
    answer: str
    remedy: str
    proven: int


@dataclass(frozen=True)
class Score:
    """The score as a model that is asked again."""

    learned: Model
    background: pd.DataFrame
    seed: int

    @property
    def model(self) -> str:
        """Digest of what was learned."""
        return hashlib.sha256(write(self.learned)).hexdigest()

    @property
    def answers(self) -> tuple[str, ...]:
        """Refuse and grant."""
        return self.learned.classes

    def ask(self, rows: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return its scores."""
        return {"predict_proba": Scorer(self.learned).predict_proba(rows)}

    def answer(self, rows: pd.DataFrame) -> list[str]:
        """Return its answers."""
        return [self.answers[int(one >= 0.5)] for one in self.ask(rows)["predict_proba"][:, 1]]

    def reason(self, rows: pd.DataFrame) -> str:
        """Return which fields moved the answer most."""
        found = Reasoner(self.background)(
            lambda asked: self.ask(asked)["predict_proba"], rows, pairs=_PAIRS, seed=self.seed, regression=False
        )
        named = [f"{one.field.replace('_', ' ')} ({one.value})" for one in found.moved if one.credit > 0]
        return f"What spoke for this answer most: {', '.join(named)}." if named else "No single field stands out."


def walked(model: Model, asking: People, seed: int) -> tuple[Walked, Walked] | None:
    """Walk the appeal of the first good payer with little of the language whom the score refuses through both desks.

    Args:
        model: The score that refused her.
        asking: Who asks for a loan.
        seed: Of the reason.

    Returns:
        At a desk where anybody reviews, and at the product's own; None: nobody was wronged.
    """
    score = Score(model, asking.features.iloc[:_BACKGROUND].reset_index(drop=True), seed)
    granted = score.ask(asking.features)["predict_proba"][:, 1] >= 0.5
    wronged = np.flatnonzero(~granted & (asking.repays == 1) & (asking.language == LITTLE).to_numpy())
    if not len(wronged):
        return None
    row = asking.features.iloc[wronged[:1]].reset_index(drop=True)
    return _at(SelfServing, score, row), _at(Desk, score, row)


def _at(kind: type[Desk], score: Score, row: pd.DataFrame) -> Walked:
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="fivefold-case-") as folder, contextlib.ExitStack() as stack:
        place = Place(Path(folder), np.random.default_rng(score.seed), clock)
        recorder = stack.enter_context(place.writing())
        desk = stack.enter_context(contextlib.closing(kind(place, Terms(DAYS), now=clock)))
        with recorder.open("loan", subject=_PERSON, model=score.model) as case:
            case.input({str(name): column for name, column in row.items()})
            fields: dict[str, Any] = {"caller": BRANCH, "answer": score.answer(row), "rows": 1}
            record = case.add("decision", {**fields, "reasons": [score.reason(row)]}, batch=score.ask(row), wait=True)
        made = desk.file(Receipt(place.application, record, "", "receipt, version 1"), 0, _FRIEND, _WHY, recorder)
        made = desk.examine(made, score, "", recorder)
        refused = False
        try:
            done = desk.decide(made.id, BRANCH, "uphold", "the score is what it is", recorder)
        except InputError:
            refused = True
            because = "she paid each bill within days of a call; the letters were in a language she does not read"
            done = desk.decide(made.id, REVIEWER, "change", because, recorder, answer=score.answers[1])
        found = verified(place.reading(), done, place.keys, days=DAYS, now=clock.now)
    last = done.decided[0]
    return Walked(
        found.faults, last.by, refused, done.replayed, done.explained, last.answer, done.remedied[0], len(found.proven)
    )
