"""F1.individual and F1.proxies: flips, twins, benefits by hand, repair, paths, real rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.truth.floors import floors
from tests.truth.individual import Rule, flipping, proxied
from tests.truth.subjects import context, table

from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import SettingsView
from fivefold.errors import InputError, UnsupportedError
from fivefold.fairness.gaps.groups import field
from fivefold.fairness.individual import benefits
from fivefold.fairness.individual.asking import movable, twins
from fivefold.fairness.proxies.repair import repaired

if TYPE_CHECKING:
    from pathlib import Path

individual, proxies = resolve("F1.individual"), resolve("F1.proxies")


def test_a_model_that_looks_at_the_field_fails_and_the_same_without_it_passes() -> None:
    """The control is the field taken out of the features: the share of changed answers falls from 17 % to none."""
    unfair, fair = individual(flipping(3, flip=0.17)), individual(flipping(3))
    assert unfair.outcome is Outcome.FAIL
    assert fair.outcome is Outcome.PASS
    share = {m.name: m.value for m in unfair.measures}["answers that change with the protected field"]
    assert share == pytest.approx(0.17, abs=0.03)
    assert {m.name: m.value for m in fair.measures}["answers that change with the protected field"] == 0
    assert canonical(individual(flipping(3, flip=0.17))) == canonical(unfair)


def test_ragged_borders_fail_by_twins() -> None:
    """A model whose answers hang on last digits fails by its twins, not by the field."""
    result = individual(flipping(4, ragged=0.25))
    assert result.outcome is Outcome.FAIL
    assert "twins" in result.reason


def test_twins_keep_kinds_ranges_and_missing_values() -> None:
    """Whole numbers stay whole, nothing leaves the range seen, missing stays missing, texts are not touched."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "whole": rng.integers(0, 90, 500), "nullable": pd.array(rng.integers(0, 500, 500), dtype="Int64"),
        "real": np.where(rng.random(500) < 0.1, np.nan, rng.normal(size=500)), "text": ["a", "b"] * 250,
    })  # fmt: skip
    frame.loc[:9, "nullable"] = pd.NA
    rows = table("test", frame, np.zeros(500, dtype=np.int64))
    columns = movable(rows, ())
    assert columns == ["whole", "nullable", "real"]
    made = twins(rows, columns, rng).features
    assert (made.dtypes == frame.dtypes).all()
    assert made["whole"].between(frame["whole"].min(), frame["whole"].max()).all()
    assert (made["nullable"].isna() == frame["nullable"].isna()).all()
    assert (made["real"].isna() == frame["real"].isna()).all()
    assert (made["text"] == frame["text"]).all()
    assert 0 < (made["whole"] - frame["whole"]).abs().mean() < 2


