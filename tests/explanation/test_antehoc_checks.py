"""E1.faithful, E1.constraints, E1.cost: on hard tables, against their definitions, and what cannot be measured."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace as replaced
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from tests.truth import readable as truth
from tests.truth.subjects import table

from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import checks, resolve
from fivefold.contract.subject import Capabilities, SettingsView
from fivefold.errors import FivefoldError, InputError
from fivefold.explanation.antehoc import additive, bent, constraints, faithful, page, rival, spoiled, sweep
from fivefold.explanation.antehoc.form import Condition, Model, Rule, Term, require

from . import test_antehoc as made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.contract.check import Context

CHECKS = ("E1.faithful", "E1.constraints", "E1.cost")
BUILD = {"E1.faithful": truth.faithful, "E1.constraints": truth.constrained, "E1.cost": truth.cost}


@pytest.fixture
def tidy() -> Iterator[list[Context]]:
    """Delete the folders of subjects of E1.faithful."""
    kept: list[Context] = []
    yield kept
    for one in kept:
        if one.scratch is not None:
            shutil.rmtree(one.scratch.parent)


@pytest.mark.parametrize("check", CHECKS)
def test_same_context_gives_the_same_bytes(check: str, tidy: list[Context]) -> None:
    """A second run with the same seed writes the same result, and the data are left as they were."""
    found = []
    for _ in range(2):
        given = BUILD[check](4, rows=400)
        tidy.append(given)
        before = given.tables("test").features.copy()
        found.append(canonical(resolve(check)(given)))
        pd.testing.assert_frame_equal(before, given.tables("test").features)
    assert found[0] == found[1]


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_is_described(check: str) -> None:
    """The pack tells question, threat, method, limits, source and cost."""
    spec = checks()[check]
    assert all((spec.question, spec.threat, spec.method, spec.limits, spec.source, spec.cost))


def refused(check: str, given: Context) -> str:
    with pytest.raises(FivefoldError) as caught:
        resolve(check)(given)
    assert caught.value.remedy
    return caught.value.code


def test_what_cannot_be_measured_says_so(tidy: list[Context]) -> None:
    """No page, a page outside of the signed files, no direction, no class, texts, one class, few rows."""
    page = truth.faithful(1, rows=100)
    tidy.append(page)
    bare = replace(page, settings=SettingsView())
    assert refused("E1.faithful", bare) == "antehoc.undeclared"
    assert refused("E1.faithful", replace(page, model_root=None)) == "antehoc.unsigned"
    for name in ("../card.html", "other.html", "/etc/passwd"):
        told = SettingsView(controls={"E1": {"page": name}})
        assert refused("E1.faithful", replace(page, settings=told)) == "antehoc.unsigned"
    (page.model_root / "card.html").write_bytes(b"\xff\xfe" * 9)  # type: ignore[operator]
    assert refused("E1.faithful", page) == "antehoc.page"
    moving = truth.constrained(1, rows=100)
    assert refused("E1.constraints", replace(moving, settings=SettingsView())) == "antehoc.no-direction"
    assert (
        refused("E1.constraints", replace(moving, settings=replace(moving.settings, positive=None))) == "antehoc.class"
    )
    texts = moving.tables("test").features.assign(town=["a", "b"] * 50)
    worded = replace(moving.settings, features={"town": {"monotone": "up"}})
    given = replace(
        moving, settings=worded, tables={"test": table("test", texts, np.zeros(100, dtype=int))}.__getitem__
    )
    assert refused("E1.constraints", given) == "antehoc.monotone"
    cost = truth.cost(1, rows=100)
    assert refused("E1.cost", replace(cost, settings=SettingsView())) == "antehoc.undeclared"
    same = {name: replace(cost.tables(name), target=np.zeros(100, dtype=np.int64)) for name in ("train", "test")}
    assert refused("E1.cost", replace(cost, tables=same.__getitem__)) == "antehoc.rows"
    few = {name: cost.tables(name).take(np.arange(20)) for name in ("train", "test")}
    assert refused("E1.cost", replace(cost, tables=few.__getitem__)) == "antehoc.rows"


def test_a_budget_of_calls_is_kept() -> None:
    """Of an endpoint's calls at most half; too few are refused before one is made."""
    given = truth.constrained(3, rows=600)
    calls: list[int] = []
    subject = given.subject

    class Endpoint(truth.Deployed):
        left = 600

        @property
        def capabilities(self) -> Capabilities:
            return Capabilities(scores=True, retrains=False, perturbable=True, max_rows=50, calls_left=self.left)

        def predict_proba(self, asked):
            calls.append(len(asked))
            return super().predict_proba(asked)

    endpoint = Endpoint(subject.answer, subject.task, subject.classes)  # type: ignore[union-attr]
    result = resolve("E1.constraints")(replace(given, subject=endpoint))
    assert result.outcome in (Outcome.INCONCLUSIVE, Outcome.PASS)
    assert len(calls) <= 300
    assert max(calls) <= 50
    Endpoint.left = 20
    calls.clear()
    assert refused("E1.constraints", replace(given, subject=endpoint)) == "explanation.budget"
    assert not calls


