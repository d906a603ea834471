"""X2: one bad row in twenty moves half of the doses, the filter undoes it; the command's own words."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.truth.subjects import context

from fivefold.cases.dosage import case
from fivefold.cases.dosage.cohort import HIGHEST, LOWEST, clinical, doses, patients
from fivefold.cases.dosage.harming import SHARE, poisoned
from fivefold.cli.main import run
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import SettingsView
from fivefold.sharing.filtering.regression import filtered


def test_half_of_the_doses_move_and_the_filter_undoes_it() -> None:
    """Three cohorts: at least 45 % moved before, at most 5 % after, and at most 5 points more off the true dose."""
    for seed in range(3):
        one = case.seen(np.random.default_rng(seed))
        assert one.moved[0] >= 0.45 * one.asked
        assert one.moved[1] <= 0.05 * one.asked
        assert one.off[2] - one.off[0] <= 0.05 * one.asked


def test_bad_rows_are_few_and_each_value_is_possible() -> None:
    """At most one in twenty, doses within the form's bounds, patients who are in the table, in no order."""
    rng = np.random.default_rng(4)
    rows = patients(3000, rng)
    made, said, bad = poisoned(rows, doses(rows, rng), rng)
    assert bad.mean() <= SHARE
    assert said.min() >= LOWEST
    assert said.max() <= HIGHEST
    assert len(made.merge(rows.drop_duplicates(), how="inner")) == len(made)
    assert 0.3 < np.flatnonzero(bad).mean() / len(bad) < 0.7


def test_the_cohort_has_the_structure_of_the_study() -> None:
    """Medians and directions that the study reports: dose, race, genotype, age; the rule gives plausible doses."""
    rng = np.random.default_rng(5)
    rows = patients(20_000, rng)
    dose = doses(rows, rng)
    assert 25 < np.median(dose) < 35
    least = [np.median(dose[(rows["vkorc1"] == kind).to_numpy()]) for kind in ("A/A", "A/G", "G/G")]
    assert least == sorted(least)
    assert np.median(dose[rows["age"] > 80]) < np.median(dose[rows["age"] < 50])
    assert np.median(dose[(rows["race"] == "Asian").to_numpy()]) < np.median(dose[(rows["race"] == "Black").to_numpy()])
    assert 0.3 < np.corrcoef(clinical(rows), dose)[0, 1] < 0.7


def test_the_check_fails_before_and_passes_after() -> None:
    """S5.regression on the cohort: with a tighter floor, poisoned rows fail, filtered ones pass."""
    rng = np.random.default_rng(6)
    rows = patients(3000, rng)
    table = case.as_table(*poisoned(rows, doses(rows, rng), rng)[:2])
    given = context("S5.regression", None, {"train": table}, 7, thresholds={"max_contradicted": 0.02},
                    settings=SettingsView())  # fmt: skip
    assert resolve("S5.regression")(given).outcome is Outcome.FAIL
    kept = {"train": table.take(filtered(table, rng).kept)}
    after = replace(given, tables=kept.__getitem__, rng=np.random.default_rng(8))
    assert resolve("S5.regression")(after).outcome is Outcome.PASS


def test_the_command_tells_the_case(capsys: pytest.CaptureFixture[str]) -> None:
    """One cohort, as JSON: the figures of before and after, and the same again for the same seed."""
    said = []
    for _ in range(2):
        with pytest.raises(SystemExit) as leave:
            run(["case", "X2", "--runs", "1", "--seed", "3", "--json"])
        assert not leave.value.code
        said.append(json.loads(capsys.readouterr().out))
    assert said[0] == said[1]
    assert said[0]["id"] == "X2"
    assert said[0]["before"][0]["count"] > 20 * max(said[0]["after"][0]["count"], 1)
