"""P1.tables: possible rows alone, exact on models of which it is known what a budget buys, and real tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.protection.test_evasion import Asked, made, mixed, rule
from tests.truth import evasion_tables as truth

from fivefold.contract.check import Context
from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.contract.subject import Capabilities, SettingsView, Table
from fivefold.errors import InputError, UnsupportedError
from fivefold.protection.evasion.tables import attack, check, fill, layout, result
from fivefold.subject.possible import domain, faults, groups, rules
from fivefold.subject.possible.space import of_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

RULES = ("`amount` <= 4 * score + 200", "not (town == north and member == true)", "age + amount >= 40")


def context(
    subject: object,
    tables: dict[str, Table],
    features: Mapping[str, Mapping[str, object]] | None = None,
    **options: object,
) -> Context:
    chosen = {"budget": 0.5, "swap_cost": 0.25, "queries": 120, **options}
    return Context(
        subject=subject,  # type: ignore[arg-type]
        tables=tables.__getitem__,
        rng=np.random.default_rng(3),
        thresholds={"min_robust_accuracy": 0.5},
        options=chosen,
        rows=120,
        settings=SettingsView(features=features),
    )


def test_every_row_that_is_asked_is_a_possible_row() -> None:
    """Whatever the model is asked keeps types, ranges, steps, directions, categories, missing cells and rules."""
    frame = mixed(1)
    frame["code"] = pd.factorize(frame["town"], use_na_sentinel=False)[0] + 5
    table = made(frame, rule(made(frame, np.zeros(len(frame)))))
    declared = {"age": {"type": "integer", "range": (18, 90), "changes": "up"}, "score": {"immutable": True}}
    subject = Asked(rule)
    given = context(subject, {"test": table}, declared, rules=list(RULES))
    spread = layout.lay_out(given)
    right = np.flatnonzero(spread.given.is_right(spread.answers))
    asked: list[tuple[np.ndarray, np.ndarray]] = []
    told = spread.model.__class__.__call__

    class Heard(layout.Model):
        def __call__(self, values: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            asked.append((values, origin))
            return told(self, values, origin)

    spread = replace(spread, model=Heard(spread.given, scored=False))
    search = spread.search(right, spread.given.goal(spread.answers[right]))
    known = attack.Known(spread.given.public_values, *spread.model(spread.given.public_values, np.zeros(400, int)))
    asked.clear()
    attack.attack(search, known, np.random.default_rng(0))
    values, origin = (np.concatenate([one[place] for one in asked]) for place in range(2))
    assert len(values) > 1000
    before = spread.given.sample.features.iloc[origin].reset_index(drop=True)
    after = spread.given.space.decode(values, origin, spread.given.sample).features
    wrong = faults.faults(
        before, after, spread.seen(), declared, rules=rules.read(RULES, list(frame)), groups=[["town", "code"]]
    )
    assert {what for what, rows in wrong.items() if rows.any()} == set()
    assert (after["age"] != before["age"]).any()
    assert (after["town"].astype(object) != before["town"].astype(object)).any()


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("age", 17.5, "whole steps"),
        ("age", 400, "range"),
        ("town", "west", "category"),
        ("score", None, "missing cells"),
        ("amount", 230.0, "rules"),
        ("member", None, "immutable"),
    ],
)
def test_the_validator_finds_rows_that_cannot_be(column: str, value: object, what: str) -> None:
    """One wrong cell is noticed and named; the unchanged rows have no fault."""
    frame = mixed(2).drop(columns="id")
    frame["age"] = frame["age"].astype(float)
    table, declared = made(frame, np.zeros(len(frame))), {"member": {"immutable": True}}
    stated = rules.read(["amount <= 220"], list(frame))
    row = int(np.flatnonzero(frame["score"].notna() & (frame["amount"] < 200))[0])
    after = frame.copy()
    after.loc[row, column] = (not frame.loc[row, column]) if column == "member" else value
    wrong = faults.faults(frame, after, [table], declared, rules=stated)
    assert wrong[what][row]
    assert not np.delete(np.any([one for key, one in wrong.items() if key != "type"], axis=0), row).any()
    assert not np.any(list(faults.faults(frame, frame, [table], declared, rules=stated).values()))


@pytest.mark.parametrize("kind", ["mixed", "stumps", "one-hot", "rule"])
def test_robust_accuracy_comes_near_to_the_exact_one(kind: str) -> None:
    """On models of which it is known what a budget buys, the attack leaves at most 0.05 more, and nothing less."""
    given = truth.build(3, kind=kind, rows=500)
    found = check.run(given)
    exact = given.thresholds["min_robust_accuracy"]
    value = found.measures[0].value
    assert value is not None
    assert exact - 0.03 <= value <= exact + 0.05, (exact, value)
    assert found.canary is not None
    assert found.canary.noticed, found.canary
    assert {one.value for one in found.measures if one.name == "possible rows"} == {1.0}


def test_a_rule_that_is_not_declared_makes_a_stricter_model_fall_more() -> None:
    """Known to fail: told of no rule, the attack makes rows that cannot be, and the model errs on them."""
    given = truth.build(3, kind="rule", rows=300)
    untold = replace(given, options={**given.options, "rules": []}, rng=np.random.default_rng(1))
    with_rule, without = check.run(given), check.run(untold)
    assert (without.measures[0].value or 0.0) < (with_rule.measures[0].value or 0.0) - 0.02
    assert any("rules:" in text for text in without.limits)


def test_impossible_rows_make_the_finding_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attack that the validator catches is not believed."""
    frame = mixed(1)
    table = made(frame, rule(made(frame, np.zeros(len(frame)))))
    monkeypatch.setattr(result, "faults", lambda before, *_, **__: {"range": np.arange(len(before)) == 0})
    found = check.run(context(Asked(rule), {"test": table}))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "cannot be" in found.reason


