"""X5: causes found, forged records refused, harmless oddities cleared, and the commands' own words."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from fivefold.cases.accident import case, inquiry, keeping
from fivefold.cases.accident.driving import CAUSES, DEMANDED, Planner, accident, drive
from fivefold.cli.main import run
from fivefold.keys import signing


def _rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def test_causes_are_found_and_forgeries_refused() -> None:
    """At least 95 % of the causes, every forged record; a plain file is believed whatever stands in it."""
    told = case.run(40, 11)
    found, refused = told.after
    untouched, astray = told.before
    assert found.count >= 0.95 * found.n
    assert refused.count == refused.n == 40
    assert untouched.count >= 0.95 * untouched.n
    assert astray.count >= 20
    assert case.run(4, 11) == case.run(4, 11)


@pytest.mark.parametrize("cause", CAUSES)
def test_an_accident_needs_its_cause(cause: str) -> None:
    """Without what was drawn, the same drive ends well; every drawn drive ends in a crash."""
    for seed in range(5):
        what = accident(cause, _rng(seed))
        sound = replace(what, planner=DEMANDED, fault="", driver=0.0)
        sound = replace(sound, pressed=(0.0, 0.0))
        assert drive(what).crashed
        assert not drive(sound).crashed


def test_the_innocent_are_cleared() -> None:
    """A pedal that was touched and samples that were missed are mentioned at most, never blamed."""
    crashes = 0
    for seed in range(12):
        what = replace(accident("late planner", _rng(seed)), touch=3.0, glitch=0.02)
        trip = drive(what)
        if trip.crashed:
            crashes += 1
            assert inquiry.settle(keeping.chunks(what, trip), what.planner).cause == "late planner"
    assert crashes >= 6


def test_no_crash_no_cause() -> None:
    """Where nothing happened, nobody is named."""
    what = replace(accident("late planner", _rng(1)), planner=DEMANDED, approved=DEMANDED.digest)
    found = inquiry.settle(keeping.chunks(what, drive(what)), DEMANDED)
    assert (found.cause, found.role) == ("", inquiry.ROLES[""])


def test_one_altered_number_is_refused() -> None:
    """A single sample changed by whoever holds the record's key is one too many."""
    what = accident("driver override", _rng(4))
    sound, signer = keeping.chunks(what, drive(what)), signing.generate()
    kept = keeping.keep(sound, signer, bytes(32))
    spoilt = list(sound)
    arrays = dict(spoilt[1].arrays)
    arrays["speed"] = arrays["speed"] + np.eye(len(arrays["speed"]))[0]
    spoilt[1] = keeping.Chunk(spoilt[1].kind, spoilt[1].fields, arrays)
    forged = keeping.keep(spoilt, signer, bytes(32))
    assert keeping.read(kept)[1] == ()
    assert keeping.read(keeping.Kept(forged.disk, signer, forged.secrets, kept.word)) == ([], ("log.rewritten",))


def test_what_is_read_is_what_was_kept() -> None:
    """Every array bit for bit, every word."""
    what = accident("tampered model", _rng(2))
    sound = keeping.chunks(what, drive(what))
    found, _ = keeping.read(keeping.keep(sound, signing.generate(), bytes(32)))
    assert len(found) == len(sound)
    for one, other in zip(sound, found, strict=True):
        assert (one.kind, one.fields, one.model) == (other.kind, other.fields, other.model)
        assert all(np.array_equal(values, other.arrays[name]) for name, values in one.arrays.items())


def test_planners_are_told_apart_by_their_digest() -> None:
    """One changed parameter, another digest."""
    assert Planner().digest == Planner().digest
    assert Planner(alarm=3.1).digest != Planner().digest


def test_the_command_tells_the_case(capsys: pytest.CaptureFixture[str]) -> None:
    """Text and JSON; a case that is not built is refused with what is."""
    for words, code in (
        (["case", "X5", "--runs", "4", "--json"], 0),
        (["case", "x5", "--runs", "4"], 0),
        (["case", "X99"], 2),
    ):
        with pytest.raises(SystemExit) as left:
            run(words)
        said = capsys.readouterr()
        assert (left.value.code or 0) == code, said
        if "--json" in words:
            assert json.loads(said.out)["after"][1]["n"] == 4
        elif code:
            assert "X5" in said.err
        else:
            assert "refused after ten records" in said.out
