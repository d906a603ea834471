"""X8: a threshold that errs in no pair matches nearly every official; one with confidence hardly anybody."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr
from tests.truth.subjects import Answers, context, table

from fivefold.cases.faces import case, gallery, picture
from fivefold.cli.main import run
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import SettingsView


def test_the_harm_before_and_after() -> None:
    """Two galleries: nine officials in ten matched before, at most one in fifty after, and the price is shown."""
    known = gallery.world()
    for seed in range(2):
        one = case.seen(known, np.random.default_rng(seed))
        assert one.matched(known.gap) >= 0.9 * case.OFFICIALS
        assert one.accused() <= one.matched(one.edge) <= 0.02 * case.OFFICIALS
        assert 0 < one.found(one.edge).sum() < one.found(known.gap).sum()


def test_the_threshold_errs_in_none_of_the_real_pairs() -> None:
    """The shipped pairs: 140 of either kind, parted without an error."""
    known = gallery.world()
    assert known.genuine.sum() == 140
    assert len(known.pairs) == 280
    assert ((known.pairs <= known.gap) == known.genuine).all()


def test_a_stranger_is_as_near_as_a_normal_distance_says() -> None:
    """One comparison: the share below a threshold is the normal one; more people only come nearer."""
    known = gallery.world()
    near = gallery.nearest(known, 4000, (1, 5, 20), np.random.default_rng(1))
    assert (np.diff(near, axis=1) <= 0).all()
    several = [gallery.nearest(known, 300, (1,), np.random.default_rng(seed)) for seed in range(60)]
    share = float(np.mean([(one <= 0.8).mean() for one in several]))
    assert share == pytest.approx(ndtr((0.8 - known.other[0]) / known.other[1]), abs=0.02)


def test_the_check_fails_before_and_passes_after() -> None:
    """P3.identification on 400 searches of 500 in a gallery of 500, at the threshold for pairs and far below."""
    known, rng = gallery.world(), np.random.default_rng(3)
    near = gallery.nearest(known, 400, tuple(range(1, 501)), rng)
    pairs = pd.DataFrame({"far": np.concatenate([near[:, -1], np.full(400 * 9, 1.0), gallery.same(known, 200, rng)])})
    who = np.concatenate([np.arange(400), np.repeat(np.arange(400), 9), np.arange(200)])
    target = np.repeat([0, 1], [4000, 200])
    outcomes = []
    for edge in (known.gap, 0.1):
        decided = (pairs["far"] <= edge).to_numpy().astype(np.int64)
        given = context("P3.identification", Answers("binary", ("other", "same"), decided),
                        {"test": table("test", pairs, target, pd.DataFrame({"who": who}))}, 4,
                        thresholds={"max_fpir": 0.1}, settings=SettingsView(positive=1),
                        options={"gallery": 10, "score": "far", "smaller": True, "probe": "who"})  # fmt: skip
        outcomes.append(resolve("P3.identification")(given).outcome)
    assert outcomes == [Outcome.FAIL, Outcome.PASS]


def test_an_interval_over_runs_is_students() -> None:
    """Mean and ends of known numbers; one run has no width."""
    mean, low, high = case.over_runs(np.array([0.1, 0.2, 0.3]))
    assert (mean, high - mean) == pytest.approx((0.2, 4.3027 * 0.1 / np.sqrt(3)), rel=1e-3)
    assert low == 0.0
    assert case.over_runs(np.array([0.4])) == (0.4, 0.4, 0.4)


def test_the_picture_has_a_line_for_each_gallery() -> None:
    """Well-formed SVG with five lines and three marked thresholds."""
    from xml.etree import ElementTree as ET

    known = gallery.world()
    drawn = ET.fromstring(picture.drawn(known, [case.seen(known, np.random.default_rng(5))]))
    names = [element.tag.rpartition("}")[2] for element in drawn]
    assert names.count("polyline") == len(case.SIZES)
    assert "with confidence" in "".join(drawn.itertext())


def test_the_command_tells_the_case(capsys: pytest.CaptureFixture[str]) -> None:
    """One gallery, as JSON: the figures of before and after, and the same again for the same seed."""
    said = []
    for _ in range(2):
        with pytest.raises(SystemExit) as leave:
            run(["case", "X8", "--runs", "1", "--seed", "3", "--json"])
        assert not leave.value.code
        said.append(json.loads(capsys.readouterr().out))
    assert said[0] == said[1]
    assert said[0]["before"][0]["count"] == 0
    assert said[0]["before"][1]["count"] > 20 * max(said[0]["after"][0]["count"], 1)
