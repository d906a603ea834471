"""The ensemble's parts: encoding, members, threshold, options; and its checks from a manifest, in the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.subject.apps import build, table

from fivefold.adaptation import encoding
from fivefold.adaptation.ensemble import detector
from fivefold.adaptation.ensemble.delivered import Members
from fivefold.adaptation.ensemble.options import Options, read
from fivefold.assess.run import Options as Run
from fivefold.assess.run import assess
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path

KINDS = 3
APART = np.array([[0.0, 0.0, 0.0, 0.0], [6.0, 6.0, 6.0, 6.0], [0.0, 6.0, 0.0, 6.0]])


def clusters(count: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return rows of three classes that every pair of columns tells apart, with a text and missing cells."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, KINDS, count)
    frame = pd.DataFrame(APART[target] + rng.normal(size=(count, 4)), columns=list("abcd"))
    frame["d"] = np.where(rng.random(count) < 0.1, np.nan, frame["d"])
    frame["town"] = np.array(["north", "south", None], dtype=object)[rng.integers(0, 3, count)]
    return frame, target


def nearest(frame: pd.DataFrame) -> np.ndarray:
    """Return the class whose centre is nearest in the first three columns: a model."""
    away = ((frame[list("abc")].to_numpy()[:, None] - APART[None, :, :3]) ** 2).sum(axis=2)
    return away.argmin(axis=1)


@pytest.fixture(scope="module")
def made() -> Members:
    """An ensemble of six beside that model."""
    return Members(
        {"C2": {"members": 6, "false_alarms": 0.02}}, clusters(900, 1), clusters(900, 2)[0],
        lambda rows: (nearest(rows), None), width=KINDS, rng=np.random.default_rng(5),
    )  # fmt: skip


def test_members_are_of_other_families_or_views(made: Members) -> None:
    """Six members, two of them trees on halves of the columns drawn anew; all know the classes."""
    assert sorted(made.names) == [
        "kernel on the main directions", "trees", "trees on half of the columns", "trees on half of the columns",
        "trees on rounded numbers", "trees on the main directions",
    ]  # fmt: skip
    rows, target = clusters(500, 3)
    assert (made.scores(rows).argmax(axis=1) == target).mean() > 0.95
    np.testing.assert_allclose(made.scores(rows).sum(axis=1), 1.0)


def test_wrong_answers_are_alarmed_and_right_ones_seldom(made: Members) -> None:
    """Every third answer is turned to another class: nine tenths of them ring, of the others few."""
    rows, _ = clusters(900, 4)
    answers = nearest(rows)
    wrong = np.arange(900) % 3 == 0
    found = made.judge(rows, np.where(wrong, (answers + 1) % KINDS, answers))
    assert found.alarm[wrong].mean() > 0.9
    assert found.alarm[~wrong].mean() < 0.06
    np.testing.assert_array_equal(found.alarm, found.disagreement > made.threshold)


def test_a_row_is_judged_the_same_alone_and_among_others(made: Members) -> None:
    """Members see one row at a time."""
    rows, _ = clusters(50, 6)
    answers = nearest(rows)
    whole = made.judge(rows, answers).disagreement
    alone = [made.judge(rows.iloc[at : at + 1], answers[at : at + 1]).disagreement[0] for at in range(50)]
    np.testing.assert_allclose(whole, alone, rtol=1e-6)


def test_a_narrow_decision_of_the_model_raises_disagreement(made: Members) -> None:
    """The same rows and answers, once sure and once nearly a tie."""
    rows, _ = clusters(50, 7)
    answers = nearest(rows)
    sure, tie = np.full((50, KINDS), 0.005), np.full((50, KINDS), 0.2)
    sure[np.arange(50), answers], tie[np.arange(50), answers] = 0.99, 0.41
    tie[np.arange(50), (answers + 1) % KINDS] = 0.39
    assert (made.judge(rows, answers, tie).disagreement > made.judge(rows, answers, sure).disagreement).all()


def test_forests_are_read_from_their_trees_as_the_library_reads_them() -> None:
    """The short way gives what predict_proba gives, the kernel's scores are softened."""
    rows, target = clusters(400, 8)
    fitted = detector.fit(rows, target, KINDS, 6, np.random.default_rng(1))
    inputs = fitted.encoding(rows)
    for member in fitted.members:
        told = member.model.predict_proba(member.view(inputs)) ** (1 / member.soft)
        np.testing.assert_allclose(member.scores(inputs, KINDS), told / told.sum(axis=1, keepdims=True), atol=1e-7)


