"""Private training: what a row moves, what it costs, and how good it is on real data."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.errors import InputError
from fivefold.sharing.privacy import noise, training
from fivefold.sharing.privacy.distance import apart
from fivefold.sharing.privacy.ledger import Ledger
from fivefold.sharing.privacy.loss import RHO, budget_of

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = {"age": {"bounds": [17, 90]}, "sex": {"values": ["m", "f"]}, "hours": {"edges": [0, 20, 40, 100]}}


def _plan(**more: Any) -> training.Plan:
    told = {"target": "rich", "positive": "yes", "columns": COLUMNS, "loss": {"epsilon": 1.0, "delta": 1e-6}}
    return training.plan(training.read(told | more))


CELL = st.one_of(
    st.none(), st.floats(allow_nan=True, allow_infinity=True), st.sampled_from(["m", "f", "yes", "9", "x"])
)
ROW = st.tuples(CELL, CELL, CELL, st.sampled_from(["yes", "no", None, "other"]))


@given(st.lists(ROW, max_size=8), st.lists(ROW, min_size=1, max_size=6), st.integers(1, 3), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_no_person_moves_a_gradient_further_than_its_noise_is_made_for(
    others: list[Any], own: list[Any], most: int, seed: int
) -> None:
    """Any rows, any weights, far beyond bounds: after the grid, in L2, exactly."""
    made = _plan(unit={"column": "who", "rows": most})
    frames = [pd.DataFrame(rows, columns=["age", "sex", "hours", "rich"], dtype=object) for rows in (others, own)]
    for frame, name in zip(frames, ("p", "new"), strict=True):
        frame["who"] = [f"{name}{k if name == 'p' else ''}" for k in range(len(frame))]
    rng = np.random.default_rng(seed)
    weights = rng.integers(-(1 << 30), 1 << 30, made.width)
    one = training.gradient(*training.encoded(made.training, frames[:1]), weights)
    two = training.gradient(*training.encoded(made.training, frames), weights)
    unit = made.unit
    moved = (two + unit // 2) // unit - (one + unit // 2) // unit
    limit = math.sqrt(2 * made.step_rho / RHO * float(made.law.scale))
    assert math.sqrt(float((moved.astype(float) ** 2).sum())) <= limit * (1 + 1e-12)


def test_the_gradient_does_not_hang_on_how_rows_are_cut() -> None:
    """Sums of whole numbers are exact in any order, so that a row adds the same whatever stands around it."""
    made = _plan()
    rng = np.random.default_rng(1)
    n = 70_000
    frame = pd.DataFrame({
        "age": rng.normal(40, 15, n), "sex": rng.choice(["m", "f", "?"], n), "hours": rng.integers(0, 120, n),
        "rich": rng.choice(["yes", "no"], n),
    })  # fmt: skip
    rows, answers = training.encoded(made.training, [frame])
    weights = rng.integers(-50_000, 50_000, made.width)
    whole = training.gradient(rows, answers, weights)
    order = rng.permutation(n)
    cut = sum(training.gradient(rows[order[a : a + 997]], answers[order[a : a + 997]], weights)
              for a in range(0, n, 997))  # fmt: skip
    assert (whole == cut).all()


def test_the_path_costs_what_is_declared() -> None:
    """Count and steps together, at most; the epsilon holds."""
    made = _plan(steps=37)
    assert made.loss.rho == made.count_rho + 37 * made.step_rho <= budget_of(1.0, 1e-6).rho
    assert made.loss.epsilon(1e-6) <= 1.0


def test_two_worlds_are_as_near_as_the_path_claims() -> None:
    """Audit of the whole path of noisy gradients: each step's noise against the person's own gradient there."""
    rng = np.random.default_rng(2)
    n = 300
    frame = pd.DataFrame({"age": rng.normal(40, 15, n), "sex": "m", "hours": 30, "rich": rng.choice(["yes", "no"], n)})
    person = pd.DataFrame({"age": [900.0], "sex": ["f"], "hours": [99], "rich": ["yes"]})
    made = _plan(loss={"rho": 0.5}, steps=8)
    one, two = (training.encoded(made.training, [frame, *more]) for more in ([], [person]))
    alone = training.encoded(made.training, [person])
    unit, draw = made.unit, noise.seeded(rng)
    runs: list[list[list[float]]] = [[], []]
    moves = []
    for world, given_ in enumerate((one, two)):
        for _ in range(400):
            said = []
            for _step in range(made.training.steps):
                weights = rng.integers(-200, 200, made.width)
                mine = training.gradient(*alone, weights).astype(float)
                noisy = (training.gradient(*given_, weights) + unit // 2) // unit + noise.sample(
                    made.law, made.width, draw
                )
                left = noisy * unit - training.gradient(*one, weights)
                said.append(float(left @ mine / np.linalg.norm(mine)))
                moves.append(float(np.linalg.norm(mine)))
            runs[world].append(said)
    found = apart(np.array(runs[0]), np.array(runs[1]), np.full(made.training.steps, np.mean(moves)))
    assert found.low > 0.05
    assert found.high < 0.55


@pytest.mark.parametrize(
    "change",
    [
        {"columns": {}}, {"columns": {"rich": {"bounds": [0, 1]}}}, {"columns": {"age": {"bounds": [3, 1]}}},
        {"columns": {"age": {}}}, {"loss": {"rho": 1.0, "epsilon": 1.0}}, {"steps": 0}, {"unit": {"rows": 2}},
        {"odd": 1},
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_refused(change: dict[str, Any]) -> None:
    """With a code."""
    with pytest.raises(InputError) as error:
        _plan(**change)
    assert error.value.code == "privacy.training"


def test_a_training_is_spent_before_it_reads() -> None:
    """A second one that the budget does not have reads nothing."""
    made = _plan()
    ledger = Ledger(None, "app")
    ledger.open("register", made.loss)
    frame = pd.DataFrame({"age": [30, 50], "sex": ["m", "f"], "hours": [10, 50], "rich": ["yes", "no"]})
    model = json.loads(training.train(made, [frame], ledger, "register"))
    assert np.isfinite(training.predict(model, frame)).all()
    with pytest.raises(InputError) as error:
        training.train(made, [frame], ledger, "register")
    assert error.value.code == "privacy.overdrawn"
    ledger.close()


@pytest.mark.shared
def test_it_is_nearly_as_good_as_without_privacy_on_the_census(shared: Path) -> None:
    """At epsilon 1 accuracy within 2 points of scikit-learn's on the same columns."""
    from sklearn.linear_model import LogisticRegression

    known, fresh = (
        pd.read_csv(shared / "adult_census" / f"{name}.csv.gz", na_values="?") for name in ("train", "test")
    )
    columns: dict[str, Any] = {
        name: {"values": sorted(known[name].dropna().unique().tolist())}
        for name in ("education", "marital_status", "occupation", "sex")
    }
    columns |= {"age": {"bounds": [17, 90]}, "hours_per_week": {"bounds": [0, 100]},
                "capital_gain": {"edges": [0, 1, 3000, 7000, 100000]}}  # fmt: skip
    told = {"target": "income", "positive": ">50K", "columns": columns, "loss": {"epsilon": 1.0, "delta": 1e-6}}
    made = training.plan(training.read(told))
    ledger = Ledger(None, "census")
    ledger.open("census", made.loss)
    model = json.loads(training.train(made, [known], ledger, "census"))
    rows, answers = training.encoded(made.training, [known])
    others, wanted = training.encoded(made.training, [fresh])
    plain = LogisticRegression(C=1000, max_iter=500).fit(rows / 1024, answers).score(others / 1024, wanted)
    private = float(((training.predict(model, fresh) > 0.5) == wanted).mean())
    assert private > plain - 0.02
    ledger.close()
