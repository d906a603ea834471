"""P3.attribute: a lead is reported where the model tells more than columns and truth do, and nowhere else."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from tests.truth.telling import CHECK, Teller, build

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import SettingsView
from fivefold.errors import UnsupportedError
from fivefold.protection.attribute.levels import hidden


def test_a_model_that_remembers_fails_and_the_lead_is_about_what_it_remembers():
    """60 % of rows remembered: of those, what the best guess without the model gets wrong is told."""
    result = resolve(CHECK)(build(3, share=0.6, rows=600, linked=True))
    assert result.outcome is Outcome.FAIL
    assert 0.15 < result.measures[0].value < 0.6
    assert result.canary.noticed
    assert result.remedy


@pytest.mark.parametrize("linked", [True, False])
def test_no_lead_where_there_is_none(linked):
    """An attribute that can be guessed well from the rest, or not at all, and a model that adds nothing."""
    result = resolve(CHECK)(build(4, rows=600, linked=linked))
    assert result.outcome is not Outcome.FAIL
    assert result.measures[0].low <= 0.0
    assert abs(result.measures[0].value) < 0.05


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pd.Series(["b", "a", None] * 20, name="c"), ("a", "b")),
        (pd.Series([True, False, True] * 20, name="c"), (True, False)),
        (pd.Series(np.arange(90), name="c", dtype="int16"), (15, 45, 75)),
        (pd.Series([1.5, 2.5, np.nan] * 20, name="c"), (1.5, 2.5)),
        (pd.Series(["a"] * 50 + list("bcdefghij"), name="c"), None),
        (pd.Series([f"p{at}" for at in range(60)], name="c"), None),
        (pd.Series([np.nan] * 60, name="c"), None),
    ],
)
def test_columns_of_any_type_become_classes(column, values):
    """Few values are classes, numbers are cut in thirds, rare values and constants are not guessed; types are kept."""
    made = hidden(column)
    if values is None:
        assert made is None
        return
    assert sorted(made.samples, key=str) == sorted(values, key=str)
    frame = pd.DataFrame({"c": column, "other": 1})
    asked = made.asked(frame, 0)
    assert asked["c"].dtype == column.dtype
    assert (asked["c"] == made.samples[0]).all()
    assert (made.codes >= 0).sum() == column.notna().sum()


@pytest.mark.parametrize("tells", [True, False])
def test_a_column_that_the_model_does_not_see_is_guessed_from_its_answer(tells):
    """Sure of the truth where the hidden attribute has its first value, or of every row alike."""
    given = build(7, rows=900, linked=False)

    class Sure(Teller):
        def predict_proba(self, asked):
            assert "hidden" not in asked.features
            at = np.searchsorted(self.keys, asked.features["key"].to_numpy())
            odds = self.odds[at] + (6.0 * (self.own[at] == "v0") if tells else 0.0)
            share = 1 / (1 + np.exp(np.where(self.truth[at] == 1, -odds, odds)))
            return np.column_stack([1 - share, share])

    def unseen(name):
        rows = given.tables(name)
        kept, hidden = rows.features.drop(columns=["hidden"]), rows.features[["hidden"]]
        return replace(rows, features=kept, others=hidden)

    subject = Sure(*(getattr(given.subject, one.name) for one in fields(given.subject)))
    result = resolve(CHECK)(replace(given, subject=subject, tables=unseen))
    assert result.canary.noticed
    assert result.outcome is Outcome.FAIL if tells else result.measures[0].low <= 0.0


def test_dates_are_cut_in_thirds():
    """A date stands for each third, of the column's own type."""
    made = hidden(pd.Series(pd.date_range("2000-01-01", periods=60), name="born"))
    assert len(made.samples) == 3
    asked = made.asked(pd.DataFrame({"born": pd.date_range("2000-01-01", periods=60)}), 2)["born"]
    assert (asked == made.samples[2]).all()


def test_what_cannot_be_guessed_says_so():
    """No declared column, one that is not there, and hardly any rows."""
    given = build(5, rows=300)
    for settings in (SettingsView(), SettingsView(personal=("nowhere",))):
        with pytest.raises(UnsupportedError, match="declared personal"):
            resolve(CHECK)(replace(given, settings=settings))
    with pytest.raises(UnsupportedError, match="training rows"):
        resolve(CHECK)(build(6, rows=40))
