"""E2.local of trees: exact values where the trees can be read and answer as the model does; otherwise it is asked."""

from __future__ import annotations

import socket
from threading import Thread
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.explanation.test_kinds import given
from tests.truth.subjects import table

from fivefold.contract.codec import MAX_FRAME
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import SubjectError
from fivefold.explanation import asking
from fivefold.explanation.local import exact
from fivefold.stats import shapley
from fivefold.subject.access import Known, find
from fivefold.subject.asked import AskedSubject
from fivefold.subject.labels import ordered
from fivefold.subject.model import LocalModel
from fivefold.subject.remote import RemoteModel
from fivefold.subject.trees import _sound, seen
from fivefold.subject.worker import frames
from fivefold.subject.worker.messages import ModelJob, ToModel
from fivefold.subject.worker.model_child import _Serving

RNG = np.random.default_rng(4)
X = pd.DataFrame({name: np.round(RNG.normal(size=400), 1) for name in "abcd"})
SCORE = (X.a * X.b + X.c).to_numpy()
MIXED = X.assign(a=X.a.where(RNG.random(400) > 0.1), town=np.array(["Ulm", "Bonn", "Jena"])[RNG.integers(3, size=400)])
CODED = make_column_transformer(
    (make_pipeline(SimpleImputer(), StandardScaler()), ["d", "a", "b", "c"]),
    (OneHotEncoder(handle_unknown="ignore"), ["town"]),
)


def subject(model: Any, frame: pd.DataFrame, labels: tuple[str, ...] = (), raw: Any = None) -> AskedSubject:
    raw = raw or LocalModel(model)
    what = Known(labels=ordered(set(labels)), numeric=not labels, whole=False, task="" if labels else "regression")
    return AskedSubject(raw, find(raw, frame, what))


def three(model: Any, frame: pd.DataFrame = MIXED) -> tuple[AskedSubject, pd.DataFrame, np.ndarray]:
    told = np.digitize(SCORE + (frame.get("town") == "Ulm"), [-0.5, 0.8])
    names = ("high", "middle", "low")  # in an order that is not the model's
    model.fit(frame, np.array(names)[told])
    return subject(model, frame, names), frame, told


def value(model: Any, frame: pd.DataFrame = X) -> tuple[AskedSubject, pd.DataFrame, np.ndarray]:
    model.fit(frame, SCORE)
    return subject(model, frame), frame, SCORE


def laid(made: tuple[AskedSubject, pd.DataFrame, np.ndarray]) -> asking.Setting:
    context = given("E2.local", made[0], {"test": table("test", made[1], made[2])})
    return asking.lay_out(context, rows=8, pairs=16, background_rows=40)


@pytest.mark.parametrize(
    "made",
    [
        three(make_pipeline(CODED, RandomForestClassifier(8, random_state=0))),
        value(RandomForestRegressor(8, random_state=0), MIXED[["c", "a", "d", "b"]]),
        value(HistGradientBoostingRegressor(max_iter=10)),
    ],
    ids=["three classes behind encoders", "forest with missing cells", "boosted values"],
)
def test_values_of_a_model_of_trees_are_those_of_all_coalitions_of_its_answers(made) -> None:
    layout = laid(made)
    way = exact.route(layout, RNG)
    assert way is not None
    found = exact.explain(layout, way)
    n, players = found.value.shape
    asked = exact_question(layout)
    true = shapley.by_enumeration(asked.mixed, n, layout.store.background, players=players)
    np.testing.assert_allclose(found.value, true, atol=1e-10)
    assert np.abs(true).max() > 0.01
    assert not found.error.any()
    assert exact.agrees(layout, way, RNG) == (True, False)


def exact_question(layout: asking.Setting) -> Any:
    from fivefold.explanation.explainer import Question

    return Question(layout.ask, layout.store.explained, layout.store.codes, layout.column, 16, layout.batch)


