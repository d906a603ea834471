"""Tree reader: the trees inside a fitted scikit-learn model, and the cells as they see them; beside the foreign model.

Read are decision trees, random forests and extra trees (what they answer is a mean of leaves: probabilities too), and
boosted regressions whose answer is the sum of the leaves; all of these behind a pipeline as well, if no cell that the
trees see hangs on two columns. Boosted classifiers bend the sum into a probability, so their trees are of no use here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

_MOST_NODES = 2_000_000
_SINGLE = {"DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"}
_MEAN = {"RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor"}


def read(model: Any, rows: Any) -> dict[str, np.ndarray]:
    """Return arrays as in :class:`fivefold.subject.trees.Seen`; nothing where there are no such trees.

    Args:
        model: A fitted estimator.
        rows: (N, d) frame or array, as the model is given it.
    """
    steps, last = _split(model)
    found = _structure(last)
    if not found or not len(rows):
        return {}
    cells, owner = _cells(rows, steps)
    if cells is None:
        return {}
    if not type(last).__name__.startswith("Hist"):
        cells = cells.astype(np.float32).astype(np.float64)  # what these trees compare
    return found | {"cells": cells, "owner": owner}


def _split(model: Any) -> tuple[Any, Any]:
    """Return what stands before the last step of a pipeline, None without one, and the last step."""
    if _own(model) and type(model).__name__ == "Pipeline" and len(model.steps) > 1:
        return model[:-1], model.steps[-1][1]
    return None, model


def _own(model: Any) -> bool:
    return type(model).__module__.startswith("sklearn.")


def _structure(model: Any) -> dict[str, np.ndarray]:
    name = type(model).__name__
    if not _own(model) or getattr(model, "n_outputs_", 1) != 1:
        return {}
    if name in _SINGLE:
        return _plain([model.tree_], 1.0, shares=name.endswith("Classifier"))
    if name in _MEAN:
        trees = [one.tree_ for one in model.estimators_]
        return _plain(trees, 1 / len(trees), shares=name.endswith("Classifier"))
    if name == "GradientBoostingRegressor":
        return _plain([one.tree_ for one in model.estimators_[:, 0]], model.learning_rate, shares=False)
    plain = name == "HistGradientBoostingRegressor" and model.is_categorical_ is None
    if plain and model.loss in {"squared_error", "absolute_error", "quantile"}:
        return _binned([one[0].nodes for one in model._predictors])  # noqa: SLF001  there is no other way in
    return {}


def _plain(trees: list[Any], scale: float, *, shares: bool) -> dict[str, np.ndarray]:
    """Return trees of ``sklearn.tree`` side by side."""
    if sum(one.node_count for one in trees) > _MOST_NODES:
        return {}
    value = np.concatenate([one.value[:, 0, :] for one in trees]).astype(np.float64)
    if shares:
        value /= value.sum(axis=1, keepdims=True)
    parts = [(one.children_left, one.children_right, one.feature, one.threshold, one.missing_go_to_left)
             for one in trees]  # fmt: skip
    return _side_by_side([one.node_count for one in trees], list(zip(*parts, strict=True)), value * scale)


def _binned(trees: list[Any]) -> dict[str, np.ndarray]:
    """Return trees of histogram boosting side by side."""
    if sum(map(len, trees)) > _MOST_NODES:
        return {}
    parts = []
    for one in trees:
        leaf = one["is_leaf"].astype(bool)
        ways = [np.where(leaf, -1, one[side].astype(np.int64)) for side in ("left", "right")]
        parts.append((*ways, one["feature_idx"], one["num_threshold"], one["missing_go_to_left"]))
    value = np.concatenate([one["value"] for one in trees]).astype(np.float64)[:, None]
    return _side_by_side([len(one) for one in trees], list(zip(*parts, strict=True)), value)


def _side_by_side(counts: list[int], parts: list[tuple[Any, ...]], value: np.ndarray) -> dict[str, np.ndarray]:
    left, right, feature, threshold, lost = (np.concatenate(part) for part in parts)
    roots = np.cumsum([0, *counts[:-1]]).astype(np.int64)
    shift, leaf = np.repeat(roots, counts), left < 0
    return {
        "roots": roots,
        "left": np.where(leaf, -1, left + shift).astype(np.int64),
        "right": np.where(leaf, -1, right + shift).astype(np.int64),
        "feature": np.where(leaf, 0, feature).astype(np.int64),
        "threshold": np.where(leaf, 0.0, threshold).astype(np.float64),
        "lost": lost.astype(bool),
        "value": value,
    }


def _cells(rows: Any, steps: Any) -> tuple[np.ndarray | None, np.ndarray]:
    """Return (N, k) cells as the trees see them and (k,) the column that each hangs on; None: one hangs on two.

    Which column moves which cells is seen by moving each column's cells to other rows.
    """
    if steps is None:
        return _numbers(rows), np.arange(rows.shape[1])
    made = _numbers(steps.transform(rows))
    owner, told = np.zeros(made.shape[1], dtype=np.int64), np.zeros(made.shape[1], dtype=bool)
    for column in range(rows.shape[1]):
        other = _numbers(steps.transform(_moved(rows, column)))
        changed = ((other != made) & ~(np.isnan(other) & np.isnan(made))).any(axis=0)
        if (changed & told).any():
            return None, owner
        owner[changed], told = column, told | changed
    return made, owner


def _numbers(rows: Any) -> np.ndarray:
    if hasattr(rows, "toarray"):
        rows = rows.toarray()
    if isinstance(rows, pd.DataFrame):
        return rows.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(rows, dtype=np.float64)


def _moved(rows: Any, column: int) -> Any:
    """Return the rows with the cells of one column each in the next row."""
    order = np.roll(np.arange(len(rows)), 1)
    if isinstance(rows, pd.DataFrame):
        made = rows.copy(deep=False)
        made.isetitem(column, rows.iloc[order, column].array)
        return made
    made = rows.copy()
    made[:, column] = rows[order, column]
    return made
