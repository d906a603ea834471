"""Shapley values out of trees are those of all coalitions, whatever the trees look like."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor

from fivefold.stats import shapley, tree_shapley
from fivefold.subject.tree_reader import read
from fivefold.subject.trees import Trees

NAMES = ("roots", "left", "right", "feature", "threshold", "lost", "value")
ROWS, BACKGROUND = 6, 30


def drawn(columns: int, *, missing: float, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([columns, classes])
    x = np.round(rng.normal(size=(300, columns)), 1)
    score = x[:, 0] * x[:, 1] + x[:, 2 % columns] + 0.2 * rng.normal(size=300)
    x[rng.random(x.shape) < missing] = np.nan
    return x, np.searchsorted(np.quantile(score, np.arange(1, classes) / classes), score) if classes else score


def both(model: object, rows: np.ndarray, of: np.ndarray) -> tuple[np.ndarray, np.ndarray, Trees, np.ndarray]:
    """Return values out of the trees, those of all coalitions, and the trees with their cells."""
    found = read(model, rows)
    trees, cells = Trees(**{name: found[name] for name in NAMES}), found["cells"]
    column = np.arange(ROWS) % trees.value.shape[1]

    def ask(present: np.ndarray, who: np.ndarray, base: np.ndarray) -> np.ndarray:
        mixed = np.where(present[:, of], cells[who], cells[ROWS + base])
        return tree_shapley.answers(trees, mixed)[np.arange(len(who)), column[who]]

    made = tree_shapley.by_trees(trees, cells, ROWS, column, of)
    true = shapley.by_enumeration(ask, ROWS, len(cells) - ROWS, players=int(of.max()) + 1)
    return made, true, trees, cells


@pytest.mark.parametrize(
    ("model", "columns", "missing", "classes"),
    [
        (DecisionTreeClassifier(random_state=0), 4, 0.1, 2),
        (DecisionTreeRegressor(random_state=0), 12, 0.0, 0),
        (ExtraTreeRegressor(random_state=0), 5, 0.0, 0),
        (RandomForestClassifier(5, random_state=0), 6, 0.15, 3),
        (RandomForestRegressor(4, max_depth=4, random_state=0), 8, 0.1, 0),
        (ExtraTreesClassifier(4, random_state=0), 5, 0.0, 4),
        (GradientBoostingRegressor(n_estimators=8, loss="huber", random_state=0), 6, 0.0, 0),
        (HistGradientBoostingRegressor(max_iter=6, min_samples_leaf=5), 7, 0.2, 0),
    ],
    ids=lambda one: type(one).__name__ if hasattr(one, "fit") else str(one),
)
def test_values_out_of_trees_are_those_of_all_coalitions(model, columns, missing, classes):
    x, y = drawn(columns, missing=missing, classes=classes)
    model.fit(x, y)
    rows = x[: ROWS + BACKGROUND]
    made, true, trees, cells = both(model, rows, np.arange(columns))
    assert np.abs(true).max() > 0.01
    np.testing.assert_allclose(made, true, atol=1e-10)
    asked = model.predict_proba(rows) if classes else model.predict(rows)[:, None]
    off = asked - tree_shapley.answers(trees, cells)
    assert np.ptp(off, axis=0).max() < 1e-10
    np.testing.assert_allclose(
        made.sum(axis=1),
        [asked[at, at % asked.shape[1]] - asked[ROWS:, at % asked.shape[1]].mean() for at in range(ROWS)], atol=1e-10,
    )  # fmt: skip


def test_columns_that_are_one_player_are_moved_together():
    x, y = drawn(9, missing=0.05, classes=3)
    model = RandomForestClassifier(4, random_state=1).fit(x, y)
    made, true, *_ = both(model, x[: ROWS + BACKGROUND], np.array([0, 1, 0, 2, 1, 3, 3, 0, 2]))
    np.testing.assert_allclose(made, true, atol=1e-10)


def test_trees_of_one_leaf_credit_nobody():
    x, _ = drawn(3, missing=0.0, classes=2)
    model = RandomForestRegressor(3).fit(x, np.ones(len(x)))
    made, true, *_ = both(model, x[: ROWS + BACKGROUND], np.arange(3))
    assert not made.any()
    np.testing.assert_allclose(true, 0.0, atol=1e-12)


def test_a_few_pairs_at_a_time_give_the_same(monkeypatch):
    x, y = drawn(8, missing=0.0, classes=0)
    model = RandomForestRegressor(6, random_state=0).fit(x, y)
    whole, *_ = both(model, x[: ROWS + BACKGROUND], np.arange(8))
    monkeypatch.setattr(tree_shapley, "_CELLS", 5000)
    monkeypatch.setattr(tree_shapley, "_PAIRS", 50)
    parts, *_ = both(model, x[: ROWS + BACKGROUND], np.arange(8))
    np.testing.assert_allclose(parts, whole, atol=1e-12)


def test_a_long_path_over_many_columns_is_summed_up_rightly():
    """A tree that is a chain of 40 columns: more than 31 players decide on the way to its last leaf."""
    depth, rng = 40, np.random.default_rng(0)
    x = (rng.random((ROWS + BACKGROUND, depth)) < 0.9).astype(np.float64)
    x[0] = 1.0
    model = DecisionTreeRegressor(random_state=0).fit(
        np.tril(np.ones((depth + 1, depth)), -1), np.arange(depth + 1.0) ** 2
    )
    found = read(model, x)
    trees = Trees(**{name: found[name] for name in NAMES})
    made = tree_shapley.by_trees(trees, found["cells"], ROWS, np.zeros(ROWS, dtype=np.int64), np.arange(depth))
    told = model.predict(x)
    np.testing.assert_allclose(made.sum(axis=1), told[:ROWS] - told[ROWS:].mean(), atol=1e-9)


def test_a_frame_with_other_types_of_numbers_is_read():
    x, y = drawn(4, missing=0.0, classes=2)
    frame = pd.DataFrame(x, columns=list("abcd")).assign(d=lambda f: f.d > 0, c=lambda f: f.c.round().astype("Int64"))
    model = DecisionTreeClassifier(random_state=0).fit(frame.astype(float), y)
    assert read(model, frame)["cells"].shape == (300, 4)
