"""E2.surrogate: short sums of what moves single answers nearby, held against neighbours that they never saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.explanation.test_kinds import Asked, chance, given
from tests.truth import explanation_nearby as truth
from tests.truth.subjects import table

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.explanation.nearby import around, layout
from fivefold.explanation.nearby.fit import fit, left

RUN = resolve("E2.surrogate")


def cells(n: int = 600) -> np.ndarray:
    """Return ranks of a number, a text of four values, and a number of which a third is missing."""
    rng = np.random.default_rng(1)
    number = (np.argsort(np.argsort(rng.normal(size=n))) + 0.5) / n
    text = rng.integers(0, 4, n) / 4
    gone = np.where(rng.random(n) < 0.33, 0.9, number * 0.66)
    return np.column_stack([number, text, gone])


def test_neighbours_are_near_in_rank_or_any_other_value() -> None:
    """Numbers go no further than the reach, texts and missing cells anywhere, and only some of the cells change."""
    rng, codes = np.random.default_rng(2), cells()
    grid = around.grid(codes)
    row = int(np.flatnonzero(codes[:, 2] == 0.9)[0])
    drawn = grid.drawn(row, 4000, around.Reach(0.5, 0.1), rng)
    assert np.abs(codes[drawn[:, 0], 0] - codes[row, 0]).max() <= 0.102
    assert len(np.unique(codes[drawn[:, 1], 1])) == 4
    assert len(np.unique(codes[drawn[:, 2], 2])) > 100
    assert (drawn != row).mean() == pytest.approx(0.5, abs=0.03)


def test_features_say_lower_higher_or_which_value() -> None:
    """By hand: a lower number, another text, and a missing cell in place of a number."""
    codes = cells()
    grid = around.grid(codes)
    row = int(np.flatnonzero((codes[:, 2] != 0.9) & (codes[:, 0] > 0.5))[0])
    lower = int(np.flatnonzero(codes[:, 0] < codes[row, 0])[0])
    other = int(np.flatnonzero(codes[:, 1] != codes[row, 1])[0])
    gone = int(np.flatnonzero(codes[:, 2] == 0.9)[0])
    made = grid.features(row, np.array([[row] * 3, [lower, other, gone]]))
    assert not made[0].any()
    assert made[1, 0, :4] == pytest.approx([codes[row, 0] - codes[lower, 0], 0, 1, 0])
    assert made[1, 1, 4:].sum() == 1
    assert made[1, 2, 2:4].tolist() == [0, 1]
    assert made[1, 2, 4:].sum() == 1


def test_a_sum_is_found_with_its_columns_and_error() -> None:
    """Two of thirty columns move the answer: those are named, what they add lies in its bars."""
    rng = np.random.default_rng(3)
    codes = (np.argsort(np.argsort(rng.random((800, 30)), axis=0), axis=0) + 0.5) / 800
    grid = around.grid(codes)
    drawn = grid.drawn(5, 900, around.Reach(0.5, 0.2), rng)
    seen = grid.features(5, drawn)
    away = codes[drawn, np.arange(30)] - codes[5]
    answers = 2 * away[:, 4] - np.maximum(away[:, 11], 0) + 0.05 * rng.normal(size=900)
    made = fit(seen[:600], answers[:600], 10, "answer")
    assert set(made.players[:2].tolist()) == {4, 11}
    assert left(answers[600:], made.says(seen[600:]), "answer") < 0.1 * answers[600:].var()
    higher = seen[600:, 4, 3] > 0
    value, error = made.moves(made.players.tolist().index(4), seen[600:], higher)
    assert abs(value - 2 * away[600:][higher, 4].mean()) < 4 * error
    assert 0 < error < 0.05


def test_nothing_is_named_where_nothing_moves() -> None:
    """Noise gives a sum without columns in nearly all of forty trials."""
    rng = np.random.default_rng(4)
    codes = (np.argsort(np.argsort(rng.random((500, 10)), axis=0), axis=0) + 0.5) / 500
    grid = around.grid(codes)
    sizes = [
        len(fit(grid.features(at, grid.drawn(at, 300, around.Reach(0.5, 0.2), rng)), rng.normal(size=300), 10,
                "answer").players)
        for at in range(40)
    ]  # fmt: skip
    assert np.mean(np.array(sizes) > 0) <= 0.2


def test_votes_are_judged_by_rank() -> None:
    """By hand: all in order tells all, one pair of four out of order tells a quarter, upside down nothing."""
    has = np.array([1.0, 1.0, 0.0, 0.0])
    assert left(has, np.array([4.0, 3.0, 2.0, 1.0]), "label") == 0
    assert left(has, np.array([4.0, 2.0, 3.0, 1.0]), "label") == pytest.approx(0.25 * 0.75)
    assert left(has, np.array([1.0, 2.0, 3.0, 4.0]), "label") == pytest.approx(0.25)


def test_neighbours_that_were_taught_do_not_count_again() -> None:
    """Equal rows are left out while enough others are there; where there are few rows at all they count."""
    rng, codes = np.random.default_rng(5), cells()
    grid = around.grid(codes)
    one, two = rng.integers(0, 600, (100, 3)), rng.integers(0, 600, (50, 3))
    both = np.concatenate([two, one[:30]])
    assert grid.unlike(both, one).tolist() == list(range(50))
    few = around.grid(codes[:, 1:2])
    assert len(few.unlike(one[:, 1:2], one[:, 1:2])) == 100


@pytest.mark.parametrize("kind", truth.KINDS)
def test_sums_pass_and_what_hangs_on_all_cells_together_fails(kind: str) -> None:
    """Every form of answer."""
    assert RUN(truth.build(8, kind=kind, rows=400)).outcome is Outcome.PASS
    result = RUN(truth.build(8, kind=kind, told=0.3, rows=400))
    assert result.outcome is Outcome.FAIL, result.reason
    assert result.canary is not None
    assert result.canary.noticed


def test_a_fit_to_shuffled_answers_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary can fail: with a fit that shuffles, planted sums are flagged and nothing is believed."""
    rng = np.random.default_rng(6)
    monkeypatch.setattr(layout, "fit", lambda seen, told, most, link: fit(seen, rng.permutation(told), most, link))
    result = RUN(truth.build(8, rows=400))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.canary is not None
    assert result.canary.false_alarms > 1


