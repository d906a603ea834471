"""X10: another purpose is refused, relabelled requests are noticed, honest ones are not; the command's own words."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from fivefold.cases.purpose import case
from fivefold.cases.purpose.asking import KINDS, honest, people, relabelled
from fivefold.cases.purpose.watching import declared, watched
from fivefold.cli.main import run


def test_streams_are_told_apart() -> None:
    """Of 24 relabelled ones at least 22 are noticed, of as many honest ones at most one alarms."""
    bad, good = case.streams(24, 5)
    assert sum(one.delay > 0 for one in bad) >= 22
    assert sum(one.alarm > 0 for one in good) <= 1
    assert sum(one.false for one in bad) <= 1
    assert case.streams(2, 5) == (bad[:2], good[:2])


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_is_honest_until_it_is_relabelled(kind: str) -> None:
    """Rows and hours add up; what is relabelled differs from what is not."""
    rng = np.random.default_rng(2)
    stream = relabelled(kind, 500, 2000, rng)
    assert stream.hourly.sum() == len(stream.rows) == 2500
    assert stream.hourly.min() >= 0
    plain = honest(2500, rng)
    assert plain.since == plain.hourly.sum() == 2500
    assert watched(declared(people(3000, rng), rng), plain).alarm == 0


def test_the_command_tells_the_case(capsys: pytest.CaptureFixture[str]) -> None:
    """With the real guard: nothing for another purpose, less than a tenth under the old words; nothing of it stays."""
    before = dict(os.environ)
    with pytest.raises(SystemExit) as left:
        run(["case", "X10", "--runs", "4", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert not left.value.code
    assert dict(os.environ) == before
    bare, relabelled_bare = told["before"]
    assert (bare["count"], relabelled_bare["count"]) == (50, 1600)
    answered, named, fair, campaign = told["after"][:4]
    assert (answered["count"], named["count"], fair["count"]) == (0, 50, fair["n"])
    assert campaign["count"] <= 160
    assert told["example"][0].startswith("The guard's alarm (1 on record): population: ")
