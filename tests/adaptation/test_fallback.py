"""Risk control against known risks, decision tables, shift, and the ladder as a whole."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from fivefold.adaptation.fallback.opening import opened
from fivefold.adaptation.fallback.risk import NOTHING, controlled
from fivefold.adaptation.fallback.rules import ASK, read
from fivefold.adaptation.fallback.shift import Shift
from fivefold.adaptation.fallback.terms import Terms, terms
from fivefold.errors import InputError

if TYPE_CHECKING:
    from fivefold.adaptation.fallback.ladder import Ladder

LEVELS = ["model", "simpler", "rules", "human"]
TABLE = b"""
rules: 1
table:
  - {when: "a > 2 and colour == 'red'", answer: "yes", because: large and red}
  - {when: "b is missing", answer: "no", because: b is not known}
"""


def errs(rng: np.random.Generator, certainty: np.ndarray) -> np.ndarray:
    """Return wrong answers, fewer where the model is surer."""
    return rng.random(len(certainty)) < 0.4 * (1 - certainty) ** 2


def true_risk(threshold: float) -> float:
    """Return the mean of 0.4 (1 - c)^2 for c uniform on [threshold, 1]."""
    return 0.4 * (1 - threshold) ** 2 / 3 if threshold <= 1 else 0.0


@pytest.mark.parametrize(("risk", "delta"), [(0.05, 0.1), (0.05, 0.05), (0.1, 0.1)])
def test_risk_is_exceeded_no_more_often_than_stated(risk: float, delta: float) -> None:
    """400 calibration sets whose true risk is known; the bound is that of a binomial with the stated rate."""
    exceeded, answered = 0, []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        certainty = rng.random(800)
        found = controlled(certainty, errs(rng, certainty), risk=risk, delta=delta)
        exceeded += true_risk(found.threshold) > risk
        answered.append(max(0.0, 1 - found.threshold))
    assert exceeded <= binom.ppf(0.95, 400, delta)
    assert np.mean(answered) > 0.5 * (1 - np.sqrt(3 * risk / 0.4) if 3 * risk < 0.4 else 0)


def test_a_useless_model_and_too_few_rows_answer_nothing() -> None:
    """Half of the answers wrong; ten rows without an error."""
    rng = np.random.default_rng(1)
    assert controlled(rng.random(2000), rng.random(2000) < 0.5, risk=0.1, delta=0.1).threshold == NOTHING
    assert controlled(rng.random(10), np.zeros(10), risk=0.1, delta=0.1).threshold == NOTHING
    assert controlled(np.zeros(0), np.zeros(0), risk=0.1, delta=0.1).threshold == NOTHING


def test_rows_that_are_equally_sure_stand_or_fall_together() -> None:
    """Two degrees of certainty: one right, one mostly wrong."""
    rng = np.random.default_rng(2)
    certainty = rng.choice([0.6, 0.9], 1000)
    found = controlled(certainty, (certainty == 0.6) & (rng.random(1000) < 0.6), risk=0.05, delta=0.1)
    assert (found.threshold, found.answered, found.wrong) == (0.9, int((certainty == 0.9).sum()), 0)


@pytest.mark.parametrize("risk", [0, 1, -1])
def test_shares_that_are_none_are_refused(risk: float) -> None:
    """Outside of (0, 1)."""
    with pytest.raises(InputError, match="between 0 and 1"):
        controlled(np.ones(5), np.zeros(5), risk=risk, delta=0.1)


def frame(n: int, seed: int = 0) -> pd.DataFrame:
    """Return rows of two numbers and a text, one number at times missing."""
    rng = np.random.default_rng(seed)
    found = pd.DataFrame({"a": rng.normal(0, 1, n), "b": rng.normal(0, 1, n), "colour": rng.choice(["red", "blue"], n)})
    found.loc[rng.random(n) < 0.1, "b"] = np.nan
    return found


def test_first_rule_that_holds_decides() -> None:
    """And none decides what none speaks of."""
    rows = pd.DataFrame(
        {"a": [3.0, 3.0, 0.0, 3.0], "b": [1.0, np.nan, 1.0, np.nan], "colour": ["red", "blue", "red", "red"]}
    )
    found = read(TABLE, rows, ("no", "yes"))
    assert found.decide(rows).tolist() == [0, 1, ASK, 0]
    assert [found.table[at].answer for at in (0, 1)] == [1, 0]
    total = read(TABLE + b"otherwise: 'yes'\n", rows, ("no", "yes"))
    assert total.decide(rows).tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "rules.form"),
        (b"rules: 2\ntable: []", "rules.form"),
        (b"rules: 1\ntable: []", "rules.form"),
        (b"rules: 1\ntable: [{when: 'a > 1'}]", "rules.form"),
        (b"rules: 1\nother: 1\ntable: [{when: 'a > 1', answer: 'no', because: x}]", "rules.form"),
        (b"rules: 1\ntable: [{when: 'z > 1', answer: 'no', because: x}]", "rules.column"),
        (b"rules: 1\ntable: [{when: 'a > 1', answer: maybe, because: x}]", "rules.answer"),
        (b"rules: 1\ntable: [{when: 'a >', answer: 'no', because: x}]", "scenario.syntax"),
        (b"rules: 1\ntable: [{when: '__import__(1)', answer: 'no', because: x}]", "scenario.syntax"),
        (
            b"rules: 1\ntable: [{when: 'a > 1', answer: 'no', because: x}, &x {when: 'a', answer: 'no', because: x}]",
            "rules.form",
        ),
    ],
)
def test_tables_that_cannot_be_meant_are_refused_with_their_line(text: bytes, code: str) -> None:
    """Each with its file and line."""
    with pytest.raises(InputError) as error:
        read(text, frame(1), ("no", "yes"), name="rules.yaml")
    assert error.value.code == code
    assert error.value.where.startswith("rules.yaml:")


def test_shift_is_noticed_and_calm_is_not() -> None:
    """100 calm streams of 2,000 rows: at most as many alarms as stated; 50 shifted ones: each is noticed."""
    alarms, delays = 0, []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        watched = Shift(rng.beta(5, 2, 500), rate=0.05, rng=rng)
        alarms += any(watched.watch(rng.beta(5, 2, 50)) for _ in range(40))
    for seed in range(50):
        rng = np.random.default_rng(seed)
        watched = Shift(rng.beta(5, 2, 500), rate=0.01, rng=rng)
        for _ in range(20):
            watched.watch(rng.beta(5, 2, 50))
        seen = watched.seen
        while not watched.watch(rng.beta(3, 3, 1)):
            assert watched.seen < 4000
        delays.append(watched.seen - seen)
    assert alarms <= binom.ppf(0.95, 100, 0.05)
    assert np.median(delays) < 200


def test_memory_of_shift_is_bounded_and_one_batch_is_no_crowd() -> None:
    """A batch counts as at most fifty rows."""
    rng = np.random.default_rng(3)
    watched = Shift(rng.random(300), rate=0.01, rng=rng)
    watched.watch(rng.random(10_000))
    assert watched.seen == 50


class Fixed:
    """A rung that says the same of every row."""

    def __init__(self, chance: float) -> None:
        self.chance, self.asked = chance, 0

    def scores(self, rows: pd.DataFrame) -> np.ndarray:
        self.asked += 1
        return np.tile([1 - self.chance, self.chance], (len(rows), 1))


def truth_of(rows: pd.DataFrame, seed: int) -> np.ndarray:
    """Return classes that follow ``a``."""
    rng = np.random.default_rng(seed)
    return (rng.random(len(rows)) < 1 / (1 + np.exp(-4 * rows["a"]))).astype(np.int64)


def model_of(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return what a model says that knows the rule."""
    chance = 1 / (1 + np.exp(-4 * rows["a"].to_numpy()))
    scores = np.column_stack([1 - chance, chance])
    return scores.argmax(axis=1), scores