def test_a_judge_that_always_agrees_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary can fail the other way: where nothing is ever left untold no planted case is found."""
    monkeypatch.setattr(layout, "left", lambda _answers, _said, _link: 0.0)
    result = RUN(truth.build(8, rows=400))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.canary is not None
    assert result.canary.found == 0


def test_a_rare_class_and_a_saturated_score_are_told() -> None:
    """Two answers in a hundred are high: log-odds are added up, and the columns in use are named."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(rng.normal(size=(600, 6)), columns=list("abcdef"))
    subject = Asked(lambda asked: chance(3 * asked.features["a"].to_numpy() + 2 * asked.features["d"].to_numpy() - 8))
    result = RUN(given("E2.surrogate", subject, {"test": table("test", frame, np.zeros(600, dtype=np.int64))}))
    assert result.outcome is Outcome.PASS, result.reason
    named = {one.where: one.value for one in result.measures if one.name == "sums that name the column"}
    assert set(list(named)[:2]) == {"a", "d"}


def test_the_sum_of_one_row_is_drawn_under_its_keyed_id() -> None:
    """What each column adds where it is lower, higher or another value, with bars; no position is named."""
    made = replace(truth.build(8, rows=400), row_id=lambda rows: [f"key{at}" for at in range(len(rows))])
    result = RUN(made)
    picture = result.plots[1]
    assert picture.title.startswith("The sum of one row, key0")
    assert len(picture.bars) >= 2
    assert all(
        bar.low is not None and bar.high is not None and bar.low <= bar.value <= bar.high for bar in picture.bars
    )
    assert {bar.label.rpartition(": ")[2] for bar in picture.bars} <= {"lower", "higher", "another value"}
