"""X9.misuse: other uses are refused for what is wrong about them, rightful ones are not; what remains is counted."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from fivefold.cases.home import at_home
from fivefold.cases.misuse import case, picture
from fivefold.cases.misuse.desk import HOME, Desk, labelled
from fivefold.cases.misuse.evading import TRICKS, evaded
from fivefold.cases.misuse.using import WAYS, Use, bare, drawn
from fivefold.cases.misuse.using import labelled as by_labels
from fivefold.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A user with nothing."""
    with at_home() as place:
        yield place


@pytest.fixture(scope="module")
def desk(home: Path) -> Desk:
    """Labelled tables whose people agreed to: care for treatment in DE and FR, wages and shop also for research."""
    place = home / "desk"
    place.mkdir()
    return labelled(place, np.random.default_rng(0))


def test_what_people_were_told_is_a_matter_of_words_and_countries(desk: Desk) -> None:
    """The case's own rule: every table's purposes and countries have to hold what is done."""
    told = replace(desk, given={
        "care": {"purpose": ["treatment", "research"], "region": ["DE", "FR"]},
        "shop": {"purpose": ["marketing", "research"], "region": ["EEA"]},
    })  # fmt: skip
    assert told.purposes(("care", "shop")) == ["research"]
    assert told.places(("care", "shop")) == ["DE", "FR"]
    assert told.places(("shop",)) == ["DE", "FR", "PL", "NO"]
    assert Use(WAYS[1], ("care", "shop"), "marketing", "NO").wrong(told) == {"purpose", "place"}
    assert not Use(WAYS[1], ("care", "shop"), "research", "FR").wrong(told)
    assert Use(WAYS[5], ("shop",), "marketing", HOME, "research").wrong(told) == {"purpose"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rightful", [True, False])
def test_uses_are_drawn_as_wanted_and_answered_so(way: str, desk: Desk, home: Path, *, rightful: bool) -> None:
    """A rightful one gets what it gets with nothing before it; another one nothing, and for what is wrong."""
    rng = np.random.default_rng(8)
    for at in range(3):
        use = drawn(way, desk, rng, rightful=rightful)
        assert bool(use.wrong(desk)) is not rightful
        rows, code = by_labels(use, desk, home / f"{WAYS.index(way)}-{rightful}-{at}")
        one = case.Used(use, use.wrong(desk), bare(use, desk), rows, code)
        assert one.before > 0
        assert one.after == (one.before if rightful else 0)
        assert one.named is not rightful


def test_ways_round_and_what_remains_of_them(desk: Desk, home: Path) -> None:
    """Labels of one's own, borrowed or outlived are refused; lies, other readers, silence and the steward are not."""
    met = evaded(desk, home / "round", np.random.default_rng(3))
    assert [met.tricks[what] for what in TRICKS] == [
        "trust.unknown-key", "label.partial", "trust.unknown-key", "label.outlived",
    ]  # fmt: skip
    assert (met.pretended, met.past, met.next_refused, met.silent) == (True, True, True, True)
    assert (met.beside, met.derived, met.counts) == (False, True, (False, True))
    assert (met.let_go, met.reason) == (True, "asked for by sales")


def test_a_desk_of_which_nothing_is_asked_would_be_counted(desk: Desk) -> None:
    """The figures can fail: a use that is answered though it is wrong is counted as answered, and not as named."""
    use = Use(WAYS[0], ("care",), "hiring", HOME)
    one = case.Used(use, use.wrong(desk), 400, 400, "")
    assert not one.named
    assert not replace(one, after=0, code="label.region").named  # refused, for something that is not wrong


def test_a_picture_and_the_words_agree() -> None:
    """A run of one desk, the same for the same seed: 14 kinds of use, each before and after; home is as it was."""
    before = dict(os.environ)
    found = case.met(1, 4, each=1)
    assert dict(os.environ) == before
    assert case.met(1, 4, each=1) == found
    told = case.told(found, 4)
    assert [(one.count, one.n) for one in told.after[:4]] == [(0, 6), (0, 2400), (0, 6), (6, 6)]
    bars = [one for one in ET.fromstring(picture.answered(found)) if one.get("height") == "13"]
    assert len(bars) == 2 * 14


def test_the_command_tells_the_case(capsys: pytest.CaptureFixture[str]) -> None:
    """One desk, as JSON, under its own name."""
    with pytest.raises(SystemExit) as left:
        run(["case", "x9.misuse", "--runs", "1", "--seed", "3", "--json"])
    assert not left.value.code
    told = json.loads(capsys.readouterr().out)
    assert told["id"] == "X9.misuse"
    assert (told["before"][0]["count"], told["after"][0]["count"]) == (24, 0)
