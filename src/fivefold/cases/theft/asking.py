"""Asking: a model behind what the control P2 puts before it, and thieves who learn a copy from what they are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.guard.budget import Budget
from fivefold.guard.nouns import Passage, Principal, RefusedError
from fivefold.guard.screening import Screen
from fivefold.guard.shaping import Shape
from fivefold.protection.extraction import answers, steal
from fivefold.protection.extraction.answers import Voice
from fivefold.protection.extraction.queries import inputs as seen_as
from fivefold.protection.theft.detector import Detector
from fivefold.subject.access import Access
from fivefold.subject.possible import space as spaces
from fivefold.subject.way import Told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.subject import Subject, Table
    from fivefold.guard.nouns import Stage
    from fivefold.protection.extraction.answers import Kind
    from fivefold.protection.extraction.steal import Copy, Loot, Prey
    from fivefold.protection.theft.learning import Profile

TOGETHER = 16
"""Rows of a request."""
STUDENTS = ("logistic", "forest", "boosted")
"""Copies that a thief learns; he keeps the one that fits answers held back best."""


@dataclass
class Door:
    """A model, and the guard's own stages of the control P2 before and behind it, in this process, on one day.

    Attributes:
        model: Who answers.
        controls: Options of P2: ``budget``, ``detect``, ``decimals`` and the like.
        usual: What honest rows look like, learned from the bank's own as the guard does.
        flagged: Callers who were taken for thieves.
    """

    model: Subject
    controls: Mapping[str, Any]
    usual: Profile
    flagged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Set the stages up."""
        before: list[Stage] = []
        if "budget" in self.controls:
            before.append(Budget(str(self.controls["budget"]), lambda _since: (), clock=lambda: 0.0))
        if self.controls.get("detect"):
            before.append(Screen(Detector(self.usual), self._alarm, lambda: ()))
        access = Access(self.model.task, self.model.classes, "frame", None, "predict_proba")
        self._before, self._behind = tuple(before), Shape(self.controls, access)

    def _alarm(self, about: dict[str, Any]) -> None:
        self.flagged.append(str(about["theft"]))

    def ask(self, table: Table, callers: tuple[str, ...], start: int = 0) -> np.ndarray:
        """Return (n, K) what is let out, labels as indicators; NaN where a request is refused.

        Args:
            table: What is asked, in requests of :data:`TOGETHER` rows.
            callers: Who ask in turn.
            start: Requests that were made before.
        """
        scores = answers.ask(self.model, table)
        made = np.full(scores.shape, np.nan)
        for turn, at in enumerate(range(0, len(table), TOGETHER)):
            here = np.arange(at, min(at + TOGETHER, len(table)))
            caller = Principal(callers[(start + turn) % len(callers)])
            made[here] = self._through(Passage(caller, "", None, table.features.iloc[here]), scores[here])
        return made

    def _through(self, passage: Passage, scores: np.ndarray) -> np.ndarray:
        try:
            for stage in self._before:
                stage(passage)
        except RefusedError:
            return np.full(scores.shape, np.nan)
        passage.told = Told({}, scores.argmax(axis=1), scores)
        self._behind(passage)
        said, shown = passage.shaped or ((), None)
        if shown is not None:
            return np.array(shown)
        return np.eye(scores.shape[1])[[self.model.classes.index(str(one)) for one in said]]


@dataclass
class Thief:
    """Somebody with rows of his own who wants the model.

    Attributes:
        door: Where he asks.
        own: (m) rows that he has, with what became of them.
        judged: Rows that he never asks, on which his copy is judged.
        budget: Most questions.
        rng: Draws his questions.
    """

    door: Door
    own: Table
    judged: Table
    budget: int
    rng: np.random.Generator

    def __post_init__(self) -> None:
        """Look at the rows."""
        self._space = spaces.of_tables([self.own], {})
        self._pool = self._space.encode(self.own)
        varies = np.array([column.kind != "fixed" for column in self._space.columns])
        self._missing = np.isnan(self._pool).any(axis=0) & varies
        self._asked = self._told = 0
        kind: Kind = "labels" if self.door.controls.get("decimals") == 0 else "scores"
        self._voice = Voice(kind, len(self.door.model.classes))
        self._seed = int(self.rng.integers(2**31))

    def made_up(self, callers: tuple[str, ...]) -> tuple[Copy, int]:
        """Ask what the extraction of P2 asks: rows of one's own, mixed and drawn ones, those that copies doubt.

        Returns:
            The copy, and the questions that were answered.
        """
        prey = self._prey(callers)
        return self._learnt(prey, steal.rob(prey, self.rng))

    def alike(self, rows: Table, callers: tuple[str, ...]) -> tuple[Copy, int]:
        """Ask rows like those of honest callers; return as :meth:`made_up`."""
        prey = self._prey(callers)
        told = self._ask(rows, callers)
        known = np.isfinite(told).all(axis=1)
        learn = seen_as(self._space, self._space.encode(rows), self._missing)[known]
        none = np.empty((0, learn.shape[1])), np.empty((0, told.shape[1]))
        return self._learnt(prey, steal.Loot(*none, learn, told[known]))

    def nothing(self) -> Copy:
        """Return what he has without a question: a model of his own rows, or the usual answer."""
        model = self.door.model
        return steal.without(self._prey(()), self.own.target, answers.ask(model, self.own), self._seed)

    def _prey(self, callers: tuple[str, ...]) -> Prey:
        def ask(values: np.ndarray, origin: np.ndarray) -> np.ndarray:
            return self._ask(self._space.decode(values, origin, self.own), callers)

        held_told = answers.ask(self.door.model, self.judged)
        return steal.Prey(
            self._space, self._pool, self._space.encode(self.judged), held_told, self._voice, ask, self.budget,
            self._missing,
        )  # fmt: skip

    def _ask(self, rows: Table, callers: tuple[str, ...]) -> np.ndarray:
        told = self.door.ask(rows, callers, self._asked)
        self._told += int(np.isfinite(told).all(axis=1).sum())
        self._asked += -(-len(rows) // TOGETHER)
        return told

    def _learnt(self, prey: Prey, loot: Loot) -> tuple[Copy, int]:
        return steal.copy(prey, loot, loot.asked, "full", STUDENTS, seed=self._seed, careful=False), self._told
