"""P2.extraction against models of which it is known how well they can be copied."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from tests.truth import extraction as truth

from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.contract.subject import Capabilities, Table
from fivefold.errors import UnsupportedError
from fivefold.protection.extraction import check, result, steal, students
from fivefold.protection.extraction.answers import Voice
from fivefold.protection.extraction.steal import Copy

if TYPE_CHECKING:
    from fivefold.contract.finding import Result


def value(found: Result, name: str, where: str = "") -> float | None:
    return next(one.value for one in found.measures if one.name == name and one.where == where)


@pytest.mark.parametrize("kind", ["logistic", "softmax", "linear"])
@pytest.mark.parametrize("seed", [1, 2])
def test_bare_models_are_recovered_with_one_question_an_unknown(kind: str, seed: int) -> None:
    """D + 1 questions (numbers, all but one value of each category, missing indicators) give the whole model."""
    given = truth.build(seed, kind=kind)
    frame = given.tables("test").features
    found = check.run(given)
    unknowns = 0
    for name in frame:
        unknowns += 1 if pd.api.types.is_numeric_dtype(frame[name]) else frame[name].nunique() - 1
        unknowns += int(frame[name].isna().any())
    assert value(found, "questions that recover the model") == unknowns + 1
    assert value(found, "fidelity of the copy") == 1.0
    assert found.outcome is Outcome.FAIL


def test_a_fitted_logistic_regression_of_scikit_learn_is_recovered() -> None:
    """Coefficients solved from d + 1 answers are those of the fitted model (a golden value from outside)."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(500, 6))
    model = LogisticRegression().fit(inputs, inputs @ rng.normal(size=6) + rng.normal(size=500) > 0)
    rows = np.vstack([np.zeros(6), np.eye(6)])
    student = students.solved(rows, model.predict_proba(rows), Voice("scores", 2))
    assert student is not None
    np.testing.assert_allclose(student(inputs), model.predict_proba(inputs), atol=1e-9)


def test_constant_model_is_not_condemned() -> None:
    """There is nothing to steal from a model that always says the same."""
    found = check.run(truth.build(1, kind="constant"))
    assert found.outcome is Outcome.PASS
    assert "nothing left to steal" in found.reason


def test_trivially_predictable_labels_are_not_condemned() -> None:
    """A bare logistic model that nearly always says the same gives a thief next to nothing."""
    assert check.run(truth.build(3, easy=True)).outcome is Outcome.PASS


def test_coarse_answers_and_few_questions_can_pass() -> None:
    """Labels only and forty questions leave the thief below the floor where a bare model fails."""
    bare = truth.build(5, columns=8)
    assert check.run(bare).outcome is Outcome.FAIL
    frame = bare.tables("test")
    told = replace(frame, target=bare.subject.predict(frame))  # type: ignore[union-attr]
    kept = replace(truth.build(5, columns=8, gives=False), tables={"test": told}.__getitem__, options={"budget": 40})
    assert check.run(kept).outcome is not Outcome.FAIL


def test_questions_stay_within_the_budget_of_calls() -> None:
    """At most half of an endpoint's calls are used."""
    given = truth.build(2)
    asked: list[int] = []

    class Counted(truth.Rule):
        @property
        def capabilities(self) -> Capabilities:
            return Capabilities(scores=True, retrains=False, perturbable=True, calls_left=40, max_rows=100)

        def predict_proba(self, table: Table) -> np.ndarray:
            asked.append(len(table))
            return super().predict_proba(table)

    subject = Counted(**vars(given.subject))
    check.run(replace(given, subject=subject))
    assert sum(-(-rows // 100) for rows in asked) <= 20


def test_no_model_for_new_rows_is_not_run() -> None:
    """A file of predictions cannot be stolen from by asking."""

    class File(truth.Rule):
        @property
        def capabilities(self) -> Capabilities:
            return Capabilities(scores=True, retrains=False, perturbable=False)

    given = truth.build(2)
    with pytest.raises(UnsupportedError) as caught:
        check.run(replace(given, subject=File(**vars(given.subject))))
    assert caught.value.code == "extraction.subject"


def test_too_few_rows_are_refused() -> None:
    """Half of the rows are held back, so a handful is not enough."""
    with pytest.raises(UnsupportedError) as caught:
        check.run(truth.build(2, rows=30))
    assert caught.value.code == "extraction.rows"


def test_a_blunt_thief_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary can fail: a thief who cannot learn makes the finding inconclusive."""
    real = steal.copy

    def blunt(prey: steal.Prey, loot: steal.Loot, budget: int, *more: object, **named: object) -> Copy:
        made = real(prey, loot, budget, *more, **named)  # type: ignore[arg-type]
        return replace(made, agreed=np.arange(len(made.agreed)) % 2 == 0)

    monkeypatch.setattr(steal, "copy", blunt)
    found = check.run(truth.build(2))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.canary is not None
    assert not found.canary.noticed


def test_bounds_of_the_gain_cover() -> None:
    """Each one-sided bound of 1 - E1 / E0 holds in about 95 % of samples of correlated errors."""
    rng = np.random.default_rng(7)
    below = above = 0
    for _ in range(2000):
        hard = rng.random(400) < 0.3
        usual = hard | (rng.random(400) < 0.1)
        wrong = hard & (rng.random(400) < 0.5)
        exact = 1 - 0.15 / 0.37
        _, low, high = result.gain(Copy("a", ~wrong, 0.0, 1), Copy("b", ~usual, 0.0, 0))
        below += low is not None and low > exact
        above += high is not None and high < exact
    assert below / 2000 < 0.065
    assert above / 2000 < 0.065


def test_same_context_gives_the_same_bytes() -> None:
    """The finding is deterministic."""
    first, second = (check.run(truth.build(4, kind="stump", lawless=0.2)) for _ in range(2))
    assert canonical(first) == canonical(second)
