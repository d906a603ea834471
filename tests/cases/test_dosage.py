"""X2: one bad row in twenty moves half of the doses, the filter undoes it; the command's own words."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.truth.subjects import context

from fivefold.cases.dosage import case
from fivefold.cases.dosage.cohort import HIGHEST, LOWEST, clinical, doses, patients
from fivefold.cases.dosage.harming import SHARE, poisoned
from fivefold.cli.main import run
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import SettingsView
from fivefold.manifest.reader import read as read_manifest
from fivefold.sharing.filtering.regression import filtered

if TYPE_CHECKING:
    from pathlib import Path


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


def test_what_is_written_are_two_applications_and_two_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Manifests that can be read; the stored model is what its own training gives; bad rows are gone."""
    out = tmp_path / "x2"
    with pytest.raises(SystemExit) as leave:
        run(["case", "X2", "--runs", "1", "--seed", "3", "--out", str(out)])
    assert not leave.value.code
    assert "95 %" not in capsys.readouterr().out, "one cohort has no bounds"
    rows = {}
    for which in ("before", "after"):
        manifest = read_manifest(out / which)
        assert manifest.model is not None
        assert manifest.application.id == f"dosage-{which}"
        rows[which] = pd.read_csv(out / which / "data" / "train.csv", keep_default_na=False)
        spec = spec_from_file_location("train", out / which / "train.py")
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        table = case.as_table(rows[which].drop(columns="dose"), rows[which]["dose"].to_numpy())
        again = module.fit(table, np.random.default_rng(0)).predict(rows[which])
        assert np.allclose(again, module.load().predict(rows[which]), rtol=1e-6)
    assert (rows["before"]["dose"] > 250).sum() == int(SHARE * case.ROWS)
    assert not (rows["after"]["dose"] > 250).any()
    doses_drawn = (out / "doses.svg").read_text(encoding="utf-8")
    assert doses_drawn.count("<circle") == 600
    assert "After: 0 of 300 doses moved" in doses_drawn
    assert "fallback" in (out / "shares.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(("which", "filled"), [("X2", True), ("X5", False)])
def test_no_folder_is_overwritten_and_not_every_case_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], which: str, filled: bool
) -> None:
    """Refused before anything is drawn, with the code."""
    if filled:
        (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(SystemExit) as leave:
        run(["case", which, "--runs", "1", "--out", str(tmp_path), "--json"])
    assert leave.value.code == 2
    assert "case.out" in "".join(capsys.readouterr())


def test_bounds_are_told_over_cohorts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three cohorts: mean, bounds and ends of what moved, in words."""
    one = case.seen(np.random.default_rng(0))
    others = [replace(one, moved=(part, 0, part)) for part in (900, 1000, 1100)]
    drawn = iter([each for other in others for each in (other, other)])
    monkeypatch.setattr(case, "seen", lambda *_args, **_named: next(drawn))
    line = case.run(3, 1).example[1]
    assert line.startswith("Moved before: 50.0 of 100 patients (95 % bounds ")
    assert line.endswith("45.0 to 55.0 in single cohorts.")