def test_trees_without_constraints_are_caught_and_trees_with_them_are_not() -> None:
    """A real model: gradient boosting on noise falls somewhere; with `monotonic_cst` it never does."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(600, 4)), columns=list("abcd"))
    frame["a"] = frame["a"].where(rng.random(600) > 0.1)
    target = (frame["a"].fillna(0) + frame["b"] + rng.logistic(size=600) > 0).astype(int)
    for cst, outcome in ((None, Outcome.FAIL), ([1, 0, 0, 0], Outcome.PASS)):
        model = HistGradientBoostingClassifier(monotonic_cst=cst, max_iter=40, random_state=0).fit(frame, target)
        given = truth.constrained(1)
        settings = SettingsView(features={"a": {"monotone": "up"}}, positive=1, classes=("no", "yes"))
        subject = truth.Deployed(model.predict_proba, "binary", ("no", "yes"))
        tables = {"test": table("test", frame, target.to_numpy())}
        result = resolve("E1.constraints")(
            replace(given, subject=subject, settings=settings, tables=tables.__getitem__)
        )  # type: ignore[arg-type]
        assert result.outcome is outcome, result.reason
        if outcome is Outcome.FAIL:
            assert "The worst: a from" in result.reason


def test_dates_written_as_text_are_swept_and_the_page_is_counted() -> None:
    """A trained additive model with directions for a number, a date and a text of dates: no step goes the wrong way."""
    signs = {"amount": 1, "since": -1, "written": 1}
    model = additive.learn(made.lesson("binary", signs), 10, 8, np.random.default_rng(0))
    told = {name: {"monotone": "up" if sign > 0 else "down"} for name, sign in signs.items()}
    settings = SettingsView(features=told, positive=1, classes=model.classes)
    tables = {"test": table("test", made.frame(500, 9), np.zeros(500, dtype=np.int64))}
    given = replace(truth.constrained(1), subject=truth.Deployed(model.answers, "binary", model.classes),  # type: ignore[arg-type]
                    settings=settings, tables=tables.__getitem__)  # fmt: skip
    result = resolve("E1.constraints")(given)
    assert result.outcome is Outcome.PASS, result.reason
    wrong, total = constraints.wrong_steps(model, signs, model.classes[1]) or (-1, 0)
    assert wrong == 0
    assert total > 3
    assert constraints.wrong_steps(model, signs, model.classes[0]) == (total - _flat(model, signs), total)


def _flat(model: Model, signs: dict[str, int]) -> int:
    moves = [np.diff(np.array(term.adds)[:, 0]) for term in model.terms if term.column in signs]
    return int((np.concatenate(moves) == 0).sum())


@pytest.mark.parametrize(
    ("test", "answers", "told"),
    [("from", (0.9, 0.5, 0.1), (0, 2)), ("below", (0.9, 0.5, 0.1), None), ("from", (0.5, 0.9, 0.1), None)],
)
def test_a_rule_list_is_proven_only_if_it_falls(
    test: str, answers: tuple[float, ...], told: tuple[int, int] | None
) -> None:
    """Answers fall from the top and conditions point up; anything else is left to the search."""
    when = Condition(column="x", kind="number", test=test, cut=1.0)  # type: ignore[arg-type]
    rules = tuple(Rule(when=(when,), answer=(1 - one, one)) for one in answers[:-1])
    model = Model(
        form="rules", task="binary", classes=("n", "y"), rules=rules, otherwise=(1 - answers[-1], answers[-1])
    )
    assert constraints.wrong_steps(model, {"x": 1}, "y") == told
    turned = replaced(
        model, classes=("y", "n"), otherwise=model.otherwise[::-1],
        rules=tuple(replaced(rule, answer=rule.answer[::-1]) for rule in rules),
    )  # fmt: skip
    assert constraints.wrong_steps(turned, {"x": 1}, "y") == told


def test_a_declared_column_that_is_printed_as_texts_is_not_proven() -> None:
    """Steps of texts have no order: neither a sum nor a rule list is said to hold, whatever else it says."""
    term = Term(column="x", kind="text", names=("1",), adds=((0.0,), (1.0,)), missing=(0.0,))
    whole = Model(form="additive", task="binary", classes=("n", "y"), base=(0.0,), terms=(term,))
    assert constraints.wrong_steps(whole, {"x": 1}, "y") is None
    assert constraints.wrong_steps(whole, {"z": 1}, "y") == (0, 0)
    for test in ("is", "missing"):
        when = Condition(column="x", kind="text", test=test, name="1" if test == "is" else "")  # type: ignore[arg-type]
        rules = Model(form="rules", task="binary", classes=("n", "y"), rules=(Rule(when=(when,), answer=(0.1, 0.9)),),
                      otherwise=(0.5, 0.5))  # fmt: skip
        assert constraints.wrong_steps(rules, {"x": 1}, "y") is None


@pytest.mark.parametrize("answer", [(0.5, 0.6), (-0.1, 1.1), (0.3, 0.3), (2.0, -1.0)])
def test_a_rule_answers_chances(answer: tuple[float, ...]) -> None:
    """Between 0 and 1, and 1 together; a value may be any number."""
    when = Condition(column="x", kind="number", test="from", cut=1.0)
    model = Model(form="rules", task="binary", classes=("n", "y"), rules=(Rule(when=(when,), answer=(0.5, 0.5)),),
                  otherwise=(0.5, 0.5))  # fmt: skip
    assert require(model)
    for bad in (replaced(model, otherwise=answer), replaced(model, rules=(Rule(when=(when,), answer=answer),))):
        with pytest.raises(InputError) as caught:
            require(bad)
        assert caught.value.code == "antehoc.model"
    assert require(Model(form="rules", task="regression", otherwise=(-7.0,)))


def test_what_is_lost_is_the_difference_of_accuracies() -> None:
    """Accuracy and balanced accuracy as scikit-learn has them; each bound holds the truth in 19 of 20 draws."""
    rng = np.random.default_rng(0)
    held = np.zeros((2, 2), dtype=int)  # of 200: accuracy and balanced accuracy, from below and from above
    for _ in range(200):
        target = (rng.random(400) < 0.2).astype(int)
        mine = np.where(rng.random(400) < 0.15, 1 - target, target)
        other = np.where(rng.random(400) < 0.10, 1 - target, target)
        plain, balanced = rival.lost(mine, other, target)
        assert plain.value == pytest.approx(accuracy_score(target, other) - accuracy_score(target, mine))
        both = balanced_accuracy_score(target, other) - balanced_accuracy_score(target, mine)
        assert balanced.value == pytest.approx(both)
        held += np.array([[one.low <= 0.05, one.high >= 0.05] for one in (plain, balanced)])
        assert all(one.low <= one.value <= one.high for one in (plain, balanced))
        assert plain.high - plain.low < 0.1
        assert balanced.high - balanced.low < 0.15
    assert held.min() >= 180


@pytest.mark.parametrize("kind", ["scores", "regression"])
def test_how_many_rows_were_taught_is_told(kind: str) -> None:
    """Of how many; and of classes that two bounds are asked of, so that either may fail."""
    given = truth.cost(1, kind=kind, rows=400)
    result = resolve("E1.cost")(replace(given, rows=150))
    assert any(one.startswith("150 of 400 training rows") for one in result.limits)
    assert any("either fails" in one for one in result.limits) == (kind == "scores")


def test_the_black_box_knows_what_a_sum_cannot_say() -> None:
    """An exclusive or: the additive model knows nothing of it, the black box nearly all, and the check fails it."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(1600, 3)), columns=list("abc"))
    target = ((frame["a"] > 0) ^ (frame["b"] > 0)).to_numpy().astype(np.int64)
    parts = {name: table(name, frame[some].reset_index(drop=True), target[some])
             for name, some in (("train", np.arange(1600) < 800), ("test", np.arange(1600) >= 800))}  # fmt: skip
    lesson = made.Lesson(parts["train"].features, parts["train"].target, "binary", ("n", "y"), {}, {})
    model = additive.learn(lesson, 5, 5, rng)
    subject = truth.Deployed(model.answers, "binary", ("n", "y"))
    result = resolve("E1.cost")(replace(truth.cost(1, rows=100), subject=subject, tables=parts.__getitem__))  # type: ignore[arg-type]
    assert result.outcome is Outcome.FAIL, result.reason
    assert (result.measures[0].value or 0) > 0.3


