"""P3.accuracy: the check as a whole, on subjects whose truth is known."""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, mean_absolute_error, r2_score

from fivefold.contract.check import Context
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import checks, resolve
from fivefold.contract.subject import SettingsView, Table
from fivefold.errors import InputError, UnsupportedError
from fivefold.protection.accuracy import canary, parts, sample
from fivefold.protection.accuracy.check import run


class Recorded:
    """A subject that answers from a list, by row."""

    def __init__(self, answers, classes=("no", "yes")):
        self.answers, self.classes, self.calls = answers, classes, 0

    def predict(self, table):
        self.calls += 1
        return self.answers[table.rows]


def frame(n, rng, columns=6):
    """Mixed columns with missing values, a category and an identifier."""
    data = pd.DataFrame({f"f{j}": rng.normal(size=n) for j in range(columns)})
    data.loc[rng.random(n) < 0.1, "f0"] = np.nan
    data["kind"] = rng.choice(["red", "green", "blue"], n)
    data["person"] = [f"P-{i:06d}" for i in rng.permutation(n)]
    return data


def table_of(data, target):
    return Table("test", np.arange(len(data)), data, target, pd.DataFrame(index=data.index))


def measure(table, answers, *, seed=0, classes=("no", "yes"), rows=200_000, options=None, settings=None, floor=0.0):
    context = Context(
        subject=Recorded(answers, classes),
        tables={"test": table}.__getitem__,
        rng=np.random.default_rng(seed),
        thresholds={"min_margin": floor},
        options={"min_slice": 0.1} | (options or {}),
        rows=rows,
        settings=settings or SettingsView(),
        effort="quick",
    )
    return run(context)


def labelled(n, *, error, positives=0.4, seed=0, slice_error=0.0):
    """A table, its labels, and answers wrong at a known rate; ``slice_error`` more where f1 and f2 are middling."""
    rng = np.random.default_rng(seed)
    data = frame(n, rng)
    target = (rng.random(n) < positives).astype(np.int64)
    inside = data["f1"].between(-0.4, 0.45).to_numpy() & data["f2"].between(-0.2, 0.65).to_numpy()
    wrong = rng.random(n) < error + slice_error * inside
    return table_of(data, target), np.where(wrong, 1 - target, target)


def one(result, name, where=""):
    return next(m for m in result.measures if m.name == name and m.where == where)


def test_the_registry_finds_the_check():
    """The pack's implementation path leads here, and all options have a help text."""
    assert resolve("P3.accuracy") is run
    assert all(option.help for option in checks()["P3.accuracy"].options.values())


def test_a_useful_model_passes():
    """10 % errors against 40 % of the best constant; the model is asked once."""
    table, answers = labelled(2000, error=0.1)
    result = measure(table, answers)
    assert result.outcome is Outcome.PASS
    assert result.canary.noticed


@pytest.mark.parametrize("positives", [0.5, 0.4, 0.02])
def test_a_useless_model_never_passes(positives):
    """A constant, and answers at random with the right shares."""
    table, _ = labelled(2000, error=0.0, positives=positives, seed=1)
    dealt = np.random.default_rng(2).permutation(table.target)
    assert measure(table, np.zeros(2000, dtype=np.int64)).outcome is not Outcome.PASS
    assert measure(table, dealt).outcome is not Outcome.PASS


def test_a_model_worse_than_a_constant_fails():
    """50 % errors where always answering no errs in 20 %."""
    table, answers = labelled(1000, error=0.5, positives=0.2)
    result = measure(table, answers)
    assert result.outcome is Outcome.FAIL
    assert result.remedy


def test_rare_classes_are_explained():
    """With 2 % positives and 3 % errors accuracy is not clear of the constant, and the reason says why."""
    table, answers = labelled(3000, error=0.03, positives=0.02)
    result = measure(table, answers)
    assert result.outcome is not Outcome.PASS
    assert "leaves little room" in result.reason


def test_figures_agree_with_sklearn():
    """Balanced accuracy, missed detections and false alarms of the declared alarm class."""
    table, answers = labelled(1500, error=0.15, positives=0.3)
    result = measure(table, answers, settings=SettingsView(alarm=1))
    (tn, fp), (fn, tp) = confusion_matrix(table.target, answers)
    assert one(result, "balanced accuracy").value == pytest.approx(balanced_accuracy_score(table.target, answers))
    assert one(result, "missed-detection rate", "yes to detect").value == pytest.approx(fn / (fn + tp))
    assert one(result, "false-alarm rate", "yes to detect").value == pytest.approx(fp / (fp + tn))


