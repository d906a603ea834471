"""Axes: every value lies on its scale, ticks are round and few."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fivefold.report.scale import Scale, linear, logarithmic, round_step

numbers = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False)


@given(st.lists(numbers, max_size=20), st.booleans())
def test_a_linear_scale_holds_every_value(values: list[float], zero: bool) -> None:
    """Values keep their order, places stay within the drawing, ticks are few and on the axis."""
    scale = linear(values, zero=zero)
    assert scale.low < scale.high
    slack = 1e-6 * max(1.0, abs(scale.low), abs(scale.high))
    assert all(scale.low - slack <= value <= scale.high + slack for value in values)
    places = [scale.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)
    assert 1 <= len(scale.ticks()) <= 24


@given(st.lists(st.floats(min_value=0, max_value=1e12, allow_nan=False), max_size=20))
def test_a_logarithmic_scale_takes_zeros_to_its_low_end(values: list[float]) -> None:
    """Zero has no logarithm; it sits at the edge and breaks nothing."""
    scale = logarithmic(values)
    assert 0 < scale.low < scale.high
    assert scale.place(0.0) == 0.0
    assert all(math.isfinite(scale.place(value)) for value in values)
    assert 1 <= len(scale.ticks()) <= 8


def test_shares_get_the_whole_axis_from_0_to_1() -> None:
    """Bars of shares can be compared between rows and reports."""
    assert linear([0.7, 0.8]) == Scale(0.0, 1.0)
    assert linear([0.7, 0.8]).ticks() == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def test_small_gaps_are_not_squeezed_into_a_corner() -> None:
    """A gap of 0.03 against a floor of 0.10 fills a good part of the axis."""
    assert linear([0.03, 0.12, 0.1]).high <= 0.15


@pytest.mark.parametrize(("size", "step"), [(0.07, 0.1), (0.2, 0.2), (3, 5), (24, 25), (0, 1.0), (math.inf, 1.0)])
def test_steps_are_round(size: float, step: float) -> None:
    """Steps are 1, 2, 2.5 or 5 times a power of ten."""
    assert round_step(size) == pytest.approx(step)
