"""Subjects of P3.inversion: models that are surer near rows that they know, those of training or as many others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import expit

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError

from .entry import Entry
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context

CHECK = "P3.inversion"
_BLOCK = 1024


@dataclass(frozen=True)
class Window:
    """Parzen windows over known rows (Parzen 1962): where it knows none, it says what is usual.

    Attributes:
        codes: Frame to (n, d) numbers.
        known: (m, d) rows.
        truth: (m,) their classes.
        width: Of the windows.
    """

    codes: Callable[[pd.DataFrame], np.ndarray]
    known: np.ndarray
    truth: np.ndarray
    width: float

    @property
    def task(self) -> Task:
        return "binary"

    @property
    def classes(self) -> tuple[str, ...]:
        return ("no", "yes")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=True, retrains=False, perturbable=True)

    def predict_proba(self, asked: Table) -> np.ndarray:
        values, share = self.codes(asked.features), np.empty(len(asked))
        for start in range(0, len(asked), _BLOCK):
            gaps = ((values[start : start + _BLOCK, None] - self.known) ** 2).mean(axis=2)
            near = np.exp(-gaps / (2 * self.width**2))
            yes, no = near[:, self.truth == 1].sum(axis=1) + 1e-3, near[:, self.truth == 0].sum(axis=1) + 1e-3
            share[start : start + _BLOCK] = yes / (yes + no)
        return np.column_stack([1 - share, share])

    def predict(self, asked: Table) -> np.ndarray:
        return self.predict_proba(asked).argmax(axis=1)

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


@dataclass(frozen=True)
class Line(Window):
    """A logistic model of the same rows, which knows no row."""

    weights: np.ndarray

    def predict_proba(self, asked: Table) -> np.ndarray:
        share = expit(self.codes(asked.features) @ self.weights)
        return np.column_stack([1 - share, share])


def _codes(frame: pd.DataFrame) -> np.ndarray:
    columns = []
    for name in frame:
        if str(name).startswith("k"):
            columns += [np.sqrt(2.0) * (frame[name] == level).to_numpy(dtype=float) for level in ("a", "b", "c")]
        else:
            columns.append(frame[name].fillna(0.0).to_numpy(dtype=float))
    return np.column_stack(columns)


def build(seed: int, *, mixed: bool = False, knows: str = "training", width: float = 0.1, rows: int = 500) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        mixed: Categories and missing cells among the numbers.
        knows: ``training``, ``others`` (as many rows that are in no set) or ``nothing`` (a line).
        width: Of the windows.
        rows: Training rows; as many test rows.
    """
    rng = np.random.default_rng([seed, 0])
    columns = int(rng.integers(5, 10))
    total = 3 * rows
    values = rng.normal(size=(total, columns))
    frame = pd.DataFrame(values, columns=[f"n{at}" for at in range(columns)])
    if mixed:
        frame["k0"] = np.array(["a", "b", "c"], dtype=object)[rng.integers(3, size=total)]
        frame["k1"] = np.array(["a", "b"], dtype=object)[rng.integers(2, size=total)]
        frame["n0"] = frame["n0"].mask(rng.random(total) < 0.05)
    pull = values[:, 1:] @ rng.normal(size=columns - 1)
    truth = (pull + rng.normal(size=total) * pull.std() / 2 > 0).astype(np.int64)
    parts = {
        name: table(name, frame[start : start + rows].reset_index(drop=True), truth[start : start + rows])
        for name, start in (("train", 0), ("test", rows))
    }
    known = slice(0, rows) if knows == "training" else slice(2 * rows, None)
    subject: Window = Window(_codes, _codes(frame[known]), truth[known], width)
    if knows == "nothing":
        weights = rng.normal(size=subject.known.shape[1])
        subject = Line(_codes, subject.known, subject.truth, width, weights)
    return context(CHECK, subject, parts, seed, thresholds=floors(CHECK), settings=SettingsView(), effort="quick")


ENTRY = Entry(
    check=CHECK,
    documented="a model that is surer near each of its 500 training rows than between them",
    planted={
        "numbers": build,
        "categories and missing cells": partial(build, mixed=True),
    },
    clean={
        "knows as many others": partial(build, knows="others"),
        "knows as many others, mixed": partial(build, knows="others", mixed=True),
        "a line": partial(build, knows="nothing"),
        "a line, mixed": partial(build, knows="nothing", mixed=True),
    },
    small={"90 training rows": partial(build, rows=90)},
    shown={"windows too narrow to be felt": partial(build, width=0.02)},
)
