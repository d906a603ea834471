"""F1.drift: gaps in operation are found from the first decision or later, and no day of looking makes one up."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from tests.truth import drifted

from fivefold.contract.outcome import Outcome
from fivefold.contract.subject import SettingsView
from fivefold.errors import UnsupportedError
from fivefold.fairness.drift import gaps
from fivefold.fairness.drift.check import run
from fivefold.fairness.drift.recorded import STREAM, Recorded
from fivefold.fairness.drift.stream import of


@pytest.mark.parametrize("seed", [1, 2])
def test_half_the_rate_fails_and_alike_passes(seed: int) -> None:
    """On record, and in the test rows where nothing is on record, which is said."""
    bad, good = run(drifted.build(seed, 0.5)), run(drifted.build(seed))
    assert (bad.outcome, good.outcome) == (Outcome.FAIL, Outcome.PASS)
    assert "on record" in bad.reason
    rows = run(drifted.build(seed, 0.5, recorded=False))
    assert rows.outcome is Outcome.FAIL
    assert "no decision is on record" in rows.reason


def test_a_gap_that_opens_late_is_found_where_the_average_is_still_within_the_floor() -> None:
    """Of 4,000 pairs the first 3,000 are alike: the mean ratio is 0.85, the last quarter's 0.4."""
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.random(3000) < 0.6, rng.random(1000) < 0.24]).astype(float)
    y = (rng.random(4000) < 0.6).astype(float)
    found = gaps.gap((x, y), ("a", "b"), 0.8, 2)
    assert found.ratio > 0.8
    assert found.outcome is Outcome.FAIL
    assert found.since > 2000


def test_looking_again_and_again_rarely_finds_a_gap_that_is_not_there() -> None:
    """Exactly at the floor, looked at ten times: at most 5 % of streams ever fail, and none passes more often."""
    rng, failed, passed, trials = np.random.default_rng(6), 0, 0, 60
    for _ in range(trials):
        x, y = (rng.random(1500) < 0.48).astype(float), (rng.random(1500) < 0.6).astype(float)
        said = [gaps.gap((x[:n], y[:n]), ("a", "b"), 0.8, 1).outcome for n in range(150, 1501, 150)]
        failed += Outcome.FAIL in said
        passed += Outcome.PASS in said
    assert max(failed, passed) <= 6  # the 95 % quantile of 60 trials at 5 %


def test_few_decisions_settle_nothing() -> None:
    """200 decisions at half the rate give no pass."""
    assert run(drifted.build(3, 0.5, (150, 250))).outcome is Outcome.INCONCLUSIVE


def test_decisions_without_a_group_on_record_are_not_measured() -> None:
    """And the remedy says how a group is put beside a decision."""
    given = drifted.build(4)
    text = msgspec.json.encode(Recorded(("granted",) * 3, {"group": (None, None, None)})).decode()
    with pytest.raises(UnsupportedError) as error:
        of(replace(given, settings=replace(given.settings, facts={STREAM: text})))
    assert error.value.code == "fairness.groups"
    assert "group: {sex: female}" in error.value.remedy


def test_without_a_favourable_class_nothing_is_measured() -> None:
    """It is never guessed."""
    given = drifted.build(4)
    with pytest.raises(UnsupportedError) as error:
        run(replace(given, settings=SettingsView(protected=("group",), classes=("a", "b"))))
    assert error.value.code == "fairness.positive"


def test_the_same_seed_gives_the_same_result() -> None:
    """Byte for byte."""
    one, two = (msgspec.json.encode(run(drifted.build(9, 0.7))) for _ in range(2))
    assert one == two
