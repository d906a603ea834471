"""E4 by deleting and inserting, by asking again, by another method: figures that are known, and what must stay open."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import pytest
from tests.truth import explanation_agreement, explanation_fidelity, explanation_stability

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import Capabilities, SettingsView, Table
from fivefold.explanation import asking, known
from fivefold.explanation.explainer import Question
from fivefold.explanation.measured import agreement, curves, ends, neighbours, stability

from .test_kinds import Asked, chance, given

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context
    from fivefold.explanation.asking import Ask

CHECKS = ("E4.fidelity", "E4.stability", "E4.agreement")
BUILD: dict[str, Callable[..., Context]] = {
    "E4.fidelity": explanation_fidelity.build,
    "E4.stability": explanation_stability.build,
    "E4.agreement": explanation_agreement.build,
}


def question(players: int, *, additive: bool, rows: int = 6) -> tuple[Question, known.Known]:
    """Return a known function of ranks, and what an explainer is told of it."""
    rng = np.random.default_rng(players)
    codes = rng.random((rows + 40, players))
    g = known.draw(codes, rng)
    if additive:
        g = replace(g, pairs=g.pairs[:0], strength=g.strength[:0])
    column = np.zeros(rows, dtype=np.int64)
    scores = g(asking.pure(np.arange(len(codes)), players))
    return Question(cast("Ask", g), rows, codes, column, 24, 500, scores), g


def numbers(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({f"c{at}": column for at, column in enumerate(values.T)})


@pytest.mark.parametrize("players", [3, 4, 11, 12, 25, 300])
def test_steps_are_as_many_from_either_end(players: int) -> None:
    """With k columns there is P - k, from one to all but one, so an order and its reverse gain the opposite."""
    sizes = curves.sizes(players)
    assert sorted((players - sizes).tolist()) == sizes.tolist()
    assert (sizes[0], sizes[-1]) == (1, players - 1)
    assert len(sizes) <= 10


@pytest.mark.parametrize("additive", [True, False])
def test_no_order_gains_more_than_the_true_one_of_a_sum_and_reverses_gain_the_opposite(additive: bool) -> None:
    """All orders of five columns, over the same rows: mean 0 whatever the function, and of a sum the true one first."""
    asked, g = question(5, additive=additive)
    base = np.tile(np.arange(40), (6, 1))
    gains = {
        turn: curves.gain(curves.walk(asked, np.tile(turn, (6, 1)), base)) for turn in permutations(range(5))
    }  # fmt: skip
    np.testing.assert_allclose(np.mean(list(gains.values()), axis=0), 0, atol=1e-12)
    for turn, gain in gains.items():
        np.testing.assert_allclose(gain, -gains[tuple(4 - at for at in turn)], atol=1e-12)
    if additive:
        true = curves.gain(curves.walk(asked, curves.order(g.exact(6), np.random.default_rng(0)), base))
        np.testing.assert_allclose(true, np.max(list(gains.values()), axis=0), atol=1e-12)


def test_single_cells_give_the_shapley_values_of_a_function_of_pairs() -> None:
    """Over the whole background the mean of first and last turn is exact; no question is larger than allowed."""
    asked, g = question(7, additive=False)
    assert len(g.pairs)
    seen: list[int] = []

    def ask(cells: np.ndarray) -> np.ndarray:
        seen.append(len(cells))
        return g(cells)

    base = ends.drawn(asked, 40, np.random.default_rng(1))
    assert (np.sort(base, axis=1) == np.arange(40)).all()
    credit = ends.credit(replace(asked, ask=ask, batch=30), base)
    np.testing.assert_allclose(credit.mean(axis=1), g.exact(6), atol=1e-12)
    assert max(seen) <= 30
    assert sum(seen) == 6 * ends.cost(7, 40)


def test_a_share_is_one_of_itself_and_unknown_of_nothing() -> None:
    """Half of each gain is half; gains that are not told from 0 are nothing to hold others against."""
    gains = np.random.default_rng(2).uniform(0.5, 1, 20)
    assert curves.share(gains, gains).value == pytest.approx(1)
    half = curves.share(gains / 2, gains)
    assert (half.value, half.low, half.high) == pytest.approx((0.5, 0.5, 0.5))
    assert curves.share(gains, np.zeros(20)).value is None
    assert curves.share(gains, gains - gains.mean()).value is None


def test_neighbours_are_near_and_the_model_does_not_tell_them_apart() -> None:
    """Of two columns in use and two that are not only what moves no answer is changed; a steep column is left alone."""
    rng = np.random.default_rng(3)
    codes = (np.argsort(np.argsort(rng.random((300, 4)), axis=0), axis=0) + 0.5) / 300

    def ask(cells: np.ndarray) -> np.ndarray:
        own = codes[cells, np.arange(4)]
        return ((own[:, 0] > 0.5) + np.sin(300 * own[:, 1]))[:, None]

    asked = Question(ask, 30, codes, np.zeros(30, dtype=np.int64), 24, 1000)
    near = neighbours.find(asked, rng)
    assert len(near.rows) >= 25
    own = codes[near.rows]
    cells = codes[near.cells, np.arange(4)]
    away = np.abs(cells - own)
    changed = (away > 0).sum(axis=1)
    assert (changed == near.changed).all()
    assert ((away.max(axis=1) <= neighbours.REACH) | (changed == 1)).all()
    assert ((cells[:, 0] > 0.5) == (own[:, 0] > 0.5)).all()
    assert np.abs(np.sin(300 * cells[:, 1]) - np.sin(300 * own[:, 1])).max() < 0.3

    def jumps(cells: np.ndarray) -> np.ndarray:
        return np.asarray(np.sin(9999 * codes[cells, np.arange(4)]).sum(axis=1)[:, None])

    assert len(neighbours.find(replace(asked, ask=jumps), rng).rows) < 10


def test_credit_that_is_there_again_is_the_share_that_is_no_error() -> None:
    """An error of 30 % of the square leaves 1 / 1.3; what asking again costs is not counted against a neighbour."""
    rng = np.random.default_rng(4)
    true = rng.normal(size=(4000, 6))
    one, two, three = (true + np.sqrt(0.3) * rng.normal(size=true.shape) for _ in range(3))
    again = stability.kept(one, two)
    assert again.value == pytest.approx(1 / 1.3, abs=0.01)
    assert cast("float", again.low) < 1 / 1.3 < cast("float", again.high)
    assert stability.kept(one, two, three).value == pytest.approx(1, abs=0.01)
    assert stability.kept(true, true, one).value == pytest.approx(1 - 0.3 / 2.3, abs=0.01)
    assert stability.kept(one[:5], two[:5]).value is None
    assert stability.kept(0 * one, 0 * two).value is None


def test_agreement_is_over_what_weighs_and_counts_signs() -> None:
    """The same order is 1, turned signs are -1, and columns below a fiftieth of the largest have no order."""
    rng = np.random.default_rng(5)
    credit = np.zeros((40, 9))
    credit[:, :5] = rng.permuted(np.tile([-3.0, -1.0, 1.0, 2.0, 4.0], (40, 1)), axis=1)
    assert agreement.top(credit, credit) == pytest.approx(1)
    assert agreement.top(-credit, credit) == pytest.approx(-1)
    assert agreement.top(credit + rng.uniform(-0.04, 0.04, credit.shape), credit) == pytest.approx(1)
    assert len(agreement.top(credit, 0 * credit)) == 0


def test_credit_given_to_a_copy_is_no_disagreement_but_is_reported() -> None:
    """Of two columns that tell the same either may get the credit; column by column the figure is far lower."""
    result = resolve("E4.agreement")(explanation_agreement.copied(7, honest=False))
    assert result.outcome is Outcome.PASS, result.reason
    assert "Taken together" in result.reason
    value = {measure.name: measure.value for measure in result.measures}
    assert cast("float", value["the same, column by column"]) < 0.3


@pytest.mark.parametrize("check", CHECKS)
def test_a_declared_explainer_that_was_not_run_passes_nothing(check: str) -> None:
    """What people are told comes from the declared one, which stands beside nothing here."""
    context = BUILD[check](1)
    declared = replace(context, settings=SettingsView(controls={"E2": {"explainer": "theirs:explain"}}))
    assert resolve(check)(context).outcome is Outcome.PASS
    assert resolve(check)(declared).outcome is Outcome.INCONCLUSIVE


BLIND: dict[str, tuple[object, str, Callable[..., object]]] = {
    "E4.fidelity": (curves, "order", lambda credit, rng: np.argsort(rng.random(credit.shape), axis=1)),
    "E4.stability": (stability, "kept", lambda one, *_rest, **_more: stability.Kept(1.0, 1.0, 1.0, len(one))),
    "E4.agreement": (agreement, "top", lambda one, _other: np.ones(len(one))),
}


@pytest.mark.parametrize("check", CHECKS)
def test_a_measurement_that_sees_no_difference_is_not_believed(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary stands behind the same path: where it goes unnoticed an honest explainer does not pass either."""
    monkeypatch.setattr(*BLIND[check])  # type: ignore[arg-type]
    result = resolve(check)(BUILD[check](2))
    assert result.outcome is Outcome.INCONCLUSIVE, result.reason
    assert result.canary is not None
    assert not result.canary.noticed


