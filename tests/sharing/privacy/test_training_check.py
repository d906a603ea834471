"""S2.training: canaries of other trainers and of our own; what cannot be read is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from tests.truth import trainings
from tests.truth.floors import floors
from tests.truth.subjects import context, table

from fivefold.contract.outcome import Outcome
from fivefold.contract.subject import SettingsView
from fivefold.errors import UnsupportedError
from fivefold.sharing.privacy import canaries
from fivefold.sharing.privacy.training_check import run


def test_the_bound_of_one_run_holds_for_the_worst_mechanism() -> None:
    """Randomised response is exactly (epsilon, 0): the bound passes it no more often than its level says."""
    rng = np.random.default_rng(3)
    epsilon, above = 1.0, 0
    for _ in range(400):
        coins = rng.random(800) < 0.5
        kept = rng.random(800) < 1 / (1 + math.exp(-epsilon))
        score = np.where(coins == kept, 1.0, 0.0) + rng.random(800) * 0.01
        above += canaries.audit(coins, score[:, None], 0.0, confidence=0.95).epsilon > epsilon
    assert above <= binom.ppf(0.9999, 400, 0.05)


def test_the_bound_comes_near_to_what_randomised_response_gives_away() -> None:
    """With all guessed, epsilon 1 of 20,000 coins is proved to nine tenths; delta only lowers it."""
    rng = np.random.default_rng(4)
    coins = rng.random(20_000) < 0.5
    score = np.where(coins == (rng.random(20_000) < 1 / (1 + math.exp(-1))), 1.0, 0.0) + rng.random(20_000) * 0.01
    found = canaries.audit(coins, score[:, None], 0.0)
    assert 0.85 < found.epsilon < 1.0
    assert canaries.audit(coins, score[:, None], 1e-5).epsilon <= found.epsilon


def test_two_normal_laws_are_as_far_apart_as_epsilon_and_delta_say() -> None:
    """Golden: epsilon 2 at 1e-5 is mu 0.506; and most_apart is q sqrt(T) / s."""
    mu = canaries.gaussian_apart(2.0, 1e-5)
    assert mu == pytest.approx(0.507, abs=0.02)
    assert canaries.most_apart(0.01, 2.0, 400) == pytest.approx(0.1)


@pytest.mark.parametrize("fault", ["half", "reused"])
def test_another_trainer_with_a_fault_fails(fault: str) -> None:
    """Of three subjects each."""
    for seed in range(3):
        found = run(trainings.foreign(seed, fault=fault))
        assert found.outcome is Outcome.FAIL
        assert found.canary is not None
        assert found.canary.noticed


def test_without_noise_rate_and_steps_half_the_noise_would_not_be_noticed_and_nothing_is_concluded() -> None:
    """An audit without power does not pass."""
    found = run(trainings.foreign(1, say=False))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "say noise, rate and steps" in found.reason


@pytest.mark.parametrize("net", [True, False])
def test_our_own_training_does_not_fail(net: bool) -> None:
    """Net and regression, with the canary noticed."""
    found = run(trainings.own(5, net=net))
    assert found.outcome in (Outcome.PASS, Outcome.INCONCLUSIVE)
    assert found.canary is not None
    assert found.canary.noticed
    assert found.measures[0].outcome is Outcome.PASS


GOOD = {"data": "canaries", "loss": {"epsilon": 1.0, "delta": 1e-5}}


@pytest.mark.parametrize(
    ("told", "change", "word"),
    [
        ({"data": "canaries"}, {}, "is not understood"),
        (GOOD | {"loss": {"epsilon": 0}}, {}, "is not understood"),
        (GOOD | {"rate": 2}, {}, "is not understood"),
        (GOOD, {"included": None}, "needs a column"),
        (GOOD, {"score": None}, "needs a column"),
        (GOOD, {"included": 1}, "fair coin"),
        (GOOD, {"included": 7}, "fair coin"),
        (GOOD, {"score": math.inf}, "fair coin"),
    ],
)
def test_canaries_that_are_none_are_refused_with_the_remedy(
    told: dict[str, Any], change: dict[str, Any], word: str
) -> None:
    """Missing columns, odd values, a coin that is not fair."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"included": rng.integers(0, 2, 1000), "score": rng.normal(size=1000), "note": "x"})
    for name, value in change.items():
        frame = frame.drop(columns=name) if value is None else frame.assign(**{name: value})
    settings = SettingsView(controls={"S2": {"canaries": told}})
    given = {"canaries": table("canaries", frame, np.zeros(1000, dtype=np.int64))}
    with pytest.raises(UnsupportedError) as caught:
        run(context("S2.training", None, given, 1, thresholds=floors("S2.training"), settings=settings))
    assert caught.value.code == "privacy.canaries"
    assert word in caught.value.message
    assert caught.value.remedy


def test_an_application_without_a_training_is_told_so() -> None:
    """Neither a training nor canaries."""
    settings = SettingsView(controls={"S2": {"epsilon": 1.0, "delta": 1e-6}})
    with pytest.raises(UnsupportedError) as caught:
        run(context("S2.training", None, {}, 1, thresholds=floors("S2.training"), settings=settings))
    assert caught.value.code == "privacy.undeclared"
