"""Subjects of P1.images: linear models of pictures, for which it is known exactly what patch, light and noise can do.

The best square is had by trying every place, with plain loops and no code of the product; of transformations only
light is allowed, which moves every pixel alike. The floor is declared 0.10 above the exact robust accuracy against the
worst way over all test pictures (planted), or 0.10 below it (clean).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.registry import checks
from fivefold.contract.subject import Capabilities, Loss, SettingsView, Subject, Table
from fivefold.errors import UnsupportedError

from .entry import Entry
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "P1.images"
STILL = {"rotation": 0.0, "shift": 0.0, "scale": 0.0}


@dataclass(frozen=True)
class Plane:
    """Two classes, one plane through the pictures."""

    weights: np.ndarray
    offset: float
    soft: bool
    task: str = "binary"
    classes: tuple[str, ...] = ("no", "yes")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.soft, retrains=False, perturbable=True, gradients=self.soft)

    def score(self, asked: Table) -> np.ndarray:
        return asked.inputs.reshape(len(asked), -1).astype(float) @ self.weights + self.offset  # type: ignore[union-attr]

    def predict(self, asked: Table) -> np.ndarray:
        return (self.score(asked) > 0).astype(np.int64)

    def predict_proba(self, asked: Table) -> np.ndarray:
        chance = 1 / (1 + np.exp(-self.score(asked)))
        return np.column_stack([1 - chance, chance])

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")

    def gradient(self, asked: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        own = np.asarray(target).reshape(len(target), -1)[:, 0]
        towards = np.where(own == 1, -1.0, 1.0)
        value = towards * self.score(asked)
        pull = towards if loss != "cross-entropy" else towards / (1 + np.exp(-value))
        value = value if loss != "cross-entropy" else np.logaddexp(0, value)
        slope = (pull[:, None] * self.weights).reshape(asked.inputs.shape).astype(np.float32)  # type: ignore[union-attr]
        return value, slope


def stands(x: np.ndarray, weights: np.ndarray, score: np.ndarray, reach: dict[str, float]) -> dict[str, np.ndarray]:
    """Return way to (n,) bool, exactly: the sign of the score cannot be changed.

    Args:
        x: (n, 1, h, w) in [0, 1].
        weights: (h * w,).
        score: (n,).
        reach: ``epsilon``, ``side`` in pixels, ``brightness``.
    """
    n, _, height, width = x.shape
    grid, up = weights.reshape(height, width), score <= 0
    towards = np.where(up, 1.0, -1.0)[:, None, None]
    gain = np.maximum(towards * grid * (1 - x[:, 0]), -towards * grid * x[:, 0])
    side = int(reach["side"])
    corners = product(range(height - side + 1), range(width - side + 1))
    best = np.max([gain[:, top : top + side, left : left + side].sum(axis=(1, 2)) for top, left in corners], axis=0)
    step = np.minimum(np.abs(np.where(towards * grid > 0, 1 - x[:, 0], x[:, 0])), reach["epsilon"])
    noise = (np.abs(grid) * step).sum(axis=(1, 2))
    flat = x.reshape(n, -1)
    light = [np.clip(flat + by, 0, 1) @ weights - flat @ weights for by in (reach["brightness"], -reach["brightness"])]
    moved = np.max([np.where(up, each, -each) for each in light], axis=0)
    return {way: np.abs(score) > change for way, change in (("patch", best), ("noise", noise), ("light", moved))}


def build(
    seed: int,
    *,
    way: str,
    margin: float,
    soft: bool = True,
    rows: int = 2000,
    wanted: tuple[float, float] = (0.45, 0.8),
) -> Context:
    """Build one subject whose weakest side is ``way``.

    Args:
        seed: Decides everything that is not given.
        way: ``patch``, ``light`` or ``noise``.
        margin: Declared floor less exact robust accuracy.
        soft: The model gives scores and gradients; else labels alone.
        rows: Test pictures; half as many are training ones.
        wanted: Range of the exact robust accuracy; the offset is chosen to reach it.
    """
    rng = np.random.default_rng([seed, 0])
    height, width = int(rng.integers(8, 13)), int(rng.integers(8, 13))
    x = rng.random((rows + max(rows // 2, 200), 1, height, width)).astype(np.float32)
    x *= rng.uniform(0.3, 1.0, (len(x), 1, 1, 1)).astype(np.float32)
    weights = rng.normal(size=height * width) + (0.3 * rng.choice([-1, 1]) if way == "light" else 0.0)
    weights -= weights.mean() if way != "light" else 0.0
    reach = {
        "epsilon": 0.05 if way == "noise" else 0.002, "side": 2.0 if way == "patch" else 1.0,
        "brightness": 0.1 if way == "light" else 0.002,
    }  # fmt: skip
    score = x.reshape(len(x), -1).astype(float) @ weights
    goal = float(rng.uniform(*wanted))
    offset = min(
        (-float(np.quantile(score[:rows], cut)) for cut in np.linspace(0.02, 0.5, 25)),
        key=lambda by: abs(_worst(x[:rows], weights, score[:rows] + by, reach) - goal),
    )
    exact = _worst(x[:rows], weights, score[:rows] + offset, reach)
    model = Plane(weights, offset, soft)
    target = (score + offset > 0).astype(np.int64)
    made = {"test": _pictures("test", x[:rows], target[:rows]), "train": _pictures("train", x[rows:], target[rows:])}
    options = STILL | {"epsilon": reach["epsilon"], "brightness": reach["brightness"], "steps": 10,
                       "patch": (reach["side"] + 0.2) / min(height, width)}  # fmt: skip
    return context(
        CHECK, model, made, seed, thresholds={"min_robust_accuracy": exact + margin}, settings=SettingsView(),
        options=options,
    )  # fmt: skip


def _worst(x: np.ndarray, weights: np.ndarray, score: np.ndarray, reach: dict[str, float]) -> float:
    return min(float(each.mean()) for each in stands(x, weights, score, reach).values())


def _pictures(name: str, x: np.ndarray, target: np.ndarray) -> Table:
    made = table(name, pd.DataFrame(index=pd.RangeIndex(len(x))), target)
    return replace(made, inputs=x, kind="image")


def undefended(seed: int) -> Context:
    """Build the undefended reference: a plane of pictures at the default reach and floor."""
    made = build(seed, way="patch", margin=0.0, wanted=(0.1, 0.2))
    usual = {key: option.default for key, option in checks()[CHECK].options.items()}
    return replace(made, thresholds={"min_robust_accuracy": 0.5}, options=usual)


WAYS = ("patch", "light", "noise")

ENTRY = Entry(
    check=CHECK,
    documented="robust accuracy against the worst of patch, light and noise 0.10 below the declared floor, for linear "
    "models of pictures of 64 to 144 pixels and 2,000 test pictures",
    planted={f"{way}, 0.10 below": partial(build, way=way, margin=0.10) for way in WAYS}
    | {"patch, labels alone, 0.10 below": partial(build, way="patch", margin=0.10, soft=False)},
    clean={f"{way}, 0.10 above": partial(build, way=way, margin=-0.10, wanted=(0.6, 0.88)) for way in WAYS},
    between={"patch, 0.05 below": partial(build, way="patch", margin=0.05)},
    small={"100 pictures, 0.10 below": partial(build, way="patch", margin=0.10, rows=100)},
    shown={"patch, 0.05 above": partial(build, way="patch", margin=-0.05)},
    thinned=6,
)
