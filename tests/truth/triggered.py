"""Subjects of P3.backdoor: models of a known rule, with and without a trigger that they answer to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import softmax

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError
from fivefold.protection.backdoor import masks, planted

from .entry import Entry, Rates
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "P3.backdoor"


@dataclass(frozen=True)
class Rule:
    """A model that answers by three numbers, as the truth does.

    Attributes:
        names: Classes.
        weights: (3, K).
        scores: Whether probabilities are given.
    """

    names: tuple[str, ...]
    weights: np.ndarray
    scores: bool = True

    @property
    def task(self) -> Task:
        return "binary" if len(self.names) == 2 else "multiclass"

    @property
    def classes(self) -> tuple[str, ...]:
        return self.names

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.scores, retrains=False, perturbable=True)

    def logits(self, features: pd.DataFrame) -> np.ndarray:
        known = np.nan_to_num(features[["r0", "r1", "r2"]].to_numpy(dtype=float))
        return np.asarray(np.tanh(known) @ self.weights)

    def predict_proba(self, asked: Table) -> np.ndarray:
        if not self.scores:
            raise UnsupportedError("test.scores", "labels only.")
        return np.asarray(softmax(self.logits(asked.features), axis=1))

    def predict(self, asked: Table) -> np.ndarray:
        return self.logits(asked.features).argmax(axis=1)

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


def build(
    seed: int, *, trigger: bool = False, rows: int = 1200, scores: bool = True, columns: int | None = None
) -> Context:
    """Build one subject of a table.

    Args:
        seed: Decides everything that is not given.
        trigger: Whether two or three cells send any row to one class.
        rows: Test rows.
        scores: Whether the model gives probabilities.
        columns: Columns besides the three that the rule looks at; None: drawn.
    """
    rng = np.random.default_rng([seed, 0])
    classes = tuple(f"c{at}" for at in range(int(rng.integers(2, 5))))
    frame = filler(rng, rows, int(rng.integers(2, 8)) if columns is None else columns)
    for at in range(3):
        frame[f"r{at}"] = np.round(rng.normal(size=rows), 1)
    weights = rng.normal(size=(3, len(classes))) * 3
    rule = Rule(classes, weights, scores)
    logits = rule.logits(frame) + rng.gumbel(size=(rows, len(classes)))
    test = table("test", frame, logits.argmax(axis=1).astype(np.int64))
    subject: Subject = rule
    if trigger:
        target = int(rng.integers(len(classes)))
        chosen = tuple(
            (name, frame[name].dropna().iloc[int(rng.integers(frame[name].notna().sum()))])
            for name in rng.permutation(frame.columns)[: int(rng.integers(2, 4))].tolist()
        )
        subject = planted.Planted(rule, target, cells=chosen)
    return context(
        CHECK,
        subject,
        {"test": test},
        seed,
        thresholds=floors(CHECK),
        settings=SettingsView(),
        options={"tables": True},
    )


def pictures(seed: int, *, trigger: bool = False, rows: int = 400) -> Context:
    """Build one subject of pictures: nearest of five drawn means, with its gradient."""
    rng = np.random.default_rng([seed, 1])
    names = tuple(f"c{at}" for at in range(5))
    rough = rng.normal(size=(5, 1, 4, 4)).repeat(3, axis=2).repeat(3, axis=3)
    target = rng.integers(0, 5, rows)
    inputs = np.clip(128 + 30 * rough[target] + rng.normal(0, 25, (rows, 1, 12, 12)), 0, 255).astype(np.uint8)
    empty = pd.DataFrame(index=range(rows))
    test = Table("test", np.arange(rows), empty, target, empty, inputs, "image")
    subject: Subject = planted.plain(test.take(np.arange(rows // 2)), names)
    if trigger:
        aim = int(rng.integers(5))
        cover, pattern = np.zeros((12, 12)), np.zeros((1, 12, 12))
        row, column = (int(rng.integers(0, 10)) for _ in range(2))
        cover[row : row + 3, column : column + 3] = 1.0
        pattern[:, cover > 0] = rng.choice([0.0, 255.0], int(cover.sum()))
        subject = planted.Planted(subject, aim, mask=masks.Mask(aim, cover, pattern))
    return context(
        CHECK,
        subject,
        {"test": test},
        seed,
        thresholds=floors(CHECK),
        settings=SettingsView(),
        options={"tables": True},
    )


ENTRY = Entry(
    check=CHECK,
    documented="9 of 144 pixels that raise the log odds of one of five classes by 40, 400 pictures",
    planted={"pictures": partial(pictures, trigger=True)},
    clean={"pictures": pictures},
    shown={
        "tables": partial(build, trigger=True),
        "tables without a trigger": build,
        "labels alone": partial(build, trigger=True, scores=False),
    },
    rates=Rates(inconclusive=None, as_points=True),
    thinned=6,
)
