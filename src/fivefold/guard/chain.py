"""Chain: the stages of a guard in their order, built from the manifest alone; an owner cannot leave one out.

Outermost is the purpose, innermost the record, which :mod:`fivefold.guard.guard` writes around the chain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fivefold.contract.registry import provided
from fivefold.errors import SubjectError
from fivefold.guard.admission import Domain, Purpose
from fivefold.guard.budget import Budget
from fivefold.guard.falling import Fallback
from fivefold.guard.judging import judge as judging
from fivefold.guard.nouns import OPERATOR, Passage, RefusedError, Stage
from fivefold.guard.purposing import Consent, Drift
from fivefold.guard.reasoning import Reasoning
from fivefold.guard.screening import screening
from fivefold.guard.shaping import Shape
from fivefold.guard.unknown import unknown
from fivefold.keys import ciphers
from fivefold.keys import store as keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.plan import Facts
    from fivefold.guard.block import Block
    from fivefold.guard.memory import Memory
    from fivefold.guard.nouns import Answering
    from fivefold.guard.steps import Begun, Step
    from fivefold.manifest.nouns import Manifest
    from fivefold.subject.rows import Rows
    from fivefold.subject.way import Told


_SPARED = frozenset({"drift", "budget", "screen"})
"""Stages that watch how much and what is asked, which for an assessment's operator says nothing."""


class Model:
    """Puts what was admitted on record, and before the model in its own process."""

    name = "model"

    def __init__(self, isolated: Answering, *, below: bool) -> None:
        """Take it; ``below``: somebody answers where it is gone."""
        self._isolated, self._below = isolated, below

    def __call__(self, passage: Passage) -> Question:
        """Return the question, of rows that are on record.

        Raises:
            RefusedError: ``guard.rows`` if nothing was admitted.
        """
        rows = passage.admitted
        if rows is None:
            raise RefusedError("guard.rows", "nothing was admitted.", status=400)
        passage.asked = passage.keep({"input": rows} if isinstance(rows, np.ndarray) else rows)
        return Question(self._isolated, passage, rows, self._below)


class Spared:
    """A stage of an assessment's chain that its operator goes past; in a served chain nobody does.

    Attributes:
        name: Of the stage.
    """

    def __init__(self, stage: Stage) -> None:
        """Take the stage."""
        self.name, self._stage = stage.name, stage

    def __call__(self, passage: Passage) -> Step | None:
        """Do what the stage does, unless an operator asks.

        Raises:
            RefusedError: As the stage.
        """
        return None if passage.principal.role == OPERATOR else self._stage(passage)


class Question(NamedTuple):
    """A question to the model; see :class:`fivefold.guard.steps.Question`."""

    isolated: Answering
    passage: Passage
    rows: Rows | Block
    below: bool

    @property
    def single(self) -> bool:
        """Whether the model answers one question at a time."""
        return self.isolated.single

    def now(self) -> None:
        """Ask and wait.

        Raises:
            SubjectError: It gives no answer that can be used, and nobody stands below it.
        """
        self._told(lambda: self.isolated.ask(self.rows))

    def begin(self) -> Begun | None:
        """Ask without waiting."""
        return self.isolated.begin(self.rows)

    def take(self, begun: Begun) -> None:
        """Wait for the answer; as :meth:`now`."""
        self._told(begun.take)

    def _told(self, ask: Callable[[], Told]) -> None:
        try:
            self.passage.told = ask()
        except SubjectError as error:
            if not self.below:
                raise
            self.passage.notes["model"] = error.code


class Chain(NamedTuple):
    """The stages, outermost first, and the one among them that falls back; None: nobody stands below the model."""

    stages: tuple[Stage, ...]
    fallback: Fallback | None


def build(manifest: Manifest, isolated: Answering, facts: Facts, memory: Memory, *, tried: bytes = b"") -> Chain:
    """Return the stages, outermost first.

    Args:
        manifest: What is enforced.
        isolated: The model.
        facts: Of the probe.
        memory: What is on record.
        tried: Secret of a chain that an assessment asks and nobody else: operators may ask it, noise is drawn from this
            instead of the application's secret, its clock stands still, the declared rate (which an assessment does not
            keep) is not watched, and no reasons are given, which change no answer. Empty: it is served.

    Raises:
        InputError: A control is declared in a way that cannot be enforced.
    """
    train = (facts.data or {}).get("train")
    missing = frozenset(column.name for column in train.columns if column.missing) if train else frozenset[str]()
    controls, aims = manifest.controls.get("P2", {}), manifest.controls.get("D1", {})
    if tried:
        aims = {name: value for name, value in aims.items() if name != "rate"}
    stages: list[Stage] = [Purpose(manifest.purposes, operators=bool(tried))]
    if "consent" in aims:
        column = str(aims["consent"])
        stages.append(Consent(column, seen=column in getattr(isolated.way.rows(), "columns", ())))
    stages += [Domain(isolated.way.rows(), manifest.features, missing), Drift(aims, isolated.way, memory.past())]
    if "budget" in controls:
        clock = (lambda: 0.0) if tried else None
        stages.append(Budget(str(controls["budget"]), memory.spent, clock=clock))
    if controls.get("detect"):
        stages.append(screening(controls, isolated, memory.alarm, memory.flagged))
    if tried:
        stages = [Spared(stage) if stage.name in _SPARED else stage for stage in stages]
    judge = judging(manifest, isolated) if "C2" in manifest.controls else None
    members = None if judge is None else judge.members
    fallback = Fallback(manifest, isolated, memory, ensemble=members) if "C3" in manifest.controls else None
    stages.append(Model(isolated, below=fallback is not None))
    strange = unknown(manifest, isolated) if "P5" in manifest.controls else None
    stages += [stage for stage in (judge, strange, fallback) if stage is not None]
    secret = tried or (keys.application_secret(manifest.application.id) if controls.get("noise") else b"")
    noise = ciphers.keyed_hash(secret, b"noise of answers")
    stages.append(Shape(controls, isolated.way.access, noise))
    stages += [] if tried else [_reasoning(manifest, isolated)]
    return Chain(tuple(stages), fallback)


def _reasoning(manifest: Manifest, isolated: Answering) -> Reasoning:
    terms = provided("appeals.declared")(manifest.controls)
    return Reasoning(isolated, manifest, line=terms.line if terms is not None else "")