def test_sums_across_fields_are_read_and_mended() -> None:
    """A rule between sums is evaluated row by row; a changed row that breaks it is mended by another number."""
    frame = pd.DataFrame({"paid": [1.0, 30.0], "income": [2.0, 1.0], "kind": ["a", "b"], "b c": [1.0, np.nan]})
    one, two, three = rules.read(
        ["paid <= 12 * income", "not (kind == b and `b c` - 2 * paid > 0)", "kind != a"], list(frame)
    )
    assert one.holds(frame.__getitem__).tolist() == [True, False]
    assert two.holds(frame.__getitem__).tolist() == [True, True]
    assert three.holds(frame.__getitem__).tolist() == [False, True]
    assert one.columns == ("paid", "income")
    rng = np.random.default_rng(0)
    wide = pd.DataFrame({"total": 0.0, "x": rng.random(80), "y": rng.random(80)})
    wide["total"] = wide["x"] + wide["y"]
    table = made(wide, np.zeros(80))
    spread = domain.make(of_tables([table], {}), [table], {}, {"rules": ["total == x + y"]})
    start = spread.space.encode(table)
    values = start.copy()
    values[:, 1] = np.clip(values[:, 1] + 0.1, 0.0, wide["x"].max())
    mended = spread.mended(start, values)
    assert np.allclose(mended[:, 0], mended[:, 1:].sum(axis=1))
    assert np.allclose(mended[:, 1], values[:, 1])


@pytest.mark.parametrize(
    "text", ["paid <= 12 * wealth", "wealth > 3", "paid <=", "kind + 1 > paid", "paid > income > 3"]
)
def test_rules_that_cannot_be_read_are_refused(text: str) -> None:
    """An unknown column, a text in a sum, and broken syntax are told with a code and a remedy."""
    frame = pd.DataFrame({"paid": [1.0], "income": [2.0], "kind": ["a"]})
    with pytest.raises(InputError) as caught:
        rules.read([text], list(frame))[0].holds(frame.__getitem__)
    assert caught.value.code in ("evasion.rule", "scenario.syntax", "scenario.type")
    assert caught.value.remedy


def test_groups_are_found_and_independent_columns_are_left_alone() -> None:
    """One-hot columns, with and without names that tell, and columns that say the same; coin flips are no group."""
    rng = np.random.default_rng(0)
    job = rng.integers(0, 3, 300)
    side = rng.integers(0, 2, 300)
    frame = pd.DataFrame({f"job_{at}": (job == at).astype(int) for at in range(3)})
    frame["left"], frame["right"] = side, 1 - side
    frame["coin"], frame["flip"] = rng.integers(0, 2, 300), rng.integers(0, 2, 300)
    frame["town"] = np.array(["x", "y", "z", "w"])[code := rng.integers(0, 4, 300)]
    frame["town_code"] = code * 10
    table = made(frame, np.zeros(300))
    seen = of_tables([table], {}).encode(table)
    found, notes = groups.find(frame, seen, list(frame), [])
    assert [one.tolist() for one in found] == [[0, 1, 2], [3, 4], [7, 8]]
    assert len(notes) == 3
    with pytest.raises(InputError):
        groups.find(frame, seen, list(frame), ["coin, nothing"])


