"""E3.surrogate: a small tree says what the model does, and is judged on rows that it never saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.explanation.test_kinds import Asked, chance, given, hard
from tests.truth import explanation_surrogate as truth
from tests.truth.subjects import filler, table

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import UnsupportedError
from fivefold.explanation.antehoc.steps import Lesson
from fivefold.explanation.surrogate import check, tree, words
from fivefold.explanation.told import told

RUN = resolve("E3.surrogate")


def lesson(n: int = 2000) -> tuple[pd.DataFrame, np.ndarray]:
    """Return rows and answers that are a tree of four leaves over a number, a text, a date and missing cells."""
    rng = np.random.default_rng(1)
    age = np.where(rng.random(n) < 0.2, np.nan, rng.uniform(0, 100, n))
    town = np.array(["north", "south", "east", "west", None], dtype=object)[rng.integers(0, 5, n)]
    since = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    frame = pd.DataFrame({"age": age, "town": town, "since": since, "idle": rng.normal(size=n)})
    old = np.isnan(age) | (age >= 50)
    near = np.isin(town.astype(str), ("north", "east"))
    late = (since >= pd.Timestamp("2021-01-01")).astype(float)
    return frame, np.where(old, 4.0 * late, np.where(near, 10.0, -10.0))[:, None]


def laid(frame: pd.DataFrame) -> tuple[list, np.ndarray]:  # type: ignore[type-arg]
    return tree.lay(Lesson(frame, np.zeros(len(frame)), "regression", (), {}, {}))


def test_a_planted_tree_is_found_and_printed() -> None:
    """Numbers, texts, dates and missing cells: the leaves are those that were planted, in words."""
    frame, answers = lesson()
    terms, codes = laid(frame)
    made = tree.teach(codes, answers, terms, 16, np.random.default_rng(2))
    assert told(answers, made.answers(codes)).value == pytest.approx(1.0, abs=0.03)
    assert len(made.leaves) <= 6
    said = words.paths(made, terms, np.array([True, True, False, False]))
    found = {round(float(made.value[leaf, 0])): said[leaf] for leaf in made.leaves}
    assert "idle" not in " ".join(said.values())
    assert any("or missing" in text for text in said.values())
    assert "below 49" in found[10] or "below 50" in found[10]
    assert ("none of" in found[10]) == ("west" in found[10]) == ("north" not in found[10])
    assert "2020-12" in " ".join(said.values()) or "2021-01" in " ".join(said.values())


def test_columns_that_only_work_together_are_found() -> None:
    """Exclusive or among forty columns: no column gains anything alone, and noise is not taken for a pair."""
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(rng.normal(size=(2000, 40)), columns=[f"c{at}" for at in range(40)])
    terms, codes = laid(frame)
    both = (frame["c3"] > 0) ^ (frame["c17"] > 0)
    made = tree.teach(codes, both.to_numpy(dtype=float)[:, None], terms, 16, rng)
    assert {split.term for split in made.splits[:3]} == {3, 17}
    assert told(both.to_numpy(dtype=float)[:, None], made.answers(codes)).value == pytest.approx(1.0, abs=0.2)
    noise = tree.teach(codes, rng.normal(size=(2000, 1)), terms, 16, rng)
    assert len(noise.leaves) <= 3


def test_a_column_is_named_once_in_a_path() -> None:
    """Two questions about one number become one range."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"age": rng.uniform(0, 100, 1000)})
    terms, codes = laid(frame)
    middle = ((frame["age"] >= 30) & (frame["age"] < 60)).to_numpy(dtype=float)
    made = tree.grow(codes, middle[:, None], terms, 3)
    said = words.paths(made, terms, np.array([False]))
    top = max(made.leaves, key=lambda leaf: float(made.value[leaf, 0]))
    assert said[top].startswith("age from ")
    assert " below " in said[top]
    assert " and " not in said[top]


def test_rows_go_where_the_words_say_and_unseen_cells_too() -> None:
    """A text that was never seen takes the side of any other text; a leaf has at least ten rows."""
    frame, answers = lesson()
    terms, codes = laid(frame)
    made = tree.grow(codes, answers, terms, 16)
    assert made.count[made.leaves].min() >= tree.FEWEST
    assert made.count[made.leaves].sum() == len(frame)
    new = frame.iloc[:3].assign(town="elsewhere", age=[np.nan, 1.0, 99.0])
    place = made.place(tree.placed(terms, new))
    assert set(place.tolist()) <= set(made.leaves)


def test_told_is_the_share_of_variation_with_a_bound_where_nothing_is_wrong() -> None:
    """By hand: half of the squared distance is left; nothing varies; nothing is wrong in 40 rows."""
    answers = np.array([[0.0], [2.0]] * 50)
    half = told(answers, np.where(np.arange(100)[:, None] < 50, answers, 1.0))
    assert half.value == pytest.approx(0.5)
    assert half.low is not None
    assert half.high is not None
    assert half.low < 0.5 < half.high
    assert told(np.ones((30, 2)), np.zeros((30, 2))).value is None
    all_right = told(answers[:40], answers[:40])
    assert all_right.value == 1.0
    assert all_right.low == pytest.approx(1 + np.log(0.05) / 40)


