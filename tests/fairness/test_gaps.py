"""F1.gaps, whole: outcomes, shown figures, canaries that can fail, real data."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.truth.gaps import build, crossed
from tests.truth.subjects import Answers, context, filler, table

from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import SettingsView
from fivefold.errors import InputError, UnsupportedError
from fivefold.fairness.gaps import canary

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.check import Context

FLOORS = {"min_selection_ratio": 0.8, "max_tpr_gap": 0.1, "max_fpr_gap": 0.1}
run = resolve("F1.gaps")


def _context(
    protected: dict[str, object],
    target: np.ndarray,
    answers: np.ndarray,
    *,
    classes: tuple[str, ...] = ("no", "yes"),
    positive: int | None = 1,
    options: dict[str, object] | None = None,
) -> Context:
    rng = np.random.default_rng(0)
    frame = pd.concat([filler(rng, len(target), 3), pd.DataFrame(protected)], axis=1)
    task = "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"
    return context(
        "F1.gaps",
        Answers(task, classes, answers),
        {"test": table("test", frame, target)},
        9,
        thresholds=FLOORS,
        settings=SettingsView(positive=positive, protected=tuple(protected)),
        options=options,
    )


def _rows(seed: int, rows: int, shares: tuple[float, ...] = (0.3, 0.7)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return group codes, truth and answers without any gap."""
    rng = np.random.default_rng(seed)
    codes, truth = rng.choice(len(shares), rows, p=shares), (rng.random(rows) < 0.4).astype(np.int64)
    return codes, truth, np.where(rng.random(rows) < 0.1, 1 - truth, truth)


def test_no_gap_passes_and_names_the_bounds() -> None:
    """With enough rows and no gap the check passes, each judged measure with bounds on the right side."""
    codes, truth, answers = _rows(1, 8000)
    result = run(_context({"sex": np.array(["m", "f"])[codes]}, truth, answers))
    assert result.outcome is Outcome.PASS
    judged = [m for m in result.measures if m.outcome is not None]
    assert {m.name for m in judged} == {"selection ratio", "true-positive rate gap", "false-positive rate gap"}
    assert {m.name: m.n for m in judged}["selection ratio"] == 8000
    assert all(m.low is not None and m.high is not None and m.low <= (m.value or 0) <= m.high for m in judged)
    assert result.canary is not None
    assert result.canary.noticed


def test_a_gap_fails_and_names_the_groups() -> None:
    """A group whose positives are missed far more often is named with value, bounds and floor."""
    result = run(build(4, gap=0.3, rate="tpr"))
    assert result.outcome is Outcome.FAIL
    assert "true-positive rate gap" in result.reason
    assert "p0" in result.reason
    assert result.remedy


def test_small_main_group_is_inconclusive_and_named() -> None:
    """Twenty rows of a fifth of the people cannot pass, and the reason says which group lacks rows."""
    codes, truth, answers = _rows(2, 100, (0.2, 0.8))
    result = run(_context({"sex": np.array(["f", "m"])[codes]}, truth, answers))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "too small" in result.reason
    assert "sex=f" in result.reason


def test_one_outcome_without_rows_is_inconclusive() -> None:
    """Ten positives in a group: selection may be judged, the true-positive rate not, so nothing passes."""
    rng = np.random.default_rng(3)
    codes = np.repeat([0, 1], [4000, 4000])
    truth = np.concatenate([np.r_[np.ones(10), np.zeros(3990)], (rng.random(4000) < 0.5)]).astype(np.int64)
    result = run(_context({"sex": np.array(["f", "m"])[codes]}, truth, rng.integers(0, 2, 8000)))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "sex=f (true-positive rate)" in result.reason


@pytest.mark.parametrize("values", [["a"], [None]])
def test_a_field_with_one_group_is_inconclusive(values: list[object]) -> None:
    """A field that does not vary compares nobody and cannot pass."""
    _, truth, answers = _rows(4, 500)
    result = run(_context({"sex": np.array(values * 500, dtype=object)}, truth, answers))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "single group" in result.reason


def test_nobody_selected_is_never_a_pass() -> None:
    """A model that refuses everybody has no selection ratio."""
    codes, truth, _ = _rows(5, 4000)
    result = run(_context({"sex": np.array(["f", "m"])[codes]}, truth, np.zeros(4000, dtype=np.int64)))
    assert result.outcome is Outcome.INCONCLUSIVE


