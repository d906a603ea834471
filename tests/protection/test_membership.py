"""P3.membership finds planted memory of several kinds, passes what remembers nothing, and says when it cannot tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.membership.check import run

from .membership_subjects import Fitted, context, numbers, predictions, shifted, table, world

if TYPE_CHECKING:
    from fivefold.contract.check import Context


@pytest.mark.parametrize(("leak", "classes"), [("lookup", 2), ("boost", 2), ("lookup", 5), ("boost", 3)], ids=str)
def test_memory_is_found(leak: str, classes: int) -> None:
    """Answers by heart and raised confidence fail, with two classes and more."""
    result = run(predictions(1, 1500, leak=leak, classes=classes))
    assert result.outcome is Outcome.FAIL
    assert result.measures[0].low is not None
    assert result.measures[0].low > 0.60
    assert result.canary is not None
    assert result.canary.noticed


@pytest.mark.parametrize("classes", [2, 4])
def test_a_calibrated_model_passes(classes: int) -> None:
    """Nothing remembered: both upper bounds are clear of the floors, and no remedy is named."""
    result = run(predictions(2, 2000, leak="none", classes=classes))
    assert result.outcome is Outcome.PASS
    assert result.measures[0].high is not None
    assert result.measures[0].high < 0.60
    assert result.measures[1].high is not None
    assert result.measures[1].high < 0.05
    assert not result.remedy


@pytest.mark.parametrize(("leak", "expected"), [("wrong outside", Outcome.FAIL), ("none", Outcome.PASS)])
def test_labels_only(leak: str, expected: Outcome) -> None:
    """A model that gives labels is attacked through whether they are right."""
    result = run(predictions(3, 2000, leak=leak, labels_only=True))
    assert result.outcome is expected
    assert any("labels only" in limit for limit in result.limits)


@pytest.mark.parametrize(("pull", "expected"), [(0.7, Outcome.FAIL), (0.0, Outcome.PASS)])
def test_regression(pull: float, expected: Outcome) -> None:
    """Answers drawn to the truth on training rows fail; equal residuals pass."""
    assert run(numbers(4, 2000, pull=pull)).outcome is expected


def test_few_rows_are_inconclusive_never_a_pass() -> None:
    """A hundred clean rows a side cannot show that 1 % stays below 5 %."""
    outcomes = {run(predictions(seed, 100, leak="none")).outcome for seed in range(6)}
    assert Outcome.PASS not in outcomes
    assert Outcome.INCONCLUSIVE in outcomes


def test_a_clear_leak_is_found_in_few_rows() -> None:
    """With 100 rows a side the canary is planted larger, so that a plain leak still fails."""
    asked = predictions(5, 100, leak="none")
    for name in ("train", "test"):
        sure = np.eye(2)[asked.tables(name).target]
        scores = asked.subject.scores  # type: ignore[union-attr]
        scores[name] = 0.98 * sure + 0.01 if name == "train" else np.full_like(sure, 0.5)
    assert run(asked).outcome is Outcome.FAIL


def test_shift_alone_is_not_called_memory() -> None:
    """Training and test rows of different distributions, nothing remembered: inconclusive, and the reason says so."""
    result = run(shifted(6, 2000, remembers=False))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "differ by themselves" in result.reason
    assert {measure.outcome for measure in result.measures} == {Outcome.INCONCLUSIVE, None}


def test_memory_beyond_a_shift_is_found() -> None:
    """The same shift with a lookup table on top fails."""
    result = run(shifted(6, 2000, remembers=True))
    assert result.outcome is Outcome.FAIL
    assert "look alike" in result.reason


def _learner(kind: str, seed: int) -> object:
    columns = make_column_transformer((SimpleImputer(), ["a", "b", "steps"]))
    model = RandomForestClassifier(30, random_state=seed) if kind == "forest" else LogisticRegression()
    return make_pipeline(columns, model)


@pytest.mark.parametrize(
    ("kind", "retrains", "expected"),
    [("forest", False, Outcome.FAIL), ("forest", True, Outcome.FAIL), ("line", True, Outcome.PASS)],
)
def test_fitted_models(kind: str, retrains: bool, expected: Outcome) -> None:
    """A forest grown to purity fails, a line passes, also with neighbours and shadow models asked."""
    frame, _, truth = world(7, 1200)
    inner, outer = slice(0, 1200), slice(1200, 2400)
    model = _learner(kind, 0).fit(frame.iloc[inner], truth[inner])  # type: ignore[attr-defined]
    subject = Fitted(model, lambda seed: _learner(kind, seed), "binary", ("no", "yes"), can_retrain=retrains)
    result = run(
        context(
            subject, table("train", frame.iloc[inner], truth[inner]), table("test", frame.iloc[outer], truth[outer])
        )
    )
    assert result.outcome is expected
    assert any("No shadow models" in limit for limit in result.limits) is not retrains


def test_equal_runs_give_equal_bytes() -> None:
    """The result is a function of context and seed."""
    first, second = (msgspec.json.encode(run(predictions(8, 400, leak="lookup"))) for _ in range(2))
    assert first == second


def test_at_most_the_rows_allowed_are_asked() -> None:
    """A sample of ``rows`` is asked once, half from each side."""
    asked = replace(predictions(9, 2000, leak="none"), rows=1000)
    run(asked)
    assert asked.subject.asked == 1000  # type: ignore[union-attr]


def test_rows_in_both_sets_are_left_out_and_counted() -> None:
    """A test set that is the training set leaves nothing to compare."""
    asked = predictions(10, 300, leak="none")
    train = asked.tables("train")
    doubled = {"train": train, "test": replace(train, name="test")}
    with pytest.raises(UnsupportedError) as caught:
        run(replace(asked, tables=doubled.__getitem__))
    assert caught.value.code == "membership.rows"
    assert "300 test rows" in str(caught.value)


def test_the_finding_holds_no_row() -> None:
    """No value of a high-cardinality column is written into the result."""
    asked = predictions(11, 300, leak="lookup")
    text = msgspec.json.encode(run(asked)).decode()
    values = asked.tables("train").features["a"]
    assert not [value for value in values if repr(float(value)) in text]


def test_the_plot_fits_the_report() -> None:
    """At most 200 points a line, all above 0 for log axes."""
    (plot,) = run(predictions(12, 2000, leak="lookup")).plots
    assert plot.log
    for line in plot.curves:
        assert 0 < len(line.x) <= 200
        assert min(line.x) > 0
        assert min(line.y) > 0


@pytest.mark.parametrize("planted", ["certain", "constant"])
def test_the_canary_can_be_planted_in_extreme_models(planted: str) -> None:
    """A model that is always sure and right, and one that always says the same, can still be made to remember."""
    asked = predictions(13, 1500, leak="none")
    for name in ("train", "test"):
        truth = asked.tables(name).target
        scores = asked.subject.scores  # type: ignore[union-attr]
        scores[name] = np.eye(2)[truth] if planted == "certain" else np.full((len(truth), 2), 0.5)
    result = run(asked)
    assert result.canary is not None
    assert result.canary.found == result.canary.planted
    assert result.outcome is Outcome.PASS


def respelt(seed: int, rows: int) -> Context:
    """Return an honest model whose test set writes one of its two classes in another way."""
    asked = predictions(seed, rows, leak="none")
    train, test = asked.tables("train"), asked.tables("test")
    other = replace(test, target=np.where(test.target == 1, 2, test.target))
    scores = {name: np.c_[held, np.zeros(len(held))] for name, held in asked.subject.scores.items()}  # type: ignore[union-attr]
    subject = replace(asked.subject, classes=("c0", "c1", "C1"), task="multiclass", scores=scores)  # type: ignore[type-var]
    return context(subject, train, other, seed=seed)


def test_a_class_that_training_lacks_is_no_leak() -> None:
    """A model cannot answer with a label that only the test has: rows of one-sided classes are left out and named."""
    result = run(respelt(9, 2000))
    assert result.outcome is not Outcome.FAIL
    assert (result.measures[0].high or 1.0) < 0.60
    assert '"C1" (' in result.reason
    assert "is in the test data only" in result.reason


def test_too_few_rows_beside_one_sided_classes_are_no_finding() -> None:
    """What is left cannot be compared: not run, the labels named, and how to mend it."""
    with pytest.raises(UnsupportedError) as told:
        run(respelt(10, 20))
    assert told.value.code == "membership.rows"
    assert '"C1"' in told.value.message
    assert "labels" in told.value.remedy
