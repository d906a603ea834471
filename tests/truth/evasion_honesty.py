"""Subjects of P1.honesty: the linear models of :mod:`tests.truth.evasion`, honest ones and ones that hide it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .entry import Entry
from .evasion import Additive, build, undefended

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Capabilities, Loss, Subject, Table, Task

CHECK = "P1.honesty"
KINDS = ("numbers", "images")
FLOORS = {"max_overstated": 0.05}


@dataclass(frozen=True)
class Hiding:
    """A model whose gradients hide how weak it is.

    Attributes:
        model: The model.
        way: ``lying``, ``zero`` or ``saturated`` gradients, or ``random`` answers.
        share: Of the rows whose gradient lies.
        seed: Of random answers.
    """

    model: Additive
    way: str
    share: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rng", np.random.default_rng(self.seed))

    @property
    def task(self) -> Task:
        return self.model.task

    @property
    def classes(self) -> tuple[str, ...]:
        return self.model.classes

    @property
    def capabilities(self) -> Capabilities:
        return self.model.capabilities

    def predict(self, asked: Table) -> np.ndarray:
        answers = self.model.predict(asked)
        if self.way != "random":
            return answers
        other = self.rng.random(len(answers)) < 0.2  # type: ignore[attr-defined]
        return np.where(other, (answers + 1) % len(self.classes), answers)

    def predict_proba(self, asked: Table) -> np.ndarray:
        return self.model.predict_proba(asked)

    def retrain(self, asked: Table, seed: int) -> Subject:
        return self.model.retrain(asked, seed)

    def gradient(self, asked: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        losses, slope = self.model.gradient(asked, target, loss)
        if self.way == "zero" or (self.way == "saturated" and loss == "cross-entropy"):
            return 0 * losses if self.way == "saturated" else losses, 0 * slope
        if self.way == "lying":
            lies = asked.rows % 100 < 100 * self.share
            slope = np.where(lies.reshape(-1, *[1] * (slope.ndim - 1)), -slope, slope)
        return losses, slope


def hiding(
    seed: int, *, way: str, kind: str = "numbers", share: float = 1.0, rows: int = 2000, wanted: float = 0.4
) -> Context:
    """Build a model that stands on 40 to 65 % of rows and says that it stands on more."""
    made = build(seed, kind=kind, wanted=(wanted, wanted + 0.25), rows=rows, gradients=True, check=CHECK, floor=0.0)
    return replace(made, subject=Hiding(_calm(made), way, share, seed), thresholds=FLOORS)


def _calm(made: Context) -> Additive:
    """Return the model with scores of a spread of 3, so that no softmax is saturated; its answers are the same."""
    model = made.subject
    if not isinstance(model, Additive):
        raise TypeError
    by = 3.0 / float(model.score(made.tables("test")).std())
    parts = {name: replace(part, weight=by * part.weight) for name, part in model.parts.items()}
    return replace(model, parts=parts, offset=by * model.offset)


def honest(seed: int, *, kind: str, gradients: bool = True) -> Context:
    """Build a model that hides nothing."""
    made = build(seed, kind=kind, wanted=(0.4, 0.88), gradients=gradients, check=CHECK, floor=0.0)
    return replace(made, subject=_calm(made), thresholds=FLOORS)


def reference(seed: int) -> Context:
    """Build the undefended reference behind lying gradients."""
    made = undefended(seed, check=CHECK)
    return replace(made, subject=Hiding(made.subject, "lying"), thresholds=FLOORS)  # type: ignore[arg-type]


WAYS = ("lying", "zero", "saturated")

ENTRY = Entry(
    check=CHECK,
    documented="gradients that lie, are zero or whose cross-entropy is saturated, on all rows of linear models of "
    "numbers and images that stand on 40 to 65 % of 2,000 test rows",
    planted={f"{way}, {kind}": partial(hiding, way=way, kind=kind) for way in WAYS for kind in KINDS},
    clean={f"honest, {kind}": partial(honest, kind=kind) for kind in KINDS},
    between={"lying on half of the rows": partial(hiding, way="lying", share=0.5, wanted=0.6)},
    small={"60 rows, lying": partial(hiding, way="lying", rows=60)},
    shown={
        "random answers": partial(hiding, way="random"),
        "labels alone": partial(honest, kind="numbers", gradients=False),
    },
    thinned=6,
)
