"""Rival: a strong black box taught on the same rows, and what a model loses against it, with bounds.

Two kinds are tried, boosted trees and a forest; the one that does better on a fifth of the rows is taught on all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.explanation.antehoc import cells
from fivefold.stats.mean import skew_t
from fivefold.stats.paired import tango

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from fivefold.explanation.antehoc.steps import Lesson

_TEXTS = 60
_HELD = 0.2
_TREES = 60


@dataclass(frozen=True)
class Lost:
    """What is lost against a rival: a share, with one-sided 95 % bounds, and both figures."""

    name: str
    value: float
    low: float
    high: float
    mine: float
    rival: float
    n: int


def rival(given: Lesson, rng: np.random.Generator) -> tuple[str, Callable[[pd.DataFrame], np.ndarray]]:
    """Return the name of a black box taught on rows, and what gives its answers: (n,) codes of classes, or values.

    Args:
        given: Rows.
        rng: Deals the rows held back, and seeds the learners.
    """
    encode = _encoder(given)
    inputs, seed = encode(given.features), int(rng.integers(1 << 31))
    held = rng.permutation(len(given.target)) < max(1, int(_HELD * len(given.target)))
    best, name = -np.inf, ""
    for kind in ("boosted trees", "forest"):
        made = _learner(kind, given, seed).fit(inputs[~held], given.target[~held])
        found = float(made.score(inputs[held], given.target[held]))
        if found > best:
            best, name = found, kind
    final = _learner(name, given, seed).fit(inputs, given.target)
    return name, lambda frame: np.asarray(final.predict(encode(frame)))


def _learner(kind: str, given: Lesson, seed: int) -> Any:
    from sklearn import ensemble

    quantity = given.task == "regression"
    if kind == "forest":
        made = ensemble.RandomForestRegressor if quantity else ensemble.RandomForestClassifier
        return made(_TREES, min_samples_leaf=2, random_state=seed, max_features=0.5 if quantity else "sqrt")
    made = ensemble.HistGradientBoostingRegressor if quantity else ensemble.HistGradientBoostingClassifier
    return made(random_state=seed, early_stopping=len(given.target) >= 1000)


def _encoder(given: Lesson) -> Callable[[pd.DataFrame], np.ndarray]:
    """Return what turns a frame into (n, d) float64; texts are numbered by how often they stand in the lesson."""
    kinds = {str(name): cells.kind_of(given.features[name], given.types.get(str(name), ""))
             for name in given.features.columns}  # fmt: skip
    names: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        if kind == "text":
            told = cells.texts(given.features[name])
            found, count = np.unique(told[told != ""].astype(str), return_counts=True)
            names[name] = [str(one) for one in found[np.argsort(-count, kind="stable")][:_TEXTS]]

    def encode(frame: pd.DataFrame) -> np.ndarray:
        parts = [
            cells.coded(cells.texts(frame[name]), names[name]).astype(np.float64)
            if kind == "text"
            else np.clip(cells.numbers(frame[name], kind), -1e30, 1e30)
            for name, kind in kinds.items()
        ]
        return np.column_stack(parts)

    return encode


def lost(mine: np.ndarray, rival_: np.ndarray, target: np.ndarray) -> tuple[Lost, ...]:
    """Return what answers lose against a rival's on the same rows.

    Classes: accuracy (Tango's paired bounds) and balanced accuracy (each row weighed by its class; Hall's bounds of a
    mean). Values: the share of a constant answer's mean absolute error that the rival saves and these do not.

    Args:
        mine: (n,) codes of classes, or values.
        rival_: (n,) those of the rival.
        target: (n,) truth.
    """
    n = len(target)
    if target.dtype.kind == "f":
        error, other = np.abs(mine - target), np.abs(rival_ - target)
        usual = float(np.abs(target - np.median(target)).mean()) or 1.0
        return (_lost("error added", (error - other) / usual, (error / usual, other / usual), None),)
    right, better = (mine == target).astype(np.float64), (rival_ == target).astype(np.float64)
    counted = int((better > right).sum()), int((right > better).sum())
    low, high = tango(*counted, n)
    plain = _lost("accuracy lost", better - right, (right, better), (float(low), float(high)))
    present, codes, count = np.unique(target, return_inverse=True, return_counts=True)
    if len(present) < 2:
        return (plain,)
    weight = n / (len(present) * count[codes.ravel()])
    return (plain, _lost("balanced accuracy lost", weight * (better - right), (weight * right, weight * better), None))


def _lost(name: str, each: np.ndarray, both: tuple[np.ndarray, np.ndarray], bounds: tuple[float, float] | None) -> Lost:
    low, high = skew_t(each) if bounds is None else bounds
    return Lost(name, float(each.mean()), float(low), float(high), float(both[0].mean()), float(both[1].mean()),
                len(each))  # fmt: skip
