"""P1.blackbox and P1.gradient against models of which it is known exactly what an attacker can reach."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.truth import evasion as truth

from fivefold.contract.check import Context
from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.contract.subject import Capabilities, Loss, SettingsView, Table
from fivefold.errors import UnsupportedError
from fivefold.protection.evasion import blackbox, canary, check, gradient, setting
from fivefold.protection.evasion.hunt import Goal, Hunt, Limit, is_allowed
from fivefold.subject.possible import space

if TYPE_CHECKING:
    from fivefold.protection.evasion.oracle import Oracle


@dataclass
class Asked:
    """A function of a table that counts its calls and keeps what it was asked."""

    answer: object
    task: str = "binary"
    classes: tuple[str, ...] = ("no", "yes")
    able: Capabilities = field(default_factory=lambda: Capabilities(scores=False, retrains=False, perturbable=True))
    calls: int = 0
    seen: list[pd.DataFrame] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        return self.able

    def predict(self, asked: Table) -> np.ndarray:
        self.calls += 1
        self.seen.append(asked.features)
        return self.answer(asked)  # type: ignore[operator]

    def gradient(self, asked: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(asked)), np.zeros(asked.features.shape, dtype=np.float32)


def made(features: pd.DataFrame, target: np.ndarray, name: str = "test") -> Table:
    features = features.reset_index(drop=True)
    return Table(name, np.arange(len(target)), features, np.asarray(target), pd.DataFrame(index=features.index))


def mixed(seed: int, n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount": rng.normal(100, 30, n),
            "age": rng.integers(18, 90, n),
            "town": np.array(["north", "south", "east", None], dtype=object)[rng.integers(0, 4, n)],
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "member": rng.random(n) < 0.5,
            "score": np.where(rng.random(n) < 0.2, np.nan, rng.random(n)),
            "id": [f"row {i}" for i in range(n)],
        }
    )


def rule(asked: Table) -> np.ndarray:
    frame = asked.features
    days = (frame["since"] - pd.Timestamp("2021-01-01")).dt.days / 400
    total = (frame["amount"] - 100) / 30 + (frame["age"] - 54) / 20 + days + frame["score"].fillna(0.5)
    total = total + np.where(frame["town"].astype(object) == "north", 1.0, 0.0) - frame["member"].astype(float)
    return (total.to_numpy() > 0).astype(np.int64)


def context(subject: object, tables: dict[str, Table], *, floor: float = 0.5, **options: object) -> Context:
    features = options.pop("features", None)
    return Context(
        subject=subject,  # type: ignore[arg-type]
        tables=tables.__getitem__,
        rng=np.random.default_rng(3),
        thresholds={"min_robust_accuracy": floor},
        options=options,
        rows=200,
        settings=SettingsView(features=features),  # type: ignore[arg-type]
    )


def mixed_context(**options: object) -> tuple[Asked, Context]:
    subject = Asked(rule)
    frame = mixed(1)
    target = rule(made(frame, np.zeros(len(frame), dtype=np.int64)))
    return subject, context(subject, {"test": made(frame, target)}, **options)


def test_every_row_that_is_asked_is_a_possible_row() -> None:
    """Types, whole numbers, ranges, seen categories and immutable columns are kept in everything the model is asked."""
    declared = {"age": {"type": "integer", "range": (18, 90), "immutable": True}, "amount": {"range": (0.0, 250.0)}}
    subject, given = mixed_context(features=declared, epsilon=0.1, swaps=1.0)
    check.run(given)
    original = mixed(1)
    asked = pd.concat(subject.seen, ignore_index=True)
    assert list(asked.columns) == list(original.columns)
    for frame in subject.seen:
        assert list(frame.dtypes) == list(original.dtypes)
    assert asked["amount"].between(min(0, original["amount"].min()), 250.0).all()
    assert set(asked["age"]) <= set(original["age"])
    assert set(asked["town"].dropna()) <= {"north", "south", "east"}
    assert (asked["since"].dt.normalize() == asked["since"]).all()
    assert set(asked["id"]) <= set(original["id"])


def test_what_fell_differs_by_no_more_than_allowed() -> None:
    """Reach, whole steps, swaps, missing and immutable cells of the changed rows, checked from outside the attack."""
    subject, given = mixed_context(features={"age": {"cost": 2.0}}, epsilon=0.1)
    layout = setting.lay_out(given)
    answers = layout.oracle(layout.values, np.arange(len(layout.values)))
    hunt = blackbox.attack(
        layout.space,
        layout.oracle,
        start=layout.values,
        origin=np.arange(len(layout.values)),
        goal=layout.goal(answers),
        limit=layout.limit,
        public=blackbox.Public(layout.values, answers),
        rng=given.rng,
    )
    assert hunt.fallen.sum() > 20
    assert is_allowed(hunt).all()
    rows = np.flatnonzero(hunt.fallen)
    before = layout.sample.features.iloc[rows].reset_index(drop=True)
    after = layout.space.decode(hunt.found[rows], rows, layout.sample).features
    span = mixed(1)["amount"].max() - mixed(1)["amount"].min()
    assert (before["amount"] - after["amount"]).abs().max() <= 0.1 * span + 1e-6
    assert (before["age"] - after["age"]).abs().max() <= 3  # 0.1 x 71 years / cost 2, in whole steps
    assert (before["id"] == after["id"]).all()
    assert (before["score"].isna() == after["score"].isna()).all()
    swapped = (before["town"].fillna("") != after["town"].fillna("")).astype(int) + (
        before["member"] != after["member"]
    )
    assert swapped.max() == 1
    del subject


def test_spent_never_exceeds_the_budget_per_row() -> None:
    """The stated number of questions is kept for each row."""
    subject, given = mixed_context(epsilon=0.02, queries=37)
    layout = setting.lay_out(given)
    answers = layout.oracle(layout.values, np.arange(len(layout.values)))
    hunt = blackbox.attack(
        layout.space,
        layout.oracle,
        start=layout.values,
        origin=np.arange(len(layout.values)),
        goal=layout.goal(answers),
        limit=layout.limit,
        public=blackbox.Public(layout.values, answers),
        rng=given.rng,
    )
    assert hunt.spent.max() <= 37
    del subject


@pytest.mark.parametrize("max_rows", [64, 1000])
def test_an_endpoints_calls_are_not_overdrawn(max_rows: int) -> None:
    """At most half of the calls that are left are made, and no call is larger than allowed."""
    subject, given = mixed_context(queries=50)
    subject.able = replace(subject.able, calls_left=600, max_rows=max_rows)
    check.run(given)
    assert subject.calls <= 300
    assert max(len(frame) for frame in subject.seen) <= max_rows


def test_too_few_calls_are_refused_with_a_remedy() -> None:
    """A budget that cannot carry an attack is not-run, not a pass."""
    subject, given = mixed_context()
    subject.able = replace(subject.able, calls_left=6, max_rows=10)
    with pytest.raises(UnsupportedError) as caught:
        check.run(given)
    assert caught.value.code == "evasion.budget"
    assert caught.value.remedy


def test_nothing_may_be_changed() -> None:
    """Where every feature is immutable there is nothing to measure."""
    declared = {name: {"immutable": True} for name in mixed(1).columns}
    _, given = mixed_context(features=declared)
    with pytest.raises(UnsupportedError) as caught:
        check.run(given)
    assert caught.value.code == "evasion.fixed"


@pytest.mark.parametrize("kind", truth.KINDS)
def test_robust_accuracy_comes_near_the_exact_one(kind: str) -> None:
    """The attack reaches the exact robust accuracy of additive models to within sampling and 5 points."""
    given = truth.build(11, kind=kind, margin=0.0)
    exact = given.thresholds["min_robust_accuracy"]
    found = check.run(given).measures[0]
    assert found.value is not None
    assert exact - 0.07 < found.value < exact + 0.07


def test_constant_model_does_not_fall() -> None:
    """Robust accuracy is accuracy, attack success is 0."""
    frame = mixed(2)
    subject = Asked(lambda asked: np.ones(len(asked), dtype=np.int64))
    target = (np.arange(len(frame)) % 4 > 0).astype(np.int64)
    result = check.run(context(subject, {"test": made(frame, target)}))
    found = {one.name: one for one in result.measures if not one.where}
    assert found["robust accuracy"].value == found["accuracy without an attack"].value
    assert found["attack success rate"].value == 0.0
    assert result.outcome is Outcome.PASS


def test_flickering_answers_are_not_counted_as_falls() -> None:
    """A model that answers at random now and then seems to fall; what does not hold when asked again is not counted."""
    frame = mixed(3)
    noise = np.random.default_rng(0)

    def flicker(asked: Table) -> np.ndarray:
        return (noise.random(len(asked)) < 0.01).astype(np.int64)

    result = check.run(context(Asked(flicker), {"test": made(frame, np.zeros(len(frame), dtype=np.int64))}))
    success = next(one for one in result.measures if one.name == "attack success rate")
    assert success.value is not None
    assert success.value < 0.1
    assert any("did not hold" in text for text in result.limits)


def test_an_attack_that_finds_nothing_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary can fail: with a blunt attack the finding is inconclusive."""

    def blunt(space_: space.Space, oracle: Oracle, *, start: np.ndarray, **more: object) -> Hunt:
        return Hunt(space_, oracle, start, more["origin"], goal=more["goal"], limit=more["limit"])  # type: ignore[arg-type]

    _, given = mixed_context()
    monkeypatch.setattr(blackbox, "attack", blunt)
    result = check.run(given)
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.canary is not None
    assert not result.canary.noticed


