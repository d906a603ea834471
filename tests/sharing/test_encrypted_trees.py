"""S4, trees: encrypted answers are those in the clear on every row, at edges too; what does not fit is refused."""

from __future__ import annotations

import itertools
import json
import os
import signal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.truth import ciphertext as subjects

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import InputError, UnsupportedError
from fivefold.sharing.ciphertext import client, engine, fitted, found, scorer, server, settings, trees, worst

pytest.importorskip("tenseal")

COLUMNS: dict[str, Any] = {
    "age": {"edges": [0, 18, 40, 65, 120]},
    "pay": {"edges": [0, 10, 1000]},
    "place": {"values": ["n", "s", "w"]},
}
DEEP = {
    "column": "age", "below": 40, "yes": {
        "column": "place", "among": ["n", "w"], "otherwise": "yes", "no": -1.5, "yes": {
            "column": "pay", "below": 10, "yes": 0.25, "no": {"column": "age", "below": 18, "yes": 3.0, "no": 0.5},
        },
    },
    "no": {"column": "pay", "below": 10, "otherwise": "yes", "yes": 2.0, "no": {
        "column": "age", "below": 65, "yes": 0.0, "no": {"column": "place", "among": ["s"], "yes": -3.0, "no": 1.0}}},
}  # fmt: skip
STUMP = {"column": "pay", "below": 10, "yes": -0.5, "no": 0.5}


def _told(*grown: Any, kind: str = "trees", **more: Any) -> dict[str, Any]:
    return {"version": 1, "kind": kind, "columns": COLUMNS, "weights": [0.125], "trees": list(grown), **more}


def _read(told: dict[str, Any]) -> scorer.Scorer:
    return scorer.read(json.dumps(told).encode())


def _walked(node: Any, row: dict[str, Any]) -> float:
    """Return what a tree says of a row, step by step: no cells, no products."""
    while isinstance(node, dict):
        value, edges = row[node["column"]], COLUMNS[node["column"]].get("edges")
        if edges:
            inside = isinstance(value, float) and edges[0] <= value <= edges[-1]
            yes = value < node["below"] if inside else node.get("otherwise") == "yes"
        else:
            known = value in COLUMNS[node["column"]]["values"]
            yes = value in node["among"] if known else node.get("otherwise") == "yes"
        node = node["yes"] if yes else node["no"]
    return float(node)


def _every_row() -> list[dict[str, Any]]:
    """Rows at, just below and far beyond each edge, missing and unknown ones among them, in every combination."""
    ages = [float(np.nextafter(edge, side)) for edge in (0, 18, 40, 65, 120) for side in (-np.inf, edge, np.inf)]
    pays = [0.0, float(np.nextafter(10, 0)), 10.0, 5000.0, np.nan]
    return [
        {"age": age, "pay": pay, "place": place}
        for age, pay, place in itertools.product([*ages, np.nan], pays, ["n", "s", "w", "x"])
    ]


def test_there_is_no_zone_in_which_a_split_is_soft() -> None:
    """Every row at an edge, one float below and above it: encrypted and in the clear, it is the tree's own answer."""
    rows = _every_row()
    made = _read(_told(DEEP, STUMP, 0.5))
    wanted = np.array([0.625 + _walked(DEEP, row) + _walked(STUMP, row) for row in rows])
    x = scorer.encoded(made.columns, pd.DataFrame(rows))
    assert np.allclose(scorer.scores(made, x), wanted, atol=1e-12, rtol=0)
    owner = client.Owner(server.Service(made).answer)
    off = np.abs(owner.scores_exact(x) - wanted)
    assert off.max() <= settings.bound(owner.described.settings, made) <= 5e-5


_cells = st.sampled_from([("age", 18), ("age", 40), ("age", 65), ("pay", 10), ("place", ("n",)), ("place", ("s", "w"))])
_values = st.sampled_from([-2.0, -0.5, 0.0, 0.25, 1.0])