def ladder(n: int = 3000, **options: object) -> Ladder:
    """Return a ladder with a simpler model and rules."""
    rows, train = frame(n, 1), frame(1000, 2)
    given = {"risk": 0.05, "delta": 0.1, "levels": LEVELS, "rules": "rules.yaml", **options}
    return opened(
        given,
        ("no", "yes"),
        (rows, truth_of(rows, 1)),
        model_of(rows),
        training=(train, truth_of(train, 2)),
        rules=TABLE,
    )


def test_each_rung_answers_what_those_above_leave() -> None:
    """Sure rows get the model's answer, others a rule's or a person's; the model's own risk is held."""
    rows = frame(20_000, 5)
    truth, found = truth_of(rows, 5), ladder().descend(rows, model_of(rows))
    levels = np.array([*LEVELS, "refuse"])[found.by]
    assert set(levels) >= {"model", "rules", "human"}
    for name in ("model", "simpler"):
        mine = levels == name
        assert (found.answers[mine] != truth[mine]).mean() <= 0.05 if mine.any() else True
    assert (found.answers[levels == "human"] == -1).all()
    assert (found.rule[levels == "rules"] >= 0).all()
    assert (levels == "model").mean() > 0.5


def test_a_dead_model_answers_nothing_and_the_next_rungs_do() -> None:
    """The simpler one where it is sure, else rules, else a person."""
    rows = frame(2000, 6)
    found = ladder().descend(rows, None)
    levels = np.array([*LEVELS, "refuse"])[found.by]
    assert set(levels) == {"simpler", "rules", "human"}
    truth = truth_of(rows, 6)
    assert (found.answers[levels == "simpler"] != truth[levels == "simpler"]).mean() <= 0.05