def test_an_attack_that_cheats_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A known-good row that falls (here by leaving the allowed box) is a false alarm."""
    _, given = mixed_context()
    ball = space.Space.ball
    monkeypatch.setattr(space.Space, "ball", lambda self, values, reach: ball(self, values, np.minimum(reach * 9, 1.0)))
    monkeypatch.setattr(canary.planted, "falls", _honest(ball))
    result = check.run(given)
    assert result.canary is not None
    assert result.canary.false_alarms > 0
    assert result.outcome is Outcome.INCONCLUSIVE


def _honest(ball: object) -> object:
    real = canary.planted.falls

    def falls(model: object, hunt: Hunt, norm: str = "linf") -> tuple[np.ndarray, np.ndarray]:
        hunt.low, hunt.high = ball(hunt.space, hunt.start, hunt.limit.epsilon)  # type: ignore[operator]
        return real(model, hunt, norm)  # type: ignore[arg-type]

    return falls


def test_same_context_gives_the_same_bytes() -> None:
    """The finding is deterministic."""
    first, second = (check.run(truth.build(5, margin=0.1)) for _ in range(2))
    assert canonical(first) == canonical(second)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_gradient_steps_stay_in_the_ball_and_fell_the_planted_model(norm: str) -> None:
    """The canary of the gradient check is noticed in both norms."""
    given = truth.build(4, kind="numbers", margin=0.1, gradients=True, check="P1.gradient", epsilon=0.1)
    result = gradient.run(replace(given, options={**given.options, "norm": norm}))
    assert result.canary is not None
    assert result.canary.noticed, result.canary
    assert result.outcome in (Outcome.FAIL, Outcome.PASS)


def test_zero_gradients_give_no_pass() -> None:
    """A model whose gradients are zero everywhere is not called robust."""
    frame = mixed(6)[["amount", "score"]].fillna(0.5)
    target = (frame["amount"] > 100).astype(np.int64).to_numpy()
    able = Capabilities(scores=False, retrains=False, perturbable=True, gradients=True)
    subject = Asked(lambda asked: (asked.features["amount"].to_numpy() > 100).astype(np.int64), able=able)
    result = gradient.run(context(subject, {"test": made(frame, target)}, epsilon=0.01))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "gradient is zero" in result.reason


def test_a_model_without_gradients_is_not_run() -> None:
    """Said before anything is asked."""
    subject, given = mixed_context()
    with pytest.raises(UnsupportedError) as caught:
        gradient.run(given)
    assert caught.value.code == "evasion.gradient"
    assert subject.calls == 0


def test_whole_steps_are_counted_without_rounding_errors() -> None:
    """0.05 of a range of 100 is five whole steps, not four."""
    table = made(pd.DataFrame({"x": np.arange(101)}), np.zeros(101))
    whole = space.of_tables([table], {})
    low, high = whole.ball(whole.encode(table), 0.05)
    assert high[50, 0] == 55
    assert low[50, 0] == 45
    assert low[0, 0] == 0


def test_goal_of_a_regression_is_a_move_beyond_the_tolerance() -> None:
    """Touching the tolerance is not enough."""
    goal = Goal(np.array([1.0]), 0.5)
    assert goal.met(np.array([0, 0]), np.array([1.5, 1.51])).tolist() == [False, True]
    assert Limit(0.1, 1.0, 10).epsilon == 0.1


@pytest.mark.parametrize("seed", range(3))
def test_rows_that_reach_the_tolerance_exactly_are_no_false_alarm(seed: int) -> None:
    """Most rows of a linear model can be moved equally far: no rounding decides which of them surely fall."""
    rng = np.random.default_rng(2 * seed)
    frame = pd.DataFrame({f"x{at}": rng.integers(0, 40, 150) for at in range(3)})
    target = frame.to_numpy() @ np.array([1.0, 0.5, -0.4])
    subject = Asked(
        lambda asked: asked.features.to_numpy(dtype=np.float64) @ np.array([1.0, 0.5, -0.4]), task="regression"
    )
    found = check.run(context(subject, {"test": made(frame, target)}, tolerance=1.0, epsilon=0.1, swaps=1.0)).canary
    assert found is not None
    assert found.noticed, found
