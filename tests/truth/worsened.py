"""Subjects of P3.corruption: models that keep a known share of their right answers where anything was changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError
from fivefold.protection.corruption.canary import unchanged_rows

from .entry import Entry
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "P3.corruption"


@dataclass
class Keeper:
    """A model that knows its rows, and guesses right with a known chance where one was changed.

    Attributes:
        stored: The rows as they are.
        chance: Of a right answer for a changed row.
        classes: Labels.
        seed: Of its luck.
        calls: So far.
    """

    stored: Table
    chance: float
    classes: tuple[str, ...]
    seed: int
    calls: int = field(default=0)

    @property
    def task(self) -> Task:
        return "binary" if len(self.classes) == 2 else "multiclass"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=False, retrains=False, perturbable=True)

    def predict(self, asked: Table) -> np.ndarray:
        self.calls += 1
        luck = np.random.default_rng([self.seed, self.calls]).random(len(asked))
        right = unchanged_rows(self.stored.take(asked.rows), asked) | (luck < self.chance)
        truth = self.stored.target[asked.rows]
        return np.where(right, truth, (truth + 1) % len(self.classes))

    def predict_proba(self, asked: Table) -> np.ndarray:
        raise UnsupportedError("test.scores", "labels only.")

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


def build(seed: int, *, chance: float = 0.9, kind: str = "table", rows: int = 1000) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        chance: Share of changed rows that stay right.
        kind: ``table``, ``image``, ``series`` or ``audio``.
        rows: Test rows.
    """
    rng = np.random.default_rng([seed, 0])
    classes = tuple(f"c{at}" for at in range(int(rng.integers(2, 5))))
    target = rng.integers(0, len(classes), rows)
    shapes = {"image": (3, 12, 10), "series": (4, 30), "audio": (256,)}
    if kind == "table":
        frame = filler(rng, rows, int(rng.integers(2, 8)))
        frame["level"] = rng.normal(size=rows)
        stored = table("test", frame, target)
    else:
        empty = pd.DataFrame(index=range(rows))
        inputs = rng.uniform(-0.5, 0.5, (rows, *shapes[kind])).astype(np.float32)
        if kind == "image":
            inputs = rng.integers(0, 256, (rows, *shapes[kind])).astype(np.uint8)
        stored = Table("test", np.arange(rows), empty, target, empty, inputs, kind)  # type: ignore[arg-type]
    return context(
        CHECK,
        Keeper(stored, chance, classes, seed),
        {"test": stored},
        seed,
        thresholds=floors(CHECK),
        settings=SettingsView(alarm=0),
    )


ENTRY = Entry(
    check=CHECK,
    documented="a model that keeps 45 % of its right answers where anything was changed, on 500 rows",
    planted={kind: partial(build, chance=0.45, kind=kind) for kind in ("table", "image", "series", "audio")},
    clean={kind: partial(build, chance=0.85, kind=kind) for kind in ("table", "image", "series", "audio")},
    between={"60 % kept, images": partial(build, chance=0.6, kind="image")},
    small={"40 rows, 45 % kept": partial(build, chance=0.45, kind="image", rows=40)},
)