def test_three_hundred_columns_and_one_column() -> None:
    """A wide table with thirty directions is walked over in fewer rows; a single column has no other to hide behind."""
    rng = np.random.default_rng(0)
    for wide, ruled in ((300, 20), (1, 1)):
        frame = pd.DataFrame(rng.normal(size=(400, wide)), columns=[f"c{at}" for at in range(wide)])
        weights = np.where(np.arange(wide) < ruled, 1.0, 0.0)

        def answer(asked: pd.DataFrame, weights: np.ndarray = weights) -> np.ndarray:
            one = 1 / (1 + np.exp(-asked.to_numpy() @ weights))
            return np.column_stack([1 - one, one])

        settings = SettingsView(features={f"c{at}": {"monotone": "up"} for at in range(ruled)}, positive=1)
        given = replace(truth.constrained(1), subject=truth.Deployed(answer, "binary", ("n", "y")), settings=settings,  # type: ignore[arg-type]
                        tables={"test": table("test", frame, np.zeros(400, dtype=np.int64))}.__getitem__)  # fmt: skip
        result = resolve("E1.constraints")(replace(given, rows=120 if wide > 1 else 400))
        assert result.outcome is (Outcome.PASS if wide == 1 else Outcome.INCONCLUSIVE), result.reason
        assert result.measures[0].value == 0


