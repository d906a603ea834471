"""P3.accuracy: columns as codes, counting rectangles, searching, confirming and bounding slices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fivefold.protection.accuracy import canary, exclusion, scan, slices
from fivefold.protection.accuracy.columns import encode
from fivefold.stats import difference


def _rng(seed=0):
    return np.random.default_rng(seed)


def _series(values, name="c"):
    return pd.Series(values, name=name)


def test_numbers_become_quantile_bins_with_a_cell_for_missing():
    """Four bins of about equal size, and one more."""
    values = np.r_[_rng().normal(size=400), np.full(40, np.nan)]
    column = encode(_series(values), 4)
    assert np.bincount(column.codes).tolist() == [100, 100, 100, 100, 40]
    assert "c is missing" in column.texts
    assert len(column.texts) == len(column.sets) == 4 * 5 // 2 + 1


def test_edges_are_rounded_to_two_digits():
    """No raw value of a column stands in a text."""
    values = 1_234_567.89 + _rng().normal(size=500) * 100_000
    texts = encode(_series(values), 8).texts
    assert texts
    assert all(
        float(word) == float(f"{float(word):.1e}") for text in texts for word in text.split() if word[0].isdigit()
    )


def test_identifiers_have_only_missingness():
    """Near-unique texts are never named; with missing values the missingness is searched."""
    names = [f"person {i}" for i in range(300)]
    assert encode(_series(names), 8) is None
    names[:50] = [None] * 50
    assert encode(_series(names), 8).texts == ("c is present", "c is missing")


def test_rare_categories_are_not_named():
    """Fewer than ten rows fall into the rest."""
    column = encode(_series(["red"] * 100 + ["blue"] * 50 + ["violet"] * 9), 8)
    assert column.texts == ("c = red", "c = blue", "c has another value")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (pd.date_range("2020-01-15", periods=200, freq="7D"), "c up to 20"),
        ([f"2021-{m:02d}-10" for m in range(1, 13)] * 20, "c up to 2021-"),
        ([str(i % 37) for i in range(300)], "c up to "),
        (pd.array([1, 2, None, 4] * 50, dtype="Int64"), "c is missing"),
        (np.array([True, False] * 50), "c = True"),
        (pd.Categorical(["a", "b", None] * 40), "c = a"),
    ],
)
def test_dates_texts_of_numbers_and_other_types_are_read(values, text):
    """Ordered where an order is there."""
    assert any(one.startswith(text) for one in encode(_series(values), 6).texts)


@pytest.mark.parametrize("values", [[1.0] * 50, [None] * 50, ["x"] * 50, [np.inf] * 50])
def test_columns_that_say_nothing_are_left_out(values):
    """One cell only."""
    assert encode(_series(values), 8) is None


def test_counts_of_rectangles_agree_with_masks():
    """Every rectangle over three columns, counted by matrix products and row by row."""
    rng = _rng(1)
    columns = [encode(_series(rng.normal(size=300), f"n{j}"), 4) for j in range(2)]
    columns.append(encode(_series(rng.choice(["a", "b", None], 300), "k"), 4))
    grid = scan.build(columns)
    rows = rng.choice(300, 120, replace=False)
    held = np.zeros(300, dtype=bool)
    held[rows] = True
    for start, counted in scan.rectangles(grid, scan.cell_counts(grid, rows)):
        for pair in range(len(counted)):
            one, two = grid.columns[grid.left[start + pair]], grid.columns[grid.right[start + pair]]
            for first in range(len(one.sets)):
                for second in range(len(two.sets)):
                    inside = scan.members(grid, scan.Place(start + pair, first, second))
                    assert counted[pair, first, second] == (inside & held).sum()


def test_the_ceiling_is_the_largest_bound_of_the_class():
    """Against exact Miettinen-Nurminen bounds of every rectangle of the coarse grid."""
    rng = _rng(2)
    series = [_series(rng.choice(list("abcd"), 900), f"k{j}") for j in range(3)]
    errors = rng.random(900) < 0.1
    terrain = slices.survey(series, 0.1, rng)
    best = -1.0
    grid = terrain.coarse
    for pair in range(len(grid.left)):
        for first in range(len(grid.columns[grid.left[pair]].sets)):
            for second in range(len(grid.columns[grid.right[pair]].sets)):
                inside = scan.members(grid, scan.Place(pair, first, second))
                if 0.095 * 900 <= inside.sum() <= 900 - 0.095 * 900:
                    table = (errors & inside).sum(), inside.sum(), (errors & ~inside).sum(), (~inside).sum()
                    best = max(best, float(difference.miettinen_nurminen(*table)[1]))
    assert slices.ceiling(terrain, errors, 0.05).bounds()[1] == pytest.approx(best, abs=1e-6)


def test_even_errors_raise_no_alarm():
    """Thirty searches of errors without any slice, floor zero (the harshest): at most four."""
    alarms = 0
    for seed in range(30):
        rng = _rng(seed)
        terrain = slices.survey([_series(rng.normal(size=1000), f"c{j}") for j in range(5)], 0.1, rng)
        alarms += bool(slices.failing(slices.confirmed(terrain, rng.random(1000) < 0.15, 0.0)))
    assert alarms <= 4


@pytest.mark.parametrize("two", [False, True])
def test_planted_slices_are_found_and_located(two):
    """20 points more errors in a tenth of 8,000 rows, over one column or two."""
    rng = _rng(3)
    data = [_series(rng.uniform(size=8000), f"c{j}") for j in range(12)]
    edge = 0.1**0.5 if two else 0.1
    inside = data[4].between(0.2, 0.2 + edge).to_numpy()
    if two:
        inside = inside & data[7].between(0.5, 0.5 + edge).to_numpy()
    terrain = slices.survey(data, 0.1, rng)
    found = slices.failing(slices.confirmed(terrain, rng.random(8000) < 0.1 + 0.2 * inside, 0.05))
    assert found
    assert (found[0].inside & inside).sum() > 0.5 * (found[0].inside | inside).sum()
    assert found[0].bounds()[0] > 0.05


def _rectangle(seed, rows, base, excess):
    """Terrain and errors with a rectangle of a tenth of the rows whose edges lie between bins."""
    rng = _rng(seed)
    data = [_series(rng.uniform(size=rows), f"c{j}") for j in range(4)]
    low, high = rng.uniform(0, 0.68, 2)
    inside = data[0].between(low, low + 0.316).to_numpy() & data[1].between(high, high + 0.316).to_numpy()
    return slices.survey(data, 0.1, rng), rng.random(rows) < base + excess * inside, rng


def test_a_slice_at_the_floor_is_not_excluded():
    """Level 5 %: of 30 tables with a slice exactly at the floor at most four pass (2 % errors, 8,000 rows)."""
    passed = 0
    for seed in range(30):
        terrain, errors, rng = _rectangle(seed, 8000, 0.02, 0.05)
        passed += exclusion.test(terrain, errors, 0.05, rng).excluded
    assert passed <= 4


def test_a_bad_slice_is_excluded_where_the_rows_suffice():
    """2 % errors on 8,000 rows, evenly spread; the same share with a slice of 8 points more is not excluded."""
    assert exclusion.test(*_rectangle(1, 8000, 0.02, 0.0)[:2], 0.05, _rng(1)).excluded
    assert not exclusion.test(*_rectangle(1, 8000, 0.02, 0.08)[:2], 0.05, _rng(1)).excluded


def test_few_rows_exclude_nothing_even_without_any_error():
    """100 rows without an error say nothing of a slice of ten rows; 8,000 do."""
    terrain, errors, rng = _rectangle(2, 100, 0.0, 0.0)
    assert not exclusion.test(terrain, errors, 0.05, rng).excluded
    terrain, errors, rng = _rectangle(2, 8000, 0.0, 0.0)
    assert exclusion.test(terrain, errors, 0.05, rng).excluded


def test_planted_places_have_the_smallest_size():
    """Close to the smallest share, whatever the types of the columns."""
    rng = _rng(6)
    series = [
        _series(rng.normal(size=2000)),
        _series(rng.choice(list("abcdef"), 2000)),
        _series(rng.integers(0, 4, 2000)),
    ]
    terrain, cut = slices.survey(series, 0.1, rng), {}
    shares = [exclusion.anywhere(terrain, cut, rng).mean() for _ in range(40)]
    assert min(shares) >= 0.097
    assert max(shares) <= 0.106


def test_canary_finds_planted_slices_and_leaves_shuffled_errors_alone():
    """With 8,000 rows nearly all are found; with 150 they are not, and the canary says so."""
    rng = _rng(4)
    large = slices.survey([_series(rng.normal(size=8000), f"c{j}") for j in range(4)], 0.1, rng)
    trial = canary.planted_slices(large, rng.random(8000) < 0.1, 0.05, 4, rng)
    assert (trial.found, trial.alarms) == (4, 0)
    small = slices.survey([_series(rng.normal(size=150), f"c{j}") for j in range(4)], 0.1, rng)
    assert not canary.planted_slices(small, rng.random(150) < 0.1, 0.05, 4, rng).noticed


def test_no_columns_and_constant_columns_have_no_terrain():
    """Nothing to search is said, not guessed."""
    assert slices.survey([], 0.1, _rng()) is None
    assert slices.survey([_series([1.0] * 200)], 0.1, _rng()) is None


@pytest.mark.slow
def test_three_hundred_columns_are_searched_whole():
    """A slice over two of 300 columns in 4,000 rows."""
    rng = _rng(5)
    data = [_series(rng.uniform(size=4000), f"c{j}") for j in range(300)]
    inside = data[41].between(0.3, 0.62).to_numpy() & data[222].between(0.1, 0.42).to_numpy()
    terrain = slices.survey(data, 0.1, rng)
    found = slices.failing(slices.confirmed(terrain, rng.random(4000) < 0.05 + 0.25 * inside, 0.05))
    assert "c41" in found[0].text
    assert "c222" in found[0].text