def test_undeclared_favourable_class_is_shown_for_both_and_not_judged() -> None:
    """Without ``positive`` both classes are shown and nothing is guessed, however large the gap."""
    given = build(4, gap=0.3, rate="tpr")
    result = run(replace(given, settings=replace(given.settings, positive=None)))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "positive" in result.remedy
    assert all(m.outcome is None and m.threshold is None for m in result.measures)
    assert {m.where.split(":")[0] for m in result.measures} == {"favourable class good", "favourable class bad"}


def test_several_classes_one_against_rest() -> None:
    """With a declared class of several, that class against the rest is judged; without, each is shown."""
    rng = np.random.default_rng(6)
    codes, truth = rng.integers(0, 2, 9000), rng.integers(0, 3, 9000)
    wrong = rng.random(9000) < np.where((codes == 0) & (truth == 2), 0.5, 0.1)
    answers = np.where(wrong, (truth + 1) % 3, truth)
    protected = {"sex": np.array(["f", "m"])[codes]}
    judged = run(_context(protected, truth, answers, classes=("a", "b", "c"), positive=2))
    assert judged.outcome is Outcome.FAIL
    shown = run(_context(protected, truth, answers, classes=("a", "b", "c"), positive=None))
    assert shown.outcome is Outcome.INCONCLUSIVE
    assert len({m.where.split(":")[0] for m in shown.measures}) == 3


@pytest.mark.parametrize(
    ("declared", "extra", "outcome"),
    [(None, 3.0, "inconclusive"), (1.0, 3.0, "fail"), (1.0, 0.0, "pass"), (0.05, 0.0, "inconclusive")],
)
def test_regression_is_judged_only_against_a_declared_gap(declared: float | None, extra: float, outcome: str) -> None:
    """Errors of groups are shown always, and judged against ``max_error_gap`` alone."""
    rng = np.random.default_rng(7)
    codes, target = rng.integers(0, 2, 3000), rng.normal(50, 10, 3000)
    answers = target + rng.normal(0, 2 + extra * codes, 3000)
    options = {} if declared is None else {"max_error_gap": declared}
    result = run(
        _context({"sex": np.array(["f", "m"])[codes]}, target, answers, classes=(), positive=None, options=options)
    )
    assert str(result.outcome) == outcome
    assert {"mean absolute error", "mean prediction", "mean error"} <= {m.name for m in result.measures}
    assert result.canary is not None
    assert result.canary.noticed
    if declared is None:
        assert "max_error_gap" in result.remedy


def test_intersection_is_found_where_both_fields_look_fair() -> None:
    """A gap in two intersections that cancels in both fields fails the check."""
    result = run(crossed(3, gap=0.25, rows=6000))
    assert result.outcome is Outcome.FAIL
    assert "p0" in result.reason
    assert "p1" in result.reason


def test_declared_calibration_gap_is_judged() -> None:
    """Scores that are too high for one group fail against a declared gap and are only shown without one."""
    rng = np.random.default_rng(8)
    codes, score = rng.integers(0, 2, 6000), rng.uniform(0.05, 0.95, 6000)
    truth = (rng.random(6000) < np.clip(score - 0.2 * codes, 0, 1)).astype(np.int64)
    answers = (score > 0.5).astype(np.int64)
    given = _context({"sex": np.array(["f", "m"])[codes]}, truth, answers)
    subject = Answers("binary", ("no", "yes"), answers, np.column_stack([1 - score, score]))
    loose = {"min_selection_ratio": 0.6, "max_tpr_gap": 0.3, "max_fpr_gap": 0.3}
    given = replace(given, subject=subject, thresholds=loose)
    assert run(given).outcome is Outcome.PASS
    strict = replace(given, options={**given.options, "max_calibration_gap": 0.1}, rng=np.random.default_rng(1))
    assert run(strict).outcome is Outcome.FAIL


