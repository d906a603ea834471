"""P3.operating-point and P3.identification: rates that are known, promises that are kept, files of every kind."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.stats import betabinom
from sklearn.metrics import roc_curve
from tests.truth.operating import GALLERY, POINT, SEARCH, pair_threshold, scored, searched
from tests.truth.subjects import Answers, context, table

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import SettingsView
from fivefold.errors import InputError, UnsupportedError
from fivefold.protection.operating import point, search
from fivefold.protection.operating.scores import Scores
from fivefold.stats import clustered


def one(result, name, where=""):
    return next(m for m in result.measures if m.name == name and m.where == where)


def test_rates_agree_with_sklearn():
    """At every threshold both rates are those of a ROC curve, and the equal error is where it meets the diagonal."""
    rng = np.random.default_rng(1)
    genuine, impostor = rng.normal(1, 1, 300).round(1), rng.normal(0, 1, 400).round(1)
    false, true, at = roc_curve(np.repeat([1, 0], [300, 400]), np.concatenate([genuine, impostor]),
                                drop_intermediate=False)  # fmt: skip
    ours = point.curve(genuine, impostor, at)
    assert np.allclose(ours, (false, 1 - true))
    edge = point.equal(genuine, impostor)
    ours = np.ravel(point.curve(genuine, impostor, np.array([edge])))
    assert abs(ours[0] - ours[1]) <= np.abs(false - (1 - true)).min() + 1e-12


@pytest.mark.parametrize("limit", [0.05, 0.2])
def test_a_promised_threshold_keeps_its_promise(limit):
    """The upper bound on other rows lies below the limit in 95 % of draws, whatever the scores."""
    rng = np.random.default_rng(2)
    kept = 0
    for _ in range(300):
        draws = rng.lognormal(size=(2, 400))
        edge = point.promised(rng.normal(size=50), draws[0], 400, limit)
        kept += edge is not None and point.rate(draws[1] >= edge).high < limit
    assert kept / 300 >= 0.93
    assert point.promised(np.ones(5), np.zeros(10), 10, 0.05) is None


def test_the_negative_hypergeometric_is_scipys_beta_binomial():
    """The distribution of what exceeds an order statistic, against an independent implementation."""
    for most, n, alpha, beta in [(0, 10, 1, 20), (5, 60, 3, 90), (59, 60, 3, 9)]:
        assert point._at_most(most, n, alpha, beta) == pytest.approx(betabinom.cdf(most, n, alpha, beta))


@pytest.mark.parametrize("groups", [0, 1, 2])
def test_bounds_of_clustered_rows_hold(groups):
    """Upper bounds cover the true share in 95 % of draws although persons, and references, differ."""
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        probe, reference = np.repeat(np.arange(40), 40), np.tile(np.arange(40), 40)
        share = 0.2 * np.ones(1600)
        if groups:
            share = share * rng.choice([0.5, 1.5], 40)[probe]
        if groups > 1:
            share = share * rng.choice([0.5, 1.5], 40)[reference]
        hits = rng.random(1600) < share
        covered += clustered.bounds(hits, [probe, reference][:groups])[1] >= 0.2
    assert covered / 400 >= 0.92


def test_rows_that_do_not_hang_together_keep_their_worth():
    """Named persons cost nothing where they do not differ, and a person in every row is a row alone."""
    rng = np.random.default_rng(4)
    hits = rng.random(4000) < 0.3
    assert clustered.effective(hits, [np.arange(4000)]) == pytest.approx(4000, rel=0.02)
    assert clustered.effective(hits, [np.repeat(np.arange(400), 10)]) > 3000
    assert clustered.effective(np.repeat(hits[:400], 10), [np.repeat(np.arange(400), 10)]) == pytest.approx(
        400, rel=0.02
    )
    assert clustered.effective(np.zeros(50, dtype=bool), [np.repeat(np.arange(5), 10)]) == 5


@pytest.mark.parametrize("alike", [True, False])
def test_the_bounds_enclose_the_rate_of_a_larger_gallery(alike):
    """Searches of 40 bound searches of 400: simulated people, alike or a tenth of them matched often."""
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(200):
        chance = np.full(600, 0.002) if alike else np.where(rng.random(600) < 0.1, 0.02, 0.0)
        truth = 1 - (1 - 0.002) ** 400 if alike else 0.1 * (1 - 0.98**400)
        matched = (rng.random((600, 40)) < chance[:, None]).ravel()
        scores = Scores(matched.astype(float), np.zeros(24_000, dtype=bool), matched,
                        (np.repeat(np.arange(600), 40),), "same", declared=True)  # fmt: skip
        found = search.rate(matched, search.searches(scores, 400, rng), 400)
        inside += found.low <= truth <= found.high
    assert inside / 200 >= 0.92


def test_a_threshold_for_a_gallery_keeps_the_rate():
    """Chosen on 2,000 searches of 50, the rate at 500 stays below the limit in nearly all draws."""
    rng = np.random.default_rng(6)
    over = 0
    for _ in range(50):
        edge = search.threshold_for(rng.random((2000, 50)).max(axis=1), 50, 500, 0.1)
        over += edge is None or 1 - edge**500 > 0.1
    assert over <= 6
    assert search.threshold_for(np.array([0.3, 0.4]), 1, 25_000, 0.1) is None


def test_a_score_file_of_distances_is_measured_without_probabilities():
    """A column of distances beside decisions: the wrong threshold fails its declared limit, the remedy names one."""
    result = resolve(POINT)(scored(7, error=0.1, taken=0.06, column=True))
    assert result.outcome is Outcome.FAIL
    assert one(result, "false-match rate").outcome is Outcome.FAIL
    kept = one(result, "false-match rate", "threshold that keeps `max_false_match`")
    assert kept.high < 0.02
    assert "Decide at" in result.remedy
    assert result.canary.noticed


def test_without_a_declared_class_limits_stay_open():
    """Two classes and no `alarm`: the equal error is judged, a limit on false matches is not."""
    given = scored(8, error=0.2, taken=0.01, column=False)
    result = resolve(POINT)(replace(given, settings=SettingsView()))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert one(result, "equal error rate").outcome is Outcome.PASS
    assert "alarm" in one(result, "false-match rate").note


def test_the_same_seed_gives_the_same_result():
    """Determinism, rule 8."""
    for make, check in ((partial(scored, taken=0.01), POINT), (searched, SEARCH)):
        assert resolve(check)(make(9)) == resolve(check)(make(9))


def test_missing_scores_names_and_targets_are_counted_not_guessed():
    """Rows without a score or target are left out and counted; a probe without a name is somebody of its own."""
    given = searched(10, probes=200, length=30)
    rows = given.tables("test")
    frame = rows.features.copy()
    frame.loc[:99, "likeness"] = np.nan
    names = rows.others["who"].astype(object).where(np.arange(len(rows)) % 50 != 3, None)
    target = rows.target.copy()
    target[200:250] = -1
    changed = replace(rows, features=frame, target=target, others=pd.DataFrame({"who": names}))
    result = resolve(SEARCH)(replace(given, tables={"test": changed}.__getitem__))
    assert any("100 rows without a score" in text for text in result.limits)
    assert one(result, "false-positive identification rate").n > 100


@pytest.mark.parametrize(
    ("options", "code"),
    [({"score": "nowhere"}, "operating.column"), ({"probe": "nowhere"}, "operating.column")],
)
def test_a_wrong_column_is_named(options, code):
    """An unknown column is refused with its option."""
    given = searched(11, probes=100, length=5)
    with pytest.raises(InputError) as caught:
        resolve(SEARCH)(replace(given, options={**given.options, **options}))
    assert caught.value.code == code


def test_what_cannot_be_measured_says_so():
    """No gallery size, a text column, too few rows, labels alone, several classes: a reason, no figure."""
    given = searched(12, probes=100, length=5)
    with pytest.raises(UnsupportedError, match="how many people"):
        resolve(SEARCH)(replace(given, options={**given.options, "gallery": None}))
    with pytest.raises(InputError, match="no numbers"):
        resolve(SEARCH)(replace(given, options={**given.options, "score": "who"}))
    with pytest.raises(UnsupportedError, match="are needed"):
        resolve(POINT)(scored(1, rows=30))
    rng = np.random.default_rng(0)
    target = rng.integers(0, 3, 200)
    frame = pd.DataFrame({"x": rng.normal(size=200)})
    for answers in (Answers("multiclass", ("a", "b", "c"), target), Answers("regression", (), target.astype(float))):
        with pytest.raises(UnsupportedError):
            resolve(POINT)(context(POINT, answers, {"test": table("test", frame, target)}, 1,
                                   thresholds={"max_equal_error": 0.42}, settings=SettingsView()))  # fmt: skip


def test_a_threshold_for_pairs_fails_in_a_gallery():
    """One false match in 200 pairs: nearly everybody is found in a gallery of 1,000, and the remedy knows another."""
    result = resolve(SEARCH)(pair_threshold(13))
    assert result.outcome is Outcome.FAIL
    assert one(result, "false-positive identification rate").value > 0.9
    assert f"{GALLERY:,}" in result.reason
    assert result.remedy


def test_persons_who_are_in_both_halves_do_not_flatter():
    """With probes named, nobody is on the half that chooses and on the half that states."""
    from fivefold.protection.operating.halves import halve
    from fivefold.protection.operating.scores import of

    given = searched(14, probes=100, length=10)
    scores = of(given, given.tables("test"), labels=True)
    one_half, other = halve(scores, np.random.default_rng(1))
    assert not set(one_half.groups[0]) & set(other.groups[0])
    assert len(one_half.value) + len(other.value) == len(scores.value)
