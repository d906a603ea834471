"""E3.dependence: how the answer moves with each column, with bars that hold, and whether rows go along."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.explanation.test_kinds import Asked, chance, given, hard
from tests.truth import explanation_dependence as truth
from tests.truth.subjects import filler, table

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import UnsupportedError
from fivefold.explanation.dependence import canary
from fivefold.explanation.dependence.curves import BINS, curve, ladder, steps, untold

RUN = resolve("E3.dependence")


def ranks(values: np.ndarray) -> np.ndarray:
    return (pd.Series(values).rank().to_numpy() - 0.5) / len(values)


def test_bins_hold_about_as_many_rows_and_their_ends_enclose_each_row() -> None:
    """A number, a column of four values, and one with missing cells, which are held against the middle."""
    rng = np.random.default_rng(1)
    for values in (rng.normal(size=500), rng.integers(0, 4, 500), np.round(rng.lognormal(size=500))):
        codes = ranks(values)
        made = ladder(codes, np.zeros(500, dtype=bool), rng)
        assert (codes[made.low] <= codes).all()
        assert (codes[made.high] >= codes).all()
        assert (codes[made.low] < codes[made.high]).all()
        assert len(made.ends) <= BINS + 1
    smooth = ladder(ranks(rng.normal(size=500)), np.zeros(500, dtype=bool), rng)
    assert np.bincount(smooth.bin).min() >= 45
    gone = np.arange(500) < 50
    holed = ladder(np.where(gone, 0.95, ranks(rng.normal(size=500)) * 0.9), gone, rng)
    assert (holed.bin[gone] == len(holed.ends) - 1).all()
    assert (holed.high[gone] == np.arange(50)).all()
    assert len(set(holed.low[gone].tolist())) == 1


def test_the_curve_of_a_sum_is_its_part_exactly() -> None:
    """Without noise every row of a bin steps alike: the curve is the known one, its bars are nothing."""
    rng = np.random.default_rng(2)
    codes = np.column_stack([ranks(rng.normal(size=400)) for _ in range(3)])
    parts = np.column_stack([np.sin(4 * codes[:, 0]), (codes[:, 1] > 0.3) * 2.0, codes[:, 2] ** 2])
    ladders = [ladder(column, np.zeros(400, dtype=bool), rng) for column in codes.T]

    def ask(cells: np.ndarray) -> np.ndarray:
        return parts[cells, np.arange(3)].sum(axis=1)[:, None]

    moved = steps(ask, ladders, 1, 333)
    for at, one in enumerate(ladders):
        # rows at either side of a step within a bin step all alike, for both ends are asked
        made = curve(one, moved[at][:, 0])
        known = parts[one.ends, at]
        np.testing.assert_allclose(np.diff(made.value), np.diff(known), atol=1e-12)
        assert made.error.max() < 1e-12
        assert made.range == pytest.approx(known.max() - known.min())
    inner, outer = untold(ladders, moved)
    assert inner.max() < 1e-20 < outer.max()


def test_bars_cover_a_known_curve_at_their_rate() -> None:
    """Steps with noise, 200 times: of the 95 % bars of the ends about one in twenty misses."""
    rng, missed = np.random.default_rng(3), []
    codes = ranks(rng.normal(size=600))
    one = ladder(codes, np.zeros(600, dtype=bool), rng)
    known = 3 * codes[one.ends]
    weight = np.bincount(one.bin) / 600
    known -= float(((known[1:] + known[:-1]) / 2) @ weight)
    for _ in range(200):
        moved = 3 * (codes[one.high] - codes[one.low]) + rng.normal(size=600)
        made = curve(one, moved)
        missed.append((np.abs(made.value - known) > canary.bars(made)).mean())
    assert 0.02 <= np.mean(missed) <= 0.08


def test_what_goes_along_is_not_taken_for_the_column() -> None:
    """A copy that adds nothing has a flat curve, and rows that do not occur are not asked about."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"used": rng.normal(size=1000)})
    frame["copy"] = frame["used"] + 0.05 * rng.normal(size=1000)
    frame["free"] = rng.normal(size=1000)

    def answer(asked):  # type: ignore[no-untyped-def]
        used, copy = asked.features["used"].to_numpy(), asked.features["copy"].to_numpy()
        return np.column_stack([np.zeros(len(used)), np.where(np.abs(used - copy) > 2.5, 50.0, used)])[:, 1]

    subject = Asked(answer, task="regression", classes=())
    rows = {"test": table("test", frame, rng.normal(size=1000))}
    result = RUN(given("E3.dependence", subject, rows))
    assert result.outcome is Outcome.PASS, result.reason
    ranges = {one.where: one for one in result.measures if one.name.startswith("range")}
    assert list(ranges) == ["used"]
    assert ranges["used"].value == pytest.approx(float(frame["used"].max() - frame["used"].min()), rel=0.02)
    assert any("used + copy" in limit for limit in result.limits)
    picture = next(plot for plot in result.plots if plot.kind == "curves")
    assert [line.name for line in picture.curves][:3] == [
        "accumulated local effects", "95 % bar, low", "95 % bar, high",
    ]  # fmt: skip
    # the mean over all rows goes where no row is, and leaps there
    average = next(line for line in picture.curves if "partial" in line.name)
    assert max(average.y) - min(average.y) > 2 * (ranges["used"].value or 0)


