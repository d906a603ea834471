"""Trees grown without the library's ceremony are the library's, number for number."""

from __future__ import annotations

from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from fivefold.stats import growing
from fivefold.stats.growing import balanced, grown


def _rows(seed: int) -> tuple[np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(300, 6)), rng


def test_the_short_way_is_open_here() -> None:
    """With the versions it was made for; with others the library itself may have to be called, and is."""
    if not metadata.version("scikit-learn").startswith("1.9."):
        pytest.skip("made for scikit-learn 1.9; with others the library may be called, and nothing is compared")
    assert growing._same()


@pytest.mark.parametrize("features", [0.5, 0.7, "sqrt", None])
@pytest.mark.parametrize("weighted", [False, True])
def test_chances_and_importance_are_those_of_the_library(features: float | str | None, weighted: bool) -> None:
    """Bit for bit, of labels that are no indices."""
    rows, rng = _rows(1)
    label = rng.choice([2, 5, 9], 300)
    weight = balanced(label) if weighted else None
    forest = grown(rows, label, trees=20, leaf=2, features=features, seed=4, weight=weight)
    other = ExtraTreesClassifier(
        20, min_samples_leaf=2, max_features=features, random_state=4, class_weight="balanced" if weighted else None
    ).fit(rows, label)
    assert np.array_equal(forest.classes, other.classes_)
    assert np.array_equal(forest.shares(rows), other.predict_proba(rows))
    assert np.array_equal(forest.said(rows), other.predict(rows))
    assert np.array_equal(forest.importance, other.feature_importances_)


def test_values_are_those_of_the_library() -> None:
    """A regression on all columns."""
    rows, rng = _rows(2)
    target = rng.normal(size=300)
    forest = grown(rows, target, trees=20, leaf=3, features=None, seed=4, values=True)
    other = ExtraTreesRegressor(20, min_samples_leaf=3, random_state=4).fit(rows, target)
    assert np.array_equal(forest.said(rows), other.predict(rows))


def test_another_builder_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose trees differ, or that is not there: the library itself is called."""
    real = growing._at_once
    for way in (lambda *_, **__: SimpleNamespace(trees=()),
                lambda rows, *more, **named: real(rows[::-1].copy(), *more, **named)):  # fmt: skip
        growing._same.cache_clear()
        monkeypatch.setattr(growing, "_at_once", way)
        assert not growing._same()
        rows, rng = _rows(3)
        label = rng.integers(2, size=300)
        other = ExtraTreesClassifier(5, min_samples_leaf=2, random_state=4).fit(rows, label)
        forest = grown(rows, label, trees=5, leaf=2, features="sqrt", seed=4)
        assert np.array_equal(forest.shares(rows), other.predict_proba(rows))
    growing._same.cache_clear()
