"""Subjects of P1.series: linear models, for which robust accuracy is known exactly.

What an attacker adds to a score is largest at a corner of the box that he may move in before what he adds is smoothed;
the smoothing is taken here from a matrix of its own and no code of the product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError

from .entry import Entry
from .subjects import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context

CHECK = "P1.series"
_SMOOTH = 0.1


@dataclass(frozen=True)
class Line:
    """Scores are sums over times and channels.

    Attributes:
        weights: (d, K).
        offset: (K,).
    """

    weights: np.ndarray
    offset: np.ndarray

    @property
    def task(self) -> Task:
        return "binary" if len(self.offset) == 2 else "multiclass"

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(f"k{at}" for at in range(len(self.offset)))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=False, retrains=False, perturbable=True)

    def score(self, inputs: np.ndarray) -> np.ndarray:
        return inputs.reshape(len(inputs), -1).astype(np.float64) @ self.weights + self.offset

    def predict(self, asked: Table) -> np.ndarray:
        return self.score(asked.inputs).argmax(axis=1)

    def predict_proba(self, asked: Table) -> np.ndarray:
        raise UnsupportedError("test.scores", "labels only.")

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


def smoothing(times: int) -> np.ndarray:
    """Return (T, T) weights of a raised cosine over a tenth of the length; edges are repeated."""
    half = max(1, round(_SMOOTH * times / 2))
    bell = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, 2 * half + 2) / (2 * half + 2))
    made = np.zeros((times, times))
    for at in range(times):
        for step, weight in zip(range(-half, half + 1), bell / bell.sum(), strict=True):
            made[at, min(max(at + step, 0), times - 1)] += weight
    return made


def robust(model: Line, inputs: np.ndarray, target: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Return (n,) bool: right, and right whatever is added; ``gain`` (n, K, K) is the most between two scores."""
    score = model.score(inputs)
    mine = score.argmax(axis=1)
    at = np.arange(len(inputs))
    lead = score - score[at, mine][:, None] + gain[at, mine]
    lead[at, mine] = -np.inf
    return (mine == target) & (lead.max(axis=1) < 0)


def _series(rng: np.random.Generator, rows: int, classes: int) -> tuple[np.ndarray, Line, Callable[..., np.ndarray]]:
    channels, times = int(rng.integers(1, 4)), int(rng.integers(16, 48))
    units = 10.0 ** rng.integers(-1, 3, channels)
    values = 0.1 + 0.8 * rng.random((rows, channels, times))
    values[:2] = np.array([0.0, 1.0])[:, None, None]
    values = (values * units[:, None]).astype(np.float32)
    drift = np.cumsum(rng.normal(size=(channels, times, classes)), axis=1)
    weights = (drift / units[:, None, None] / times).reshape(-1, classes)
    spread = smoothing(times)

    def gains(epsilon: float) -> np.ndarray:
        apart = (weights[:, None, :] - weights[:, :, None]).reshape(channels, times, classes, classes)
        felt = np.einsum("ts,ctkl->cskl", spread, apart)
        most = epsilon * np.einsum("cskl,c->kl", np.abs(felt), units)
        return np.broadcast_to(most, (rows, classes, classes))

    return values, Line(weights, np.zeros(classes)), gains


def build(
    seed: int, *, margin: float = 0.0, wanted: tuple[float, float] = (0.62, 0.82), classes: int = 2, rows: int = 1000
) -> Context:
    """Build one subject whose declared floor lies ``margin`` above its exact robust accuracy."""
    rng = np.random.default_rng([seed, 0])
    total = rows + rows // 2
    values, model, gains = _series(rng, total, classes)
    model = Line(model.weights, -np.median(model.score(values), axis=0))
    target = model.score(values).argmax(axis=1)
    wrong = rng.random(total) < rng.uniform(0.0, 0.08)
    target = np.where(wrong, (target + 1) % classes, target)
    test = slice(0, rows)

    def exact(size: float) -> float:
        return float(robust(model, values[test], target[test], gains(size)[test]).mean())

    low, high, goal = 0.0011, 0.0999, float(rng.uniform(*wanted))
    for _ in range(14):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if exact(middle) > goal else (low, middle)
    parts = {
        "test": _table("test", values[test], target[test]),
        "train": _table("train", values[rows:], target[rows:]),
    }
    floors = {"min_robust_accuracy": exact(low) + margin}
    return context(CHECK, model, parts, seed, thresholds=floors, settings=SettingsView(), options={"epsilon": low})


def _table(name: str, inputs: np.ndarray, target: np.ndarray) -> Table:
    nothing = pd.DataFrame(index=pd.RangeIndex(len(target)))
    return Table(name, np.arange(len(target)), nothing, target.astype(np.int64), nothing, inputs, "series")


def undefended(seed: int) -> Context:
    """Build the reference: the mean of series that hardly differ, at the default size of changes and floor."""
    rng = np.random.default_rng([seed, 3])
    values = (0.5 + 0.02 * rng.normal(size=(1500, 2, 24)) + 0.02 * rng.normal(size=(1500, 1, 1))).astype(np.float32)
    values[:2] = np.array([0.0, 1.0])[:, None, None]
    model = Line(np.tile([0.0, 1.0], (48, 1)), np.array([0.0, -24.0]))
    target = model.score(values).argmax(axis=1)
    parts = {
        "test": _table("test", values[:1000], target[:1000]),
        "train": _table("train", values[1000:], target[1000:]),
    }
    return context(CHECK, model, parts, seed, thresholds={"min_robust_accuracy": 0.5}, settings=SettingsView())


ENTRY = Entry(
    check=CHECK,
    documented="robust accuracy 0.10 below the declared floor, at the declared epsilon, for linear models of 1,000 "
    "series of 1 to 3 channels and 16 to 47 times",
    planted={
        "two classes, 0.10 below": partial(build, margin=0.10, wanted=(0.42, 0.8)),
        "three classes, 0.10 below": partial(build, margin=0.10, wanted=(0.42, 0.8), classes=3),
    },
    clean={
        "two classes, 0.10 above": partial(build, margin=-0.10, wanted=(0.62, 0.88)),
        "three classes, 0.10 above": partial(build, margin=-0.10, wanted=(0.62, 0.88), classes=3),
    },
    small={"100 rows, 0.10 below": partial(build, margin=0.10, rows=100)},
    thinned=6,
)
