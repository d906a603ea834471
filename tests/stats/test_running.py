"""Running means: the bounds hold at every look at once, also where expectations move, and they close in."""

from __future__ import annotations

import numpy as np
import pytest

from fivefold.stats.running import boundary, bounds


@pytest.mark.parametrize("kind", ["steady", "rare", "moving"])
def test_looking_at_every_value_crosses_at_most_as_often_as_said(kind: str) -> None:
    """1,000 streams of 400 values, looked at after each: at most 5 % ever cross on one side."""
    rng, crossed, trials = np.random.default_rng(1), 0, 1000
    n = np.arange(1, 401)
    for _ in range(trials):
        rate = {"steady": 0.5, "rare": 0.02, "moving": 0.5 + 0.45 * np.sign(np.sin(n / rng.uniform(3, 90)))}[kind]
        rate = np.broadcast_to(rate, n.shape)
        values = (rng.random(len(n)) < rate).astype(float)
        before = (0.5 + np.concatenate([[0.0], np.cumsum(values)[:-1]])) / (1.0 + np.arange(len(n)))
        spread = np.cumsum((values - before) ** 2)
        looks = np.unique(np.concatenate([n[:40], n[::5]])) - 1
        radius = np.array([boundary(float(spread[at]), 0.05) for at in looks])
        crossed += bool((np.cumsum(values - rate)[looks] > radius).any())
    assert crossed <= 0.05 * trials


def test_the_bounds_are_of_the_mean_and_close_in() -> None:
    """They lie about the mean, inside the range, and get narrower; of nothing they are the range."""
    rng = np.random.default_rng(2)
    values = rng.choice([-0.8, 0.2, 1.0], 5000)
    widths = []
    for n in (50, 500, 5000):
        low, high = bounds(values[:n], -0.8, 1.0, 0.05)
        assert -0.8 <= low <= values[:n].mean() <= high <= 1.0
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.15
    assert bounds(values[:0], -0.8, 1.0, 0.05) == (-0.8, 1.0)


def test_a_stream_that_hardly_varies_is_bounded_more_closely() -> None:
    """Empirical Bernstein: the radius follows the variance that is seen."""
    rng = np.random.default_rng(3)
    still, wild = (rng.random(2000) < 0.01).astype(float), (rng.random(2000) < 0.5).astype(float)
    (one, two), (three, four) = (bounds(values, 0.0, 1.0, 0.05) for values in (still, wild))
    assert two - one < (four - three) / 2