def test_protected_column_that_the_model_never_sees() -> None:
    """A dropped column is compared all the same."""
    codes, truth, answers = _rows(9, 4000)
    given = _context({"sex": np.array(["f", "m"])[codes]}, truth, answers)
    whole = given.tables("test")
    hidden = replace(whole, features=whole.features.drop(columns="sex"), others=whole.features[["sex"]])
    result = run(replace(given, tables={"test": hidden}.__getitem__))
    assert any("sex=f" in m.where for m in result.measures)


def test_missing_or_undeclared_protected_column_is_not_run() -> None:
    """No protected column, or one that the data lack: unsupported with the remedy."""
    codes, truth, answers = _rows(10, 500)
    given = _context({"sex": codes}, truth, answers)
    for protected in ((), ("nowhere",)):
        with pytest.raises(UnsupportedError) as caught:
            run(replace(given, settings=SettingsView(positive=1, protected=protected)))
        assert caught.value.code == "gaps.protected"


def test_bad_bands_are_refused() -> None:
    """An option that cannot be read is an input error, not a default."""
    codes, truth, answers = _rows(11, 500)
    with pytest.raises(InputError) as caught:
        run(_context({"age": codes}, truth, answers, options={"bands": ["age 25"]}))
    assert caught.value.code == "gaps.bands"


def test_same_seed_gives_identical_bytes() -> None:
    """The result is a function of data, answers and seed."""
    assert canonical(run(build(5, gap=0.2))) == canonical(run(build(5, gap=0.2)))


def test_no_group_under_ten_rows_is_shown() -> None:
    """Nine people are pooled or left out; their value never appears."""
    codes, truth, answers = _rows(12, 4000)
    names = np.array(["f", "m"], dtype=object)[codes]
    names[:9] = "only-nine"
    result = run(_context({"sex": names, "age": np.random.default_rng(1).integers(18, 90, 4000)}, truth, answers))
    assert all(m.n == 0 or m.n >= 10 for m in result.measures)
    assert "only-nine" not in canonical(result).decode()


def test_rows_without_a_known_target_are_left_out_and_counted() -> None:
    """Unknown labels (-1) are neither class; the finding says how many rows that were."""
    codes, truth, answers = _rows(1, 8000)
    target = truth.copy()
    target[:500] = -1
    result = run(_context({"sex": np.array(["m", "f"])[codes]}, target, answers))
    assert result.outcome is Outcome.PASS
    assert any("500 rows without a known target" in text for text in result.limits)
    assert max(m.n for m in result.measures) == 7500
    with pytest.raises(UnsupportedError) as caught:
        run(_context({"sex": codes}, np.full(8000, -1), answers))
    assert caught.value.code == "gaps.rows"


def test_a_tiny_group_beside_large_ones_hides_no_gap() -> None:
    """A third group in which nothing could be planted does not turn a plain gap into inconclusive."""
    codes, truth, answers = _rows(14, 6000, (0.49, 0.49, 0.02))
    answers[(codes == 0) & (truth == 1) & (np.random.default_rng(0).random(6000) < 0.4)] = 0
    result = run(_context({"race": np.array(["a", "b", "c"])[codes]}, truth, answers))
    assert result.outcome is Outcome.FAIL


def test_unnoticed_canary_makes_it_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that finds nothing is caught by the planted gaps, on data that would have passed."""
    codes, truth, answers = _rows(1, 8000)
    given = _context({"sex": np.array(["m", "f"])[codes]}, truth, answers)
    monkeypatch.setattr(canary, "any_found", lambda _crossed, p: np.zeros(p.shape[:-1], dtype=bool))
    result = run(given)
    assert result.canary is not None
    assert not result.canary.noticed
    assert result.outcome is Outcome.INCONCLUSIVE


def test_alarming_canary_makes_it_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that always finds something is caught by the permuted groups."""
    codes, truth, answers = _rows(1, 8000)
    monkeypatch.setattr(canary, "any_found", lambda _crossed, p: np.ones(p.shape[:-1], dtype=bool))
    result = run(_context({"sex": np.array(["m", "f"])[codes]}, truth, answers))
    assert result.canary is not None
    assert result.canary.false_alarms == result.canary.clean
    assert result.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("wide", [True, False])