@pytest.mark.parametrize("scored", [True, False])
def test_only_a_class_of_the_even_ones_is_excused(scored: bool) -> None:
    """Chances 0.4, 0.4, 0.2: either of the first two may be told, in any order of the classes; the third differs."""
    model = Model(form="rules", task="multiclass", classes=("a", "b", "c"), otherwise=(0.4, 0.4, 0.2))
    order = ("c", "a", "b")
    frame = pd.DataFrame({"x": np.zeros(3)})
    told = faithful.Told(np.array([1, 2, 0]), np.tile([0.2, 0.4, 0.4], (3, 1)) if scored else None)
    assert faithful.differing(model, frame, told, order).tolist() == [False, False, True]


def test_a_narrow_fall_that_every_row_has_is_found() -> None:
    """In a band of a five-hundredth of the column's cells: each row has a grid of its own, so some meet it."""
    for seed in range(4):
        result = resolve("E1.constraints")(narrow(seed))
        assert result.outcome is Outcome.FAIL, result.reason
        assert "a from" in result.reason


def narrow(seed: int) -> Context:
    """Return a score that rises with `a` but for a band of 0.2 % of its cells, in every row."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(5000, 3)), columns=list("abc"))
    low, high = np.quantile(frame["a"], np.array([0.0, 0.002]) + rng.uniform(0.1, 0.9))

    def answer(asked: pd.DataFrame) -> np.ndarray:
        a = asked["a"].to_numpy()
        one = 1 / (1 + np.exp(-a - asked["b"].to_numpy() + ((a >= low) & (a < high))))
        return np.column_stack([1 - one, one])

    settings = SettingsView(features={"a": {"monotone": "up"}}, positive=1, classes=("n", "y"))
    return replace(truth.constrained(1), subject=truth.Deployed(answer, "binary", ("n", "y")), settings=settings,
                   tables={"test": table("test", frame, np.zeros(5000, dtype=np.int64))}.__getitem__)  # type: ignore[arg-type]  # fmt: skip


def test_a_search_that_puts_nothing_together_anew_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dips that no row as it is shows are planted: with rows that stay as they are none of them is found."""
    given = narrow(1)
    columns = sweep.declared(given.tables("test"), {"a": 1}, {})
    rows = given.tables("test").features.iloc[:400]
    for scored in (True, False):
        bird = bent.canary(rows, columns, sweep.GRID, scored=scored, rng=np.random.default_rng(0))
        assert bird.noticed
        assert bird.planted == bird.found == 8
    monkeypatch.setattr(sweep, "anew", lambda frame, _first, _rng: frame)
    bird = bent.canary(rows, columns, sweep.GRID, scored=True, rng=np.random.default_rng(0))
    assert not bird.noticed
    assert bird.found == 5
    assert not bird.false_alarms