def test_suspect_rows_are_answered_by_no_model() -> None:
    """Whatever their certainty."""
    rows = frame(500, 7)
    suspect = np.arange(500) % 2 == 0
    found = ladder().descend(rows, model_of(rows), suspect)
    assert (found.by[suspect] >= 2).all()
    assert (found.by[~suspect] == 0).any()


def test_after_a_shift_no_model_answers() -> None:
    """The guarantee does not hold there, so that rules and people decide."""
    held, rows = ladder(), frame(4000, 8)
    rows["a"] *= 0.1
    for start in range(0, 4000, 50):
        part = rows.iloc[start : start + 50]
        found = held.descend(part, model_of(part))
    assert held.shift.alarmed
    assert (found.by >= 2).all()


def test_risk_is_held_for_each_group() -> None:
    """A group for which the model is bad gets fewer answers; one that was never seen gets none."""
    rows = frame(6000, 9)
    truth = truth_of(rows, 9)
    rng = np.random.default_rng(9)
    odd = (rows["colour"] == "red").to_numpy() & (rng.random(6000) < 0.4)
    truth[odd] = 1 - truth[odd]
    given = {"risk": 0.1, "delta": 0.1, "levels": ["model", "human"], "group": "colour"}
    held = opened(given, ("no", "yes"), (rows, truth), model_of(rows))
    new = frame(1000, 10)
    new.loc[:99, "colour"] = "green"
    found = held.descend(new, model_of(new))
    answered = found.by == 0
    colour = new["colour"].to_numpy()
    assert answered[colour == "blue"].mean() > 0.5
    assert not answered[(colour == "red") | (colour == "green")].any()


