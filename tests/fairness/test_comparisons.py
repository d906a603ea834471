"""Comparisons: tests and bounds against statsmodels, and their behaviour at the floor."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import norm, ttest_ind
from statsmodels.stats.proportion import test_proportions_2indep as proportions_test

from fivefold.fairness.gaps.comparisons import (
    ALPHA,
    RATES,
    Design,
    Moments,
    adjust,
    any_found,
    flat_codes,
    moments,
    p_counted,
    p_means,
    rates,
    tables,
)
from fivefold.fairness.gaps.evidence import gather
from fivefold.fairness.gaps.groups import Field


def _design(rate: str, floor: float, *, pairs: int = 1) -> Design:
    one = np.ones(pairs, dtype=np.int64)
    return Design(RATES.index(rate) * one, 0 * one, one, floor * np.ones(pairs), np.zeros(pairs, dtype=bool))  # type: ignore[arg-type]


def _cells(rate: str, k1: int, n1: int, k2: int, n2: int) -> tuple[np.ndarray, np.ndarray]:
    hits, totals = np.zeros((4, 2)), np.ones((4, 2))
    hits[RATES.index(rate)], totals[RATES.index(rate)] = (k1, k2), (n1, n2)  # type: ignore[arg-type]
    return hits, totals


def _searched(k1: int, n1: int, k2: int, n2: int, margin: float) -> float:
    """Return P(Z > z) of the score test of p1 - p2 at ``margin``, its likelihood maximised by search."""

    def loss(p2: float) -> float:
        p1 = p2 + margin
        return -float(xlogy(k1, p1) + xlogy(n1 - k1, 1 - p1) + xlogy(k2, p2) + xlogy(n2 - k2, 1 - p2))

    bounds = max(0.0, -margin) + 1e-12, min(1.0, 1 - margin) - 1e-12
    p2 = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-11}).x
    p1 = p2 + margin
    variance = (p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2) * (n1 + n2) / (n1 + n2 - 1)
    return float(norm.sf((k1 / n1 - k2 / n2 - margin) / np.sqrt(variance)))


@pytest.mark.parametrize("cells", [(60, 240, 400, 960), (200, 240, 700, 960), (45, 90, 20, 80), (3, 40, 30, 60)])
def test_difference_p_value_is_the_sum_of_both_margins(cells: tuple[int, int, int, int]) -> None:
    """Against the score test with the constrained likelihood maximised by search, at both ends of the floor."""
    k1, n1, k2, n2 = cells
    ordered = (k2, n2, k1, n1) if k2 / n2 > k1 / n1 else (k1, n1, k2, n2)
    peer = sum(_searched(*ordered, margin) for margin in (0.1, -0.1))
    assert p_counted(_design("tpr", 0.1), *_cells("tpr", *cells))[0] == pytest.approx(min(peer, 1.0), rel=1e-4)


@pytest.mark.parametrize("cells", [(60, 240, 400, 960), (200, 240, 700, 960), (45, 90, 20, 80)])
def test_ratio_p_value_is_the_sum_of_both_margins(cells: tuple[int, int, int, int]) -> None:
    """Against statsmodels' score test of a ratio at 0.8 and at 1 / 0.8."""
    k1, n1, k2, n2 = cells
    high, low = ((k2, n2), (k1, n1)) if k2 / n2 > k1 / n1 else ((k1, n1), (k2, n2))
    peer = sum(
        proportions_test(
            *low, *high, value=value, method="score", compare="ratio", alternative="smaller", correction=True
        ).pvalue
        for value in (0.8, 1.25)
    )
    mine = p_counted(_design("selection", 0.8), *_cells("selection", *cells))[0]
    assert mine == pytest.approx(min(peer, 1.0), rel=1e-6)


def test_mean_p_value_is_welch() -> None:
    """A floor of zero is Welch's two-sided test."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, 50), rng.normal(0.4, 2, 80)
    found = Moments(np.array([50.0, 80.0]), np.array([a.mean(), b.mean()]), np.array([a.var(ddof=1), b.var(ddof=1)]))
    assert p_means(_design("error", 0.0), found)[0] == pytest.approx(ttest_ind(a, b, equal_var=False).pvalue)


def test_one_pass_counts_and_moments_match_a_plain_loop() -> None:
    """The vectorised tables are those that a reader would count by hand."""
    rng = np.random.default_rng(2)
    truth, answer, values = rng.integers(0, 2, 500), rng.integers(0, 2, 500), rng.normal(1e6, 1, 500)
    fields = (Field("a", rng.integers(0, 3, 500), ("x", "y", "z")), Field("b", rng.integers(0, 2, 500), ("u", "v")))
    codes = flat_codes(fields)
    counted, found = tables(codes, truth, answer, 5), moments(codes, values, 5)
    for flat, (field, code) in enumerate([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]):
        mine = fields[field].codes == code
        for y in (0, 1):
            for p in (0, 1):
                assert counted[flat, y, p] == (mine & (truth == y) & (answer == p)).sum()
        assert found.mean[flat] == pytest.approx(values[mine].mean())
        assert found.variance[flat] == pytest.approx(values[mine].var(ddof=1))
    hits, totals = rates(counted)
    assert hits[1, 0] / totals[1, 0] == pytest.approx(answer[(fields[0].codes == 0) & (truth == 1)].mean())


def test_holm_shares_one_percent_with_intersections() -> None:
    """Intersections cost the declared fields a fifth of the error, never more."""
    p = np.array([0.03, 0.009])
    assert adjust(np.array([False, False]), p).tolist() == pytest.approx([0.03, 0.018])
    assert adjust(np.array([False, True]), p).tolist() == pytest.approx([0.0375, 0.045])
    assert any_found(np.array([False, True]), np.array([[0.041, 0.011], [0.041, 0.009]])).tolist() == [False, True]


@pytest.mark.parametrize(("rate", "floor", "low", "high"), [("tpr", 0.1, 0.7, 0.8), ("selection", 0.8, 0.4, 0.5)])
def test_at_the_floor_neither_error_exceeds_five_percent(rate: str, floor: float, low: float, high: float) -> None:
    """A gap exactly at the floor fails in about 5 % and passes in about 5 % of many samples."""
    rng = np.random.default_rng(5)
    draws, n1, n2 = 4000, 300, 900
    at = RATES.index(rate)  # type: ignore[arg-type]
    hits, totals = np.zeros((4, 2 * draws)), np.ones((4, 2 * draws))
    hits[at, ::2], hits[at, 1::2] = rng.binomial(n1, low, draws), rng.binomial(n2, high, draws)
    totals[at, ::2], totals[at, 1::2] = n1, n2
    first, one = 2 * np.arange(draws), np.ones(draws)
    plan = Design(at * np.ones(draws, dtype=np.int64), first, first + 1, floor * one, np.zeros(draws, dtype=bool))
    failed = (p_counted(plan, hits, totals) <= ALPHA).mean()
    assert 0.035 <= failed <= 0.06
    passed = np.mean([str(outcome) == "pass" for outcome in gather(plan, hits, totals, {}).outcomes])
    assert 0.03 <= passed <= 0.06
