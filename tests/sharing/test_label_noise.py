"""S5.label-noise: wrong labels are counted where there is no doubt, honest doubt is not called wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.truth import label_noise as subjects
from tests.truth.subjects import table

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import UnsupportedError
from fivefold.sharing.filtering.columns import encoded

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result


def measured(given: Context) -> Result:
    found = resolve(subjects.CHECK)(given)
    assert found.canary is not None
    return found


def with_train(features: pd.DataFrame, target: np.ndarray, seed: int = 1) -> Context:
    """Return a context with other training data."""
    made = table("train", features, target)
    return replace(subjects.build(seed, rows=300), tables={"train": made}.__getitem__, rng=np.random.default_rng(seed))


def test_wrong_labels_fail_and_their_rate_is_right() -> None:
    """The rate lies within the bounds, planted ones are found, the plots are there."""
    found = measured(subjects.build(3, 0.15, mixed=True))
    assert found.outcome is Outcome.FAIL
    every = found.measures[0]
    assert every.where == "all classes"
    assert (every.low or 1) <= 0.15 <= (every.high or 0)
    assert found.remedy
    clean = measured(subjects.build(3, mixed=True))
    assert clean.outcome is Outcome.PASS
    recall = next(one for one in clean.measures if one.name.startswith("planted"))
    assert (recall.low or 0) > 0.8
    assert {plot.kind for plot in clean.plots} == {"intervals", "curves"}


def test_a_spoilt_class_is_named() -> None:
    """Labels of one class alone."""
    given = subjects.build(5, 0.25, place="one class", rare=0.3)
    common = np.bincount(given.tables("train").target).argmax()
    failed = [one.where for one in measured(given).measures if one.outcome is Outcome.FAIL]
    assert f"class {common}" in failed


def test_honest_doubt_does_not_fail() -> None:
    """Labels drawn from a rule with chance in it: nobody mislabelled anything."""
    said = [measured(subjects.doubtful(seed)).outcome for seed in (14, 22, 31, 33, 1001, 1002, 1003)]
    assert Outcome.FAIL not in said


def test_doubt_that_was_there_before_is_no_proof() -> None:
    """Labels all but random contradict each other far above the floor; planted ones change nothing there."""
    rng = np.random.default_rng(4)
    values = rng.normal(size=(1500, 3))
    target = (rng.random(1500) < 0.5 + 0.08 * np.sign(values[:, 0])).astype(np.int64)
    found = measured(with_train(pd.DataFrame(values, columns=list("abc")), target))
    assert (found.measures[0].low or 0) > 0.05
    assert found.canary is not None
    assert not found.canary.noticed
    assert found.outcome is Outcome.INCONCLUSIVE


def test_labels_of_one_expected_class_leave_no_clean_case() -> None:
    """Where the features speak for one class alone, no rule can be labelled by: the canary says that it was not run."""
    rng = np.random.default_rng(5)
    target = (rng.random(600) < 0.03).astype(np.int64)
    found = measured(with_train(pd.DataFrame({"a": rng.normal(size=600)}), target))
    assert found.canary is not None
    assert found.canary.clean == int(found.canary.noticed)
    assert found.outcome is not Outcome.PASS


def test_rare_classes_are_said_to_count_in_the_total_only() -> None:
    """A class of 40 rows is not judged alone."""
    rows = subjects.build(6, classes=3, rare=0.02).tables("train")
    assert any("1 of 3 classes" in text for text in measured(with_train(rows.features, rows.target)).limits)


def test_the_same_seed_says_the_same() -> None:
    """Findings are deterministic."""
    assert measured(subjects.build(7, 0.1)) == measured(subjects.build(7, 0.1))


def test_copies_do_not_vouch_for_themselves() -> None:
    """Every row stands twice with the same wrong label."""
    rows = subjects.build(2, 0.15).tables("train")
    both = np.tile(np.arange(1000), 2)
    twice = rows.features.iloc[both].reset_index(drop=True)
    assert measured(with_train(twice, rows.target[both])).outcome is Outcome.FAIL


def test_features_that_say_nothing_leave_it_open() -> None:
    """Noise columns and balanced labels."""
    rng = np.random.default_rng(0)
    features = pd.DataFrame(rng.normal(size=(800, 4)), columns=list("abcd"))
    assert measured(with_train(features, rng.integers(0, 2, 800))).outcome is Outcome.INCONCLUSIVE


def test_a_class_that_nothing_tells_leaves_it_open() -> None:
    """One class is a random tenth of another."""
    rows = subjects.build(4).tables("train")
    target = np.where((rows.target == 1) & (np.random.default_rng(1).random(len(rows)) < 0.1), 2, rows.target)
    found = measured(with_train(rows.features, target))
    assert found.outcome is not Outcome.PASS
    assert "class 2" in {one.where for one in found.measures}


@pytest.mark.parametrize(
    ("features", "target", "code"),
    [
        (pd.DataFrame({"a": np.arange(300.0)}), np.linspace(0, 1, 300), "filter.task"),
        (pd.DataFrame({"a": np.arange(50.0)}), np.arange(50) % 2, "filter.rows"),
        (pd.DataFrame({"a": np.ones(300)}), np.arange(300) % 2, "filter.columns"),
        (pd.DataFrame({"a": np.arange(300.0)}), np.zeros(300, dtype=np.int64), "filter.task"),
        (pd.DataFrame({"a": np.arange(300.0)}), np.full(300, -1), "filter.rows"),
    ],
)
def test_what_cannot_be_measured_is_said(features: pd.DataFrame, target: np.ndarray, code: str) -> None:
    """Values, few rows, constant columns, one label, no labels."""
    with pytest.raises(UnsupportedError) as told:
        resolve(subjects.CHECK)(with_train(features, target))
    assert told.value.code == code


def test_columns_of_every_kind_become_numbers() -> None:
    """Numbers in texts, dates, truth values, texts, endless and missing cells: finite, and nothing is lost."""
    odd = pd.DataFrame(
        {
            "number": ["1", "2.5", None, "4"] * 25, "date": ["2024-01-05", "2023-12-31", "2024-02-29", None] * 25,
            "truth": [True, False, True, True] * 25, "text": ["a", "b", None, "c"] * 25,
            "endless": [np.inf, 1.0, -np.inf, np.nan] * 25, "constant": 1, "empty": np.nan,
            "when": pd.to_datetime(["2024-01-05", "2023-12-31", "2024-02-29", None] * 25),
        }
    )  # fmt: skip
    made = encoded(table("train", odd, np.zeros(100, dtype=np.int64)))
    assert np.isfinite(made).all()
    assert made.shape[1] >= 12


@pytest.mark.shared
def test_census_rows_are_judged(shared: Path) -> None:
    """Real rows with texts and missing cells: not accused as they are, worse with planted ones."""
    rows = pd.read_csv(shared / "adult_census" / "train.csv.gz").sample(4000, random_state=0).reset_index(drop=True)
    target = pd.factorize(rows.iloc[:, -1], sort=True)[0].astype(np.int64)
    as_is = measured(with_train(rows.iloc[:, :-1], target))
    assert as_is.outcome is not Outcome.FAIL
    rng = np.random.default_rng(2)
    spoilt = np.where(rng.random(len(target)) < 0.2, 1 - target, target)
    worse = measured(with_train(rows.iloc[:, :-1], spoilt))
    assert worse.outcome is not Outcome.PASS
    assert (worse.measures[0].low or 0) > (as_is.measures[0].high or 1)
