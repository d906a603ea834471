"""X7: found though the language is no feature, mended with a bound above the floor; the command's own words."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from fivefold.cases.immigrant import case
from fivefold.cases.immigrant.appeal import walked
from fivefold.cases.immigrant.people import LITTLE, drawn, lesson
from fivefold.cases.immigrant.picture import drawn as drawn_picture
from fivefold.cases.nouns import Figure, Told
from fivefold.cli.main import run
from fivefold.contract.outcome import Outcome
from fivefold.fairness.mitigation.fair import learn
from fivefold.governance.appeals.course import SELF


def test_both_groups_pay_back_alike_and_the_network_tells_them_apart() -> None:
    """The harm is made by records and features: the language is no feature, and payers are as many in both groups."""
    people = drawn(20_000, np.random.default_rng(0))
    little = (people.language == LITTLE).to_numpy()
    assert abs(people.repays[little].mean() - people.repays[~little].mean()) < 0.03
    assert people.recorded[little].mean() < people.recorded[~little].mean() - 0.1
    assert "language" not in people.features.columns


def test_found_before_and_mended_after() -> None:
    """Two towns: F1.gaps and F1.proxies fail before; after, F1.gaps passes and the ratio's bound is above 0.8."""
    for seed in (1, 2):
        one = case.seen(np.random.default_rng(seed))
        assert one.gaps == (Outcome.FAIL, Outcome.PASS)
        assert one.proxies[0] is Outcome.FAIL
        assert one.proxies[1] is not Outcome.FAIL
        assert one.ratio[0][2] < 0.8 < one.ratio[1][1]
        assert one.right[0] - one.right[1] < 0.03 * case.ASKED


def test_the_appeal_is_sound_only_where_somebody_else_reviews_it() -> None:
    """At the product's desk the branch is turned away and she gets the loan; where it may review, the log shows it."""
    people = [drawn(4000, np.random.default_rng(seed)) for seed in (1, 2)]
    model = learn(lesson(people[0], people[0].recorded), "none", "selection", np.random.default_rng(3))
    walks = walked(model, people[1], 4)
    assert walks is not None
    before, after = walks
    assert before.faults == (SELF,)
    assert (before.reviewer, before.answer, before.refused) == ("branch-3", "refuse", False)
    assert after.faults == ()
    assert (after.reviewer, after.answer, after.refused) == ("officer-9", "grant", True)
    assert (after.replayed, after.remedy, after.proven) == ("same", "re-decision", 6)
    assert after.reason.startswith("What spoke for this answer most")


def test_the_picture_is_well_formed_and_has_a_bar_for_each_share() -> None:
    """An SVG with two bars for each figure, as wide as its share."""
    told = Told("X7", "t", (), (Figure("a & b", 1, 2, good=True),), (Figure("a & b", 1, 4, good=True),), (), (), 1)
    root = ET.fromstring(drawn_picture(told))
    bars = [one.get("width") for one in root if one.get("height") == "13"]
    assert bars == ["135.0", "67.5"]


def test_the_command_tells_the_case(capsys: pytest.CaptureFixture[str]) -> None:
    """One town, as JSON; the same again for the same seed."""
    said = []
    for _ in range(2):
        with pytest.raises(SystemExit) as leave:
            run(["case", "X7", "--runs", "1", "--seed", "3", "--json"])
        assert not leave.value.code
        said.append(json.loads(capsys.readouterr().out))
    assert said[0] == said[1]
    assert said[0]["before"][0]["count"] > 1.5 * said[0]["after"][0]["count"]