def test_members_of_arrays() -> None:
    """Images of two kinds; arrays of another shape are refused."""
    rng = np.random.default_rng(9)
    target = rng.integers(0, 2, 300)
    images = (rng.integers(0, 90, (300, 1, 6, 6)) + 120 * target[:, None, None, None]).astype(np.uint8)
    fitted = detector.fit(images, target, 2, 5, rng)
    assert (fitted.scores(images).argmax(axis=1) == target).all()
    with pytest.raises(UnsupportedError) as error:
        fitted.scores(images[:, :, :5])
    assert error.value.code == "adaptation.inputs"


@pytest.mark.parametrize(
    ("rows", "labels", "code"),
    [
        (np.array(["a", "b"] * 100, dtype=object), np.arange(200) % 2, "adaptation.inputs"),
        (np.zeros((200, 3)), np.zeros(200, dtype=int), "ensemble.rows"),
        (np.zeros((50, 3)), np.arange(50) % 2, "ensemble.rows"),
        (pd.DataFrame({"text": [f"text {i}" for i in range(200)]}), np.arange(200) % 2, "adaptation.inputs"),
    ],
)
def test_what_members_cannot_be_fitted_to(rows: Any, labels: np.ndarray, code: str) -> None:
    """Texts, one class, too few rows, a table without a column that repeats."""
    with pytest.raises(UnsupportedError) as error:
        detector.fit(rows, labels, 2, 3, np.random.default_rng(0))
    assert error.value.code == code


