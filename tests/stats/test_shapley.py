"""Shapley values by permutations, against sums over all coalitions (Shapley 1953, the definition)."""

from __future__ import annotations

from itertools import combinations
from math import factorial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fivefold.errors import InputError
from fivefold.stats import shapley

if TYPE_CHECKING:
    from collections.abc import Callable


def by_definition(f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return (P,) Shapley values of f at x: over all coalitions, the background averaged."""
    players = len(x)
    made = np.zeros(players)

    def v(members: tuple[int, ...]) -> float:
        rows = background.copy()
        rows[:, list(members)] = x[list(members)]
        return float(f(rows).mean())

    for j in range(players):
        others = [k for k in range(players) if k != j]
        for size in range(players):
            weight = factorial(size) * factorial(players - size - 1) / factorial(players)
            made[j] += weight * sum(v((*some, j)) - v(some) for some in combinations(others, size))
    return made


def explained(
    f: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, background: np.ndarray, pairs: int, seed: int
) -> shapley.Attributions:
    """Run the estimator on numeric rows."""

    def ask(present: np.ndarray, who: np.ndarray, base: np.ndarray) -> np.ndarray:
        return f(np.where(present, rows[who], background[base]))

    at_background = np.tile(f(background), (len(rows), 1))
    rng = np.random.default_rng(seed)
    return shapley.by_permutations(ask, f(rows), at_background, players=rows.shape[1], pairs=pairs, rng=rng)


def crooked(rows: np.ndarray) -> np.ndarray:
    """Products, a step and a maximum: nothing about it is additive."""
    first = rows[:, 0] * rows[:, 1] * rows[:, 2] + np.maximum(rows[:, 3], rows[:, 0])
    return np.asarray(first + 2 * (rows[:, 1] > 0.3) * rows[:, 3])


def test_values_are_those_of_the_definition_within_their_bars() -> None:
    """Of 200 attributions of a function with interactions, 95 % bars cover the sum over all coalitions."""
    rng = np.random.default_rng(1)
    rows, background = rng.normal(size=(50, 4)), rng.normal(size=(300, 4))
    truth = np.array([by_definition(crooked, x, background) for x in rows])
    made = explained(crooked, rows, background, 64, 2)
    off = np.abs(made.value - truth)
    covered = (off <= made.quantile() * made.error).mean()
    assert covered >= 0.9
    assert off.mean() < 0.5 * np.abs(truth).mean()


def test_too_narrow_bars_would_be_seen() -> None:
    """Bars cut to a third do not cover: the assertion above can fail."""
    rng = np.random.default_rng(1)
    rows, background = rng.normal(size=(50, 4)), rng.normal(size=(300, 4))
    truth = np.array([by_definition(crooked, x, background) for x in rows])
    made = explained(crooked, rows, background, 64, 2)
    assert (np.abs(made.value - truth) <= made.quantile() * made.error / 3).mean() < 0.85


@pytest.mark.parametrize("players", [1, 2, 7])
def test_values_sum_to_the_answer_less_the_base(players: int) -> None:
    """Efficiency holds exactly for the background rows that were drawn, whatever the number of pairs."""
    rng = np.random.default_rng(3)
    rows, background = rng.normal(size=(6, players)), rng.normal(size=(11, players))

    def f(some: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(some.sum(axis=1) / players) + some[:, 0] ** 2)

    made = explained(f, rows, background, 9, 4)
    np.testing.assert_allclose(made.value.sum(axis=1), f(rows) - made.base, atol=1e-12)


def test_an_additive_function_is_exact_from_few_pairs() -> None:
    """Of a sum each player gets its own part less the mean over the drawn background; a player without use gets 0."""
    rng = np.random.default_rng(5)
    rows, background = rng.normal(size=(5, 3)), rng.normal(size=(8, 3))
    weights = np.array([2.0, -1.0, 0.0])
    made = explained(lambda some: some @ weights, rows, background, 16, 6)
    np.testing.assert_allclose(made.value, (rows - background.mean(axis=0)) * weights, atol=1e-12)
    assert np.all(made.error[:, 2] == 0)


def test_costs_are_what_was_asked() -> None:
    """The number of rows asked is the one announced."""
    seen: list[int] = []

    def ask(present: np.ndarray, _who: np.ndarray, _base: np.ndarray) -> np.ndarray:
        seen.append(len(present))
        return present.sum(axis=1).astype(float)

    shapley.by_permutations(
        ask, np.full(4, 5.0), np.zeros((4, 6)), players=5, pairs=8, rng=np.random.default_rng(8), batch=100
    )
    assert sum(seen) == 4 * shapley.cost(5, 8)
    assert max(seen) <= 100


@pytest.mark.parametrize(("players", "pairs"), [(0, 8), (3, 3)])
def test_too_little_is_refused(players: int, pairs: int) -> None:
    """No players, or fewer pairs than an error bar needs."""
    with pytest.raises(InputError) as caught:
        shapley.by_permutations(
            lambda present, _w, _b: np.zeros(len(present)),
            np.zeros(2),
            np.zeros((2, 4)),
            players=players,
            pairs=pairs,
            rng=np.random.default_rng(0),
        )
    assert caught.value.code == "stats.shapley"


@pytest.mark.parametrize("batch", [7, 1000])
def test_enumeration_is_the_definition(batch: int) -> None:
    """Whatever the batches, also where one coalition's background is larger than a batch."""
    rng = np.random.default_rng(9)
    rows, background = rng.normal(size=(5, 4)), rng.normal(size=(11, 4))
    made = shapley.by_enumeration(
        lambda present, who, base: crooked(np.where(present, rows[who], background[base])), 5, 11, players=4,
        batch=batch,
    )  # fmt: skip
    np.testing.assert_allclose(made, [by_definition(crooked, x, background) for x in rows], atol=1e-12)


@pytest.mark.parametrize(("players", "background"), [(0, 5), (13, 5), (3, 0)])
def test_coalitions_that_cannot_be_enumerated_are_refused(players: int, background: int) -> None:
    with pytest.raises(InputError) as caught:
        shapley.by_enumeration(lambda present, _w, _b: np.zeros(len(present)), 2, background, players=players)
    assert caught.value.code == "stats.shapley"


@pytest.mark.parametrize(("background", "pairs"), [(20, 16), (20, 20), (20, 50)])
def test_bars_are_as_wide_as_draws_without_replacement_vary(background: int, pairs: int) -> None:
    """Of a function that is nearly a sum, the background decides: bars cover, and are not wider than by a half."""
    rng = np.random.default_rng(10)
    rows, other = rng.normal(size=(12, 4)), rng.normal(size=(background, 4))

    def f(some: np.ndarray) -> np.ndarray:
        return np.asarray(2 * np.sin(some).sum(axis=1) + 0.3 * some[:, 0] * some[:, 1] * some[:, 2])

    truth = np.array([by_definition(f, x, other) for x in rows])
    made = [explained(f, rows, other, pairs, seed) for seed in range(40)]
    reach = np.array([one.quantile() * one.error for one in made])
    values = np.array([one.value for one in made])
    assert (np.abs(values - truth) <= reach + 1e-12).mean() >= 0.93
    assert reach.mean() < 1.5 * 1.96 * values.std(axis=0, ddof=1).mean()
