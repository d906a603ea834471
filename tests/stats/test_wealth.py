"""Wealth of bets: no more than the stake under the null, found changes, nothing forgotten that counts."""

from __future__ import annotations

import numpy as np
import pytest

from fivefold.stats.wealth import Wealth, share, unspent


def test_the_stake_is_spent_once() -> None:
    """Shares sum to what is not left, whatever the number."""
    assert unspent(0) == 1.0
    for begun in (1, 10, 1000):
        assert sum(share(at) for at in range(begun)) == pytest.approx(1 - unspent(begun))


def test_expected_wealth_stays_the_stake_at_the_limit() -> None:
    """Summed over every outcome with its chance, the wealth of several steps is 1 at the limit and less below it."""
    limit, n = 0.3, 2
    for chance in (limit, 0.2):
        total = 0.0
        for code in range((n + 1) ** 3):
            digits = [code // (n + 1) ** at % (n + 1) for at in range(3)]
            held = Wealth(np.array([limit]))
            weight = 1.0
            for hits in digits:
                held.add(np.array([float(hits)]), n)
                weight *= [(1 - chance) ** 2, 2 * chance * (1 - chance), chance**2][hits]
            total += weight * np.exp(held.log)
        assert total == pytest.approx(1.0) if chance == limit else total < 1.0


@pytest.mark.parametrize("law", ["two values", "uneven"])
def test_bounded_values_with_a_mean_at_the_limit_win_nothing(law: str) -> None:
    """Exactly, for laws of a few values: the mean is what counts, not the shape."""
    values, chances = {
        "two values": ([0.0, 1.0], [3 / 4, 1 / 4]),
        "uneven": ([0.0, 0.25, 1.0], [1 / 2, 1 / 3, 1 / 6]),
    }[law]
    total = 0.0
    for first, one in zip(values, chances, strict=True):
        for second, other in zip(values, chances, strict=True):
            held = Wealth(np.array([0.25]))
            held.add_bounded(np.array([first]))
            total += one * other * np.exp(held.add_bounded(np.array([second])))
    assert total == pytest.approx(1.0)


def test_false_alarms_keep_to_their_rate_over_a_long_time() -> None:
    """At the limit itself, 400 runs of 600 steps: no more reach 20 than one in twenty explains."""
    rng = np.random.default_rng(5)
    reached = 0
    for _ in range(400):
        held = Wealth(np.array([0.1, 0.5, 0.8]))
        hits = rng.binomial(8, [[0.1, 0.5, 0.8]] * 600)
        reached += any(held.add(some.astype(float), 8) >= np.log(20) for some in hits)
    assert reached <= 30


def test_a_change_is_found_late_as_well_as_early() -> None:
    """After 20,000 steps without one it takes a little longer, not for ever; the event is named."""
    delays = []
    for before in (0, 20_000):
        held = Wealth(np.array([0.5, 0.2]))
        for _ in range(before):
            held.add(np.array([4.0, 1.0]), 10)
        delay = 0
        while held.log < np.log(1000):
            held.add(np.array([4.0, 9.0]), 10)
            delay += 1
        delays.append(delay)
        assert held.strongest() == 1
    assert delays[0] <= delays[1] <= delays[0] + 5


def test_looking_ahead_takes_no_step_and_forgetting_keeps_the_stake() -> None:
    """The same logarithm as the step gives; after forgetting only what is unspent is left."""
    held = Wealth(np.array([0.25]))
    seen = held.ahead(np.array([1.0]))
    assert (held.steps, held.log) == (0, 0.0)
    assert held.add_bounded(np.array([1.0])) == seen
    held.forget(9)
    assert held.steps == 10
    assert held.log == pytest.approx(np.log(unspent(10)))
