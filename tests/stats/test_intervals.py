"""Bounds of proportions, differences and ratios against printed tables and other implementations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from fivefold.errors import InputError
from fivefold.stats import difference, paired, proportion, ratio

# Newcombe, Statistics in Medicine 17 (1998), 857-872, table I: 95 % two-sided intervals
_SINGLE = [(81, 263), (15, 148), (0, 20), (1, 29)]
_WILSON = [(0.2553, 0.3662), (0.0624, 0.1605), (0.0, 0.1611), (0.0061, 0.1718)]
_EXACT = [(0.2527, 0.3676), (0.0578, 0.1617), (0.0, 0.1684), (0.0009, 0.1776)]

# Newcombe, Statistics in Medicine 17 (1998), 873-890, table II, methods 5 (Miettinen-Nurminen) and 10
_PAIRS = [(56, 70, 48, 80), (9, 10, 3, 10), (6, 7, 2, 7), (5, 56, 0, 29), (0, 10, 0, 20), (10, 10, 0, 20)]
_MN = [
    (0.0528, 0.3382),
    (0.1700, 0.8406),
    (0.0342, 0.8534),
    (-0.0326, 0.1933),
    (-0.1658, 0.2844),
    (0.7156, 1.0),
]
_HYBRID = [
    (0.0524, 0.3339),
    (0.1705, 0.8090),
    (0.0582, 0.8062),
    (-0.0381, 0.1926),
    (-0.1611, 0.2775),
    (0.6791, 1.0),
]


@pytest.mark.parametrize(("table", "expected"), list(zip(_SINGLE, _WILSON, strict=True)))
def test_wilson_gives_the_printed_values(table, expected):
    """Newcombe 1998a, table I, method 3."""
    assert np.allclose(proportion.wilson(*table, side="two"), expected, atol=5.1e-5)


@pytest.mark.parametrize(("table", "expected"), list(zip(_SINGLE, _EXACT, strict=True)))
def test_clopper_pearson_gives_the_printed_values(table, expected):
    """Newcombe 1998a, table I, method 5."""
    assert np.allclose(proportion.clopper_pearson(*table, side="two"), expected, atol=5.1e-5)


@pytest.mark.parametrize(("ours", "theirs"), [(proportion.wilson, "wilson"), (proportion.clopper_pearson, "beta")])
def test_single_proportions_agree_with_statsmodels(ours, theirs):
    """All counts of 17 trials at once; one-sided 95 % is two-sided 90 %."""
    k = np.arange(18)
    low, high = ours(k, 17)
    expected = np.array([proportion_confint(int(i), 17, alpha=0.1, method=theirs) for i in k])
    assert np.allclose(low, expected[:, 0], atol=1e-9)
    assert np.allclose(high, expected[:, 1], atol=1e-9)


@pytest.mark.parametrize(("table", "expected"), list(zip(_PAIRS, _MN, strict=True)))
def test_miettinen_nurminen_gives_the_printed_values(table, expected):
    """Newcombe 1998b, table II, method 5."""
    assert np.allclose(difference.miettinen_nurminen(*table, side="two"), expected, atol=5.1e-5)


@pytest.mark.parametrize(("table", "expected"), list(zip(_PAIRS, _HYBRID, strict=True)))
def test_newcombe_gives_the_printed_values(table, expected):
    """Newcombe 1998b, table II, method 10."""
    assert np.allclose(difference.newcombe(*table, side="two"), expected, atol=5.1e-5)


def test_many_tables_at_once_equal_one_by_one():
    """Vectorising changes nothing."""
    tables = np.array(_PAIRS).T
    low, high = difference.miettinen_nurminen(*tables)
    single = np.array([difference.miettinen_nurminen(*table) for table in _PAIRS])
    assert np.allclose(np.stack([low, high], 1), single)


@pytest.mark.parametrize("table", [(56, 70, 48, 80), (9, 100, 3, 110), (30, 200, 41, 180)])
def test_ratio_bounds_agree_with_statsmodels(table):
    """Score bounds of the relative risk."""
    expected = confint_proportions_2indep(*table, method="score", compare="ratio")
    assert np.allclose(ratio.miettinen_nurminen(*table, side="two"), expected, rtol=1e-6)


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_score_p_values_and_bounds_agree(n1, n2, data):
    """At the lower bound the score test's p-value is exactly the error left out, for differences and ratios."""
    k1, k2 = data.draw(st.integers(1, n1)), data.draw(st.integers(1, n2))
    low, high = difference.miettinen_nurminen(k1, n1, k2, n2)
    if low > -0.999:
        assert difference.score_p(k1, n1, k2, n2, low) == pytest.approx(0.05, abs=1e-4)
    if high < 0.999:
        assert difference.score_p(k1, n1, k2, n2, high, alternative="less") == pytest.approx(0.05, abs=1e-4)
    bottom, _ = ratio.miettinen_nurminen(k1, n1, k2, n2)
    assert ratio.score_p(k1, n1, k2, n2, bottom) == pytest.approx(0.05, abs=1e-4)


