"""Growing: extremely randomised trees as the library grows them, number for number, without ceremony at each tree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

_MOST = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Forest:
    """Trees of one target.

    Attributes:
        trees: What each tree is made of, as the library keeps it.
        classes: (k,) labels; none where the target is a value.
    """

    trees: tuple[Any, ...]
    classes: np.ndarray

    def shares(self, rows: np.ndarray) -> np.ndarray:
        """Return (n, k) chances of the classes, or (n, 1) values, of (n, d) finite rows."""
        asked = np.ascontiguousarray(rows, dtype=np.float32)
        found = np.array(self.trees[0].predict(asked), dtype=np.float64)
        for tree in self.trees[1:]:
            found += tree.predict(asked)
        return found / len(self.trees)

    def said(self, rows: np.ndarray) -> np.ndarray:
        """Return (n,) the likeliest class, or the value, of each row."""
        found = self.shares(rows)
        return np.asarray(self.classes[found.argmax(axis=1)]) if len(self.classes) else found[:, 0]

    @property
    def importance(self) -> np.ndarray:
        """(d,) how much impurity each column takes away, of all; 0 where no tree splits."""
        each = [tree.compute_feature_importances() for tree in self.trees if tree.node_count > 1]
        if not each:
            return np.zeros(self.trees[0].n_features)
        mean = np.mean(each, axis=0, dtype=np.float64)
        return np.asarray(mean / mean.sum())


def balanced(target: np.ndarray) -> np.ndarray:
    """Return (n,) weights with which each class of a target weighs the same."""
    classes, label = np.unique(target, return_inverse=True)
    return np.asarray((len(label) / (len(classes) * np.bincount(label).astype(np.float64)))[label])


def grown(
    rows: np.ndarray, target: np.ndarray, *, trees: int, leaf: int, features: float | str | None, seed: int,
    weight: np.ndarray | None = None, values: bool = False,
) -> Forest:  # fmt: skip
    """Return the forest that ``ExtraTreesClassifier`` or ``ExtraTreesRegressor`` of scikit-learn makes of rows.

    Of a forest of a few hundred rows, three quarters of the library's time go into copying and checking each tree's
    options. Here its own builder is called at once. That is no public interface: it is used only where it gives, in
    this process, the very trees of the library (:func:`_same`); else the library itself is called.

    Args:
        rows: (n, d) finite.
        target: (n,) labels, or values.
        trees: How many.
        leaf: Fewest rows in a leaf.
        features: Share of the columns that a split looks at, ``sqrt``, or None for all.
        seed: Below 2**32.
        weight: (n,) of rows.
        values: Whether targets are values.

    Source: Geurts, Ernst and Wehenkel 2006.
    """
    fine = np.ascontiguousarray(rows, dtype=np.float32)
    way = _at_once if _same() and len(fine) and np.isfinite(fine).all() else _library
    return way(fine, np.asarray(target), (trees, leaf, features), seed, weight, values=values)


def _library(
    rows: np.ndarray, target: np.ndarray, shape: tuple[int, int, float | str | None], seed: int,
    weight: np.ndarray | None, *, values: bool,
) -> Forest:  # fmt: skip
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    trees, leaf, features = shape
    kind = ExtraTreesRegressor if values else ExtraTreesClassifier
    forest = kind(trees, min_samples_leaf=leaf, max_features=features, random_state=seed, n_jobs=1)
    forest.fit(rows, target, sample_weight=weight)
    return Forest(tuple(tree.tree_ for tree in forest.estimators_), np.zeros(0) if values else forest.classes_)


def _at_once(
    rows: np.ndarray, target: np.ndarray, shape: tuple[int, int, float | str | None], seed: int,
    weight: np.ndarray | None, *, values: bool,
) -> Forest:  # fmt: skip
    from sklearn.tree._classes import CRITERIA_CLF, CRITERIA_REG, DENSE_SPLITTERS
    from sklearn.tree._tree import DepthFirstTreeBuilder, Tree

    trees, leaf, features = shape
    width = rows.shape[1]
    part = width if features is None else np.sqrt(width) if features == "sqrt" else float(features) * width
    classes, goal = (np.zeros(0), target) if values else np.unique(target, return_inverse=True)
    goal = np.ascontiguousarray(goal, dtype=np.float64).reshape(-1, 1)
    sizes = np.array([max(1, len(classes))], dtype=np.intp)
    weight = None if weight is None else np.ascontiguousarray(weight, dtype=np.float64)
    draw, own, found = np.random.RandomState(seed), np.random.RandomState(0), []
    for _ in range(trees):
        own.seed(draw.randint(_MOST))  # a new generator for each tree would take longer than many a tree
        criterion = CRITERIA_REG["squared_error"](1, len(rows)) if values else CRITERIA_CLF["gini"](1, sizes)
        splitter = DENSE_SPLITTERS["random"](criterion, max(1, int(part)), leaf, 0.0, own, None)
        tree = Tree(width, sizes, 1)
        DepthFirstTreeBuilder(splitter, max(2, 2 * leaf), leaf, 0.0, _MOST, 0.0).build(tree, rows, goal, weight, None)
        found.append(tree)
    return Forest(tuple(found), classes)


@cache
def _same() -> bool:
    """Return whether the short way gives the library's trees: classes and values, weighted and not."""
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(60, 5)).astype(np.float32)
    label, weight = draw.integers(3, size=60) * 2, draw.random(60)
    cases: list[tuple[np.ndarray, tuple[int, int, float | str | None], np.ndarray | None, bool]] = [
        (label, (3, 2, 0.5), None, False),
        (label, (2, 1, "sqrt"), weight, False),
        (rows[:, 0], (3, 3, None), None, True),
    ]
    try:
        return all(
            _equal(_at_once(rows, target, shape, 7, weights, values=values),
                   _library(rows, target, shape, 7, weights, values=values))
            for target, shape, weights, values in cases
        )  # fmt: skip
    except Exception:  # noqa: BLE001 (whatever another version of the library does, the public way is there)
        return False


def _equal(one: Forest, other: Forest) -> bool:
    parts = ("children_left", "children_right", "feature", "threshold", "value")
    return len(one.trees) == len(other.trees) and all(
        np.array_equal(getattr(a, part), getattr(b, part))
        for a, b in zip(one.trees, other.trees, strict=True)
        for part in parts
    )
