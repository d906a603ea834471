"""Answers of a fitted forest straight from its trees: the same numbers, a few times as quick for few rows."""

from __future__ import annotations

from typing import Any

import numpy as np


def shares(forest: Any, rows: np.ndarray) -> np.ndarray:
    """Return what a fitted forest of one target answers, without looking at each tree's input again.

    Args:
        forest: ``ExtraTrees...`` or ``RandomForest...`` of scikit-learn with one target.
        rows: (n, d) finite numbers.

    Returns:
        (n, k) probabilities of ``forest.classes_``, or (n, 1) values of a regressor; as ``predict_proba`` and
        ``predict`` give them.
    """
    asked = np.ascontiguousarray(rows, dtype=np.float32)
    first, *others = (tree.tree_ for tree in forest.estimators_)
    found = np.array(first.predict(asked), dtype=np.float64)
    for tree in others:
        found += tree.predict(asked)
    return found / len(forest.estimators_)