def _split(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def made(parts: tuple[tuple[str, Any], str, Any, Any]) -> dict[str, Any]:
        (column, at), otherwise, yes, no = parts
        told = {"column": column, "otherwise": otherwise, "yes": yes, "no": no}
        return told | ({"among": list(at)} if isinstance(at, tuple) else {"below": at})

    return st.tuples(_cells, st.sampled_from(["yes", "no"]), children, children).map(made)


@given(st.lists(st.recursive(_values, _split, max_leaves=12), min_size=1, max_size=4))
@hypothesis_settings(max_examples=60, deadline=None)
def test_products_of_cells_are_the_trees(grown: list[Any]) -> None:
    """Any trees, columns split again and again, paths that nobody can take: the terms say what the splits say."""
    made = _read(_told({"column": "age", "below": 40, "yes": 0.5, "no": 0.25}, *grown))
    rows = _every_row()
    x = scorer.encoded(made.columns, pd.DataFrame(rows))
    first = np.array([0.625 if 0 <= row["age"] < 40 else 0.375 for row in rows])
    wanted = first + np.array([sum(_walked(one, row) for one in grown) for row in rows])
    assert np.allclose(scorer.scores(made, x), wanted, atol=1e-12, rtol=0)
    assert np.abs(scorer.scores(made, x)).max() <= scorer.reach(made) + 1e-12
    assert scorer.read(scorer.write(made)) == made


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_worst_row_found_is_within_the_bound(seed: int) -> None:
    """Searched over the leaves of drawn trees, with fresh noise."""
    rng = np.random.default_rng(seed)

    def grow(depth: int) -> Any:
        if depth == 0 or rng.random() < 0.15:
            return float(rng.normal())
        column = str(rng.choice(["age", "pay", "place"]))
        below = {"age": [18, 40, 65], "pay": [10]}
        at: Any = {"below": int(rng.choice(below[column]))} if column in below else {"among": ["s"]}
        return {"column": column, "yes": grow(depth - 1), "no": grow(depth - 1), **at}

    made = _read(_told(*({"column": "age", "below": 40, "yes": grow(3), "no": grow(3)} for _ in range(3))))
    chosen = settings.pick(made)
    found = worst.search(made, worst.asking(made, chosen), chosen.slots, 2, rng)
    assert 0 < found.error <= settings.bound(chosen, made)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trees": [{"column": "age", "below": 41, "yes": 1, "no": 0}]}, "one of its edges"),
        ({"trees": [{"column": "age", "among": ["n"], "yes": 1, "no": 0}]}, "one of its edges"),
        ({"trees": [{"column": "place", "among": ["z"], "yes": 1, "no": 0}]}, "some of its values"),
        ({"trees": [{"column": "gone", "below": 41, "yes": 1, "no": 0}]}, "no column"),
        ({"columns": {"age": {"bounds": [0, 9]}}, "trees": [{"column": "age", "below": 3, "yes": 1, "no": 0}]},
         "needs edges or values"),
        ({"trees": [STUMP] * 65}, "1 to 64"),
        ({"trees": []}, "1 to 64"),
        ({"trees": [0.0]}, "nothing to compute"),
        ({"trees": [1e7]}, "at most 1e"),
        ({"weights": [1.0, 2.0]}, "one weight"),
        ({"kind": "linear"}, "trees go with kind"),
        ({"trees": [{"column": "age", "below": 40, "yes": 1}]}, "no"),
    ],
)  # fmt: skip
def test_what_is_no_tree_is_refused(change: dict[str, Any], words: str) -> None:
    """With one code and the fault."""
    with pytest.raises(InputError, match=words) as told:
        _read(_told(DEEP) | change)
    assert told.value.code == "ciphertext.scorer"


def test_too_many_splits_on_a_path_are_refused() -> None:
    """Thirteen."""
    grown: Any = 1.0
    for _ in range(13):
        grown = {"column": "age", "below": 40, "yes": grown, "no": 0.0}
    with pytest.raises(InputError, match="12 splits"):
        _read(_told(grown))


def test_what_no_setting_carries_is_refused() -> None:
    """Leaves so large that the modulus has no room: named as inaccurate, by server and picker."""
    made = _read(_told({"column": "age", "below": 40, "yes": 9e5, "no": 0.0}))
    with pytest.raises(InputError) as told:
        server.Service(made)
    assert told.value.code == "ciphertext.inaccurate"


def test_without_products_nothing_is_multiplied() -> None:
    """A sum of stumps needs no key for relinearisation, and one level."""
    made = _read(_told(STUMP, {"column": "age", "below": 40, "yes": 1.0, "no": -1.0}))
    assert not made.products
    assert {term.levels for term in made.terms[1]} == {1}
    assert not server.Service(made).described.products  # type: ignore[union-attr]