def test_without_an_alarm_class_every_class_is_shown():
    """Never a silent guess; a limit on missed detections without alarm class is inconclusive."""
    table, answers = labelled(1000, error=0.1)
    shown = measure(table, answers)
    assert {"no against the rest", "yes against the rest"} <= {m.where for m in shown.measures}
    assert any("alarm" in text for text in shown.limits)
    assert measure(table, answers, options={"max_missed": 0.5}).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("limit", "expected"), [(0.02, Outcome.FAIL), (0.3, Outcome.PASS)])
def test_a_declared_limit_on_missed_detections_is_judged(limit, expected):
    """10 % missed detections against two limits."""
    table, answers = labelled(2000, error=0.1)
    result = measure(table, answers, options={"max_missed": limit}, settings=SettingsView(alarm=1))
    assert result.outcome is expected


def test_regression_figures_agree_with_sklearn():
    """MAE, R2 and the share within the tolerance; a useful regressor passes."""
    rng = np.random.default_rng(0)
    target = rng.normal(100, 20, 1200)
    answers = target + rng.normal(0, 8, 1200)
    result = measure(table_of(frame(1200, rng), target), answers, classes=(), options={"tolerance": 10.0})
    assert result.outcome is Outcome.PASS
    assert one(result, "mean absolute error").value == pytest.approx(mean_absolute_error(target, answers))
    assert one(result, "R2").value == pytest.approx(r2_score(target, answers))
    assert one(result, "share within the tolerance").value == pytest.approx((abs(target - answers) <= 10).mean())


def test_a_regressor_that_ignores_the_input_does_not_pass():
    """The median for everybody; and a target that does not vary."""
    rng = np.random.default_rng(1)
    target = rng.lognormal(size=800)
    table = table_of(frame(800, rng), target)
    assert measure(table, np.full(800, np.median(target)), classes=()).outcome is not Outcome.PASS
    flat = table_of(frame(800, rng), np.ones(800))
    assert measure(flat, np.ones(800), classes=()).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("seed", range(4))
def test_a_slice_of_the_documented_size_fails(seed):
    """10 % of 8,000 rows with 20 points more errors against a floor of 5: found, named and located."""
    table, answers = labelled(8000, error=0.1, slice_error=0.2, seed=seed)
    result = measure(table, answers, seed=seed, options={"max_slice_excess": 0.05})
    assert result.outcome is Outcome.FAIL
    worst = next(m for m in result.measures if m.outcome is Outcome.FAIL)
    assert "f1" in worst.where
    assert "f2" in worst.where
    assert worst.low > 0.05


def test_without_a_declared_floor_slices_are_shown_not_judged():
    """The same slice leaves the outcome alone."""
    table, answers = labelled(8000, error=0.1, slice_error=0.2)
    result = measure(table, answers)
    assert result.outcome is Outcome.PASS
    shown = [m for m in result.measures if m.where.startswith("slice")]
    assert shown
    assert all(m.outcome is None for m in shown)


def test_even_errors_pass_where_the_rows_suffice_and_only_there():
    """2 % errors on 10,000 rows are enough to exclude 5 points more anywhere; 15 % on 1,500 are not."""
    table, answers = labelled(10_000, error=0.02)
    assert measure(table, answers, options={"max_slice_excess": 0.05}).outcome is Outcome.PASS
    table, answers = labelled(1500, error=0.15)
    result = measure(table, answers, options={"max_slice_excess": 0.05})
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "more rows are needed" in result.reason


def test_few_rows_never_pass_a_declared_slice_floor():
    """100 rows of a model with a bad slice."""
    outcomes = set()
    for seed in range(10):
        table, answers = labelled(100, error=0.05, slice_error=0.4, seed=seed)
        outcomes.add(measure(table, answers, seed=seed, options={"max_slice_excess": 0.05}).outcome)
    assert Outcome.PASS not in outcomes


def test_the_same_seed_gives_the_same_bytes():
    """Findings are deterministic."""
    table, answers = labelled(1500, error=0.1)
    encoded = [msgspec.json.encode(measure(table, answers, rows=1000, seed=5)) for _ in range(2)]
    assert encoded[0] == encoded[1]


def test_no_identifier_leaves_the_check():
    """Identifiers are not searched, whether the model sees them or not."""
    table, answers = labelled(3000, error=0.1, slice_error=0.3)
    text = msgspec.json.encode(measure(table, answers)).decode()
    assert "P-0" not in text
    assert "person" not in text


def test_rows_without_a_known_target_are_left_out():
    """A class index of -1 and NaN mean unknown; the limits say how many."""
    table, answers = labelled(1000, error=0.1)
    table.target[:100] = -1
    result = measure(table, answers)
    assert one(result, "accuracy").n == 900
    assert any("100 rows" in text for text in result.limits)


