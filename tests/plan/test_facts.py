"""Facts and predicates: three-valued, closed, and never quietly true."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fivefold.catalogue.nouns import Condition, Fact
from fivefold.contract.plan import Facts, ModelFact
from fivefold.manifest.nouns import DataSet, Model
from fivefold.plan.facts import decide, explain, read

A, B = "application.acts", "application.learns"


def _is(fact: str) -> Condition:
    return Condition(fact, "eq", value=True)


def test_every_fact_that_a_predicate_may_ask_is_read(manifest) -> None:
    """The closed list of names and what is read agree, both ways."""
    assert set(read(manifest(), None)) == set(get_args(Fact))


@pytest.mark.parametrize(("first", "second"), list(itertools.product([True, False, None], repeat=2)))
def test_unknown_is_neither_true_nor_false(*, first: bool | None, second: bool | None) -> None:
    """Kleene's tables: any-of inside, all-of outside."""
    values = {A: first, B: second}
    either = True if True in (first, second) else None if None in (first, second) else False
    both = False if False in (first, second) else None if None in (first, second) else True
    assert decide(((_is(A), _is(B)),), values) is either
    assert decide(((_is(A),), (_is(B),)), values) is both


def test_an_empty_predicate_holds() -> None:
    """Nothing is asked."""
    assert decide((), {}) is True


CASES = [
    ("eq", 1, 1, True),
    ("eq", True, 1, False),
    ("eq", "1", 1, False),
    ("ne", 1, 2, True),
    ("ne", 1, 1, False),
    ("ge", 2, 2, True),
    ("ge", 1, 2, False),
    ("le", 5, 5, True),
    ("le", 6, 5, False),
    ("in", "a", ("a", "b"), True),
    ("in", "c", ("a", "b"), False),
]


@pytest.mark.parametrize(("operator", "found", "value", "holds"), CASES)
def test_operators(operator, found, value, *, holds: bool) -> None:
    """Each operator by hand; a truth value is no number."""
    assert decide(((Condition("sharing.paths", operator, value),),), {"sharing.paths": found}) is holds


@given(st.booleans(), st.booleans())
def test_learning_a_fact_never_turns_an_answer_round(first: bool, second: bool) -> None:
    """What was decided with a fact unknown stays decided the same way once it is known."""
    predicate = ((_is(A), _is(B)), (_is(A),))
    before = decide(predicate, {A: first, B: None})
    after = decide(predicate, {A: first, B: second})
    assert before is None or before is after


def test_the_explanation_names_predicate_and_fact() -> None:
    """A reader sees what was asked and what was read."""
    predicate = ((Condition("sharing.paths", "ge", 1),),)
    assert explain(predicate, {"sharing.paths": 0}) == "sharing.paths >= 1 (read: 0)"
    assert explain(predicate, {"sharing.paths": None}) == "sharing.paths >= 1 (read: unknown)"


@pytest.mark.parametrize(("output", "acts", "expected"), [("action", "human", True), ("decision", "system", True)])
def test_it_acts(manifest, output, acts, *, expected: bool) -> None:
    """An action, or an output that a system acts on without a person."""
    assert read(manifest(output=output, acts=acts), None)[A] is expected


def test_it_does_not_act(manifest) -> None:
    """A person acts on a recommendation."""
    assert read(manifest(), None)[A] is False


@pytest.mark.parametrize(
    ("fields", "learns"),
    [({}, False), ({"training": "train:fit"}, True), ({"controls": {"C4": {}}}, True)],
)
def test_it_learns(manifest, fields, *, learns: bool) -> None:
    """It can be retrained, or the control for continuous learning is on."""
    assert read(manifest(**fields), None)[B] is learns


def test_what_the_model_is_stays_unknown_until_it_is_probed(manifest) -> None:
    """Scores are known only after probing; a probe that failed says nothing."""
    declared = manifest()
    assert read(declared, None)["model.scores"] is None
    assert read(declared, Facts(model=ModelFact(scores=True, error="it crashed")))["model.scores"] is None
    assert read(declared, Facts(model=ModelFact(scores=True)))["model.scores"] is True
    assert read(declared, Facts(model=ModelFact(scores=False)))["model.scores"] is False


def test_a_file_of_predictions_has_no_gradients(manifest) -> None:
    """The manifest alone decides that."""
    assert read(manifest(model=Model(predictions={"test": "p.csv"})), None)["model.gradients"] is False
    assert read(manifest(), None)["model.gradients"] is None


def test_labels_of_data_sets(manifest) -> None:
    """One data set without a label is enough for the duty to remain."""
    label = {"class": "confidential", "region": "EU", "basis": "contract", "personal": ["age"]}
    data = {"train": DataSet(name="train", path="a", label=label), "test": DataSet(name="test", path="b")}
    values = read(manifest(data=data), None)
    assert values["manifest.labels"] is False
    assert values["data.regions"] == 1
    assert values["data.personal"] is True