def _rows(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    rows = pd.DataFrame({"a": rng.normal(size=400), "b": rng.integers(0, 9, 400).astype(float), "c": rng.random(400)})
    return rows.astype("float32").astype(float), (rows["a"] * (rows["b"] > 4) + rows["c"] > 0.6).to_numpy()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tree.DecisionTreeClassifier", {"max_depth": 5}),
        ("tree.DecisionTreeRegressor", {"max_depth": 4}),
        ("ensemble.RandomForestClassifier", {"n_estimators": 5, "max_depth": 3}),
        ("ensemble.ExtraTreesRegressor", {"n_estimators": 4, "max_depth": 3}),
        ("ensemble.GradientBoostingClassifier", {"n_estimators": 8, "max_depth": 2}),
        ("ensemble.GradientBoostingRegressor", {"n_estimators": 6, "max_depth": 3}),
    ],
)
def test_a_fitted_model_becomes_a_scorer(name: str, options: dict[str, int]) -> None:
    """Answers on encrypted rows are scikit-learn's, to 1e-4."""
    import importlib

    room, _, kind = name.partition(".")
    rows, said = _rows(np.random.default_rng(5))
    model = getattr(importlib.import_module(f"sklearn.{room}"), kind)(random_state=0, **options)
    model.fit(rows.to_numpy(), said if kind.endswith("Classifier") else said * 1.0 + rows["a"])
    made = fitted.of_model(model, list(rows))
    answers = client.Owner(server.Service(made).answer).answers(rows)
    wanted = (
        model.predict_proba(rows.to_numpy())[:, 1] if kind.endswith("Classifier") else model.predict(rows.to_numpy())
    )
    assert np.abs(answers - wanted).max() <= 1e-4


def test_another_model_is_refused() -> None:
    """A linear one, and a classifier of three classes."""
    from sklearn.linear_model import Ridge
    from sklearn.tree import DecisionTreeClassifier

    rows, said = _rows(np.random.default_rng(6))
    three = DecisionTreeClassifier(max_depth=2).fit(rows.to_numpy(), said.astype(int) + (rows["c"] > 0.9))
    for model in (Ridge().fit(rows, said), three):
        with pytest.raises(UnsupportedError) as told:
            fitted.of_model(model, list(rows))
        assert told.value.code == "ciphertext.model"


@pytest.mark.parametrize(
    "check", [pytest.param(subjects.KEY, marks=pytest.mark.slow), subjects.INFERENCE, subjects.PARAMETERS]
)
def test_the_checks_pass_trees_from_a_manifest(check: str) -> None:
    """Settings picked: pass, with canaries noticed."""
    found = resolve(check)(subjects.build(check, 11, kind="trees"))
    assert found.outcome is Outcome.PASS
    assert found.canary is not None
    assert found.canary.noticed


@pytest.mark.parametrize(("check", "seed"), [(subjects.INFERENCE, 12), (subjects.PARAMETERS, 12)])
def test_the_checks_fail_trees_with_a_scale_that_is_too_small(check: str, seed: int) -> None:
    """Declared primes of 22 bits: the worst row is off by more than the floor."""
    assert resolve(check)(subjects.build(check, seed, kind="trees", coarse=True)).outcome is Outcome.FAIL


def test_a_key_is_found_as_its_words_stand_in_another_process() -> None:
    """What is looked for is made after the other process was, and is not what is sent: only the context holds it."""
    keys = engine.Keys(settings.Settings(degree=8192, primes=(60, 40, 60), scale=40, rescale=True))
    holder = os.fork()
    if not holder:
        signal.pause()
        os._exit(0)
    try:
        raw = keys.secret()
        words = [piece for kind, piece in found.of_key(raw) if piece not in raw]
        needles = found.Needles(("secret key", piece) for piece in words)
        hits: set[int] = set()
        for block in found.memory(str(holder)):
            hits |= needles.search(block)
    finally:
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
    assert len(hits) == len(needles) > 8  # of 60 keys 18 to 42, by how well zstd packs them


def test_levels_are_those_of_the_longest_path() -> None:
    """Two further columns take two levels, three take three; several splits upon one column take one factor."""
    assert trees.Term((), (0,), np.ones(1)).levels == 1
    assert [trees.Term(((1,),) * m, (0,), np.ones(1)).levels for m in range(1, 8)] == [2, 2, 3, 3, 3, 3, 4]
    assert max(term.levels for term in _read(_told(DEEP)).terms[1]) == 2