def test_planted_inequality_is_noticed_where_few_twins_of_whole_numbers_differ() -> None:
    """Of two columns of small whole numbers half of the twins are the rows themselves; the plant allows for that."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"absences": rng.integers(0, 30, 158), "mark": rng.integers(0, 21, 158)})
    subject = Rule("regression", (), lambda asked: 100.0 * (asked["mark"].to_numpy() > 10))
    who = pd.DataFrame({"who": np.array(["a", "b"])[rng.integers(0, 2, 158)]})
    tables = {"test": table("test", frame, frame["mark"].to_numpy(dtype=np.float64), who)}
    settings = SettingsView(protected=("who",))
    found = individual(
        context("F1.individual", subject, tables, 3, thresholds=floors("F1.individual"), settings=settings)
    )
    assert found.canary is not None
    assert found.canary.noticed, found.canary


def test_benefits_are_those_of_the_cells_and_inequality_falls_apart() -> None:
    """Mean benefit of each group by hand; the part between groups is all where each group is of one piece."""
    truth, answer = np.array([1, 1, 0, 0] * 20), np.array([1, 0, 1, 0] * 20)
    codes = np.tile([0, 0, 1, 1], 20)
    cut = field("who", pd.Series(np.array(["a", "b"])[codes]), truth)
    shown = {m.where: m.value for m in benefits.shown([cut], truth, answer, benefits.declared(None))}
    by_label = {label: shown[label] for label in cut.labels}
    assert sorted(by_label.values()) == [0.5, 1.5]  # of tp 1, fn 0; of fp 2, tn 1
    alone = benefits.shown([cut], truth, np.tile([1, 1, 0, 0], 20), benefits.declared({"tp": 3, "tn": 1}))
    assert {m.name: m.value for m in alone}["inequality of benefit between groups"] == 1.0
    with pytest.raises(InputError) as error:
        benefits.declared({"tp": "much"})
    assert error.value.code == "individual.benefit"


def test_repair_makes_groups_alike_and_keeps_ranks() -> None:
    """After repair a column has the same quantiles in both groups, and each group's order is kept."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2, 4000)
    frame = pd.DataFrame({"x": rng.normal(size=4000) + 2 * codes, "t": np.where(codes == 1, "p", "q")})
    rows = table("test", frame, np.zeros(4000, dtype=np.int64))
    made = repaired(rows, ["x", "t"], codes, np.zeros(4000, dtype=np.int64), rng).features
    first, second = (np.quantile(made["x"][codes == code], [0.1, 0.5, 0.9]) for code in (0, 1))
    assert np.abs(first - second).max() < 0.05
    for code in (0, 1):
        before, after = frame["x"][codes == code], made["x"][codes == code]
        assert np.corrcoef(before.rank(), after.rank())[0, 1] > 0.999
    assert abs((made["t"] == "p")[codes == 1].mean() - (made["t"] == "p")[codes == 0].mean()) < 0.05


def test_a_path_is_found_though_the_field_is_no_feature_and_its_feature_is_named() -> None:
    """A stand-in fails the check and heads the list of features; a model that does not look at it passes."""
    found = proxies(proxied(2, beyond=0.2, text=True))
    assert found.outcome is Outcome.FAIL
    alone = [m for m in found.measures if m.name.endswith(" alone")]
    assert alone[0].name == "gap through place alone"
    told = {m.name: m.value for m in found.measures}["AUC of the group from the features"]
    assert told is not None
    assert told > 0.95
    assert proxies(proxied(2)).outcome is Outcome.PASS


def test_small_samples_stay_open_and_what_cannot_be_asked_is_not_run() -> None:
    """A hundred rows never pass; several classes without a favourable one are not measured."""
    for seed in range(4):
        assert proxies(proxied(seed, beyond=0.15, rows=100)).outcome is not Outcome.PASS
        assert individual(flipping(seed, flip=0.17, rows=100)).outcome is not Outcome.PASS
    given = flipping(1, task="multiclass")
    with pytest.raises(UnsupportedError) as error:
        proxies(replace(given, thresholds={"max_proxy_gap": 0.1}))
    assert error.value.code == "proxies.positive"


def test_sex_acts_through_relationship_on_adult_census(shared: Path) -> None:
    """A rule of marriage and schooling, without the sex: the path is found, and relationship carries it."""
    rows = pd.read_csv(shared / "adult_census" / "test.csv.gz", na_values="?").iloc[:4000]
    target = rows["income"].str.contains(">50K").to_numpy().astype(np.int64)
    features = rows[["age", "education_num", "relationship", "hours_per_week", "workclass"]].reset_index(drop=True)
    sex = rows[["sex"]].reset_index(drop=True)

    def rule(given: pd.DataFrame) -> np.ndarray:
        married = given["relationship"].isin(["Husband"]).to_numpy()
        return np.asarray((married & (given["education_num"] > 9).to_numpy()).astype(np.int64))

    given = context(
        "F1.proxies", Rule("binary", ("low", "high"), rule), {"test": table("test", features, target, sex)}, 3,
        thresholds={"max_proxy_gap": 0.1}, settings=SettingsView(positive=1, protected=("sex",)), effort="quick",
    )  # fmt: skip
    result = proxies(given)
    assert result.outcome is Outcome.FAIL
    assert next(m for m in result.measures if m.name.endswith(" alone")).name == "gap through relationship alone"