def test_cells_that_were_never_seen_or_are_missing_are_numbers_too() -> None:
    """An unknown text has no level, a missing cell one of its own; far numbers are clipped; dates count in days."""
    days = pd.to_datetime(["2020-01-01", "2020-01-03", "2020-01-05", "2020-01-07"] * 10)
    known = pd.DataFrame({"n": [1.0, 2.0, 3.0, np.nan] * 10, "town": ["x", "y", "x", None] * 10, "day": days})
    coded = encoding.fit(known)
    strange = pd.DataFrame({"n": [1e9, np.nan], "town": ["z", None], "day": pd.to_datetime(["2020-01-04", None])})
    inputs = coded(strange)
    assert coded.source.tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert inputs[0].tolist() == [8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert inputs[1].tolist() == [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0]


def test_stirring_keeps_cells_possible() -> None:
    """Missing marks stay, a text is one of those seen or missing, arrays stay in their range; something moves."""
    rows, _ = clusters(300, 10)
    coded, rng = encoding.fit(rows), np.random.default_rng(0)
    inputs = coded(rows)
    moved = coded.stirred(inputs, 0.3, rng)
    gone = [1, 3, 5, 7]
    np.testing.assert_array_equal(moved[:, gone], inputs[:, gone])
    assert set(map(tuple, moved[:, 8:].tolist())) <= set(map(tuple, inputs[:, 8:].tolist()))
    assert (moved[:, 8:] != inputs[:, 8:]).any()
    spread = np.subtract(*np.quantile(inputs[:, 0], [0.95, 0.05]))
    assert 0 < np.abs(moved[:, 0] - inputs[:, 0]).max() <= 0.3 * spread + 1e-5
    images = rng.integers(0, 256, (50, 1, 4, 4)).astype(np.uint8)
    coded = encoding.fit(images)
    stirred = coded.stirred(coded(images), 0.3, rng)
    assert stirred.min() >= 0
    assert stirred.max() <= 1
    assert (stirred != coded(images)).mean() > 0.9


@given(n=st.integers(19, 3000), rate=st.sampled_from([0.05, 0.02, 0.01, 0.1]), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_threshold_is_the_smallest_that_keeps_the_rate(n: int, rate: float, seed: int) -> None:
    """Of n + 1 exchangeable scores the last lies above the threshold with a chance of at most the rate, and just so."""
    assert isinstance(seed, int)
    if (n + 1) * rate < 1 - 1e-9:
        with pytest.raises(UnsupportedError):
            detector.conformal_place(n, rate)
        return
    above = n - detector.conformal_place(n, rate)  # of n + 1 places, those above the threshold
    assert above / (n + 1) <= rate + 1e-9
    assert (above + 1) / (n + 1) > rate - 1e-9


def test_false_alarms_are_kept_over_many_calibrations(made: Members) -> None:
    """Mean rate over 300 thresholds of 200 rows each: at most the declared one, within three standard errors."""
    rows, _ = clusters(6000, 11)
    scores = made.judge(rows, nearest(rows)).disagreement
    rng, rates = np.random.default_rng(3), []
    for _ in range(300):
        order = rng.permutation(6000)
        cut = np.sort(scores[order[:200]])[detector.conformal_place(200, 0.05)]
        rates.append((scores[order[200:]] > cut).mean())
    assert np.mean(rates) <= 0.05 + 3 * np.std(rates) / np.sqrt(300)
    assert np.mean(rates) > 0.03


def test_options_as_declared() -> None:
    """Absent: no ensemble; empty: the defaults."""
    assert read({}) is None
    assert read(None) is None
    assert read({"C2": {}}) == Options(5, 0.01)
    assert read({"C2": {"members": 3, "false_alarms": 0.05}}) == Options(3, 0.05)


@pytest.mark.parametrize(
    "declared",
    [{"members": True}, {"members": 13}, {"members": 2.5}, {"false_alarms": "1%"}, {"false_alarms": 0}, {"m": 1}],
)
def test_options_out_of_range_are_refused(declared: dict[str, object]) -> None:
    """With the key named."""
    with pytest.raises(InputError) as error:
        read({"C2": declared})
    assert error.value.code == "ensemble.option"
    assert next(iter(declared)) in error.value.message


@pytest.mark.parametrize("declared", [True, False])
def test_checks_run_from_a_manifest(tmp_path: Path, declared: bool) -> None:
    """In the worker, the attacks handed in by name; what is not declared notices nothing and cannot alarm."""
    parts: dict[str, Any] = {"application": {"id": "app", "level": 5}}
    if declared:
        parts["controls"] = {"C2": {"members": 3, "false_alarms": 0.02}}
    manifest = build(tmp_path / "app", manifest=parts)
    for name, seed in (("train", 1), ("test", 2)):
        whole = table(800, seed)
        whole.assign(answer=np.where(whole["weight"] > 50, "yes", "no")).to_csv(
            tmp_path / f"app/data/{name}.csv", index=False
        )
    checks = ("C2.detection", "C2.adaptive", "C2.drift")
    found = {item.check: item.result for item in assess(manifest, Run(effort="quick", only=checks)).findings}
    assert set(found) == set(checks)
    if not declared:
        assert found["C2.detection"].outcome is Outcome.FAIL
        assert found["C2.adaptive"].outcome is Outcome.FAIL
        assert found["C2.drift"].outcome is Outcome.NOT_RUN
        return
    for result in found.values():
        assert result.outcome in (Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE), result.reason
        assert result.canary is not None
    assert found["C2.detection"].canary.noticed
    assert any("Members: trees" in text for text in found["C2.detection"].limits)