def test_columns_that_all_tell_the_same_have_no_order() -> None:
    """Four copies of one column are one group: nothing to compare, and that is said."""
    rng = np.random.default_rng(6)
    base = rng.normal(size=300)
    frame = numbers(base[:, None] + 0.01 * rng.normal(size=(300, 4)))

    def answer(asked: Table) -> np.ndarray:
        return chance(asked.features.to_numpy(dtype=float).sum(axis=1))

    rows = Table("test", np.arange(300), frame, (base > 0).astype(np.int64), pd.DataFrame(index=frame.index))
    result = resolve("E4.agreement")(given("E4.agreement", Asked(answer), {"test": rows}))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "no order to compare" in result.reason


@pytest.mark.parametrize("small", [True, False])
def test_where_no_row_has_a_neighbour_it_counts_whether_there_could_be_one(
    small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers whose every step is noticed stay open; six flags have no small changes, and equal rows decide."""
    monkeypatch.setattr(neighbours, "ALIKE", 0.0)
    rng = np.random.default_rng(8)
    frame = numbers(rng.random((400, 6)) if small else rng.integers(0, 2, (400, 6)).astype(float))

    def answer(asked: Table) -> np.ndarray:
        cells = asked.features.to_numpy(dtype=float)
        return chance((cells - 0.5) @ np.array([1.0, -1.1, 1.2, -0.9, 1.3, 0.8]))

    rows = Table("test", np.arange(400), frame, rng.integers(0, 2, 400), pd.DataFrame(index=frame.index))
    result = resolve("E4.stability")(given("E4.stability", Asked(answer), {"test": rows}))
    assert result.outcome is (Outcome.INCONCLUSIVE if small else Outcome.PASS), result.reason
    assert result.measures[0].outcome is Outcome.PASS
    assert result.measures[1].value is None or not small
    assert ("small changes there are none" in result.reason) is not small


def test_too_few_questions_are_no_fault_of_the_explainer() -> None:
    """Where calls are few the walks are cut, and an error of that size fails nobody."""
    context = explanation_stability.by_call(3)
    able = Capabilities(scores=True, retrains=False, perturbable=True, max_rows=50, calls_left=400)
    made = cast("explanation_stability.fidelity.Scored", context.subject)
    few = Asked(made.predict_proba, able=able)
    result = resolve("E4.stability")(replace(context, subject=cast("Asked", few)))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "Too few questions" in result.reason
