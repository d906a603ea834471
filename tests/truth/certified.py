"""Subjects of P1.certificate: linear models, of which the distance to another answer is known, and radii that lie.

Distances are those of planes, in l2, in deviations of each column over the training rows or in the range of pixels,
with no code of the product. Models behind a certificate by vote must answer each copy by itself; two here do not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView

from .entry import Entry
from .evasion import Additive
from .evasion import build as additive
from .evasion_images import Plane
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Capabilities, Loss, Subject, Table, Task

CHECK = "P1.certificate"
VOTES = {"sigma": 0.3, "votes": 300, "select": 50}


@dataclass
class Unlike:
    """A model that does not answer each row by itself.

    Attributes:
        model: The model.
        way: ``call``: adds what it draws once a call; ``time``: leans the farther the more it was asked.
        size: Of what is added, in deviations of the scores.
        seed: Of what is drawn.
    """

    model: Additive
    way: str
    size: float
    seed: int

    def __post_init__(self) -> None:
        self.rng, self.asked, self.capabilities = np.random.default_rng(self.seed), 0, self.model.capabilities
        self.task, self.classes = self.model.task, self.model.classes

    task: Task = "binary"
    classes: tuple[str, ...] = ()
    capabilities: Capabilities | None = None

    def predict(self, asked: Table) -> np.ndarray:
        score = self.model.score(asked)
        self.asked += len(asked)
        lean = (
            self.rng.normal(size=score.shape[1]) if self.way == "call" else np.eye(score.shape[1])[0] * self.asked / 2e5
        )
        return (score + self.size * lean).argmax(axis=1).astype(np.int64)

    def predict_proba(self, asked: Table) -> np.ndarray:
        return self.model.predict_proba(asked)

    def retrain(self, asked: Table, seed: int) -> Subject:
        return self.model.retrain(asked, seed)

    def gradient(self, asked: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        return self.model.gradient(asked, target, loss)


def voted(seed: int, *, kind: str = "numbers", gradients: bool = False, way: str = "", rows: int = 350) -> Context:
    """Build a model that is certified by vote.

    Args:
        seed: Decides everything that is not given.
        kind: As of :func:`tests.truth.evasion.build`, or ``pictures``.
        gradients: The model gives them.
        way: See :class:`Unlike`; empty: it answers each copy by itself.
        rows: Certified.
    """
    if kind == "pictures":
        made = pictures(seed, by=0.0, gradients=gradients, rows=rows)
        return _declared(made, {**VOTES, "sigma": 0.1}, rows)
    made = additive(seed, kind=kind, gradients=gradients, check=CHECK, floor=0.0, epsilon=0.05, rows=max(2 * rows, 400))
    if way and isinstance(made.subject, Additive):
        spread = float(made.subject.score(made.tables("test")).std())
        made = replace(made, subject=Unlike(made.subject, way, spread, seed))  # type: ignore[arg-type]
    return _declared(made, VOTES, rows)


def _declared(made: Context, certificate: dict[str, object], rows: int) -> Context:
    settings = replace(made.settings, controls={"P1": {"certificate": certificate}})
    return replace(made, settings=settings, thresholds=floors(CHECK), options={"points": 8}, rows=rows)


def numbers(
    seed: int, *, by: float, gradients: bool = False, rows: int = 350, alike: bool = False, columns: int = 0
) -> Context:
    """Build a linear model of numbers whose own radii are ``by`` times the distance to its plane.

    Args:
        seed: Decides everything that is not given.
        by: Factor.
        gradients: The model gives them.
        rows: Attacked.
        alike: All radii are the median distance times ``by``.
        columns: How many; 0: drawn.
    """
    rng = np.random.default_rng([seed, 0])
    columns = columns or int(rng.integers(3, 25))
    total = rows + 600
    values = (
        rng.normal(size=(total, columns)) @ rng.normal(size=(columns, columns)) * 10.0 ** rng.integers(-3, 4, columns)
    )
    weights = rng.normal(size=columns) / values.std(axis=0)
    score = values @ weights
    cut = float(np.median(score))
    frame = pd.DataFrame(values, columns=[f"n{at}" for at in range(columns)])
    train = frame.iloc[rows:].reset_index(drop=True)
    away = np.abs(score - cut) / np.linalg.norm(weights * train.to_numpy().std(axis=0))
    radius = np.full(total, np.median(away)) if alike else away
    model = _Flat(weights, -cut, soft=gradients)
    target = (score > cut).astype(np.int64)
    others = pd.DataFrame({"safe": by * radius})
    tables = {
        "test": table("test", frame.iloc[:rows], target[:rows], others.iloc[:rows]),
        "train": table("train", train, target[rows:]),
    }
    made = context(CHECK, model, tables, seed, thresholds=floors(CHECK), settings=SettingsView())  # type: ignore[arg-type]
    return _declared(made, {"radius": "safe"}, rows)


class _Flat(Plane):
    """A plane through numbers."""

    def score(self, asked: Table) -> np.ndarray:
        return asked.features.to_numpy() @ self.weights + self.offset

    def gradient(self, asked: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        wide = replace(asked, inputs=asked.features.to_numpy())
        return super().gradient(wide, target, loss)


def pictures(seed: int, *, by: float, gradients: bool = False, rows: int = 350) -> Context:
    """Build a plane through pictures whose own radii are ``by`` times the distance to it."""
    rng = np.random.default_rng([seed, 1])
    side, total = int(rng.integers(4, 8)), rows + 600
    images = rng.beta(2, 2, (total, 1, side, side)).astype(np.float32)
    weights = rng.normal(size=side * side)
    flat = images.reshape(total, -1).astype(float)
    cut = float(np.median(flat @ weights))
    score = flat @ weights - cut
    target = (score > 0).astype(np.int64)
    safe = pd.DataFrame({"safe": by * np.abs(score) / np.linalg.norm(weights)})
    tables = {}
    for name, part in (("test", slice(0, rows)), ("train", slice(rows, total))):
        none = pd.DataFrame(index=pd.RangeIndex(len(target[part])))
        made = table(name, none, target[part], safe[part].reset_index(drop=True))
        tables[name] = replace(made, inputs=images[part], kind="image")
    model = Plane(weights, -cut, gradients)
    made_ = context(CHECK, model, tables, seed, thresholds=floors(CHECK), settings=SettingsView())  # type: ignore[arg-type]
    return _declared(made_, {"radius": "safe"}, rows)


ENTRY = Entry(
    check=CHECK,
    documented="350 certified rows of linear models: radii of the application's own that are half as large again as "
    "the distance to another answer, one radius for all rows, answers that hang on the call or on the time",
    planted={
        "own radii 1.5 times too large, numbers": partial(numbers, by=1.5),
        "own radii 1.5 times too large, pictures, gradients": partial(pictures, by=1.5, gradients=True),
        "one radius for all": partial(numbers, by=1.0, alike=True),
        "noise drawn once a call": partial(voted, way="call"),
        "answers lean with time": partial(voted, way="time"),
    },
    clean={
        "by vote, numbers": partial(voted, gradients=True),
        "by vote, mixed": partial(voted, kind="mixed"),
        "by vote, pictures": partial(voted, kind="pictures", gradients=True),
        "own radii that hold, numbers": partial(numbers, by=0.98, gradients=True),
        "own radii that hold, pictures": partial(pictures, by=0.98),
    },
    between={"own radii a tenth too large": partial(numbers, by=1.1)},
    small={"30 rows, own radii 1.5 times too large": partial(numbers, by=1.5, rows=30)},
    thinned=6,
)

inflated = partial(numbers, by=1.5)