@given(st.integers(2, 60), st.integers(2, 60), st.floats(-0.9, 0.9), st.data())
def test_the_closed_form_is_the_most_likely_pair(n1, n2, delta, data):
    """No pair on the line p1 - p2 = delta has a larger likelihood than the cubic's root."""
    k1, k2 = data.draw(st.integers(0, n1)), data.draw(st.integers(0, n2))

    def loss(p2):
        p1 = np.clip(p2 + delta, 0, 1)
        return -(binom.logpmf(k1, n1, p1) + binom.logpmf(k2, n2, p2))

    _, ours = difference.constrained(*(np.float64(v) for v in (k1, n1, k2, n2)), np.float64(delta))
    ends = (max(0.0, -delta) + 1e-9, min(1.0, 1.0 - delta) - 1e-9)
    best = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-10})
    assert loss(np.clip(ours, *ends)) <= best.fun + 1e-6


def test_bounds_of_small_tables_cover():
    """Over all outcomes of small trials the one-sided upper bound misses at most about 5 % (it is a score test)."""
    n1, n2, p1, p2 = 25, 40, 0.3, 0.2
    k1, k2 = np.meshgrid(np.arange(n1 + 1), np.arange(n2 + 1), indexing="ij")
    weight = binom.pmf(k1, n1, p1) * binom.pmf(k2, n2, p2)
    low, high = difference.miettinen_nurminen(k1, n1, k2, n2)
    assert (weight * (low > p1 - p2)).sum() < 0.06
    assert (weight * (high < p1 - p2)).sum() < 0.06


@pytest.mark.parametrize("bounds", [difference.miettinen_nurminen, difference.newcombe])
def test_an_empty_group_is_unknown(bounds):
    """Without rows nothing is excluded."""
    assert [float(v) for v in bounds(0, 0, 3, 10)] == [-1.0, 1.0]


def test_an_empty_group_has_no_ratio():
    """Without rows, or without successes below, the ratio has no upper end."""
    assert [float(v) for v in ratio.miettinen_nurminen(0, 0, 3, 10)] == [0.0, np.inf]
    assert float(ratio.miettinen_nurminen(4, 10, 0, 10)[1]) == np.inf


@pytest.mark.parametrize("bad", [(5, 4), (-1, 4), (np.nan, 4)])
def test_impossible_counts_are_refused(bad):
    """More successes than trials, negative or NaN counts are an input fault."""
    with pytest.raises(InputError) as caught:
        proportion.wilson(*bad)
    assert caught.value.code == "stats.counts"


def test_impossible_confidence_is_refused():
    """A confidence of 95 instead of 0.95 is an input fault."""
    with pytest.raises(InputError) as caught:
        proportion.wilson(1, 2, confidence=95)
    assert caught.value.code == "stats.confidence"


@pytest.mark.parametrize(("b", "c", "n"), [(12, 2, 50), (1, 0, 44), (0, 0, 44), (30, 31, 100)])
def test_tango_bounds_solve_the_score_equation(b, c, n):
    """At each bound the paired score statistic, with its constrained maximum found numerically, is z."""
    low, high = (float(v) for v in paired.tango(b, c, n, side="two"))

    def z(delta):
        def loss(q21):
            q12 = q21 + delta
            rest = max(1 - q12 - q21, 1e-300)
            return -(b * np.log(max(q12, 1e-300)) + c * np.log(max(q21, 1e-300)) + (n - b - c) * np.log(rest))

        ends = (max(0.0, -delta), (1 - delta) / 2)
        q21 = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-12}).x
        return (b - c - n * delta) / np.sqrt(n * (2 * q21 + delta - delta**2))

    assert z(low) == pytest.approx(1.959964, abs=2e-3)
    assert z(high) == pytest.approx(-1.959964, abs=2e-3)


def test_mcnemar_agrees_with_statsmodels():
    """The exact two-sided p-value is twice the smaller one-sided one."""
    expected = mcnemar([[10, 3], [14, 20]], exact=True).pvalue
    assert 2 * float(paired.mcnemar_p(14, 3)) == pytest.approx(expected)
    assert float(paired.mcnemar_p(0, 0)) == 1.0
