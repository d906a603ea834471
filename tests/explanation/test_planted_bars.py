"""Bars of Shapley values keep the rule on planted subjects, and the figures tell bars that do not."""

from __future__ import annotations

import numpy as np
import pytest
from tests.explanation.planted_long import met
from tests.explanation.planted_subjects import KINDS, bars, covered, draw

from fivefold.stats import shapley


@pytest.fixture(scope="module")
def seeds() -> dict[str, int]:
    """Of each kind the first subject after the long run's that has few columns and 64 pairs."""
    small = {
        kind: next(
            seed for seed in range(100, 200) if (one := draw(kind, seed)).pairs == 64 and one.parts.shape[1] <= 9
        )
        for kind in KINDS
    }
    assert sorted(small) == sorted(KINDS)
    return small


def test_bars_of_one_subject_of_each_kind_cover_the_truth_and_are_no_wider_than_they_must_be(seeds):
    assert met(covered([bars(kind, seed, 30) for kind, seed in seeds.items()]))


@pytest.mark.parametrize("cut", [0.7, 1.5])
def test_bars_that_are_too_narrow_or_too_wide_miss_the_rule(seeds, cut):
    assert not met(covered([bars(kind, seed, 12, cut) for kind, seed in seeds.items()]))


def test_the_truth_of_products_is_that_of_all_coalitions():
    one = next(one for one in (draw("correlated", seed) for seed in range(100)) if one.parts.shape[1] <= 8)
    n, (total, players) = one.explained, one.parts.shape
    every = shapley.by_enumeration(one.question().mixed, n, total - n, players=players)
    assert one.terms
    np.testing.assert_allclose(one.exact(), every, atol=1e-10)
