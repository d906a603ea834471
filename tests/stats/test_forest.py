"""Forests that answer straight from their trees say what the library says."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from fivefold.stats.forest import shares


@pytest.mark.parametrize("kind", [ExtraTreesClassifier, RandomForestClassifier])
@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_chances_are_those_of_the_library(kind: type, classes: int, dtype: type) -> None:
    """Bit for bit, for one row as for many, weighted or not."""
    rng = np.random.default_rng(classes)
    rows = rng.normal(size=(300, 6)).astype(dtype)
    forest = kind(20, min_samples_leaf=2, random_state=1, n_jobs=1)
    forest.fit(rows, rng.integers(classes, size=300), sample_weight=rng.random(300))
    for asked in (rows, rows[:1], rows[::-1, :]):
        assert np.array_equal(shares(forest, asked), forest.predict_proba(asked))


@pytest.mark.parametrize("kind", [ExtraTreesRegressor, RandomForestRegressor])
def test_values_are_those_of_the_library(kind: type) -> None:
    """One column."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(200, 4))
    forest = kind(20, random_state=1, n_jobs=1).fit(rows, rng.normal(size=200))
    assert np.array_equal(shares(forest, rows)[:, 0], forest.predict(rows))
