"""Trial: the user's own rows laid out for a thief, honest callers and the detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import UnsupportedError
from fivefold.protection.extraction import answers, students
from fivefold.protection.extraction.answers import Voice
from fivefold.protection.theft import attacks
from fivefold.protection.theft.learning import FEWEST, Profile, learn
from fivefold.protection.theft.stream import Honest
from fivefold.subject.possible import space as spaces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table
    from fivefold.protection.theft.coding import Rows

PUBLIC = 200
ENOUGH = 0.9
"""Rescaled fidelity from which on a model counts as copied."""
_MOST_ROWS = 8000
_TOLERANCE = 0.1
_NAMES = ("linear", "logistic", "forest")


@dataclass(frozen=True)
class Case:
    """What a trial is made of.

    Attributes:
        start: What a thief begins with.
        pool: His public rows.
        held: Rows that honest callers ask, on which copies are judged.
        said: (n,) what the model says of them.
        blind: Fidelity of the best copy without a question.
        subject: The model.
    """

    start: attacks.Start
    pool: Table
    held: Table
    said: np.ndarray
    blind: float
    subject: Subject

    def rows(self, values: np.ndarray, origin: np.ndarray) -> Table:
        """Return vectors as rows that can be asked."""
        return self.start.space.decode(values, origin, self.pool)

    def fidelity(self, values: np.ndarray, told: np.ndarray, voice: Voice, seed: int) -> tuple[float, np.ndarray]:
        """Return rescaled fidelity of the best of some students, and (n,) where it agrees.

        Args:
            values: (m, d) questions.
            told: (m, K) answers.
            voice: How they are to be read.
            seed: Of students.
        """
        agreed = np.zeros(len(self.held), dtype=bool)
        inputs, held = self.start.inputs(values), self.start.inputs(self.start.space.encode(self.held))
        for name in _NAMES:
            student = students.fit(name, inputs, told, voice, seed)
            found = None if student is None else voice.same(voice.said(student(held)), self.said)
            agreed = found if found is not None and found.mean() > agreed.mean() else agreed
        return self.rescaled(float(agreed.mean())), agreed

    def rescaled(self, fidelity: float) -> float:
        """Return fidelity on the scale from the best copy without a question (0) to the model (1)."""
        return (fidelity - self.blind) / max(1 - self.blind, 1e-9)


def rows_of(table: Table) -> Rows:
    """Return what a caller asks of a table: its columns, or the array."""
    return table.features if table.inputs is None else table.inputs


def lay_out(context: Context) -> Case:
    """Draw the thief's public rows and the rows held back.

    Raises:
        UnsupportedError: ``theft.subject``, ``theft.inputs`` or ``theft.rows``.
        SubjectError: The model misbehaved.
    """
    subject, rng, test = context.subject, context.rng, context.tables("test")
    if subject is None or not subject.capabilities.perturbable:
        raise UnsupportedError("theft.subject", "there is no model that answers for new rows.")
    _require(test)
    order = rng.permutation(len(test))
    public = min(PUBLIC, len(test) // 3)
    pool, held = test.take(order[:public]), test.take(order[public:][: context.rows])
    del test  # the whole set is large
    space = spaces.of_images([pool]) if pool.kind == "image" else spaces.of_tables([pool], _declared(context))
    values = space.encode(pool)
    known = np.array([column.kind != "fixed" for column in space.columns] or [True] * values.shape[1])
    told, held_told = answers.ask(subject, pool), answers.ask(subject, held)
    voice = voice_of(subject, told)
    start = attacks.Start(space, values, np.isnan(values).any(axis=0) & known, voice)
    said = voice.said(held_told)
    case = Case(start, pool, held, said, 0.0, subject)
    return Case(start, pool, held, said, _blind(case, told), subject)


def _blind(case: Case, told: np.ndarray) -> float:
    """Return the fidelity of what needs no question: the usual answer, or a model of the public rows' true labels."""
    voice, said = case.start.voice, case.start.voice.said(told)
    usual = float(np.median(said)) if voice.kind == "values" else float(np.bincount(said.astype(np.int64)).argmax())
    best = float(voice.same(np.full(len(case.said), usual), case.said).mean())
    target = case.pool.target
    if voice.kind == "values":
        right, own = target[:, None].astype(np.float64), voice
    else:
        right, own = np.eye(voice.width)[np.clip(target, 0, voice.width - 1)], Voice("labels", voice.width)
    return max(best, case.fidelity(case.start.pool, right, own, 0)[0])


def voice_of(subject: Subject, told: np.ndarray) -> Voice:
    """Return how a model answers; values within a tenth of their mean deviation are the same."""
    if subject.task != "regression":
        return Voice("scores" if subject.capabilities.scores else "labels", told.shape[1])
    usual = float(np.abs(told - np.median(told)).mean()) or 1.0
    return Voice("values", 1, _TOLERANCE * usual, usual)


def profile_of(context: Context) -> Profile:
    """Learn what the application's own rows look like, from the training data as the guard does.

    Raises:
        UnsupportedError: ``theft.rows``: too few; ``theft.inputs``.
    """
    train = context.tables("train")
    _require(train)
    chosen = np.linspace(0, len(train) - 1, min(len(train), _MOST_ROWS)).astype(np.int64)
    rows = rows_of(train.take(chosen))
    del train  # the whole set is large
    return learn(rows, context.rng)


def honest_of(controls: Mapping[str, object]) -> Honest:
    """Return what honest callers may do, as the control P2 declares it."""
    variants = controls.get("variants")
    return Honest(variants=variants) if isinstance(variants, int) else Honest()


def controls_of(context: Context) -> Mapping[str, object]:
    """Return the options of the control P2."""
    return (context.settings.controls or {}).get("P2", {})


def _require(table: Table) -> None:
    if table.kind not in ("table", "image"):
        raise UnsupportedError("theft.inputs", f"thieves are looked for among tables and images, not {table.kind}.")
    if len(table) < FEWEST:
        raise UnsupportedError(
            "theft.rows",
            f"{table.name} has {len(table)} rows, and {FEWEST} are needed.",
            remedy="Bring more rows; a thousand are needed for a judgement.",
        )


def _declared(context: Context) -> dict[str, dict[str, object]]:
    return {
        name: {key: value for key, value in one.items() if key != "immutable"}
        for name, one in (context.settings.features or {}).items()
    }
