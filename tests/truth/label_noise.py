"""Subjects of S5.label-noise: classes that the features tell, and labels of which a known share is wrong."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView

from .entry import Entry
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "S5.label-noise"


def _dressed(rng: np.random.Generator, values: np.ndarray, *, mixed: bool) -> object:
    """Return a column of numbers in another unit, or of texts, steps and missing cells."""
    style = int(rng.integers(5)) if mixed else int(rng.integers(2))
    if style == 0:
        return values * 10.0 ** int(rng.integers(-2, 5)) + rng.normal()
    if style == 1:
        return np.exp(values / 2)
    if style == 2:
        steps = np.digitize(values, np.quantile(values, np.linspace(0, 1, 8)[1:-1]))
        return np.array([f"k{int(i)}" for i in rng.permutation(7)], dtype=object)[steps]
    if style == 3:
        return np.round(values * 10)
    return np.where(rng.random(len(values)) < 0.05, np.nan, values)


def build(
    seed: int, rate: float = 0.0, *, place: str = "anywhere", classes: int = 2, rare: float = 0.5,
    mixed: bool = False, rows: int = 2000, apart: float = 5.0,
) -> Context:  # fmt: skip
    """Return training data of ``classes`` clusters, ``apart`` spreads from each other, with wrong labels.

    Args:
        seed: Of everything.
        rate: Share of wrong labels: of all rows, or of the commonest class.
        place: ``anywhere`` or ``one class``.
        classes: Clusters.
        rare: Share of the first class.
        mixed: Texts, steps and missing cells among the columns.
        rows: Training rows.
        apart: Distance of two centres.
    """
    rng = np.random.default_rng([seed, 0])
    shares = np.array([rare, *np.full(classes - 1, (1 - rare) / (classes - 1))])
    edges = np.floor(np.append(0, np.cumsum(shares)) * rows + 1e-9).astype(int)
    truth = rng.permutation(np.repeat(np.arange(classes), np.diff(edges)))
    size = max(classes, int(rng.integers(3, 7)))
    corners, _ = np.linalg.qr(rng.normal(size=(size, size)))
    values = rng.normal(size=(len(truth), size)) + corners[truth] * apart / np.sqrt(2)
    columns = {f"m{at}": _dressed(rng, values[:, at], mixed=mixed) for at in range(size)}
    features = pd.concat([pd.DataFrame(columns), filler(rng, len(truth), int(rng.integers(0, 12)))], axis=1)
    features = features[[str(name) for name in rng.permutation(np.array(features.columns, dtype=object))]]
    label = truth.copy()
    where = np.arange(len(truth)) if place == "anywhere" else np.flatnonzero(truth == np.bincount(truth).argmax())
    wrong = rng.choice(where, round(rate * len(where)), replace=False)
    label[wrong] = (label[wrong] + rng.integers(1, classes, len(wrong))) % classes
    return _context(features, label.astype(np.int64), seed)


def _context(features: pd.DataFrame, label: np.ndarray, seed: int) -> Context:
    sets = {"train": table("train", features, label)}
    return context(CHECK, None, sets, seed, thresholds=floors(CHECK), settings=SettingsView())


def doubtful(seed: int) -> Context:
    """Honest labels drawn by chance from a logistic rule of drawn steepness: nobody mislabelled anything."""
    rng = np.random.default_rng([seed, 2])
    size, rows = int(rng.integers(2, 20)), 2000
    values = rng.normal(size=(rows, size))
    slope = rng.normal(size=size)
    chance = 1 / (1 + np.exp(-rng.uniform(0.5, 4.0) * values @ slope / np.linalg.norm(slope)))
    label = (rng.random(rows) < chance).astype(np.int64)
    features = pd.DataFrame({f"m{at}": _dressed(rng, values[:, at], mixed=True) for at in range(size)})
    return _context(features, label, seed)


_KINDS = {
    "numbers": {},
    "mixed": {"mixed": True},
    "several classes": {"classes": 4, "rare": 0.25},
    "imbalanced": {"rare": 0.15},
}

ENTRY = Entry(
    check=CHECK,
    documented="15 % of the labels wrong anywhere, or 20 % of those of the commonest class, in 2,000 rows whose "
    "classes the features tell apart in about 99 of 100",
    planted={f"{name}, 15 % wrong": partial(build, rate=0.15, **more) for name, more in _KINDS.items()}
    | {"mixed, 20 % of one class": partial(build, rate=0.20, place="one class", mixed=True)},
    clean={name: partial(build, **more) for name, more in _KINDS.items()},
    between={"8 % wrong": partial(build, rate=0.08, mixed=True)},
    small={"300 rows, 15 % wrong": partial(build, rate=0.15, rows=300)},
    shown={
        "honest doubt, nothing wrong": doubtful,
        "15 % wrong, classes overlap": partial(build, rate=0.15, apart=2.5),
    },
)
