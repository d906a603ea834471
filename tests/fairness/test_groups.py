"""Groups: how a protected column becomes comparable groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fivefold.errors import InputError
from fivefold.fairness.gaps.groups import MIN_CELL, OTHER, cross, declared_edges, field

RNG = np.random.default_rng(3)


def _half(rows: int) -> np.ndarray:
    return (np.arange(rows) % 2).astype(np.int64)


def test_texts_become_groups_by_size_and_missing_is_one() -> None:
    """Values keep their names, the largest first, and missing ones are a group of their own."""
    column = pd.Series(["b"] * 200 + ["a"] * 300 + [None] * 100)
    found = field("sex", column, _half(600))
    assert found.labels == ("sex=a", "sex=b", "sex missing")
    assert np.bincount(found.codes).tolist() == [300, 200, 100]


@pytest.mark.parametrize("dtype", ["float64", "Int64", "object", "category", "string"])
def test_kinds_of_columns_give_the_same_groups(dtype: str) -> None:
    """How a column is stored does not change who is compared with whom."""
    values = [1, 2, 2] * 100
    column = pd.Series([str(v) for v in values] if dtype == "string" else values).astype(dtype)
    found = field("code", column, _half(300))
    assert found.labels == ("code=2", "code=1")
    assert np.bincount(found.codes).tolist() == [200, 100]


def test_numbers_are_cut_into_three_bands_with_rounded_edges() -> None:
    """Quantile bands hold about a third each and their edges are round numbers, not raw values."""
    ages = pd.Series(RNG.normal(45, 14, 3000))
    found = field("age", ages, _half(3000))
    assert len(found.labels) == 3
    assert np.bincount(found.codes).min() >= 750
    edges = [float(word) for label in found.labels for word in label.split() if word.replace(".", "").isdigit()]
    assert all(edge == round(edge) for edge in edges)


def test_declared_edges_are_kept_and_missing_numbers_are_a_group() -> None:
    """Bands that the manifest declares are used as they are."""
    ages = pd.Series([*range(20, 80)] * 20 + [np.nan] * 60)
    found = field("age", ages, _half(len(ages)), edges=declared_edges(["age: 25, 60"])["age"])
    assert found.labels == ("age below 25", "age 25 to below 60", "age 60 or more", "age missing")
    assert np.bincount(found.codes).tolist() == [100, 700, 400, 60]


def test_skewed_and_tied_numbers_still_make_bands() -> None:
    """Half zeros and a long tail: no empty band, no error."""
    values = pd.Series(np.where(np.arange(900) % 2, 0.0, RNG.lognormal(size=900) * 1e6))
    found = field("gain", values, _half(900))
    assert np.bincount(found.codes, minlength=len(found.labels)).min() > 0
    assert 2 <= len(found.labels) <= 3


def test_dates_are_banded_by_month() -> None:
    """Dates are compared as bands; texts name months, never days."""
    found = field("born", pd.Series(pd.date_range("1950-01-03", periods=900, freq="20D")), _half(900))
    assert len(found.labels) == 3
    assert all(len(word) == 7 for label in found.labels for word in label.split() if word[:2] in {"19", "20"})


def test_rare_groups_are_pooled() -> None:
    """Groups with too few rows of an outcome and little weight are pooled under one name."""
    column = pd.Series(["a"] * 500 + ["b"] * 500 + ["c"] * 20 + ["d"] * 9)
    found = field("race", column, _half(1029))
    assert found.labels == ("race=a", "race=b", f"race: {OTHER}")
    assert found.pooled == 2
    assert np.bincount(found.codes)[2] == 29


def test_a_group_of_weight_is_never_pooled_away() -> None:
    """Twenty of a hundred rows are too few to judge, but they stay visible as a group."""
    found = field("sex", pd.Series(["a"] * 80 + ["b"] * 20), _half(100))
    assert found.labels == ("sex=a", "sex=b")
    assert found.pooled == -1
    assert np.bincount(found.codes).min() < MIN_CELL


def test_values_of_wide_columns_are_not_named() -> None:
    """A column with many values (a name, a town) gives groups by size, no raw value."""
    towns = pd.Series([f"Town-{i % 40:02}" for i in range(40_000)])
    found = field("town", towns, RNG.integers(0, 2, 40_000))
    assert not any("Town-" in label for label in found.labels)
    assert len(found.labels) == 21


def test_an_intersection_keeps_only_combinations_that_occur() -> None:
    """Combinations without rows make no group."""
    first = field("p", pd.Series(["a", "b"] * 100), _half(200))
    found = cross(first, field("q", pd.Series(["a", "b"] * 100), _half(200)))
    assert sorted(found.labels) == ["p=a, q=a", "p=b, q=b"]
    assert found.crossed


@pytest.mark.parametrize("text", ["age", "age:", "age: x", "age: 60, 25", ": 3", "age: 25, 25"])
def test_unreadable_edges_are_refused(text: str) -> None:
    """A band that cannot be read is an error with its own code, not a silent default."""
    with pytest.raises(InputError) as caught:
        declared_edges([text])
    assert caught.value.code == "gaps.bands"