def test_bounds_hold_at_their_rate() -> None:
    """Of 300 trees against noise of known size the one-sided bounds miss the truth about 5 times in 100."""
    rng, misses = np.random.default_rng(4), np.zeros(2)
    for _ in range(300):
        said = rng.integers(0, 2, (120, 1)) * 2.0
        answers = said + rng.normal(size=said.shape)
        found = told(answers, said)
        assert found.low is not None
        assert found.high is not None
        misses += (found.low > 0.5, found.high < 0.5)
    assert misses.max() <= 30


@pytest.mark.parametrize("kind", truth.KINDS)
def test_trees_that_tell_pass_and_others_fail(kind: str) -> None:
    """Every form of answer: what a tree of four leaves tells nearly whole passes, what it tells half of fails."""
    assert RUN(truth.build(7, kind=kind, told=0.85)).outcome is Outcome.PASS
    result = RUN(truth.build(7, kind=kind, told=0.4))
    assert result.outcome is Outcome.FAIL, result.reason
    assert result.canary is not None
    assert result.canary.found == result.canary.planted > 0


def test_a_tree_taught_on_shuffled_answers_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary can fail: with a teacher that shuffles, small trees are flagged and nothing is believed."""
    honest = tree.teach

    def shuffled(codes, answers, terms, most, rng):  # type: ignore[no-untyped-def]
        return honest(codes, rng.permutation(answers), terms, most, rng)

    monkeypatch.setattr(check.tree, "teach", shuffled)
    result = RUN(truth.build(7, told=0.85))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.canary is not None
    assert not result.canary.noticed


def test_a_judge_that_knows_the_answers_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary can fail the other way: a fidelity that is always whole finds no planted case."""
    from fivefold.explanation.surrogate import canary

    monkeypatch.setattr(canary, "told", lambda truth, _said: told(truth, truth))
    result = RUN(truth.build(7, told=0.85))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.canary is not None
    assert result.canary.found == 0


def test_the_tree_is_shown_leaf_by_leaf() -> None:
    """A reader gets conditions, what is said, and where nine answers in ten lie; the shares add up."""
    result = RUN(truth.build(3, told=0.9))
    leaves = [one for one in result.measures if one.name.startswith("leaf: ")]
    assert len(leaves) == 4
    assert all(one.where and one.n >= tree.FEWEST and "rows held back" in one.note for one in leaves)
    assert [bar.label for bar in result.plots[0].bars] == [one.where for one in leaves]


def test_three_hundred_columns_and_sixty_rows() -> None:
    """A wide table stays within the questions; few rows are inconclusive and not passed."""
    rng = np.random.default_rng(5)
    frame = filler(rng, 900, 300)
    made = truth.grained(rng, frame, "scores", 0.9)
    rows = table("test", frame, np.zeros(900, dtype=np.int64))
    asked = Asked(made.predict_proba)
    assert RUN(given("E3.surrogate", asked, {"test": rows})).outcome is Outcome.PASS
    assert sum(len(one) for one in asked.seen) <= 900
    few = RUN(given("E3.surrogate", Asked(made.predict_proba), {"test": rows.take(np.arange(60))}))
    assert few.outcome is Outcome.INCONCLUSIVE, few.reason


def test_rare_labels_and_one_column() -> None:
    """Three rows in a hundred are told something else, by one column of three: that is found and no common label."""
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({"a": rng.normal(size=4000), "b": rng.normal(size=4000), "c": "same"})
    subject = Asked(lambda asked: chance(np.where(asked.features["a"].to_numpy() > 1.88, 4.0, -4.0)))
    result = RUN(given("E3.surrogate", subject, {"test": table("test", frame, np.zeros(4000, dtype=np.int64))}))
    assert result.outcome is Outcome.PASS, result.reason
    assert any(one.where.startswith("a from 1.8") for one in result.measures)


def test_inputs_without_columns_and_columns_without_steps_are_refused() -> None:
    """Images have no columns to ask about; texts that never repeat have no steps."""
    _, tables = hard(200)
    frame = pd.DataFrame({"id": [f"row {at}" for at in range(200)]})
    for rows, code in (
        ({"test": replace(tables["test"], kind="image", inputs=np.zeros((200, 1, 4, 4), dtype=np.float32))}, "inputs"),
        ({"test": table("test", frame, np.zeros(200, dtype=np.int64))}, "columns"),
    ):
        asked = Asked(lambda asked: np.tile([0.5, 0.5], (len(asked), 1)))
        with pytest.raises(UnsupportedError) as caught:
            RUN(given("E3.surrogate", asked, rows))
        assert caught.value.code == f"explanation.{code}"
