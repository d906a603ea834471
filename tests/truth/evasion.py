"""Subjects of P1.blackbox and P1.gradient: additive models, for which robust accuracy at epsilon is known exactly.

Scores are sums over features, and an attacker may move each feature by itself; so the best that he can do is had
feature by feature, here with plain loops over columns and no code of the product. The floor is declared 0.10 above
the exact robust accuracy over all test rows (planted), or 0.10 below it (clean).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities, Loss, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError

from .entry import Entry
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "P1.blackbox"
MARGIN = 0.10


@dataclass(frozen=True)
class Part:
    """One feature.

    Attributes:
        kind: ``number``, ``integer`` or ``category``.
        weight: (K,) slope, or (K, L) score of each level.
        cut: Of a stump: the number counts as 1 above it, else as 0; None: it counts as it is.
        low: Smallest value allowed.
        high: Largest.
        fixed: Declared immutable.
        levels: Values of a category.
    """

    kind: str
    weight: np.ndarray
    cut: float | None = None
    low: float = 0.0
    high: float = 1.0
    fixed: bool = False
    levels: tuple[str, ...] = ()

    def scores(self, cells: np.ndarray) -> np.ndarray:
        """Return (n, K); a missing cell adds nothing."""
        if self.kind == "category":
            codes = pd.Categorical(cells, categories=list(self.levels)).codes
            return np.where(codes[:, None] >= 0, self.weight.T[codes], 0.0)
        values = cells.astype(float)
        told = values if self.cut is None else (values > self.cut).astype(float)
        return np.where(np.isnan(values)[:, None], 0.0, told[:, None] * self.weight)

    def moved(self, cells: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the lowest and highest value within reach."""
        values = cells.astype(float)
        if self.fixed:
            return values, values
        reach = epsilon * (self.high - self.low)
        low, high = np.maximum(values - reach, self.low), np.minimum(values + reach, self.high)
        if self.kind == "integer":
            low, high = values - np.floor(values - low + 1e-9), values + np.floor(high - values + 1e-9)
        return np.minimum(low, values), np.maximum(high, values)

    def gain(self, cells: np.ndarray, epsilon: float, one: int, two: int) -> np.ndarray:
        """Return (n,) the most that an allowed change adds to score ``one`` less score ``two``."""
        now = self.scores(cells)
        if self.kind == "category":
            best = (self.weight[one] - self.weight[two]).max()
            known = pd.notna(cells)
            return np.where(known & (not self.fixed), best - (now[:, one] - now[:, two]), 0.0)
        found = []
        for values in self.moved(cells, epsilon):
            told = self.scores(values)
            found.append((told[:, one] - told[:, two]) - (now[:, one] - now[:, two]))
        return np.maximum(np.maximum(*found), 0.0)


