"""Subjects of P3.faults: a small network whose weights are used as they are, or held within their stored range."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError
from fivefold.subject.files.weights import changed

from .entry import Entry
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.subject.altered import Change

CHECK = "P3.faults"
_HIDDEN = 64


@dataclass
class Network:
    """Two layers, the second fitted; missing cells count as 0.

    Attributes:
        classes: Labels; empty: a regression.
        stored: Weights as they are stored.
        bounded: Whether each weight is held within the largest stored one of its layer before it is used.
        used: Weights as they are now.
    """

    classes: tuple[str, ...]
    stored: list[np.ndarray]
    bounded: bool
    used: list[np.ndarray] = field(default_factory=list)

    @property
    def task(self) -> Task:
        return "regression" if not self.classes else "binary" if len(self.classes) == 2 else "multiclass"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=False, retrains=False, perturbable=True)

    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array([one.size for one in self.stored]), np.array([32] * len(self.stored))

    def alter(self, change: Change) -> None:
        self.used = changed(self.stored, change.how, change.places, change.bits)
        if self.bounded:
            tops = [np.abs(one).max() for one in self.stored]
            self.used = [np.nan_to_num(one, nan=0.0).clip(-top, top) for one, top in zip(self.used, tops, strict=True)]

    def tried(self, asked: Table) -> tuple[np.ndarray, np.ndarray]:
        given = np.nan_to_num(asked.features.select_dtypes("number").to_numpy(dtype=np.float32))
        with np.errstate(all="ignore"):
            out = np.maximum(given @ self.used[0] + self.used[1], 0.0) @ self.used[2]
        fine = np.isfinite(out).all(axis=1)
        safe = np.where(fine[:, None], out, 0.0)
        return (safe.argmax(axis=1) if self.classes else safe[:, 0].astype(np.float64)), fine

    def predict(self, asked: Table) -> np.ndarray:
        return self.tried(asked)[0]

    def predict_proba(self, asked: Table) -> np.ndarray:
        raise UnsupportedError("test.scores", "labels only.")

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


def build(
    seed: int, *, bounded: bool = False, classes: int | None = None, rows: int = 300, rate: float = 5e-3
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        bounded: Whether weights are held in their range.
        classes: 0: a regression; None: drawn; the last of several is rare.
        rows: Test rows.
        rate: At which bits flip.
    """
    rng = np.random.default_rng([seed, 0])
    kinds = int(rng.integers(2, 6)) if classes is None else classes
    total, width = rows + 600, int(rng.integers(3, 15))
    given = rng.normal(size=(total, width)).astype(np.float32)
    scores = np.tanh(given @ rng.normal(size=(width, max(kinds, 1)))) * 3.0
    scores[:, -1] -= 1.0 if kinds else 0.0
    target = scores.argmax(axis=1).astype(np.int64) if kinds else scores[:, 0].astype(np.float64)
    first = (rng.normal(size=(width, _HIDDEN)) / np.sqrt(width)).astype(np.float32)
    shift = (0.1 * rng.normal(size=_HIDDEN)).astype(np.float32)
    hidden = np.maximum(given[rows:] @ first + shift, 0.0).astype(np.float64)
    wanted = (target[rows:, None] == np.arange(kinds)) * 1.0 if kinds else target[rows:, None]
    last = np.linalg.solve(hidden.T @ hidden + 0.1 * np.eye(_HIDDEN), hidden.T @ wanted).astype(np.float32)
    frame = pd.DataFrame(given[:rows], columns=[f"c{at}" for at in range(width)]).mask(rng.random((rows, width)) < 0.02)
    frame["word"] = rng.choice(["a", "b", None], rows)
    network = Network(tuple(f"k{at}" for at in range(kinds)), [first, shift, last], bounded)
    parts = {"test": table("test", frame, target[:rows])}
    return context(
        CHECK, network, parts, seed, thresholds=floors(CHECK), settings=SettingsView(), options={"rate": rate}
    )


ENTRY = Entry(
    check=CHECK,
    documented="a network of 300 to 1,300 unbounded weights of which one bit in 200 flips, on 300 rows",
    planted={
        "classes": partial(build),
        "two classes": partial(build, classes=2),
        "a regression": partial(build, classes=0),
    },
    clean={
        "bounded, fewer flips": partial(build, bounded=True, rate=5e-5),
        "bounded, a regression": partial(build, bounded=True, classes=0, rate=5e-5),
        "unbounded, few flips": partial(build, rate=1e-5),
    },
    between={"one bit in 333": partial(build, rate=3e-3, classes=4)},
    small={"40 rows": partial(build, rows=40)},
    shown={"bounded, one bit in 200": partial(build, bounded=True)},
)