@pytest.mark.parametrize("kind", truth.KINDS)
def test_sums_pass_and_rows_that_cross_fail(kind: str) -> None:
    """Every form of score."""
    assert RUN(truth.build(9, kind=kind, rows=600)).outcome is Outcome.PASS
    result = RUN(truth.build(9, kind=kind, share=0.6, rows=600))
    assert result.outcome is Outcome.FAIL, result.reason


def test_labels_alone_are_shown_and_not_judged() -> None:
    """At a border some rows step and others do not: no pass, no failure, the curves are there."""
    result = RUN(truth.build(9, kind="labels", rows=600))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.measures[0].outcome is None
    assert len(result.plots) > 1


def test_bars_that_are_too_narrow_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary can fail: bars cut to a third cover too little, and nothing is believed."""
    honest = canary.bars
    monkeypatch.setattr(canary, "bars", lambda made: honest(made) / 3)
    result = RUN(truth.build(9, rows=600))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.canary is not None
    assert not result.canary.noticed
    assert result.canary.false_alarms == 1


def test_bars_that_cover_anything_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary can fail the other way: with endless bars a shifted curve is not found."""
    monkeypatch.setattr(canary, "bars", lambda made: made.error + 1e9)
    result = RUN(truth.build(9, rows=600))
    assert result.canary is not None
    assert not result.canary.noticed


def test_hard_cells_are_followed_whole() -> None:
    """Texts, dates, flags and missing cells: only cells that occur are asked, and a missing one has its own place."""
    subject, tables = hard()
    result = RUN(given("E3.dependence", subject, tables))
    assert result.outcome in {Outcome.PASS, Outcome.INCONCLUSIVE}, result.reason
    original = tables["test"].features
    for name in original.columns:
        cells = pd.concat([asked.features[name] for asked in subject.seen])
        assert set(cells.dropna()) <= set(original[name].dropna())
    notes = {one.where: one.note for one in result.measures if one.name.startswith("range")}
    assert "A missing cell: +" in notes["since"]
    assert "the lowest" in notes["amount"]
    assert "row " not in " ".join(notes.values())


def test_three_hundred_columns_and_images() -> None:
    """A wide table stays within the questions; images have no order to follow."""
    rng = np.random.default_rng(5)
    frame = filler(rng, 400, 300)
    made = truth.turned(rng, frame, "scores", 0.0)
    subject = Asked(made.predict_proba)
    rows = {"test": table("test", frame, np.zeros(400, dtype=np.int64))}
    result = RUN(given("E3.dependence", subject, rows))
    assert sum(len(asked) for asked in subject.seen) <= 100_000
    assert result.outcome in {Outcome.PASS, Outcome.INCONCLUSIVE}, result.reason
    _, tables = hard(100)
    image = replace(tables["test"], kind="image", inputs=np.zeros((100, 1, 4, 4), dtype=np.float32))
    with pytest.raises(UnsupportedError) as caught:
        RUN(given("E3.dependence", Asked(lambda asked: chance(np.zeros(len(asked)))), {"test": image}))
    assert caught.value.code == "explanation.inputs"


def test_each_row_is_held_against_the_others() -> None:
    """By hand: of three rows that step 0, 0 and 3 in one bin, each lies off the mean of the other two."""
    one = ladder(ranks(np.array([1.0, 1.0, 2.0])), np.zeros(3, dtype=bool), np.random.default_rng(6))
    assert one.bin.tolist() == [0, 0, 0]
    inner, outer = untold([one], [np.array([[0.0], [0.0], [3.0]])])
    assert inner[0] == pytest.approx([1.5**2, 1.5**2, 9.0])
    assert outer[0].tolist() == [0.0, 0.0, 9.0]


def test_a_steep_sum_is_judged_in_log_odds() -> None:
    """Chances near 0 and 1 step unalike though the model is a sum: that is seen in the log-odds, and said."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(rng.normal(size=(600, 4)), columns=list("abcd"))

    def answer(asked):  # type: ignore[no-untyped-def]
        return chance(1.7 * asked.features[list("abcd")].to_numpy().sum(axis=1))

    rows = {"test": table("test", frame, np.zeros(600, dtype=np.int64))}
    result = RUN(given("E3.dependence", Asked(answer), rows))
    assert result.outcome is Outcome.PASS, result.reason
    assert "log-odds" in result.measures[0].note
