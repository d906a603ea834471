"""F1.metrics: figures by hand, intervals that hold together, shrinkage, outcomes of every task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from tests.truth.gaps import unfair
from tests.truth.served import build, values
from tests.truth.subjects import context

from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import SettingsView
from fivefold.errors import InputError, UnsupportedError
from fivefold.fairness.metrics import ranked, valued
from fivefold.fairness.metrics.counted import NAMES, frame
from fivefold.fairness.metrics.shrunk import shrunk

if TYPE_CHECKING:
    from pathlib import Path

run = resolve("F1.metrics")


def test_rates_counted_by_hand_on_adult_census_are_equal(shared: Path) -> None:
    """The rates of the COMPAS debate (FPR, FNR, PPV by group), counted row by row, equal ours to the last bit."""
    rows = pd.read_csv(shared / "adult_census" / "test.csv.gz", skipinitialspace=True)
    truth = rows["income"].astype(str).str.contains(">50K").to_numpy().astype(int)
    answer = ((rows["education_num"] >= 13) & (rows["hours_per_week"] >= 40)).to_numpy().astype(int)
    race = rows["race"].astype(str)
    found = frame(race, truth, answer, np.random.default_rng(0))
    counts: dict[str, dict[tuple[int, int], int]] = {}
    for name, deserved, given in zip(race, truth, answer, strict=True):
        cell = counts.setdefault(name, {(0, 0): 0, (0, 1): 0, (1, 0): 0, (1, 1): 0})
        cell[int(deserved), int(given)] += 1
    assert list(found.labels) == list(counts)
    for at, name in enumerate(found.labels):
        cell = counts[str(name)]
        by_hand = {
            "false positive rate": cell[0, 1] / (cell[0, 1] + cell[0, 0]),
            "false negative rate": cell[1, 0] / (cell[1, 0] + cell[1, 1]),
            "positive predictive value": cell[1, 1] / (cell[1, 1] + cell[0, 1]),
            "selection rate": (cell[1, 1] + cell[0, 1]) / sum(cell.values()),
            "accuracy": (cell[1, 1] + cell[0, 0]) / sum(cell.values()),
        }
        for figure, value in by_hand.items():
            assert found.value[NAMES.index(figure), at] == value


def test_intervals_hold_together() -> None:
    """All intervals of twelve figures and four groups hold at once in about 95 of 100 tables (at least 90)."""
    rng = np.random.default_rng(3)
    tpr, fpr, base = np.array([0.6, 0.7, 0.8, 0.75]), np.array([0.1, 0.2, 0.15, 0.3]), 0.4
    big = np.stack([[(1 - base) * (1 - fpr), (1 - base) * fpr], [base * (1 - tpr), base * tpr]])
    from fivefold.fairness.metrics.counted import figures

    true = figures(np.moveaxis(big, 2, 0) * 1e9)
    held = 0
    for seed in range(200):
        codes = rng.integers(0, 4, 1600)
        truth = (rng.random(1600) < base).astype(int)
        answer = (rng.random(1600) < np.where(truth == 1, tpr[codes], fpr[codes])).astype(int)
        found = frame(np.array(["a", "b", "c", "d"])[codes], truth, answer, np.random.default_rng(seed))
        order = [("a", "b", "c", "d").index(str(label)) for label in found.labels]
        held += bool(((found.low <= true[:, order]) & (true[:, order] <= found.high)).all())
    assert 180 <= held <= 199


def test_an_empty_cell_is_not_certain_and_a_missing_label_is_a_group() -> None:
    """No false positive among 40 rows: the interval of the rate still has a width; None is a group of its own."""
    group = np.array(["x", None], dtype=object)[np.repeat([0, 1], 40)]
    truth = np.tile([0, 1], 40)
    found = frame(group, truth, truth, np.random.default_rng(0))
    assert found.labels == ("x", None)
    rate = NAMES.index("false positive rate")
    assert found.value[rate, 0] == 0
    assert found.high[rate, 0] > 0.02


@pytest.mark.parametrize(
    ("truth", "answer", "code"),
    [([0, 1, 2], [0, 1, 1], "fairness.rows"), ([0, 1], [0, 1, 1], "fairness.rows"),
     ([0.5, 1, 0], [0, 1, 1], "fairness.rows"), ([], [], "fairness.rows")],
)  # fmt: skip
def test_what_is_no_truth_value_is_refused(truth: list[float], answer: list[int], code: str) -> None:
    """Values other than 0 and 1 and unequal lengths are refused."""
    with pytest.raises(InputError) as error:
        frame(["a"] * len(answer), truth, answer, np.random.default_rng(0))
    assert error.value.code == code


def test_ranks_agree_with_scikit_learn() -> None:
    """AUC within the group, and of the group's positives over other negatives, to the width of a step."""
    rng = np.random.default_rng(1)
    codes, truth = rng.integers(0, 2, 20_000), rng.integers(0, 2, 20_000)
    score = truth + rng.normal(size=20_000) * (1 + codes)
    counts = ranked.count(codes, truth, ranked.steps(score), 2)
    found = dict(zip(ranked.NAMES, ranked.figures(counts), strict=True))
    mine, across = codes == 0, ((codes == 0) & (truth == 1)) | ((codes == 1) & (truth == 0))
    assert abs(found["AUC within the group"][0] - roc_auc_score(truth[mine], score[mine])) < 1e-3
    bnsp = found["AUC of the group's positives over other negatives"][0]
    assert abs(bnsp - roc_auc_score(truth[across], score[across])) < 1e-3
    assert np.allclose(ranked.auc_spread(counts)[0], found["AUC within the group"])
    assert abs((found["share in the top"] * np.bincount(codes)).sum() / 20_000 - 0.1) < 1e-9


