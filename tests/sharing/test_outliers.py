"""S5.outliers: foreign rows are counted where yours do not come near them; honest tails are not called foreign."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.truth import outliers as subjects
from tests.truth.subjects import table

from fivefold.contract.finding import Measure
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import UnsupportedError
from fivefold.sharing.filtering import foreign, outliers, units

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result
    from fivefold.contract.subject import Table


def measured(given: Context) -> Result:
    found = resolve(subjects.CHECK)(given)
    assert found.canary is not None
    return found


def with_train(features: pd.DataFrame, seed: int = 1) -> Context:
    """Return a context with other training data."""
    return given_table(table("train", features, np.zeros(len(features), dtype=np.int64)), seed)


def given_table(train: Table, seed: int = 1) -> Context:
    return replace(subjects.build(seed, rows=300), tables={"train": train}.__getitem__, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("way", ["mixed", "anywhere", "slipped", "unit"])
def test_foreign_rows_fail_under_their_name(way: str) -> None:
    """The kind that was planted fails, its share is about right, planted ones are found, the plots are there."""
    found = measured(subjects.build(3, 0.15, way=way))
    assert found.outcome is Outcome.FAIL, found
    kind = {"mixed": "put together", "anywhere": "random values", "slipped": "slipped", "unit": "times too"}[way]
    failed = [one for one in found.measures if one.outcome is Outcome.FAIL]
    assert len(failed) == 1
    assert kind in failed[0].where
    assert kind in found.reason
    assert 0.09 <= (failed[0].value or 0) <= 0.2
    assert found.remedy
    assert {plot.kind for plot in found.plots} == {"intervals", "curves"}


def test_clean_rows_pass_and_say_how_many_there_can_be_at_most() -> None:
    """Texts, steps and missing cells among the columns."""
    found = measured(subjects.build(3, dressed=True))
    assert found.outcome is Outcome.PASS
    assert "At most" in found.reason
    assert found.canary is not None
    assert found.canary.noticed
    assert all((one.low or 0) > 0.5 for one in found.measures if one.name.startswith("planted"))


def test_columns_that_hang_together_loosely_do_not_fail() -> None:
    """Honest rows with tails that nobody should call foreign."""
    said = [measured(subjects.loose(seed)).outcome for seed in (1, 2, 3)]
    said += [measured(subjects.build(seed, rows=400, noise=0.6, tails=True)).outcome for seed in (1, 2, 3)]
    assert Outcome.FAIL not in said


def test_columns_without_ties_are_said_to_have_none() -> None:
    """In independent columns a row put together from several is as good as any."""
    rng = np.random.default_rng(0)
    found = measured(with_train(pd.DataFrame(rng.normal(size=(800, 4)), columns=list("abcd"))))
    assert any("put together from several do not differ" in text for text in found.limits)
    assert not any("put together" in one.where for one in found.measures)


def test_too_few_ordinary_rows_leave_it_open() -> None:
    """Where hardly a row looks ordinary nothing can be planted among them: no canary, no conclusion, no error."""
    rows = subjects.build(2, rows=60).tables("train").features
    few = foreign.Sample(rows, np.arange(60, dtype=np.uint64), named=True)
    for sample in (few, few.take(np.array([], dtype=np.int64))):
        proof, found = outliers._prove(sample, [], 0.03, np.random.default_rng(1))
        assert (proof.noticed, proof.clean, found) == (False, 0, [])
        assert "resemble too many" in outliers._reason(Outcome.INCONCLUSIVE, proof, [Measure(name="x")])


def test_another_population_is_not_called_foreign() -> None:
    """A tenth of the rows from elsewhere agree with each other: for people to say."""
    here, there = (subjects.build(seed, rows=1000, extra=0).tables("train").features for seed in (2, 2))
    there = there.iloc[:120] + 8.0
    assert measured(with_train(pd.concat([here, there], ignore_index=True))).outcome is not Outcome.FAIL


def test_the_same_seed_says_the_same() -> None:
    """Findings are deterministic."""
    assert measured(subjects.build(7, 0.1, rows=600)) == measured(subjects.build(7, 0.1, rows=600))


@pytest.mark.parametrize("places", [1, 300])
def test_few_and_many_columns_are_judged(places: int) -> None:
    """One column can slip; three hundred are not too many."""
    rng = np.random.default_rng(4)
    cause = rng.normal(size=(400, 2))
    values = cause @ rng.normal(size=(2, places)) + 0.1 * rng.normal(size=(400, places)) + 20.0
    found = measured(with_train(pd.DataFrame(values, columns=[f"c{at}" for at in range(places)])))
    assert found.outcome in {Outcome.PASS, Outcome.INCONCLUSIVE}
    assert any("unit" in one.where or "times" in one.where or "sign" in one.where for one in found.measures)


@pytest.mark.parametrize(
    ("features", "code"),
    [
        (pd.DataFrame({"a": np.arange(50.0)}), "filter.rows"),
        (pd.DataFrame({"a": np.ones(300)}), "filter.columns"),
        (pd.DataFrame({"a": [None] * 300}), "filter.columns"),
    ],
)
def test_what_cannot_be_measured_is_said(features: pd.DataFrame, code: str) -> None:
    """Few rows, constant and empty columns."""
    with pytest.raises(UnsupportedError) as told:
        resolve(subjects.CHECK)(with_train(features))
    assert told.value.code == code


def odd_frame(rows: int = 400) -> pd.DataFrame:
    """Return columns of every kind that a table may hold."""
    rng = np.random.default_rng(5)
    made = pd.DataFrame(
        {
            "number": rng.normal(size=rows), "whole": rng.integers(-5, 90, rows), "truth": rng.random(rows) < 0.3,
            "text": rng.choice(["a", "b", "é"], rows), "day": pd.date_range("2020-01-01", periods=rows),
            "written": pd.date_range("2020-01-01", periods=rows).strftime("%d.%m.%Y"), "constant": 7, "empty": np.nan,
            "perhaps": pd.array(rng.choice([0, 1, 2], rows), dtype="Int64"),
            "kind": pd.Categorical(rng.choice(["x", "y"], rows)),
            "endless": np.where(rng.random(rows) < 0.1, np.inf, rng.normal(size=rows)),
        }
    )  # fmt: skip
    for name in ("number", "text", "perhaps", "kind", "day"):
        made.loc[rng.random(rows) < 0.1, name] = None
    return made


@pytest.mark.parametrize("name", sorted(foreign.MAKERS))
def test_foreign_rows_keep_columns_and_leave_the_originals_alone(name: str) -> None:
    """Every column stays what it was, cells come from its own range, and the given frame is not touched."""
    rows = odd_frame()
    before = rows.copy(deep=True)
    made = foreign.MAKERS[name](rows, np.random.default_rng(1))
    pd.testing.assert_frame_equal(rows, before)
    assert list(made.columns) == list(rows.columns)
    assert set(made["text"].dropna()) <= {"a", "b", "é"}
    assert set(made["truth"]) <= {True, False}
    if name == foreign.SLIPPED:
        changed = (made["number"] != rows.loc[made.index, "number"]) & made["number"].notna()
        assert 0 < changed.sum() < len(made)
    else:
        assert len(made) == len(rows)
        assert made["number"].isna().sum() == rows["number"].isna().sum()
        assert made["whole"].between(rows["whole"].min(), rows["whole"].max()).all()


def test_columns_of_every_kind_are_judged() -> None:
    """Dates, truth values, categories, endless and missing cells."""
    assert measured(with_train(odd_frame())).outcome in {Outcome.PASS, Outcome.INCONCLUSIVE}


def slip_of(values: np.ndarray) -> list[units.Slip]:
    """Return what was found in one column, worst first."""
    found = units.slips(pd.DataFrame({"x": values}))
    return sorted((one for one in found if not one.tail), key=lambda one: -one.at_most(0.95))


@pytest.mark.parametrize("factor", [-1.0, 10.0, 100.0, 1000.0, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_a_column_partly_in_another_unit_is_measured(factor: float, rate: float) -> None:
    """The share lies within the bounds and the factor is named."""
    rng = np.random.default_rng(6)
    values = rng.lognormal(3.5, 0.3, 4000)
    values[: int(rate * 4000)] *= factor
    worst = slip_of(values)[0]
    assert worst.factor == factor
    assert worst.alike
    assert worst.bounds(0.999)[0] <= rate <= worst.at_most(0.999)
    assert 0.7 * rate < worst.share < 1.3 * rate


def test_honest_tails_are_no_other_unit() -> None:
    """Normal, uniform, skewed and heavy-tailed values, and another population far away."""
    rng = np.random.default_rng(7)
    n = 3000
    plain = rng.normal(size=n)
    honest = {
        "normal": plain, "shifted": plain + 1, "uniform": rng.random(n), "t": rng.standard_t(2, n),
        "cauchy": rng.standard_cauchy(n),
        **{f"skewed {sigma}": np.exp(sigma * plain) for sigma in (0.5, 1, 1.5, 2, 3)}, "whole": rng.integers(1, 101, n),
        "rare": np.where(rng.random(n) < 0.05, np.exp(plain), 0.0),
        "two populations": np.where(rng.random(n) < 0.2, rng.normal(400, 150, n), rng.normal(40, 2, n)),
    }  # fmt: skip
    for name, values in honest.items():
        worst = slip_of(np.asarray(values, dtype=np.float64))
        assert not worst or not worst[0].alike or worst[0].at_most(0.95) < 0.03, (name, worst[0])


@pytest.mark.shared
def test_census_rows_are_judged(shared: Path) -> None:
    """Real rows pass as they are, and fail with rows put together from several or in another unit."""
    rows = pd.read_csv(shared / "adult_census" / "train.csv.gz").iloc[:, :-1]
    rows = rows.sample(4000, random_state=0).reset_index(drop=True)
    assert measured(with_train(rows)).outcome is Outcome.PASS
    rng = np.random.default_rng(2)
    spoilt = rows.copy()
    bad = rng.random(len(rows)) < 0.15
    for name in rows.columns:
        spoilt.loc[bad, name] = rng.permutation(rows[name].to_numpy())[bad]
    assert measured(with_train(spoilt)).outcome is Outcome.FAIL
    slipped = rows.assign(age=np.where(bad, rows["age"] * 100, rows["age"]))
    assert measured(with_train(slipped)).outcome is Outcome.FAIL


def test_small_whole_numbers_in_another_unit_are_seen() -> None:
    """A column of 0 to 13, part of it times 100; as it is, nothing is said of it."""
    values = np.random.default_rng(8).integers(0, 14, 2000).astype(np.float64)
    assert all(one.at_most(0.95) < 0.03 for one in slip_of(values))
    values[:300] *= 100
    worst = slip_of(values)[0]
    assert (worst.factor, worst.alike) == (100.0, True)
    assert worst.bounds(0.99)[0] > 0.1
