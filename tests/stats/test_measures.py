"""AUC, bootstrap, means, calibration, multiplicity and the judgement."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError
from fivefold.stats import auc, bootstrap, calibration, mean, multiple
from fivefold.stats.judge import judge


def _rng(seed=0):
    return np.random.default_rng(seed)


def test_holm_gives_the_values_of_r():
    """R 4.4: p.adjust(c(0.03, 0.01, 0.05, 0.02, 0.04), "holm")."""
    assert multiple.holm([0.03, 0.01, 0.05, 0.02, 0.04]) == pytest.approx([0.09, 0.05, 0.09, 0.08, 0.09])


def test_holm_agrees_with_statsmodels():
    """On 40 random p-values."""
    p = _rng().uniform(0, 0.2, 40)
    assert np.allclose(multiple.holm(p), multipletests(p, method="holm")[1])


def test_delong_agrees_with_its_definition_and_sklearn():
    """Placements counted pair by pair, with ties."""
    pos, neg = _rng(1).integers(0, 9, 37).astype(float) + 1, _rng(2).integers(0, 9, 51).astype(float)
    wins = (pos[:, None] > neg).astype(float) + 0.5 * (pos[:, None] == neg)
    area, se = auc.delong(pos, neg)
    expected = wins.mean(1).var(ddof=1) / 37 + wins.mean(0).var(ddof=1) / 51
    assert area == pytest.approx(roc_auc_score(np.r_[np.ones(37), np.zeros(51)], np.r_[pos, neg]))
    assert se == pytest.approx(np.sqrt(expected))


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_auc_bounds_cover(shift):
    """One-sided bounds miss at most about 5 % on each side, also near 1."""
    rng = _rng(3)
    truth = float(np.mean(rng.normal(shift, 1, 400_000) > rng.normal(0, 1, 400_000)))
    misses = np.zeros(2)
    for _ in range(400):
        area, se = auc.delong(rng.normal(shift, 1, 60), rng.normal(0, 1, 80))
        low, high = auc.bound(area, se, 60, 80)
        misses += [low > truth, high < truth]
    assert (misses / 400 < 0.085).all()


def test_perfect_separation_is_not_certainty():
    """With five pairs and no error the lower bound stays at 0.05^(1/5)."""
    low, high = auc.bound(*auc.delong([2, 3, 4, 5, 6], [0, 1, 0, 1, 0]), 5, 5)
    assert low == pytest.approx(0.05**0.2)
    assert high == 1.0


def test_auc_without_scores_is_refused():
    """An empty side is an input fault."""
    with pytest.raises(InputError) as caught:
        auc.delong([], [1.0])
    assert caught.value.code == "stats.empty"


def test_bootstrap_agrees_with_scipy():
    """Percentile bounds of a mean, one stratum."""
    x = _rng(4).exponential(size=200)
    low, high = bootstrap.stratified(np.zeros(200), lambda w: w @ x / 200, _rng(5), draws=4000, side="two")
    peer = scipy_bootstrap((x,), np.mean, n_resamples=4000, method="percentile", rng=_rng(6)).confidence_interval
    assert [float(low), float(high)] == pytest.approx([peer.low, peer.high], abs=0.02)


def test_bootstrap_keeps_the_size_of_each_stratum():
    """A statistic that only depends on stratum sizes does not vary."""
    strata = np.array(["a"] * 30 + ["b"] * 3)
    low, high = bootstrap.stratified(strata, lambda w: w[:, :30].sum(1), _rng(), draws=200)
    assert (float(low), float(high)) == (30.0, 30.0)


def test_bootstrap_of_a_figure_that_is_mostly_undefined_is_unknown():
    """NaN, not a bound made of the few draws that worked."""
    low, _ = bootstrap.stratified(np.zeros(9), lambda w: np.where(w[:, 0] > 3, 1.0, np.nan), _rng(), draws=200)
    assert np.isnan(low)


def test_skewed_means_are_covered():
    """For lognormal values Hall's bound misses less above than the ordinary t bound does."""
    rng, truth, hall, plain = _rng(7), np.exp(0.5), 0, 0
    for _ in range(600):
        x = rng.lognormal(size=60)
        hall += mean.skew_t(x)[1] < truth
        plain += x.mean() + 1.671 * x.std(ddof=1) / np.sqrt(60) < truth
    assert hall < plain
    assert hall / 600 < 0.11


def test_a_calibrated_score_has_no_calibration_error():
    """The mean over repetitions is near 0 where the naive estimate is not; a shift of 0.1 is found."""
    rng, ours, naive, shifted = _rng(8), [], [], []
    for _ in range(100):
        p = rng.uniform(0.05, 0.85, 600)
        y = (rng.uniform(size=600) < p).astype(float)
        ours.append(calibration.debiased_ece(p, y))
        code = calibration.bins_of(p, 15)
        naive.append(sum(abs((p - y)[code == b].sum()) for b in range(15)) / 600)
        shifted.append(calibration.debiased_ece(p + 0.1, y))
    assert np.mean(ours) < 0.6 * np.mean(naive)
    assert np.mean(shifted) == pytest.approx(0.1, abs=0.015)


def test_calibration_refuses_vectors_of_two_lengths():
    """Scores and hits belong to the same rows."""
    with pytest.raises(InputError) as caught:
        calibration.debiased_ece([0.1, 0.2], [1])
    assert caught.value.code == "stats.shape"


@pytest.mark.parametrize(
    ("low", "high", "direction", "expected"),
    [
        (0.81, 0.9, "min", Outcome.PASS),
        (0.7, 0.79, "min", Outcome.FAIL),
        (0.7, 0.9, "min", Outcome.INCONCLUSIVE),
        (0.8, 0.9, "min", Outcome.INCONCLUSIVE),
        (0.7, 0.79, "max", Outcome.PASS),
        (0.81, 0.9, "max", Outcome.FAIL),
        (None, None, "max", Outcome.INCONCLUSIVE),
        (float("nan"), 0.9, "min", Outcome.INCONCLUSIVE),
    ],
)
def test_the_judgement_needs_a_bound_clear_of_the_threshold(low, high, direction, expected):
    """Rule 6; touching is not clear, unknown is inconclusive."""
    assert judge(low, high, 0.8, direction) is expected