def test_functions_that_keep_every_direction_are_ordered_without_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that orders days wrongly, or takes any wobble for a move, raises false alarms in the canary."""
    rng = np.random.default_rng(0)
    days = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 300), unit="D"))
    for frame in (pd.DataFrame({"d": days.dt.strftime("%Y-%m-%d")}), pd.DataFrame({"d": days})):
        held = table("test", frame, np.zeros(300, dtype=np.int64))
        columns = sweep.declared(held, {"d": 1}, {})
        assert bent.canary(frame, columns, sweep.GRID, scored=True, rng=np.random.default_rng(0)).noticed
        order = np.argsort(columns[0].cells.astype(str).str[8:10], kind="stable").to_numpy()
        wrong = [replace(columns[0], cells=columns[0].cells.iloc[order].reset_index(drop=True))]
        assert bent.canary(frame, wrong, sweep.GRID, scored=True, rng=np.random.default_rng(0)).false_alarms
    monkeypatch.setattr(bent, "_HAIR", 1e-9)
    assert bent.canary(frame, columns, sweep.GRID, scored=True, rng=np.random.default_rng(0)).false_alarms


@pytest.mark.parametrize(("form", "task"), made.CASES)
def test_pages_that_say_the_same_otherwise_are_no_alarm(form: str, task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other pages, other bytes, the same answers but for rounding; a comparison to the last digit raises alarms."""
    model = made.made(form, task)
    sample = table("test", made.frame(300, 3), np.zeros(300, dtype=np.int64))
    for way in spoiled.WAYS:
        other = require(spoiled.reworded(model, way))
        assert page.render(other) != page.render(model) or (form == "rules" and way == "turned")
        assert np.allclose(other.answers(sample.features), model.answers(sample.features), rtol=1e-9, atol=1e-12)
    bird = faithful._canary(model, sample, scored=task != "regression", rng=np.random.default_rng(0))
    assert bird.noticed
    assert (bird.clean, bird.false_alarms) == (4, 0)
    if form != "rules" and task != "regression":
        monkeypatch.setattr(faithful, "_HAIR", 0.0)
        bird = faithful._canary(model, sample, scored=task != "regression", rng=np.random.default_rng(0))
        assert bird.false_alarms


@pytest.mark.parametrize("scored", [True, False])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("cells", [2, 3])
def test_a_column_of_few_cells_can_be_seen_to_be_broken(cells: int, sign: int, scored: bool) -> None:
    """Of two cells too: a planted dip takes more than a cell gains, whatever other column it hangs on."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"m": rng.integers(0, cells, 200)})
    for name, many in (("", 0), ("two", 2), ("many", 200)):
        if name:
            frame[name] = rng.integers(0, many, 200)
        columns = sweep.declared(table("test", frame, np.zeros(200, dtype=np.int64)), {"m": sign}, {})
        bird = bent.canary(frame, columns, sweep.GRID, scored=scored, rng=rng)
        assert bird.noticed, (name, bird)
        assert bird.planted == (8 if name == "many" else 5)