def test_many_columns_rows_and_groups_stay_small(wide: bool) -> None:
    """Twelve groups in three fields give bounded numbers of measures and bars."""
    rng = np.random.default_rng(13)
    rows = 20_000
    truth = rng.integers(0, 2, rows)
    protected = {f"p{i}": rng.integers(0, 12 if wide else 3, rows).astype(str) for i in range(3)}
    result = run(_context(protected, truth, np.where(rng.random(rows) < 0.1, 1 - truth, truth)))
    assert len(result.measures) < 900
    assert len(result.plots) <= 4
    assert all(len(plot.bars) <= 24 for plot in result.plots)


@pytest.mark.shared
def test_census_gap_equals_a_plain_crosstab(shared: Path) -> None:
    """On the census the figures are those of pandas, and a rule by sex is found unfair to women."""
    with gzip.open(shared / "adult_census" / "test.csv.gz", "rt") as file:
        frame = pd.read_csv(file, skipinitialspace=True)
    sex = next(name for name in frame.columns if name.lower() in {"sex", "gender"})
    target = frame.columns[-1]
    truth = frame[target].astype(str).str.contains(">50K|1").astype(np.int64).to_numpy()
    hours = next(name for name in frame.columns if "hours" in name.lower())
    answers = (frame[hours].to_numpy() > 42).astype(np.int64)
    result = run(_context({"sex": frame[sex].to_numpy()}, truth, answers))
    assert result.outcome is Outcome.FAIL
    rate = pd.Series(answers).groupby(frame[sex].to_numpy()).mean()
    measure = next(m for m in result.measures if m.name == "selection ratio")
    assert measure.value == pytest.approx(rate.min() / rate.max(), abs=1e-6)


def test_declared_bands_cannot_hide_what_the_usual_bands_show() -> None:
    """Everybody from 60 up is refused; bands that put all but a handful into one group do not make that a pass."""
    rng = np.random.default_rng(11)
    age = rng.integers(18, 90, 4000)
    truth = (rng.random(4000) < 0.5).astype(np.int64)
    answers = np.where(age >= 60, 0, truth)
    for bands in (["age: 19"], ["age: 19, 22"]):
        result = run(_context({"age": age}, truth, answers, options={"bands": bands}))
        assert result.outcome is Outcome.FAIL
    fair = run(_context({"age": age}, truth, truth, options={"bands": ["age: 40, 65"]}))
    assert fair.outcome is Outcome.PASS
    assert any("declared bands" in measure.where or "65" in measure.where for measure in fair.measures)


def test_a_field_whose_second_group_is_too_small_is_no_pass() -> None:
    """One group of nearly everybody compares nothing."""
    rng = np.random.default_rng(4)
    truth = (rng.random(3000) < 0.5).astype(np.int64)
    sex = np.where(np.arange(3000) < 40, "f", "m")
    result = run(_context({"sex": sex}, truth, truth))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "no two groups" in result.reason


def test_copied_rows_buy_no_narrower_interval() -> None:
    """Twenty copies of an inconclusive test set stay inconclusive, and it is said."""
    rng = np.random.default_rng(6)
    frame = pd.concat([filler(rng, 300, 3), pd.DataFrame({"sex": rng.choice(["f", "m"], 300)})], axis=1)
    truth = (rng.random(300) < 0.5).astype(np.int64)
    answers = np.where(rng.random(300) < 0.2, 1 - truth, truth)
    rows = table("test", frame, truth)
    many = rows.take(np.tile(np.arange(300), 20))
    for given in (rows, many):
        made = context(
            "F1.gaps", Answers("binary", ("no", "yes"), answers), {"test": given}, 9,
            thresholds=FLOORS, settings=SettingsView(positive=1, protected=("sex",)),
        )  # fmt: skip
        result = run(made)
        assert result.outcome is Outcome.INCONCLUSIVE
    assert any("counted once" in text for text in result.limits)


def test_many_rows_of_unknown_truth_hold_up_a_pass() -> None:
    """Who leaves a tenth of the truth out may have left out the wrong tenth."""
    codes, truth, answers = _rows(1, 16000)
    hidden = np.where(np.random.default_rng(2).random(16000) < 0.3, -1, truth)
    result = run(_context({"sex": np.array(["f", "m"])[codes]}, hidden, answers))
    assert run(_context({"sex": np.array(["f", "m"])[codes]}, truth, answers)).outcome is Outcome.PASS
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "no known target" in result.reason
