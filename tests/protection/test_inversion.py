"""P3.inversion: training rows come out of models that are surest at them, of no others, for tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from tests.truth.floors import floors
from tests.truth.remembering import CHECK, build
from tests.truth.subjects import context, table

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import Capabilities, SettingsView, Table
from fivefold.errors import UnsupportedError
from fivefold.protection.inversion import chart as charts
from fivefold.protection.inversion.check import Rebuilt
from fivefold.protection.inversion.climb import Climb


@dataclass(frozen=True)
class Fitted:
    """A scikit-learn classifier over columns of numbers."""

    model: object
    scores: bool = True
    calls: int | None = None

    task = "binary"
    classes = ("no", "yes")

    @property
    def capabilities(self):
        return Capabilities(scores=self.scores, retrains=False, perturbable=True, max_rows=100, calls_left=self.calls)

    def predict_proba(self, asked):
        share = 1 / (1 + np.exp(-3 * self.model.decision_function(asked.features.to_numpy())))
        return np.column_stack([1 - share, share])

    def predict(self, asked):
        return self.predict_proba(asked).argmax(axis=1)


def _learned(gamma, *, scores=True, calls=None):
    from sklearn.svm import SVC

    rng = np.random.default_rng(3)
    values = rng.normal(size=(600, 6))
    truth = (values @ rng.normal(size=6) + rng.normal(size=600) > 0).astype(np.int64)
    frame = pd.DataFrame(values, columns=[f"c{at}" for at in range(6)])
    model = SVC(gamma=gamma, C=100).fit(values[:300], truth[:300])
    parts = {
        name: table(name, frame[part].reset_index(drop=True), truth[part])
        for name, part in (("train", slice(0, 300)), ("test", slice(300, 600)))
    }
    subject = Fitted(model, scores, calls)
    return context(CHECK, subject, parts, 5, thresholds=floors(CHECK), settings=SettingsView(), effort="quick")


def test_support_vectors_of_a_narrow_kernel_are_read_off():
    """A model that nobody here planted: most walks end at one of many different training rows."""
    result = resolve(CHECK)(_learned(4.0))
    assert result.outcome is Outcome.FAIL
    assert result.measures[0].low > 0.3
    assert result.canary.noticed
    assert result.remedy


def test_a_smooth_model_gives_no_row_away():
    """The same rows under a wide kernel."""
    result = resolve(CHECK)(_learned(0.01))
    assert result.outcome is Outcome.PASS, result.reason
    assert result.measures[0].high < 0.1


def test_bare_labels_give_little_away():
    """The narrow kernel again, where it says labels alone: walks feel their way and do not end at rows."""
    result = resolve(CHECK)(_learned(4.0, scores=False))
    assert result.outcome is not Outcome.FAIL, result.reason
    assert result.measures[0].value < 0.1


def test_a_walk_that_does_not_move_is_not_believed(monkeypatch):
    """Planted rows are not found, so that nothing passes."""
    monkeypatch.setattr(Climb, "to_the_top", lambda self, *_: self.begun)
    result = resolve(CHECK)(_learned(0.01))
    assert not result.canary.noticed
    assert result.outcome is Outcome.INCONCLUSIVE


def _twins(given):
    return {name: given.tables("train" if name == "test" else name) for name in ("train", "test")}


def test_what_cannot_be_measured_says_so():
    """Rows that tell nobody apart, rows in both sets, one constant column, values, and a small budget of calls."""
    given = _learned(0.01)
    codes = {name: given.tables(name).with_features(given.tables(name).features[["c0"]].round(0) * 0 + np.arange(
        len(given.tables(name)))[:, None] % 3) for name in ("train", "test")}  # fmt: skip
    constant = {name: rows.with_features(rows.features * 0) for name, rows in codes.items()}
    for parts, code in ((codes, "inversion.rows"), (constant, "inversion.rows"), (_twins(given), "inversion.rows")):
        with pytest.raises(UnsupportedError) as caught:
            resolve(CHECK)(replace(given, tables=parts.__getitem__))
        assert caught.value.code == code
    with pytest.raises(UnsupportedError) as caught:
        resolve(CHECK)(_learned(0.01, calls=500))
    assert caught.value.code == "inversion.calls"


def test_a_budget_of_calls_is_kept():
    """1,200 calls of 100 rows allow 56 steps of 21 calls, and the first look."""
    given = _learned(0.01, calls=1200)
    asked = []

    class Counted(Fitted):
        def predict_proba(self, rows):
            asked.append(-(-len(rows) // 100))
            return super().predict_proba(rows)

    result = resolve(CHECK)(replace(given, subject=Counted(given.subject.model, calls=1200)))
    assert sum(asked) <= 1200
    assert result.canary is not None


def test_cells_of_any_type_are_walked_and_stay_possible():
    """Texts, dates, whole numbers, missing cells and categories: neighbours keep types and values."""
    rng = np.random.default_rng(0)
    rows = 60
    frame = pd.DataFrame({
        "kind": pd.Series(["a", "b", None] * 20, dtype=object),
        "whole": rng.integers(0, 9, rows).astype("int16"),
        "when": pd.date_range("2020-01-01", periods=rows, freq="D"),
        "gaps": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows)),
        "note": [f"text {at}" for at in range(rows)],
    })  # fmt: skip
    public = Table("test", np.arange(rows), frame, np.zeros(rows, dtype=np.int64), pd.DataFrame(index=frame.index))
    chart = charts.draw(public, {})
    assert [chart.space.columns[at].name for at in chart.used] == ["kind", "whole", "when", "gaps"]
    values, origin = chart.starts(400, rng)
    for _ in range(5):
        values = chart.near(values, 1.0, rng)
    made = chart.table(values, origin).features
    assert made.dtypes.astype(str).to_dict() == frame.dtypes.astype(str).to_dict()
    assert set(made["kind"].dropna()) == {"a", "b"}
    assert made["whole"].between(frame["whole"].min(), frame["whole"].max()).all()
    assert made["when"].between(frame["when"].min(), frame["when"].max()).all()
    assert set(made["note"]) <= set(frame["note"])
    mine = chart.coordinates(public)
    gaps = chart.gaps(mine, mine)
    assert np.allclose(np.diag(gaps), 0.0)
    assert np.allclose(gaps, gaps.T)
    assert chart.nearest(mine[[7, 3]], public)[1].tolist() == [7, 3]


def test_pictures_are_walked_along_their_patterns():
    """Whole pixels within their range, and a picture's own patterns give it back."""
    rng = np.random.default_rng(1)
    base = rng.integers(0, 256, size=(6, 1, 8, 8))
    pictures = np.clip(base[rng.integers(6, size=90)] + rng.normal(0, 5, size=(90, 1, 8, 8)), 0, 255).astype(np.uint8)
    nothing = pd.DataFrame(index=range(90))
    public = Table("test", np.arange(90), nothing, np.zeros(90, dtype=np.int64), nothing, pictures, "image")
    chart = charts.draw(public, {})
    made = chart.table(chart.near(chart.public, 5.0, rng), np.arange(90))
    assert made.inputs.shape == pictures.shape
    assert made.inputs.dtype == np.uint8
    back = chart.table(chart.coordinates(public), np.arange(90)).inputs
    assert np.abs(back.astype(int) - pictures.astype(int)).mean() < 5


@pytest.mark.parametrize(
    ("members", "held", "rows", "outcome"),
    [
        (90, 0, (60, 0), Outcome.FAIL),
        (90, 0, (2, 0), Outcome.INCONCLUSIVE),
        (90, 45, (60, 30), Outcome.INCONCLUSIVE),
        (2, 1, (2, 1), Outcome.PASS),
        (0, 0, (0, 0), Outcome.PASS),
    ],
)
def test_walks_to_one_corner_prove_nothing(members, held, rows, outcome):
    """Twice as many training rows as others: what both reach alike is chance, and a single row is luck."""
    found = Rebuilt(160, members, held, rows, 2.0, 1.0)
    assert found.outcome(0.1) is outcome
    value, low, high = found.lead()
    assert low <= value <= high


def test_the_battery_subject_is_judged_alike_whatever_the_class_balance():
    """A twentieth of one class: the walks still aim at both."""
    given = build(9, mixed=True)
    rows = given.tables("train")
    rare = np.flatnonzero((rows.target == 0) | (np.arange(len(rows)) % 12 == 0))
    parts = {"train": rows.take(rare), "test": given.tables("test")}
    result = resolve(CHECK)(replace(given, tables=parts.__getitem__))
    assert result.outcome is Outcome.FAIL