def test_values_agree_with_their_definitions() -> None:
    """Twelve figures of a regression against numpy, and spreads of drawn sums against those of resampled rows."""
    rng = np.random.default_rng(2)
    codes, target = rng.integers(0, 3, 6000), rng.normal(size=6000)
    answer = 0.5 * target + 0.3 * rng.normal(size=6000) + 0.1 * codes
    rows, sums = valued.sums(codes, target, answer, 3)
    found = dict(zip(valued.NAMES, valued.figures(sums[..., 0]), strict=True))
    y, p = target[codes == 1], answer[codes == 1]
    assert np.isclose(found["mean absolute error"][1], np.abs(p - y).mean())
    assert np.isclose(found["R2"][1], 1 - ((p - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    assert np.isclose(found["Pearson correlation"][1], np.corrcoef(p, y)[0, 1])
    drawn = valued.figures(valued.drawn(rows, sums, rng, 1000))[:, valued.NAMES.index("R2"), 1]
    again = rng.integers(0, len(y), (500, len(y)))
    apart = [1 - ((p[at] - y[at]) ** 2).sum() / ((y[at] - y[at].mean()) ** 2).sum() for at in again]
    assert 0.8 < drawn.std() / np.std(apart) < 1.25


def test_shrinkage_halves_the_error_of_small_groups_and_keeps_its_bounds() -> None:
    """Thirty groups of 5 to 80 rows, 100 times: squared error at most 0.7 of the raw one, bounds hold in 91 of 100."""
    rng = np.random.default_rng(0)
    raw, ours, held = [], [], []
    for _ in range(100):
        true, rows = rng.beta(6, 14, 30), rng.integers(5, 80, 30)
        hits = rng.binomial(rows, true)
        found = shrunk(hits, rows)
        raw.append(np.mean((hits / rows - true) ** 2))
        ours.append(np.mean((found.value - true) ** 2))
        held.append([(found.low < true).mean(), (true < found.high).mean()])
    assert np.mean(ours) < 0.7 * np.mean(raw)
    assert np.mean(held, axis=0).min() > 0.91


@pytest.mark.parametrize(
    ("which", "name"), [("error", "error rate gap"), ("auc", "AUC gap"), ("score", "calibration gap")]
)
def test_a_gap_fails_and_is_named(which: str, name: str) -> None:
    """Errors, ranks and scores that serve one group worse each fail by their own figure."""
    result = run(build(5, beyond=0.15, which=which))
    assert result.outcome is Outcome.FAIL
    assert name in {m.name for m in result.measures if m.outcome is Outcome.FAIL}
    assert result.canary is not None
    assert result.canary.noticed


def test_all_twelve_are_shown_of_every_task() -> None:
    """Classes show twelve figures of counts and twelve of ranks, values twelve of their own; the same twice."""
    shown = {m.name.split(":")[0] for m in run(build(6)).measures}
    assert set(NAMES) | set(ranked.NAMES) <= shown
    assert set(valued.NAMES) <= {m.name.split(":")[0] for m in run(values(6)).measures}
    assert canonical(run(build(6))) == canonical(run(build(6)))


def test_a_hundred_rows_of_an_unfair_subject_never_pass() -> None:
    """Forty unfair subjects of 100 rows: F1.gaps and F1.metrics say fail or inconclusive."""
    for seed in range(20):
        assert run(build(seed, beyond=0.2, rows=100, which="error", share=0.5)).outcome is not Outcome.PASS
        assert resolve("F1.gaps")(unfair(seed, rows=100)).outcome is not Outcome.PASS


def test_without_a_protected_column_nothing_is_measured() -> None:
    """The finding is not-run, with the remedy."""
    given = build(1)
    bare = context("F1.metrics", given.subject, {"test": given.tables("test")}, 1, thresholds=dict(given.thresholds),
                   settings=SettingsView(positive=1))  # fmt: skip
    with pytest.raises(UnsupportedError) as error:
        run(bare)
    assert error.value.code == "metrics.protected"