def test_a_leaf_that_is_not_the_models_is_noticed() -> None:
    """A model that answers otherwise than its trees, if only for some rows, is asked like any other."""
    model = RandomForestRegressor(5, random_state=0)
    made = value(model)
    assert exact.route(laid(made), RNG) is not None
    plain = model.predict
    model.predict = lambda rows: plain(rows) + 0.1 * (np.asarray(rows)[:, 0] > 1.5)
    assert exact.route(laid((subject(model, X), *made[1:])), RNG) is None


@pytest.mark.parametrize(
    "made",
    [
        three(GradientBoostingClassifier(n_estimators=3), X),
        value(make_pipeline(PCA(2), RandomForestRegressor(3))),
        value(LinearRegression()),
        value(HistGradientBoostingRegressor(max_iter=3, categorical_features=["d"]), X.assign(d=(X.d > 0) * 1)),
    ],
    ids=["probabilities that are no sum", "cells of two columns", "no trees", "sets of categories"],
)
def test_what_is_no_sum_of_trees_over_single_columns_is_asked(made) -> None:
    assert exact.route(laid(made), RNG) is None


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("left", lambda v: np.where(v >= 0, 0, v)),
        ("right", lambda v: np.where(v >= 0, v + 10**6, v)),
        ("feature", lambda v: v + 7),
        ("owner", lambda v: v - 1),
        ("value", lambda v: v * np.nan),
        ("threshold", lambda v: v[:-1]),
        ("roots", lambda v: v[::-1]),
        ("cells", lambda v: v[1:]),
        ("lost", lambda v: v.astype(np.int64)),
    ],
)
def test_arrays_of_a_foreign_process_that_are_no_trees_are_refused(name: str, change: Any) -> None:
    arrays = LocalModel(RandomForestRegressor(3, random_state=0).fit(X, SCORE)).trees("frame", X)
    assert _sound(arrays, X.shape, 1)
    assert not _sound(arrays | {name: change(arrays[name])}, X.shape, 1)


def test_the_trees_of_a_model_in_its_own_process_are_read_over_the_socket() -> None:
    """Bit for bit those that are read here; and what is no tree there is refused."""
    model = RandomForestRegressor(5, random_state=0).fit(X, SCORE)
    ours, theirs = socket.socketpair()
    serving = _Serving(cast("ModelJob", None))
    serving._model = LocalModel(model)

    def serve() -> None:
        try:
            while True:
                message: ToModel = frames.receive(theirs, ToModel, MAX_FRAME)
                frames.send(theirs, serving.reply(message))
        except frames.ClosedError:
            theirs.close()

    Thread(target=serve, daemon=True).start()
    here = subject(model, X)
    there = AskedSubject(RemoteModel(ours), here.access)
    rows = table("test", X, SCORE)
    for one, other in zip(vars(seen(here, rows)).values(), vars(seen(there, rows)).values(), strict=True):
        parts = [vars(each).values() if hasattr(each, "roots") else [each] for each in (one, other)]
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(*parts, strict=True))
    serving._model.trees = lambda *_: {"roots": np.zeros(1)}  # type: ignore[method-assign]
    with pytest.raises(SubjectError, match="no trees"):
        seen(there, rows)


def test_the_finding_says_that_values_are_exact() -> None:
    """One-hot columns are one player, errors are 0, the canary holds the trees against all coalitions."""
    frame = X.assign(**{f"town {k}": (MIXED.town == k) * 1 for k in ("Ulm", "Bonn", "Jena")})
    made = three(RandomForestClassifier(10, min_samples_leaf=3, random_state=0), frame)
    found = resolve("E2.local")(given("E2.local", made[0], {"test": table("test", made[1], made[2])}))
    assert found.outcome is Outcome.PASS, found.reason
    told = {one.name: one for one in found.measures}
    assert told["half-width of a bar, of the row's largest reason"].value == 0
    assert "Exact" in told["half-width of a bar, of the row's largest reason"].note
    assert told["sums that meet answer less usual answer"].value == 1
    assert found.canary.planted == 11
    assert any("trees" in limit for limit in found.limits)
