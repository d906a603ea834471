"""Fitted: a tree, a forest or boosted trees of scikit-learn as a scorer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.errors import UnsupportedError
from fivefold.sharing.ciphertext.scorer import Scorer, demand
from fivefold.sharing.ciphertext.trees import Node
from fivefold.sharing.privacy.training import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

_FURTHEST = 1e18


def of_model(model: Any, columns: Sequence[str], *, target: str = "") -> Scorer:
    """Return a scorer that answers as a fitted model of numbers does.

    Of a classifier the answer is the probability of its second class. scikit-learn compares numbers as float32, a
    scorer as they are: a value within a ten-millionth of a split may go the other way.

    Args:
        model: A fitted ``DecisionTreeRegressor``, ``DecisionTreeClassifier``, ``RandomForest...``,
            ``ExtraTrees...`` or ``GradientBoosting...`` of one target, with at most two classes.
        columns: Names of the columns that it was fitted to, in order.
        target: What it answers for.

    Raises:
        UnsupportedError: ``ciphertext.model`` for any other model.
        InputError: ``ciphertext.scorer`` for one that is too large.
    """
    kind = type(model).__name__
    classes = list(getattr(model, "classes_", [False, True]))
    plain = kind in ("DecisionTreeRegressor", "DecisionTreeClassifier", "ExtraTreeRegressor", "ExtraTreeClassifier")
    mean = kind.removesuffix("Regressor").removesuffix("Classifier") in ("RandomForest", "ExtraTrees")
    boosted = kind in ("GradientBoostingRegressor", "GradientBoostingClassifier")
    if not (plain or mean or boosted) or len(classes) != 2 or getattr(model, "n_outputs_", 1) != 1:
        raise UnsupportedError(
            "ciphertext.model", f"{kind[:60]} is no tree, forest or boosted trees of one target and two classes.",
            remedy="Write its trees as a scorer by hand: see the format of a scorer.",
        )  # fmt: skip
    members = [model] if plain else list(np.ravel(model.estimators_))
    scale = model.learning_rate if boosted else 1 / len(members)
    edges: dict[str, set[float]] = {name: set() for name in columns}
    trees = tuple(_node(one.tree_, 0, scale, (tuple(columns), edges)) for one in members)
    used = {name: Column(edges=(-_FURTHEST, *sorted(found), _FURTHEST)) for name, found in edges.items() if found}
    classifies = kind.endswith("Classifier")
    positive = classes[1].item() if hasattr(classes[1], "item") else classes[1]
    return demand(Scorer(
        kind="logistic-trees" if boosted and classifies else "trees", columns=used,
        weights=(_begin(model, classifies=classifies) if boosted else 0.0,), trees=trees, target=target,
        positive=positive if classifies else "",
    ))  # fmt: skip


def _node(tree: Any, at: int, scale: float, named: tuple[tuple[str, ...], dict[str, set[float]]]) -> Node | float:
    names, edges = named
    if tree.children_left[at] < 0:
        values = tree.value[at].ravel()
        return float(scale * (values[-1] / values.sum() if len(values) > 1 else values[0]))
    column, edge = names[tree.feature[at]], float(np.nextafter(tree.threshold[at], np.inf))
    edges[column].add(edge)
    left = bool(tree.missing_go_to_left[at]) if hasattr(tree, "missing_go_to_left") else False
    return Node(
        column=column, below=edge, otherwise="yes" if left else "no",
        yes=_node(tree, tree.children_left[at], scale, named), no=_node(tree, tree.children_right[at], scale, named),
    )  # fmt: skip


def _begin(model: Any, *, classifies: bool) -> float:
    """Return what boosting begins with: the mean, or the logit of the second class's share.

    Raises:
        UnsupportedError: ``ciphertext.model`` where it begins with a model of its own.
    """
    if type(model.init_).__name__ not in ("DummyClassifier", "DummyRegressor"):
        raise UnsupportedError("ciphertext.model", "boosting that begins with another model is no sum of trees.",
                               remedy="Fit it without `init`.")  # fmt: skip
    if classifies:
        share = float(model.init_.class_prior_[1])
        return float(np.log(share / (1 - share)))
    return float(np.ravel(model.init_.constant_)[0])
