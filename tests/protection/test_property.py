"""P3.property: shares of groups are told where answers move with them, and used data sets where the model remembers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest
from tests.truth.composed import CHECK, Counting, build

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import SettingsView
from fivefold.errors import UnsupportedError
from fivefold.protection.membership.rows import pool
from fivefold.protection.property import told
from fivefold.protection.property.complaint import complaints
from fivefold.protection.property.worlds import drawn, groups, worlds
from fivefold.stats.exchange import exchange_p


@pytest.mark.parametrize("form", ["scores", "values", "labels"])
def test_a_model_that_moves_with_the_share_fails(form):
    """Whether it gives probabilities, values or labels alone."""
    result = resolve(CHECK)(build(5, tells=1.0, form=form))
    assert result.outcome is Outcome.FAIL
    assert result.measures[0].value > 0.85
    assert result.canary.noticed
    assert result.remedy


def test_a_model_that_does_not_is_told_no_better_than_by_guessing():
    """Mean over several subjects: a half, within the chance of that many models."""
    results = [resolve(CHECK)(build(seed)) for seed in range(20, 25)]
    assert all(result.outcome is not Outcome.FAIL for result in results)
    assert sum(result.outcome is Outcome.PASS for result in results) >= 3
    assert np.mean([result.measures[0].value for result in results]) == pytest.approx(0.5, abs=0.1)


def test_one_model_alone_is_never_judged():
    """Without training again the guessed share is shown beside the true one, and the finding stays open."""
    result = resolve(CHECK)(build(6, tells=1.0, trains=False))
    assert result.outcome is Outcome.INCONCLUSIVE
    guess = next(one for one in result.measures if one.name.startswith("share guessed"))
    assert 0.0 <= guess.value <= 1.0
    assert "training.factory" in result.remedy


def test_sets_hold_the_shares_that_they_are_drawn_for():
    """Half as many or half as many again, from one half of the rows each, groups independently."""
    given = build(7, rows=2000)
    train, test = given.tables("train"), given.tables("test")
    found = groups(train, test, ["group"], given.subject.classes)
    assert [one.name.split(" ")[0] for one in found] == ["group", "class"]
    halves, more, sets = drawn(train, found, 24, 300, np.random.default_rng(1))
    parts = [np.unique(np.concatenate([rows for rows, own in zip(sets, halves, strict=True) if own == half]))
             for half in (False, True)]  # fmt: skip
    assert not np.intersect1d(*parts).size
    for group, raised in zip(found, more, strict=True):
        shares = np.array([group.inside[rows].mean() for rows in sets])
        assert shares[raised].mean() == pytest.approx(group.share + group.reach, abs=0.05)
        assert shares[~raised].mean() == pytest.approx(group.share - group.reach, abs=0.05)
        assert raised[halves].sum() == raised[~halves].sum() == 6


def test_groups_of_numbers_dates_and_rare_values():
    """Numbers are cut, a value that hardly anybody has is no group, and missing cells are in none."""
    given = build(8)
    train, test = given.tables("train"), given.tables("test")
    rng = np.random.default_rng(0)
    frame = train.features.assign(
        age=np.where(rng.random(len(train)) < 0.1, np.nan, rng.integers(18, 90, len(train))),
        born=pd.Timestamp("2000-01-01") + pd.to_timedelta(rng.integers(0, 9000, len(train)), unit="D"),
        rare=np.where(np.arange(len(train)) < 5, "a", "b"),
    )
    table = train.with_features(frame)
    found = groups(table, table, ["age", "born", "rare", "group"], ())
    assert [one.name.split(" ")[0] for one in found] == ["age", "born", "group"]
    assert not found[0].inside[frame["age"].isna()].any()
    assert all(np.array_equal(one.inside, one.asked) for one in found)
    assert len(test) > 0


def test_a_data_set_that_the_model_remembers_is_recognised():
    """A model that is surer of its training rows; another that is not."""
    given = build(9, rows=600)
    rows = pool(given.tables("train"), given.tables("test"), 2000, np.random.default_rng(2))

    class Sure(Counting):
        def predict_proba(self, asked):
            chances = super().predict_proba(asked)
            known = asked.name == "train"
            truth = np.eye(2)[asked.target]
            return 0.5 * chances + 0.5 * truth if known else chances

    plain = given.subject
    sure = Sure(plain.tells, plain.form, plain.classes, plain.share, plain.seed, plain.trains)
    remembered = complaints(sure, rows, np.random.default_rng(3))
    assert remembered.recognised >= 38
    assert remembered.mistaken <= 7
    honest = complaints(plain, rows, np.random.default_rng(4))
    assert honest.recognised <= 10


def test_p_values_of_exchangeable_samples_are_no_smaller_than_they_say():
    """Skewed values with ties, in two hundred draws."""
    rng = np.random.default_rng(5)
    found = np.array([exchange_p(*np.split(np.round(rng.lognormal(size=30), 1), [10]), rng, 199) for _ in range(200)])
    assert kstest(found, "uniform", alternative="greater").pvalue > 0.01
    assert exchange_p(np.arange(50.0) + 100, np.arange(50.0), rng) == pytest.approx(1 / 1000)
    assert exchange_p(np.empty(0), np.arange(3.0), rng) == 1.0


def test_a_classifier_is_taught_by_the_other_half_only():
    """Answers that name the model itself teach nothing about other models."""
    given = build(10)
    train, test = given.tables("train"), given.tables("test")
    found = groups(train, test, ["group"], ())
    rng = np.random.default_rng(6)
    made = worlds(train, found, (48, 200), lambda *_: rng.normal(size=(len(test), 2)), rng)
    assert told.right(made, found[0], 0).mean() == pytest.approx(0.5, abs=0.25)


def test_what_cannot_be_told_says_so():
    """No declared column, and hardly any rows."""
    given = build(11)
    with pytest.raises(UnsupportedError, match="declared personal"):
        resolve(CHECK)(replace(given, settings=SettingsView()))
    with pytest.raises(UnsupportedError, match="known target"):
        resolve(CHECK)(build(12, rows=60))
