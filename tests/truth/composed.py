"""Subjects of P3.property: applications whose models tell, or do not tell, how many of a group they were trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError

from .entry import Entry
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "P3.property"


@dataclass(frozen=True)
class Counting:
    """A model whose answers to a group move with the group's share in training, among noise of the training.

    Attributes:
        tells: How far, in units of the noise, from a fewest to a largest share.
        form: ``scores``, ``labels`` or ``values``.
        classes: Labels; empty: a regression.
        share: Of the group in training, less what is usual.
        seed: Of the noise.
        trains: Whether it can be trained again.
    """

    tells: float
    form: str
    classes: tuple[str, ...]
    share: float
    seed: int
    trains: bool = True

    @property
    def task(self) -> Task:
        return "binary" if self.classes else "regression"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.form == "scores", retrains=self.trains, perturbable=True)

    def _value(self, asked: Table) -> np.ndarray:
        rng = np.random.default_rng([self.seed, 3])
        noise, shift = rng.normal(size=3)[:2], rng.normal(size=1)
        inside = asked.features["group"].to_numpy(dtype=object).astype(str) == "in"
        x = asked.features["x"].to_numpy(dtype=float)
        moved = np.where(inside, self.tells * 10 * self.share + noise[0] * 0.3, 0.0)
        return np.asarray(x * (1 + 0.1 * noise[1]) + moved + 0.1 * shift)

    def predict_proba(self, asked: Table) -> np.ndarray:
        if self.form != "scores":
            raise UnsupportedError("test.scores", "labels only.")
        share = expit(self._value(asked))
        return np.column_stack([1 - share, share])

    def predict(self, asked: Table) -> np.ndarray:
        value = self._value(asked)
        return (value > 0).astype(np.int64) if self.classes else value

    def retrain(self, asked: Table, seed: int) -> Subject:
        if not self.trains:
            raise UnsupportedError("test.retrain", "no training.")
        inside = (asked.features["group"].to_numpy(dtype=object).astype(str) == "in").mean()
        return replace(self, share=float(inside) - 0.4, seed=seed)


def build(
    seed: int, *, tells: float = 0.0, rows: int = 900, form: str = "scores", trains: bool = True, rare: bool = False
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        tells: How much answers move with the share; 0: not at all.
        rows: Training rows; a third as many test rows.
        form: ``scores``, ``labels`` or ``values``.
        trains: Whether the application can train again.
        rare: Whether one row in ten is in the group.
    """
    rng = np.random.default_rng([seed, 0])
    total = rows + rows // 3
    frame = filler(rng, total, int(rng.integers(2, 6)))
    frame["x"] = rng.normal(size=total)
    named = np.where(rng.random(total) < (0.1 if rare else rng.uniform(0.3, 0.6)), "in", "out").astype(object)
    named[rng.random(total) < 0.02] = None
    frame["group"] = named
    value = frame["x"].to_numpy() + rng.normal(size=total)
    target = value if form == "values" else (value > 0).astype(np.int64)
    classes = () if form == "values" else ("no", "yes")
    subject = Counting(tells, form, classes, 0.0, int(rng.integers(2**31)), trains)
    parts = {
        name: table(name, frame.iloc[where].reset_index(drop=True), target[where])
        for name, where in (("train", slice(0, rows)), ("test", slice(rows, None)))
    }
    return context(CHECK, subject, parts, seed, thresholds=floors(CHECK), settings=SettingsView(personal=("group",)))


ENTRY = Entry(
    check=CHECK,
    documented="a model whose answers to a group move by ten times its share, 900 training rows",
    planted={
        "scores": partial(build, tells=1.0),
        "values": partial(build, tells=1.0, form="values"),
    },
    clean={
        "tells nothing": partial(build),
        "tells nothing, values": partial(build, form="values"),
    },
    small={"240 rows": partial(build, tells=1.0, rows=240)},
    shown={
        "labels alone": partial(build, tells=1.0, form="labels"),
        "one row in ten": partial(build, tells=1.0, rare=True),
        "cannot train again": partial(build, tells=1.0, trains=False),
    },
)
