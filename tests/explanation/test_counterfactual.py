"""E2.counterfactual: few and small changes, all possible, all asked afresh; what cannot be told is not told."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.explanation.test_kinds import Asked, chance, hard
from tests.truth import explanation_counterfactual as truth
from tests.truth.floors import floors
from tests.truth.subjects import context, filler, table

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import Capabilities, SettingsView, Table
from fivefold.errors import InputError, UnsupportedError
from fivefold.explanation.counterfactual.of_rows import counterfactuals
from fivefold.explanation.counterfactual.price import possible
from fivefold.explanation.counterfactual.question import Given, Purse
from fivefold.subject.possible import rules
from fivefold.subject.possible.faults import faults
from fivefold.subject.rows import bare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.contract.check import Context

CHECK = truth.CHECK


def run(subject: Asked, tables: dict[str, Table], settings: SettingsView | None = None, **options: object) -> Context:
    return context(
        CHECK, subject, tables, 3, thresholds=floors(CHECK), settings=settings or SettingsView(), options=options,
        effort="quick",
    )  # type: ignore[arg-type]  # fmt: skip


def lattice(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "years": rng.integers(0, 7, n),
            "debts": rng.integers(0, 7, n),
            "age": rng.integers(0, 7, n),
            "town": np.array(["north", "south", "east"], dtype=object)[rng.integers(0, 3, n)],
        }
    )


def weighed(frame: pd.DataFrame) -> np.ndarray:
    return np.asarray(
        frame["years"] - 1.5 * frame["debts"] + 0.5 * frame["age"] + 2.0 * (frame["town"].astype(object) == "north")
    )


RULES: dict[str, dict[str, object]] = {
    "years": {"changes": "up"}, "age": {"immutable": True}, "debts": {"cost": 2.0, "range": (1, 9)},
}  # fmt: skip


@pytest.mark.parametrize("kind", ["scores", "labels", "values"])
def test_the_cheapest_change_is_that_of_trying_every_possible_row(kind: str) -> None:
    """Over a small set of possible rows the first change is the best there is for most, and never much dearer."""
    frame = lattice()
    says: dict[str, Callable[[pd.DataFrame], np.ndarray]] = {
        "scores": lambda asked: chance(weighed(asked) - 3.5),
        "labels": lambda asked: (weighed(asked) > 3.5).astype(np.int64),
        "values": weighed,
    }
    rows = frame[weighed(frame) <= 3.5].iloc[:30].reset_index(drop=True)
    goal = {"at_least": 3.75} if kind == "values" else {"wanted": (1,)}
    made = counterfactuals(says[kind], rows, frame, features=RULES, **goal)  # type: ignore[arg-type]
    domain = possible([bare(rows, ()), bare(frame, ())], RULES, {})
    ratio = []
    for at, found in enumerate(made):
        row = rows.iloc[[at]]
        every = pd.DataFrame(
            list(product(range(7), range(7), [int(row["age"].iloc[0])], ["north", "south", "east"])),
            columns=list(frame.columns),
        )
        start, after = domain.space.encode(bare(row, ())), domain.space.encode(bare(every, ()))
        prices = domain.prices(np.repeat(start, len(after), axis=0), after)
        effort = prices.sum(axis=1) + (prices > 0).sum(axis=1)
        years, debts = int(row["years"].iloc[0]), int(row["debts"].iloc[0])
        may = (every["years"] >= years) & ((every["debts"] >= 1) | (every["debts"] == debts))
        effort[~may.to_numpy() | (weighed(every) <= 3.5)] = np.inf
        assert bool(found) == bool(np.isfinite(effort).any())
        if found:
            ratio.append((found[0].cost + len(found[0].changes)) / effort.min())
    assert len(ratio) > 15
    assert min(ratio) > 1 - 1e-9
    assert np.mean(np.array(ratio) < 1 + 1e-9) >= 0.8, ratio
    assert max(ratio) < 1.6


@pytest.mark.parametrize("kind", ["scores", "labels", "values"])
def test_every_change_is_possible_and_several_differ_in_their_fields(kind: str) -> None:
    """Texts, dates, truth values, nullable and missing cells: the validator finds nothing, and the answers hold."""
    subject, tables = hard(250)
    frame, said = tables["test"].features, ["amount <= 40 * count + 300"]
    features: dict[str, Mapping[str, object]] = {
        "town": {"immutable": True}, "amount": {"range": (20, 170)}, "score": {"changes": "down"},
        "count": {"cost": 3.0},
    }  # fmt: skip

    def model(asked: pd.DataFrame) -> np.ndarray:
        scores = subject.answer(table("asked", asked, np.zeros(len(asked), dtype=np.int64)))
        return {"scores": scores, "labels": scores.argmax(axis=1), "values": scores[:, 1]}[kind]

    rows = frame.iloc[:40]
    made = counterfactuals(model, rows, frame, features=features, rules=said)
    assert np.mean([len(found) > 0 for found in made]) > 0.8
    assert max(len(found) for found in made) == 3
    after, before = [], []
    for at, found in enumerate(made):
        sets = [frozenset(change.field for change in one.changes) for one in found]
        assert not any(one <= other for place, one in enumerate(sets) for other in sets[place + 1 :])
        for one in found:
            row = rows.iloc[[at]].copy()
            for change in one.changes:
                row[change.field] = pd.Series([change.instead], index=row.index).astype(frame[change.field].dtype)
            after.append(row)
            before.append(rows.iloc[[at]])
    told = model(pd.concat(after, ignore_index=True))
    expected = [one.answer for found in made for one in found]
    if kind == "values":
        return
    answers = told.argmax(axis=1) if told.ndim == 2 else told
    assert answers.tolist() == expected
    wrong = faults(
        pd.concat(before, ignore_index=True), pd.concat(after, ignore_index=True), [tables["test"]], features,
        rules=rules.read(said, list(frame)),
    )  # fmt: skip
    assert {what for what, bad in wrong.items() if bad.any()} == set()


def test_three_hundred_columns_and_the_one_that_decides() -> None:
    """Of a wide table the deciding column alone is changed, by labels only, in a bounded number of questions."""
    frame = filler(np.random.default_rng(1), 250, 299)
    frame["wage"] = np.random.default_rng(2).integers(10, 100, 250)
    asked = [0]

    def model(part: pd.DataFrame) -> np.ndarray:
        asked[0] += len(part)
        return np.asarray(part["wage"] >= 60).astype(np.int64)

    rows = frame[frame["wage"] < 60].iloc[:4]
    made = counterfactuals(model, rows, frame, wanted=(1,), questions=600)
    first = [[(change.field, change.instead) for change in found[0].changes] for found in made]
    assert first == [[("wage", 60)]] * 4
    assert asked[0] <= 4 * 600 + 250 + 3 * 12


@pytest.mark.parametrize("said", ["positive", "constant", "fixed"])
def test_where_nothing_can_flip_the_reason_is_told(said: str) -> None:
    """Everybody has the favourable answer, the model never changes its answer, nothing may be changed."""
    subject, tables = hard(120)
    settings = SettingsView(positive=1)
    if said == "fixed":
        settings = SettingsView(features={name: {"immutable": True} for name in tables["test"].features})
        with pytest.raises(UnsupportedError) as caught:
            resolve(CHECK)(run(subject, tables, settings))
        assert caught.value.code == "explanation.fixed"
        return
    yes = 0.7 if said == "positive" else 0.3
    subject.answer = lambda asked: np.tile([1 - yes, yes], (len(asked), 1))
    result = resolve(CHECK)(run(subject, tables, settings))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "every row the same answer" in result.reason
    assert result.canary is not None
    assert result.canary.noticed


def odd(kind: str) -> tuple[pd.DataFrame, Callable[[pd.DataFrame], np.ndarray]]:
    rng, n = np.random.default_rng(0), 300
    texts = {name: np.array(list("abcdef"), dtype=object)[rng.integers(0, 6, n)] for name in "pqr"}
    if kind == "bytes":
        frame = pd.DataFrame({name: rng.integers(0, 256, n).astype(np.uint8) for name in "ab"})
        return frame, lambda asked: (asked["a"].astype(float) - asked["b"].astype(float) - 60).to_numpy() / 30
    if kind == "dates":
        days = pd.to_timedelta(rng.integers(0, 40000, n), unit="D")
        frame = pd.DataFrame({"since": pd.Timestamp("1950-01-01") + days})
        return frame, lambda asked: (asked["since"].dt.year.to_numpy() - 2010) / 5.0
    if kind == "texts":
        return pd.DataFrame(texts), lambda asked: np.asarray(2.0 * (asked["p"] == "a") + (asked["q"] == "b") - 0.5)
    if kind == "one-hot":
        frame = pd.get_dummies(texts["p"], prefix="job").astype(int).assign(x=rng.normal(size=n))
        return frame, lambda asked: asked["job_a"].to_numpy() * 4.0 + asked["x"].to_numpy() - 2.0
    frame = pd.DataFrame({"x": np.where(rng.random(n) < 0.05, np.inf, rng.normal(size=n)), "y": rng.normal(size=n)})
    return frame, lambda asked: np.clip(asked["x"].to_numpy(), -3, 3) + asked["y"].to_numpy()


@pytest.mark.parametrize("kind", ["bytes", "dates", "texts", "one-hot", "infinite"])
def test_tables_of_one_kind_are_explained_and_the_canary_is_told(kind: str) -> None:
    """Small integers, dates or texts alone, one-hot groups, infinite cells: found, possible, and no warning."""
    frame, score = odd(kind)
    made = table("test", frame, np.zeros(len(frame), dtype=np.int64))
    subject = Asked(lambda asked: chance(score(asked.features)))
    result = resolve(CHECK)(run(subject, {"test": made}, SettingsView(positive=1)))
    assert result.outcome is Outcome.PASS, result.reason
    assert result.canary is not None
    assert result.canary.noticed, result.canary


def test_a_handful_of_rows_is_too_few_to_tell() -> None:
    """All counterfactuals of twenty rows hold, and that is not enough for a pass; the finding says how many are."""
    subject, tables = hard(400)
    result = resolve(CHECK)(run(subject, {"test": tables["test"].take(np.arange(30))}))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "59 are needed" in result.reason


def test_one_counterfactual_that_does_not_hold_is_no_pass() -> None:
    """A maker whose single slip lies above the floor gets no pass."""
    given = truth.build(4, kind="labels", columns=(8, 9))

    def slip(question: truth.Question, rng: np.random.Generator) -> Given:
        made = truth.ours(question, rng)
        frame = made.rows.features.copy()
        frame.iloc[:1] = question.rows.features.iloc[made.origin[:1]].to_numpy()
        return Given(made.rows.with_features(frame.astype(made.rows.features.dtypes)), made.origin)

    honest, slipped = (resolve(CHECK)(replace(given, uses=uses)) for uses in ({}, {truth.KEY: slip}))
    assert honest.outcome is Outcome.PASS, honest.reason
    assert slipped.outcome is Outcome.INCONCLUSIVE, slipped.reason
    assert (slipped.measures[0].value or 0.0) > 0.95


def test_what_the_model_can_be_asked_is_never_exceeded() -> None:
    """Rows and calls are both bounded; a question that the purse does not cover is not asked."""
    purse = Purse(100, calls=2, batch=30)
    assert purse.can(60)
    assert not purse.can(61)
    purse.pay(31)
    assert not purse.can(1)
    assert purse.asked == 31


def test_favourable_class_and_labels_only_are_kept() -> None:
    """With a positive class only rows without it are explained; a model of labels only is asked for labels alone."""
    subject, tables = hard(300)
    subject.able = Capabilities(scores=False, retrains=False, perturbable=True)
    result = resolve(CHECK)(run(subject, tables, SettingsView(positive=1)))
    assert result.outcome is Outcome.PASS, result.reason
    names = {one.name: one for one in result.measures}
    unfavoured = int((subject.answer(tables["test"]).argmax(axis=1) == 0).sum())
    assert names["rows with a counterfactual"].n == min(unfavoured, 100)
    assert (names["cost of the cheapest, of that of the cheapest known row"].value or 9.0) < 0.7


def test_columns_that_differ_are_refused() -> None:
    """Rows that are stored otherwise than the background are refused with the way out."""
    frame = lattice(50)
    with pytest.raises(InputError) as caught:
        counterfactuals(weighed, frame.iloc[:2].drop(columns="age"), frame)
    assert caught.value.code == "explanation.rows"
