"""The parts of P3.membership: hashes, neighbours, bounds and the canary keep their promises."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from fivefold.protection.membership import bounds, canary
from fivefold.protection.membership.answers import Answers, against_shadows, ask, confidence
from fivefold.protection.membership.attack import attack, halve
from fivefold.protection.membership.queries import (
    altered,
    halves,
    holds_all_classes,
    ranking,
    with_neighbours,
    with_shadows,
)
from fivefold.protection.membership.rows import encode, hashes, pool
from fivefold.protection.membership.student import crossfit, widen

from .membership_subjects import mixed, predictions, table

if TYPE_CHECKING:
    from fivefold.contract.subject import Table


def test_hashes_do_not_depend_on_storage() -> None:
    """1 and 1.0, a category and its text, -0.0 and 0.0 are one value; a missing one equals a missing one."""
    left = pd.DataFrame({"n": [1, 2, 0], "t": ["x", "y", None], "f": [0.0, np.nan, 2.5]})
    right = pd.DataFrame({"n": [1.0, 2.0, -0.0], "t": pd.Categorical(["x", "y", None]), "f": [-0.0, np.nan, 2.5]})
    target = np.array([0, 1, 0])
    assert (hashes(table("train", left, target)) == hashes(table("test", right, target))).all()


@given(st.integers(0, 2), st.sampled_from(["n", "t", "f", "target"]))
def test_hashes_change_with_any_cell(row: int, what: str) -> None:
    """Changing one cell changes the hash of that row alone."""
    frame = pd.DataFrame({"n": [1, 2, 3], "t": ["x", "y", "z"], "f": [0.5, 1.5, 2.5]})
    target = np.array([0, 1, 0])
    before = hashes(table("train", frame, target))
    if what == "target":
        target = np.where(np.arange(3) == row, 7, target)
    else:
        frame.loc[row, what] = {"n": 9, "t": "other", "f": -4.5}[what]
    after = hashes(table("train", frame, target))
    assert ((before != after) == (np.arange(3) == row)).all()


def test_swapped_columns_do_not_cancel() -> None:
    """Two equal columns of one row hash unlike two others."""
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0]})
    one, other = hashes(table("train", frame, np.zeros(2)))
    assert one != other


def test_the_pool_counts_what_it_leaves_out() -> None:
    """Rows in both sets and repetitions within a set are left out; the sample is balanced."""
    frame = mixed(np.random.default_rng(0), 1000)
    target = np.zeros(1000, dtype=np.int64)
    train = table("train", pd.concat([frame[:500], frame[:20]]), np.zeros(520, dtype=np.int64))
    test = table("test", pd.concat([frame[500:], frame[100:130]]), target[:530])
    rows = pool(train, test, 600, np.random.default_rng(1))
    assert (rows.shared, rows.repeated) == (30, 20)
    assert (len(rows.members), len(rows.others)) == (300, 300)
    assert not set(hashes(rows.members)) & set(hashes(rows.others))


def test_what_one_side_lacks_goes_to_the_other() -> None:
    """100 test rows and 900 training rows use 500 and 100 of 600."""
    frame = mixed(np.random.default_rng(2), 1000)
    target = np.zeros(1000, dtype=np.int64)
    rows = pool(
        table("train", frame[:900], target[:900]),
        table("test", frame[900:], target[900:]),
        600,
        np.random.default_rng(0),
    )
    assert (len(rows.members), len(rows.others)) == (500, 100)


def test_any_frame_becomes_finite_numbers_of_bounded_width() -> None:
    """Texts, dates, missing values, empty and constant columns, booleans and 400 numbers."""
    rng = np.random.default_rng(3)
    frame = mixed(rng, 200)
    frame["empty"] = np.nan
    frame["nothing"] = pd.Series([None] * 200, dtype=object)
    frame["constant"] = 1
    frame["flag"] = rng.random(200) < 0.5
    frame["huge"] = rng.lognormal(sigma=30, size=200)
    wide = pd.concat([frame, pd.DataFrame(rng.normal(size=(200, 400))).add_prefix("x")], axis=1)
    for given_frame in (frame, wide, frame[["nothing"]]):
        matrix = encode(given_frame, rng)
        assert matrix.shape[0] == 200
        assert matrix.shape[1] <= 192
        assert np.isfinite(matrix).all()


def test_neighbours_keep_types_missing_values_and_tell_no_side() -> None:
    """Altered copies use values that occur, and where columns are full of ties they move no side more than the other.

    Members come first in the frame, so an order that breaks ties by position would lower theirs and raise the rest.
    """
    rng = np.random.default_rng(4)
    frame = mixed(rng, 3000)
    near = altered(frame, ranking(frame, rng), rng)
    assert (near.dtypes == frame.dtypes).all()
    assert (near["b"].isna() == frame["b"].isna()).all()
    assert set(near["steps"]) <= set(frame["steps"])
    moved = np.mean(
        [altered(frame, ranking(frame, rng), rng)["steps"].to_numpy() - frame["steps"] for _ in range(20)], axis=0
    )
    first, second = moved[:1500], moved[1500:]
    error = np.sqrt(first.var() / 1500 + second.var() / 1500)
    assert abs(first.mean() - second.mean()) < 4 * error


def test_shadow_halves_split_each_class() -> None:
    """Every class is halved, so that a rare one is in every shadow."""
    truth = np.array([0] * 90 + [1] * 10)
    mask = halves(Answers("binary", truth, None, truth, 2), np.random.default_rng(5))
    assert mask.sum() == 50
    assert mask[truth == 1].sum() == 5


def test_no_row_of_a_fit_sees_its_own_target() -> None:
    """Pure noise cannot be predicted out of fold: the error is not below the variance."""
    rng = np.random.default_rng(6)
    design = widen(rng.normal(size=(400, 10)), 200, rng)
    noise = rng.normal(size=(200, 1))
    fit = crossfit(design, np.arange(200), noise, rng)
    assert fit.error[0] > 0.9 * noise.var()
    assert np.corrcoef(fit.guess[:200, 0], noise[:, 0])[0, 1] < 0.25


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_auc_agrees_with_scikit_learn(seed: int) -> None:
    """The AUC is the one that everybody computes, ties included."""
    rng = np.random.default_rng(seed)
    inner, outer = rng.integers(0, 8, 30).astype(float), rng.integers(0, 7, 40).astype(float)
    expected = roc_auc_score([1] * 30 + [0] * 40, np.concatenate([inner, outer]))
    assert bounds.auc(inner, outer).value == pytest.approx(expected)


@pytest.mark.parametrize(("n", "m"), [(150, 350), (500, 500), (2000, 1000)])
@pytest.mark.parametrize("effect", [0.0, 1.0, 2.0])
def test_the_rate_is_covered(n: int, m: int, effect: float) -> None:
    """Each bound of the rate at 1 % misses in at most 5 % of samples; the true rate is known for normal scores."""
    rng = np.random.default_rng([n, int(effect)])
    truth = norm.sf(norm.isf(0.01) - effect)
    below = above = 0
    for _ in range(400):
        figure = bounds.rate_at(rng.normal(effect, 1, m), rng.normal(0, 1, n))
        below, above = below + (figure.low > truth), above + (figure.high < truth)
    assert below <= 28  # 99 % point of Bin(400, 0.05) is 31
    assert above <= 28


def test_too_few_non_members_bound_nothing() -> None:
    """With 100 non-members no threshold is known to let through less than 1 %: the lower bound is 0."""
    rng = np.random.default_rng(7)
    assert bounds.rate_at(rng.normal(9, 1, 500), rng.normal(0, 1, 100)).low == 0.0


def test_strata_remove_what_they_explain() -> None:
    """Scores that only follow the strata are worth nothing within them."""
    rng = np.random.default_rng(8)
    inner, outer = rng.normal(1, 1, 3000), rng.normal(0, 1, 3000)
    strata = np.searchsorted(np.linspace(-2, 3, 60), np.concatenate([inner, outer]))
    noise = 1e-3 * rng.normal(size=6000)
    plain, apart = bounds.auc(inner, outer), bounds.within(noise[:3000], noise[3000:], strata)
    assert plain.low > 0.7
    assert apart.low < 0.5 < apart.high


def test_halves_are_chosen_and_stated_apart() -> None:
    """With noise for signals the stated AUC is not flattered by the choice among many attacks."""
    asked = predictions(14, 500, leak="none")
    rows = pool(asked.tables("train"), asked.tables("test"), 1000, asked.rng)
    answers = ask(asked.subject, rows)  # type: ignore[arg-type]
    design = widen(encode(rows.features, asked.rng), 250, asked.rng)
    stated = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        split = halve(rng.permutation(rows.is_member), rng)
        scored = attack(answers, design, split, rng)
        held = ~split.fit
        best = scored.scores[scored.best_auc]
        stated.append(bounds.auc(best[held & split.is_member], best[held & ~split.is_member]).value)
    assert abs(np.mean(stated) - 0.5) < 4 * np.std(stated) / np.sqrt(len(stated))


@pytest.mark.parametrize("kind", ["scores", "labels", "regression"])
@pytest.mark.parametrize("wanted", [0.70, 0.85])
def test_the_canary_has_the_size_it_says(kind: str, wanted: float) -> None:
    """The plain loss attack reaches the planted AUC."""
    rng = np.random.default_rng(9)
    truth = rng.integers(0, 3, 3000)
    odds = rng.normal(size=(3000, 3)) + 2 * np.eye(3)[truth]
    scores = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    answers = Answers("multiclass", truth, scores, scores.argmax(axis=1), 3)
    if kind == "labels":
        answers = replace(answers, scores=None)
    if kind == "regression":
        answers = Answers("regression", truth + rng.normal(size=3000), None, truth.astype(float), 0)
    member = rng.random(3000) < 0.5
    planted = canary.remember(answers, member, canary.draw(wanted, rng), rng)
    before, after = (roc_auc_score(member, confidence(one)) for one in (answers, planted))
    assert abs(before - 0.5) < 0.05
    assert after == pytest.approx(wanted, abs=0.03)
    if planted.scores is not None:
        assert planted.scores.sum(axis=1) == pytest.approx(1.0)
        assert planted.scores.min() >= 0.0


def test_rows_without_a_target_are_left_out() -> None:
    """Class -1 and a missing value mean that the truth is not known; a negative value is a value."""
    frame = mixed(np.random.default_rng(15), 40)
    labels = np.zeros(20, dtype=np.int64)
    labels[:3] = -1
    classes = pool(table("train", frame[:20], labels), table("test", frame[20:], labels), 40, np.random.default_rng(0))
    assert (classes.unknown, len(classes.members)) == (6, 17)
    values = -np.ones(20)
    values[0] = np.nan
    numbers = pool(table("train", frame[:20], values), table("test", frame[20:], values), 40, np.random.default_rng(0))
    assert (numbers.unknown, len(numbers.members)) == (2, 19)


def test_a_class_of_one_row_is_in_every_shadow() -> None:
    """A model trained without it would answer with other classes; its row has no model without it and says nothing."""
    frame = mixed(np.random.default_rng(16), 80)
    truth = np.array([0, 1] * 40)
    truth[5] = 2
    rows = pool(
        table("train", frame[:40], truth[:40]), table("test", frame[40:], truth[40:]), 80, np.random.default_rng(0)
    )
    seen: list[set[int]] = []

    class Shadow:
        def retrain(self, asked: Table, seed: int) -> Shadow:
            seen.append(set(asked.target.tolist()))
            return self

        def predict(self, asked: Table) -> np.ndarray:
            return np.zeros(len(asked), dtype=np.int64)

    target = rows.target
    answers = Answers("multiclass", target, None, np.zeros(len(target), dtype=np.int64), 3)
    assert holds_all_classes(answers)
    asked = with_shadows(Shadow(), rows, answers, np.random.default_rng(0), lambda _: None)  # type: ignore[arg-type]
    assert seen == [{0, 1, 2}] * 4
    assert all(np.isfinite(values).all() for values in against_shadows(asked).values())
    assert not holds_all_classes(replace(answers, classes=4))


def test_neighbours_keep_the_types_of_their_own_set() -> None:
    """Whole numbers in training data, the same column with a missing value in test data: each is asked in its type."""
    rng = np.random.default_rng(17)
    inner = pd.DataFrame({"n": np.arange(30), "x": rng.normal(size=30)})
    outer = pd.DataFrame({"n": np.r_[np.arange(29.0) + 40, np.nan], "x": rng.normal(size=30)})
    truth = np.array([0, 1] * 15)
    rows = pool(table("train", inner, truth), table("test", outer, truth), 60, rng)
    kinds = set()

    class Model:
        def predict(self, asked: Table) -> np.ndarray:
            kinds.add((asked.name, str(asked.features["n"].dtype)))
            return np.zeros(len(asked), dtype=np.int64)

    answers = Answers("binary", rows.target, None, np.zeros(60, dtype=np.int64), 2)
    with_neighbours(Model(), rows, answers, rng)  # type: ignore[arg-type]
    assert kinds == {("train", "int64"), ("test", "float64")}


@pytest.mark.parametrize("slip", ["test", "train"])
def test_classes_of_one_side_are_left_out_and_named(slip: str) -> None:
    """A class that only one set holds would tell members by itself: its rows go, and name and number are said."""
    frame = mixed(np.random.default_rng(4), 400)
    inner, outer = np.arange(200) % 2, np.arange(200) % 2
    (outer if slip == "test" else inner)[:30] = 2
    rows = pool(table("train", frame[:200], inner), table("test", frame[200:], outer), 400, np.random.default_rng(0))
    assert rows.apart == {2: (0, 30) if slip == "test" else (30, 0)}
    assert set(rows.target) == {0, 1}
    assert len(rows.target) == 370
    assert f'"Yes" (30 rows) is in the {"test" if slip == "test" else "training"} data only' in rows.left_out(
        ["no", "yes", "Yes"]
    )
