"""Parts of the room: known functions, who plays, destroyed models, importance, declared rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.stats.test_shapley import by_definition
from tests.truth.subjects import table

from fivefold.errors import InputError
from fivefold.explanation import asking, known, players
from fivefold.explanation.measured import destroyed
from fivefold.explanation.permutation import importance, rules


def test_known_functions_have_the_attributions_of_the_definition() -> None:
    """What the canaries call exact is the sum over all coalitions, products included."""
    rng = np.random.default_rng(1)
    codes = rng.random((30, 5))
    function = known.draw(codes, rng)
    assert len(function.pairs)
    exact = function.exact(4)
    background = asking.pure(np.arange(4, 30), 5)
    for row in range(4):
        cells = np.full(5, row)
        truth = by_definition(lambda mixed: function(mixed.astype(np.int64))[:, 0], cells, background)
        np.testing.assert_allclose(exact[row], truth, atol=1e-12)


def test_columns_of_a_one_hot_code_are_one_player() -> None:
    """Three 0/1 columns of which one is set make one player; a lone flag stays alone."""
    rng = np.random.default_rng(2)
    town = rng.integers(0, 3, 50)
    frame = pd.DataFrame({"age": rng.normal(size=50), **{f"town_{k}": (town == k) * 1 for k in range(3)}})
    frame["flag"] = rng.integers(0, 2, 50)
    made = players.of(table("test", frame, np.zeros(50, dtype=np.int64)))
    assert made.of.tolist() == [0, 1, 1, 1, 2]
    assert made.names == ("age", "town_0 + town_1 + town_2", "flag")
    assert made.notes


def test_too_many_columns_are_joined_by_what_goes_together() -> None:
    """Copies of two columns come out as two players; a column that is judged stays alone."""
    rng = np.random.default_rng(3)
    base = rng.normal(size=(60, 2))
    frame = pd.DataFrame({f"c{j}": base[:, j % 2] + 0.01 * rng.normal(size=60) for j in range(6)})
    rows = table("test", frame, np.zeros(60, dtype=np.int64))
    joined = players.of(rows, 2)
    assert joined.of.tolist() == [0, 1, 0, 1, 0, 1]
    kept = players.of(rows, 3, alone=("c4",))
    assert (kept.of == kept.of[4]).sum() == 1


def test_columns_that_never_vary_do_not_swallow_the_others() -> None:
    """Forty constant columns are one player; eight that vary, and have nothing in common, stay by themselves."""
    rng = np.random.default_rng(7)
    varied = {f"c{j}": rng.normal(size=200) for j in range(8)}
    rows = table("test", pd.DataFrame(varied | {f"k{j}": np.full(200, 7.0) for j in range(40)}), np.zeros(200))
    joined = players.of(rows, 9)
    assert len(joined) == 9
    assert len(set(joined.of[:8].tolist())) == 8
    assert len(set(joined.of[8:].tolist())) == 1
    assert len(players.of(rows, 4)) == 4


def test_a_destroyed_model_sees_cells_that_occur_and_no_column_keeps_its_part() -> None:
    """The answers stay those of rows that could be, and an explanation of the model no longer fits."""
    rng = np.random.default_rng(4)
    codes = (np.argsort(np.argsort(rng.random((40, 4)), axis=0), axis=0) + 0.5) / 40
    seen: list[np.ndarray] = []

    def ask(cells: np.ndarray) -> np.ndarray:
        seen.append(cells)
        return cells[:, :1].astype(float)

    broken = destroyed.destroy(ask, codes, rng)
    assert not (broken.role == np.arange(4)).any()
    assert sorted(broken.role.tolist()) == [0, 1, 2, 3]
    broken(asking.pure(np.arange(40), 4))
    assert seen[0].min() >= 0
    assert seen[0].max() < 40


def test_importance_is_that_of_a_known_function() -> None:
    """Labels fixed by a sign: dealing the column out anew turns the share of rows that the halves predict."""
    rng = np.random.default_rng(5)
    n = 2000
    codes = rng.random((n, 2))
    target = (codes[:, 0] > 0.5).astype(np.int64)

    def ask(cells: np.ndarray) -> np.ndarray:
        one = (codes[cells[:, 0], 0] > 0.5).astype(float)
        return np.column_stack([1 - one, one])

    scores = ask(asking.pure(np.arange(n), 2))
    whole, _, size = importance.whole(scores, target, rng)
    effects, _ = importance.single(
        ask, scores, target, codes, [(0,), (1,)], repeats=5, batch=10_000, rng=np.random.default_rng(6)
    )
    assert effects[0].value == pytest.approx(0.5, abs=0.03)
    low, high = effects[0].bounds()
    assert low <= 0.5 <= high
    assert effects[1].value == 0.0
    share, low, high = importance.shared(effects[0], whole, size)
    assert share == pytest.approx(1.0, abs=0.05)
    assert low <= 1.0
    assert importance.shared(effects[1], whole, size)[2] < 0.01


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"max_importance": ["age"]}, "explanation.share"),
        ({"max_importance": ["age: 2"]}, "explanation.share"),
        ({"max_importance": [": 0.2"]}, "explanation.share"),
        ({"max_importance": ["age: much"]}, "explanation.share"),
        ({"may_not_use": ["wage"]}, "explanation.column"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(options: dict[str, object], code: str) -> None:
    """A share is a number from 0 to 1, a column one of the data."""
    rows = table("test", pd.DataFrame({"age": [1.0, 2.0]}), np.zeros(2, dtype=np.int64))
    with pytest.raises(InputError) as caught:
        rules.read(options, 0.01, rows)
    assert caught.value.code == code
    assert caught.value.remedy


def test_a_forbidden_column_stands_first_and_wins_over_a_share() -> None:
    """Both said of one column: it may not be used; one that the model does not see is kept and said so."""
    rows = table("test", pd.DataFrame({"age": [1.0, 2.0], "sex": ["f", "m"]}), np.zeros(2, dtype=np.int64))
    made = rules.read({"max_importance": ["age: 0.2", "sex: 0.5"], "may_not_use": ["sex"]}, 0.01, rows)
    assert [(rule.column, rule.limit, rule.forbidden) for rule in made] == [("sex", 0.01, True), ("age", 0.2, False)]


def test_patches_and_windows_are_fewer_where_questions_are() -> None:
    """A limit holds for arrays as for columns, and every value belongs to a part."""
    frame = pd.DataFrame(index=pd.RangeIndex(3))
    for kind, inputs in (
        ("image", np.zeros((3, 1, 9, 9))),
        ("series", np.zeros((3, 2, 40))),
        ("audio", np.zeros((3, 5))),
    ):
        made = replace(table("test", frame, np.zeros(3, dtype=np.int64)), inputs=inputs, kind=kind)
        for most in (1, 2, 3, 6, 7, 50):
            found = players.of(made, most)
            assert len(found) <= most
            assert np.unique(found.of).tolist() == list(range(len(found)))
        assert len(players.of(made)) == {"image": 16, "series": 12, "audio": 5}[kind]