def test_a_sample_keeps_the_shares_of_the_target():
    """500 of 5,000 rows with 2 % positives hold 10 positives, and the model is asked once for these only."""
    table, answers = labelled(5000, error=0.05, positives=0.02, seed=3)
    drawn = sample.stratified(table, 500, np.random.default_rng(0))
    assert len(drawn) == 500
    assert abs(int(drawn.target.sum()) - table.target.sum() / 10) <= 1
    subject = Recorded(answers)
    context = Context(subject, lambda _: table, np.random.default_rng(0), {}, {}, 500, SettingsView(), "quick")
    assert run(context).measures[0].n == 500
    assert subject.calls == 1


@pytest.mark.parametrize(("rows", "code"), [(5, "accuracy.rows"), (0, "accuracy.rows")])
def test_too_few_rows_are_not_run(rows, code):
    """Nothing is said about fewer than ten rows."""
    table, answers = labelled(20, error=0.1)
    with pytest.raises(UnsupportedError) as caught:
        measure(table.take(np.arange(rows)), answers)
    assert caught.value.code == code


def test_a_scenario_with_few_rows_is_inconclusive():
    """Its errors are not known; under ten rows not even shown."""
    table, answers = labelled(500, error=0.1)
    made = parts.Answers(table, answers, table.target, ("no", "yes"))
    masks = {"few": np.arange(500) < 5, "some": np.arange(500) < 20, "many": np.arange(500) >= 20}
    part = parts.scenarios(made, masks, None, {})
    assert part.outcome is Outcome.INCONCLUSIVE
    assert not [m for m in part.measures if m.where == "scenario few" and m.name == "accuracy"]
    assert parts.scenarios(made, {"many": masks["many"]}, None, {}).outcome is None


def test_a_scenario_is_judged_against_a_declared_limit():
    """90 % accuracy against 0.95 and 0.8."""
    table, answers = labelled(2000, error=0.1)
    made = parts.Answers(table, answers, table.target, ("no", "yes"))
    masks = {"all": np.ones(2000, dtype=bool)}
    assert parts.scenarios(made, masks, None, {"min_scenario_accuracy": 0.95}).outcome is Outcome.FAIL
    assert parts.scenarios(made, masks, None, {"min_scenario_accuracy": 0.8}).outcome is Outcome.PASS


def test_a_judgement_that_passes_everything_is_caught_by_its_canary():
    """With a margin that is always large, useless models go unnoticed and the part is inconclusive."""
    target = np.arange(200) % 2
    broken = lambda answers: tuple(np.full(len(answers), 0.5) for _ in range(3))  # noqa: E731
    trial = canary.useless_models(broken, target, target, 0.0, np.random.default_rng(0))
    assert trial.found == 0
    assert not trial.noticed
    measure_ = parts.figures.margin_measure(broken(target[None]), 0.0, 200, regression=False)
    assert measure_.outcome is Outcome.PASS
    assert parts.Part((measure_,), trial).outcome is Outcome.INCONCLUSIVE


def test_declared_scenarios_are_measured():
    """The rows are those that the expression names, missing values excluded."""
    table, answers = labelled(2000, error=0.1)
    result = measure(table, answers, settings=SettingsView(scenarios={"reds": 'kind == "red"', "low": "f0 < 0"}))
    expected = int((table.features["f0"] < 0).sum())
    assert one(result, "accuracy", "scenario low").n == expected
    assert one(result, "accuracy", "scenario reds").value == pytest.approx(0.9, abs=0.04)


def test_a_scenario_over_an_unknown_column_is_refused():
    """An input fault that names the scenario."""
    table, answers = labelled(200, error=0.1)
    with pytest.raises(InputError) as caught:
        measure(table, answers, settings=SettingsView(scenarios={"young": "age < 25"}))
    assert caught.value.code == "accuracy.scenario"


def test_copied_rows_buy_no_narrower_interval():
    """A model that is hardly better than a constant does not pass because its rows were copied."""
    rows, answers = labelled(120, error=0.38)
    assert measure(rows, answers).outcome is Outcome.INCONCLUSIVE
    many = rows.take(np.tile(np.arange(120), 40))
    result = measure(many, answers)
    assert result.outcome is Outcome.INCONCLUSIVE
    assert any("counted once" in text for text in result.limits)


def test_many_rows_of_unknown_truth_hold_up_a_pass():
    """A class that is quietly taken for missing leaves rows without a target."""
    rows, answers = labelled(2000, error=0.05)
    hidden = np.where(np.random.default_rng(1).random(2000) < 0.3, -1, rows.target)
    result = measure(table_of(rows.features, hidden), answers)
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "no known target" in result.reason


def test_a_test_of_one_class_asks_for_the_other():
    """More rows of the same class show nothing, so they are not asked for."""
    table, answers = labelled(400, error=0.2, positives=0.0)
    result = measure(table, answers)
    assert result.outcome is not Outcome.PASS
    assert 'bring rows of "yes"' in result.remedy or result.outcome is Outcome.FAIL
    assert "All rows are of one class" in result.reason