def test_a_rung_that_fails_leaves_the_row_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it raises."""
    held, rows = ladder(), frame(50, 11)

    def fails(_rows: object) -> np.ndarray:
        raise RuntimeError

    monkeypatch.setattr(held._rungs["simpler"], "scores", fails)
    assert set(held.descend(rows, None).by.tolist()) <= {2, 3}


def test_labels_alone_are_judged_by_the_simpler_model() -> None:
    """A model without scores has a certainty all the same; without training rows that is refused."""
    rows, train = frame(3000, 12), frame(1000, 13)
    answers, _ = model_of(rows)
    given = {"risk": 0.1, "delta": 0.1, "levels": ["model", "human"]}
    held = opened(
        given, ("no", "yes"), (rows, truth_of(rows, 12)), (answers, None), training=(train, truth_of(train, 13))
    )
    new = frame(5000, 14)
    found = held.descend(new, (model_of(new)[0], None))
    mine = found.by == 0
    assert mine.mean() > 0.3
    assert (found.answers[mine] != truth_of(new, 14)[mine]).mean() <= 0.1
    with pytest.raises(InputError, match="how sure"):
        opened(given, ("no", "yes"), (rows, truth_of(rows, 12)), (answers, None))


def test_numbers_fall_back_where_two_models_differ() -> None:
    """A regression: the answer is wrong beyond the tolerance, and unsure where a ridge says another."""
    rows, train = frame(3000, 15), frame(1000, 16)

    def value(given: pd.DataFrame) -> np.ndarray:
        return 3 * given["a"].to_numpy() + np.where(given["colour"] == "red", 1.0, 0.0)

    odd = np.random.default_rng(1).random(3000) < 0.2
    given = {"risk": 0.05, "delta": 0.1, "levels": ["model", "human"], "tolerance": 0.5}
    held = opened(given, (), (rows, value(rows)), (value(rows) + 4.0 * odd, None), training=(train, value(train)))
    found = held.descend(rows, (value(rows) + 4.0 * odd, None))
    answered = found.by == 0
    assert answered.mean() > 0.7
    assert odd[answered].mean() <= 0.05
    assert np.isnan(found.answers[~answered]).all()


@pytest.mark.parametrize(
    "options",
    [
        {"levels": ["rules", "model"], "rules": "r"},
        {"levels": ["human"]},
        {"levels": ["model", "rules"]},
        {"levels": ["model"], "rules": "r"},
        {"levels": "model"},
        {"levels": ["model", "oracle"]},
        {"risk": 0},
        {"risk": True},
        {"delta": 2},
        {"group": "nowhere"},
        {"deadline": 0},
        {"speed": 1},
    ],
)
def test_terms_that_cannot_be_kept_are_refused(options: dict[str, object]) -> None:
    """With a remedy."""
    with pytest.raises(InputError) as error:
        terms(options, regression=False, columns=("a",))
    assert error.value.code == "fallback.terms"
    assert error.value.remedy


def test_terms_that_are_not_declared_have_defaults() -> None:
    """The model, people, nobody; a regression needs a tolerance."""
    assert terms({}, regression=False, columns=()) == Terms(("model", "human", "refuse"))
    with pytest.raises(InputError, match="tolerance"):
        terms({}, regression=True, columns=())


def test_too_few_rows_and_missing_rungs_are_said() -> None:
    """Each with its own code."""
    rows = frame(20)
    for options, code in (
        ({"levels": ["model", "human"]}, "fallback.calibration"),
        ({"levels": ["model", "simpler"]}, "fallback.rung"),
        ({"levels": ["model", "ensemble"]}, "fallback.rung"),
    ):
        with pytest.raises(InputError) as error:
            opened(options, ("no", "yes"), (rows, truth_of(rows, 0)), model_of(rows))
        assert error.value.code == code


def test_threads_count_every_row_once() -> None:
    """Eight threads, calm rows: all are counted, and nothing alarms."""
    rng = np.random.default_rng(4)
    watched, parts = Shift(rng.random(500), rate=0.001, rng=rng), rng.random((8, 100, 10))

    def watch(part: np.ndarray) -> None:
        for rows in part:
            watched.watch(rows)

    threads = [threading.Thread(target=watch, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (watched.seen, watched.alarmed) == (8000, False)


def test_one_row_is_decided_as_the_same_row_among_others_and_nothing_is_made_of_it_where_the_model_is_sure() -> None:
    """Rows that come one at a time: answers, rungs and certainties to the last bit, and a table only where needed."""
    rows = frame(400)
    answers, scores = model_of(rows)
    held, made = ladder(), 0
    whole = held.descend(rows, (answers, scores), watch=False)

    def table(at: int) -> pd.DataFrame:
        nonlocal made
        made += 1
        return rows.iloc[at : at + 1]

    for at in range(len(rows)):
        one = held.descend(partial(table, at), (answers[at : at + 1], scores[at : at + 1]), watch=False)
        for alone, among in zip(one, whole, strict=True):
            assert alone.dtype == among.dtype
            assert alone.tobytes() == among[at : at + 1].tobytes()
    assert 0 < made <= int((whole.by != 0).sum())


def test_a_bet_on_one_row_is_that_of_its_rank_among_all_before() -> None:
    """The capital after each row against ranks counted one by one, in the order of the bins."""
    rng = np.random.default_rng(3)
    seen = rng.random(300).round(2)
    watched = Shift(seen, rate=1e-6, rng=np.random.default_rng(1))
    ties, edges = np.random.default_rng(1), np.unique(np.quantile(seen, np.linspace(0, 1, 513)[1:-1]))
    places, stakes = np.searchsorted(edges, seen, side="right").tolist(), [0.0] * 5
    for at, one in enumerate(rng.random(200).round(2), start=1):
        watched.watch(np.array([one]))
        place = int(np.searchsorted(edges, one, side="right"))
        places.append(place)
        rank = (sum(p < place for p in places) + ties.random() * sum(p == place for p in places)) / len(places)
        stakes = [stake + 1 / (at * (at + 1) * 5) for stake in stakes]
        mean = sum(stakes) / 5
        bets = zip(stakes, range(-2, 3), strict=True)
        stakes = [(0.99 * stake + 0.01 * mean) * (1 + slope * (rank - 0.5)) for stake, slope in bets]
        assert watched.capital == pytest.approx(sum(stakes) + 1 / (at + 1), rel=1e-12)