@dataclass(frozen=True)
class Additive:
    """A model whose scores are sums over features.

    Attributes:
        parts: Feature name to its part; for images one part for all pixels.
        offset: (K,).
        kind: Task.
        soft: Gives gradients (plain numbers only).
    """

    parts: dict[str, Part]
    offset: np.ndarray
    kind: Task
    soft: bool = False

    @property
    def task(self) -> Task:
        return self.kind

    @property
    def classes(self) -> tuple[str, ...]:
        return () if self.kind == "regression" else tuple(f"k{i}" for i in range(len(self.offset)))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=False, retrains=False, perturbable=True, gradients=self.soft)

    def cells(self, asked: Table, name: str) -> np.ndarray:
        if asked.inputs is not None:
            return asked.inputs.reshape(len(asked), -1)[:, int(name)]
        return asked.features[name].to_numpy()

    def score(self, asked: Table) -> np.ndarray:
        return self.offset + sum(part.scores(self.cells(asked, name)) for name, part in self.parts.items())

    def predict(self, asked: Table) -> np.ndarray:
        scores = self.score(asked)
        return scores[:, 0] if self.kind == "regression" else scores.argmax(axis=1).astype(np.int64)

    def predict_proba(self, asked: Table) -> np.ndarray:
        raise UnsupportedError("test.scores", "labels only.")

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")

    def gradient(self, asked: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        weights = np.array([part.weight for part in self.parts.values()])  # (d, K)
        score, at = self.score(asked), np.arange(len(asked))
        if loss == "squared":
            off = score[:, 0] - target
            found = off**2, 2 * off[:, None] * weights[:, 0]
        elif loss != "cross-entropy":
            own = target.reshape(len(target), -1)[:, 0]
            others = score.copy()
            others[at, own] = -np.inf
            other = target[:, 1] if target.ndim == 2 else others.argmax(axis=1)
            value, slope = score[at, other] - score[at, own], (weights[:, other] - weights[:, own]).T
            if loss == "dlr" and score.shape[1] > 2:
                order = np.argsort(-score, axis=1)
                last = order[:, 2:4] if target.ndim == 2 and score.shape[1] > 3 else order[:, 2:3]
                width = score[at, order[:, 0]] - np.take_along_axis(score, last, axis=1).mean(axis=1)
                wider = weights[:, order[:, 0]].T - weights.T[last].mean(axis=1)
                slope = slope / width[:, None] - (value / width**2)[:, None] * wider
                value = value / width
            found = value, slope
        else:
            chance = np.exp(score - score.max(axis=1, keepdims=True))
            chance /= chance.sum(axis=1, keepdims=True)
            pull = chance.copy()
            pull[at, target] -= 1
            found = -np.log(chance[at, target] + 1e-300), pull @ weights.T
        shape = asked.features.shape if asked.inputs is None else asked.inputs.shape
        return found[0], found[1].reshape(shape).astype(np.float32)


def robust(model: Additive, rows: Table, epsilon: float, swaps: int, tolerance: float) -> np.ndarray:
    """Return (n,) bool, exactly: right, and right after every allowed change."""
    scores, cells = model.score(rows), {name: model.cells(rows, name) for name in model.parts}
    answers = model.predict(rows)
    if model.kind == "regression":
        both = replace(model, parts=_beside_zero(model.parts), offset=np.append(model.offset, 0.0))
        right = np.abs(answers - rows.target) <= tolerance
        for one, two in ((0, 1), (1, 0)):
            right &= _most(both.parts, cells, epsilon, swaps, (one, two)) <= tolerance
        return right
    stands = answers == rows.target
    for code in range(len(model.offset)):
        for other in range(len(model.offset)):
            mine = answers == code
            if other == code or not mine.any():
                continue
            lead = scores[mine, other] - scores[mine, code]
            part = {name: column[mine] for name, column in cells.items()}
            reached = lead + _most(model.parts, part, epsilon, swaps, (other, code))
            # argmax keeps the first of equals
            stands[mine] &= reached < 0 if other < code else reached <= 0
    return stands


def _beside_zero(parts: dict[str, Part]) -> dict[str, Part]:
    return {
        name: replace(part, weight=np.concatenate([part.weight, np.zeros_like(part.weight)]))
        for name, part in parts.items()
    }


def _most(
    parts: dict[str, Part], cells: dict[str, np.ndarray], epsilon: float, swaps: int, pair: tuple[int, int]
) -> np.ndarray:
    numbers = [part.gain(cells[n], epsilon, *pair) for n, part in parts.items() if part.kind != "category"]
    chosen = [part.gain(cells[n], epsilon, *pair) for n, part in parts.items() if part.kind == "category"]
    most = np.sum(numbers, axis=0)
    if chosen and swaps:
        most = most + np.sort(np.maximum(chosen, 0.0), axis=0)[-swaps:].sum(axis=0)
    return most


def draw(rng: np.random.Generator, kind: str, rows: int) -> tuple[Additive, pd.DataFrame, np.ndarray | None]:
    """Return a model, its features, and images (n, 1, h, w) where there are any."""
    if kind == "images":
        side = int(rng.integers(6, 11))
        classes = int(rng.integers(2, 5))
        images = rng.integers(0, 256, (rows, 1, side, side)).astype(np.uint8)
        weights = rng.normal(size=(side * side, classes))
        parts = {str(at): Part("integer", weights[at], high=255.0) for at in range(side * side)}
        return (
            _centred(Additive(parts, np.zeros(classes), _task(classes)), pd.DataFrame(), images),
            pd.DataFrame(),
            images,
        )
    count = int(np.exp(rng.uniform(np.log(3), np.log(40)))) if kind != "stumps" else int(rng.integers(1, 4)) * 2 - 1
    classes = {"regression": 1, "several classes": int(rng.integers(3, 6))}.get(kind, 2)
    made: dict[str, object] = {}
    parts: dict[str, Part] = {}
    for at in range(count):
        name = f"{''.join(chr(97 + c) for c in rng.integers(0, 26, 4))}_{at}"
        sort = (
            "number"
            if kind in ("stumps", "numbers") or at == 0
            else rng.choice(["number", "integer", "category"], p=[0.5, 0.2, 0.3])
        )
        made[name], parts[name] = _feature(rng, str(sort), classes, rows, kind)
    if kind not in ("stumps", "numbers"):
        # a third of the features are immutable, never the first
        for name in list(parts)[1:]:
            parts[name] = replace(parts[name], fixed=bool(rng.random() < 0.33))
    frame = pd.DataFrame(made)
    return _centred(Additive(parts, np.zeros(classes), _task(classes)), frame, None), frame, None


def _task(classes: int) -> Task:
    return "regression" if classes == 1 else "binary" if classes == 2 else "multiclass"


def _feature(rng: np.random.Generator, sort: str, classes: int, rows: int, kind: str) -> tuple[object, Part]:
    if sort == "category":
        levels = tuple(f"v{i}" for i in range(int(rng.integers(2, 6))))
        cells = np.array(levels, dtype=object)[rng.integers(0, len(levels), rows)]
        if rng.random() < 0.3:
            cells[rng.random(rows) < 0.1] = None
        return cells, Part("category", 0.3 * rng.normal(size=(classes, len(levels))), levels=levels)
    if sort == "integer":
        values = rng.integers(0, int(rng.integers(30, 200)), rows).astype(float)
    else:
        values = rng.random(rows) if rng.random() < 0.5 else np.clip(rng.normal(size=rows), -3, 3)
        values = values * 10.0 ** int(rng.integers(-2, 5))
    low, high = float(values.min()), float(values.max())
    weight = rng.normal(size=classes) / (high - low)
    if kind == "stumps":
        cut = float(np.quantile(values, rng.uniform(0.3, 0.7)))
        return values, Part("number", np.array([0.0, 1.0]), cut=cut, low=low, high=high)
    # of a regression's rows all could be moved alike, were none of their cells missing
    share = 0.35 if kind == "regression" else 0.1
    if kind == "regression" or (kind != "numbers" and rng.random() < 0.3):
        values = np.where(rng.random(rows) < share, np.nan, values)
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return values, Part(sort, weight, low=low, high=high)


def _centred(model: Additive, frame: pd.DataFrame, images: np.ndarray | None) -> Additive:
    """Return the model with offsets that make its answers about as frequent."""
    n = len(frame) if images is None else len(images)
    score = model.score(_table("all", frame, np.zeros(n, dtype=np.int64), images))
    if any(part.cut is not None for part in model.parts.values()):
        return replace(model, offset=np.array([0.0, -len(model.parts) / 2]))
    return replace(model, offset=-np.median(score, axis=0))


def _table(name: str, frame: pd.DataFrame, target: np.ndarray, images: np.ndarray | None) -> Table:
    if images is None:
        return table(name, frame.reset_index(drop=True), target)
    made = table(name, pd.DataFrame(index=pd.RangeIndex(len(target))), target)
    return replace(made, inputs=images, kind="image")


def build(
    seed: int,
    *,
    kind: str = "mixed",
    margin: float = 0.0,
    wanted: tuple[float, float] = (0.62, 0.82),
    rows: int = 2000,
    gradients: bool = False,
    check: str = CHECK,
    floor: float | None = None,
    epsilon: float | None = None,
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        kind: ``mixed``, ``numbers``, ``stumps``, ``several classes``, ``regression`` or ``images``.
        margin: Declared floor less exact robust accuracy.
        wanted: Range of the exact robust accuracy; epsilon is chosen to reach it.
        rows: Test rows; half as many are training rows.
        gradients: The model gives gradients.
        check: Check id.
        floor: Declared; None: by ``margin``.
        epsilon: Declared; None: by ``wanted``.
    """
    rng = np.random.default_rng([seed, 0])
    total = rows + max(rows // 2, 200)
    model, frame, images = draw(rng, kind, total)
    model = replace(model, soft=gradients)
    every = _table("all", frame, np.zeros(total, dtype=np.int64), images)
    answers = model.predict(every)
    wrong = rng.random(total) < rng.uniform(0.0, 0.08)
    tolerance = 0.0
    if model.kind == "regression":
        tolerance = 0.5 * float(np.std(answers))
        target = answers + np.where(wrong, 2.0, 0.6) * tolerance * rng.uniform(-1, 1, total)
    else:
        target = np.where(wrong, (answers + 1) % len(model.offset), answers)
    # what an attacker may take a feature's range to be is seen in both data sets, so it is that of all rows
    test = _table("test", frame.iloc[:rows], target[:rows], None if images is None else images[:rows])
    train = _table("train", frame.iloc[rows:], target[rows:], None if images is None else images[rows:])
    swaps = int(rng.integers(0, 3)) if kind != "numbers" else 0
    epsilon, exact = _chosen(model, test, swaps, tolerance, float(rng.uniform(*wanted)), epsilon)
    options: dict[str, object] = {"epsilon": epsilon}
    options |= {"tolerance": tolerance} if model.kind == "regression" else {}
    options |= {"swaps": float(swaps)} if check == CHECK else {}
    declared = {name: {"immutable": True} for name, part in model.parts.items() if part.fixed}
    return context(
        check,
        model,
        {"test": test, "train": train},
        seed,
        thresholds={"min_robust_accuracy": exact + margin if floor is None else floor},
        settings=SettingsView(features=declared),
        options=options,
    )


def _chosen(
    model: Additive, test: Table, swaps: int, tolerance: float, wanted: float, epsilon: float | None
) -> tuple[float, float]:
    """Return the epsilon at which robust accuracy comes nearest to ``wanted``, and what it is there."""

    def exact(size: float) -> float:
        return float(robust(model, test, size, swaps, tolerance).mean())

    if epsilon is not None:
        return epsilon, exact(epsilon)
    low, high = 0.0011 if test.inputs is None else 1 / 255, 0.5
    for _ in range(12):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if exact(middle) > wanted else (low, middle)
    return low, exact(low)


def undefended(seed: int, *, check: str = CHECK, gradients: bool = True) -> Context:
    """Build the undefended reference: a linear model on a hundred numbers, at the default epsilon and floor."""
    rng = np.random.default_rng([seed, 3])
    values = rng.random((3000, 100))
    frame = pd.DataFrame(values, columns=[f"c{i}" for i in range(100)])
    weights = rng.normal(size=(100, 2))
    parts = {name: Part("number", weights[at]) for at, name in enumerate(frame.columns)}
    model = _centred(Additive(parts, np.zeros(2), "binary", soft=gradients), frame, None)
    target = model.predict(_table("all", frame, np.zeros(3000, dtype=np.int64), None))
    tables = {
        "test": _table("test", frame.iloc[:2000], target[:2000], None),
        "train": _table("train", frame.iloc[2000:], target[2000:], None),
    }
    return context(check, model, tables, seed, thresholds={"min_robust_accuracy": 0.5}, settings=SettingsView())


KINDS = ("mixed", "numbers", "stumps", "several classes", "regression", "images")

ENTRY = Entry(
    check=CHECK,
    documented="robust accuracy 0.10 below the declared floor, at the declared epsilon, for additive models and stumps "
    "with 3 to 100 features, 2,000 test rows and the default budget of questions",
    planted={f"{kind}, 0.10 below": partial(build, kind=kind, margin=MARGIN, wanted=(0.42, 0.8)) for kind in KINDS},
    clean={f"{kind}, 0.10 above": partial(build, kind=kind, margin=-MARGIN, wanted=(0.62, 0.88)) for kind in KINDS},
    between={f"0.05 below, {kind}": partial(build, kind=kind, margin=0.05) for kind in ("mixed", "images")},
    small={"100 rows, 0.10 below": partial(build, margin=MARGIN, rows=100)},
    shown={"0.05 above": partial(build, margin=-0.05)},
    thinned=6,
)
