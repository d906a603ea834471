"""Subjects of T4.record: models that answer alike or not, recorders that are on, off, or acknowledge too early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import Capabilities, SettingsView, Table

from .entry import Entry
from .subjects import Answers, context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "T4.record"


@dataclass(frozen=True)
class Wavering(Answers):
    """A subject that answers one row otherwise when it is asked again.

    Attributes:
        row: Which one, as a share of the rows.
    """

    row: float = 0.0

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=False, retrains=False, perturbable=False)

    def predict(self, table: Table) -> np.ndarray:
        object.__setattr__(self, "answers", self.answers.copy())
        found = self.answers[table.rows]
        at = int(self.row * len(table))
        self.answers[table.rows[at]] = 1 - self.answers[table.rows[at]]
        return found


def _made(seed: int, control: dict[str, object] | None, *, wavers: bool = False) -> Context:
    rng = np.random.default_rng([seed, 0])
    count = int(rng.integers(3, 300))
    target = rng.integers(0, 2, count)
    features = filler(rng, count, int(rng.integers(1, 20)))
    scores = rng.random(count)
    given = np.stack([1 - scores, scores], axis=1) if rng.random() < 0.5 and not wavers else None
    names = ("no", "yes")
    answers = rng.integers(0, 2, count)
    subject = (
        Wavering("classification", names, answers, row=float(rng.random()))
        if wavers
        else Answers("classification", names, answers, given)
    )
    settings = SettingsView(level=4, controls={} if control is None else {"T4": control})
    tables = {"test": table("test", features, target)}
    return context(CHECK, subject, tables, seed, thresholds={}, settings=settings, effort="quick")


ENTRY = Entry(
    check=CHECK,
    documented="no recorder; a recorder that acknowledges before the disk has it; one answer of up to 40 that differs "
    "when the model is asked again",
    planted={
        "no recorder": lambda seed: _made(seed, None),
        "acknowledged too early": lambda seed: _made(seed, {"acknowledge": "queued"}),
        "one answer wavers": lambda seed: _made(seed, {}, wavers=True),
    },
    clean={
        "recorder by default": lambda seed: _made(seed, {}),
        "recorder that waits": lambda seed: _made(seed, {"acknowledge": "durable", "store": "record"}),
    },
)