def test_a_budget_is_spent_as_a_knapsack_allows() -> None:
    """For numbers alone the greedy filling is the exact optimum, and no filling beats the bound."""
    rng = np.random.default_rng(1)
    table = made(pd.DataFrame(rng.random((200, 5)), columns=list("abcde")), np.zeros(200))
    spread = domain.make(of_tables([table], {}), [table], {}, {})
    start, slope = spread.space.encode(table), np.repeat(rng.normal(size=(1, 5)), 200, axis=0)
    values = fill.filled(spread, start, slope, [], 0.4)
    gain = ((values - start) * slope).sum(axis=1)
    assert np.allclose(gain, fill.ceiling(spread, start, slope, [], 0.4))
    assert (spread.cost(start, values) <= 0.4 + 1e-9).all()
    for _ in range(200):
        other = np.clip(start + rng.normal(size=start.shape) * 0.1, start.min(axis=0), start.max(axis=0))
        other = start + (other - start) * np.minimum(1, 0.4 / spread.cost(start, other))[:, None]
        assert (((other - start) * slope).sum(axis=1) <= gain + 1e-9).all()


@pytest.mark.parametrize("scores", [True, False])
def test_scores_are_used_where_they_are_told_and_questions_stay_within_the_limit(scores: bool) -> None:
    """With scores or with labels alone, no row costs more questions than allowed, and the calls are counted."""
    frame = mixed(4)

    class Scored(Asked):
        def predict_proba(self, asked: Table) -> np.ndarray:
            chance = np.where(rule(asked) == 1, 0.8, 0.3) + 0.1 * np.nan_to_num(asked.features["score"].to_numpy())
            self.calls += 1
            return np.stack([1 - chance, chance], axis=1)

    subject = Scored(rule, able=Capabilities(scores=scores, retrains=False, perturbable=True))
    table = made(frame, rule(made(frame, np.zeros(len(frame)))))
    spread = layout.lay_out(context(subject, {"test": table}, queries=50))
    assert spread.model.scored is scores
    rows = np.arange(len(spread.answers))
    search = spread.search(rows, spread.given.goal(spread.answers))
    known = attack.Known(spread.given.public_values, *spread.model(spread.given.public_values, np.zeros(400, int)))
    asked = spread.given.oracle.asked
    attack.attack(search, known, np.random.default_rng(0))
    assert search.spent.max() <= 50
    assert search.spent.sum() == spread.given.oracle.asked - asked
    assert 0 < search.fallen.mean() < 1


def test_same_context_gives_the_same_bytes() -> None:
    """The finding is deterministic."""
    given = [truth.build(5, kind="numbers", margin=0.1, rows=200) for _ in range(2)]
    first, second = (check.run(replace(one, options={**one.options, "queries": 40})) for one in given)
    assert canonical(first) == canonical(second)


def test_what_cannot_be_attacked_is_refused_with_its_reason() -> None:
    """A file of predictions, pictures, and tables of which nothing may be changed are not run."""
    frame = mixed(1, 60)
    table = made(frame, rule(made(frame, np.zeros(60))))
    fixed = {name: {"immutable": True} for name in frame}
    still = Asked(rule, able=Capabilities(scores=False, retrains=False, perturbable=False))
    picture = replace(table, kind="image", inputs=np.zeros((60, 1, 4, 4), dtype=np.uint8))
    for subject, test, features, code in (
        (still, table, None, "evasion.subject"),
        (Asked(rule), picture, None, "evasion.inputs"),
        (Asked(rule), table, fixed, "evasion.fixed"),
    ):
        with pytest.raises(UnsupportedError) as caught:
            check.run(context(subject, {"test": test}, features))
        assert caught.value.code == code


@pytest.mark.parametrize("turned", [False, True])
def test_the_validator_knows_numbers_of_a_column_that_is_texts_elsewhere(*, turned: bool) -> None:
    """A cell that stands in any data set is possible, whichever of them is read first; others are not."""
    frame = pd.DataFrame({"code": pd.Series([1, 2, "x"], dtype=object)})
    seen = [
        made(pd.DataFrame({"code": [1, 2, 3]}), np.zeros(3)),
        made(pd.DataFrame({"code": ["x", "y", "z"]}), np.zeros(3)),
    ]
    after = pd.DataFrame({"code": pd.Series([3, 4, "y"], dtype=object)})
    wrong = faults.faults(frame, after, seen[::-1] if turned else seen, {})
    assert wrong["category"].tolist() == [False, True, False]
