"""Profiles of scenarios: each loads, says why, agrees with A1, tightens real floors; wrong ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fivefold.catalogue import load
from fivefold.catalogue.classify import propose
from fivefold.catalogue.profiles import NAMES, parse, profile
from fivefold.errors import InternalError
from fivefold.manifest.words import tokens

FOLDER = Path(__file__).resolve().parents[2] / "src" / "fivefold" / "catalogue" / "scenarios"


def test_the_nine_profiles_and_no_others_have_a_file() -> None:
    """Both ways."""
    assert {file.stem for file in FOLDER.iterdir()} == set(NAMES)
    assert len(NAMES) == 9


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_says_all_that_is_asked_of_it(name: str) -> None:
    """Level with reason, dimensions, harms, protected fields and rules; the level is the one that A1 asks for."""
    found = profile(name)
    assert propose(found.use).level == found.level
    assert found.because
    assert found.dimensions
    assert found.harms
    assert found.protected
    assert found.rules
    assert all(rule.because and rule.remedy for rule in found.rules)


@pytest.mark.parametrize("name", NAMES)
def test_words_are_written_as_column_names_are_read(name: str) -> None:
    """Lower case, without accents; several languages for each protected field."""
    found = profile(name)
    for part in found.protected:
        assert len(part.words) >= 4
    for words in (found.identifiers, *(part.words for part in found.protected)):
        assert len(set(words)) == len(words)
        for entry in words:
            assert " ".join(tokens(entry)) == entry


@pytest.mark.parametrize("name", NAMES)
def test_what_a_profile_looks_at_first_is_measured(name: str) -> None:
    """No dimension rests on a check that is still a gap."""
    known = load()
    assert all(known.checks[part.check].state == "built" for part in profile(name).dimensions)
    assert all(known.checks[demand.check].state == "built" for demand in profile(name).demands)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("level = 4", "level = 3", "ask for level 4"),
        ("value = 0.57", "value = 0.7", "tightens no floor"),
        ('key = "max_auc"', 'key = "max_acu"', "tightens no floor"),
        ('check = "E2.local"', 'check = "E2.lokal"', "no row and no check"),
        ('id = "health.basis"', 'id = "health.detect"', "listed twice"),
        ('id = "health.basis"', 'id = "basis"', "named wrongly"),
        ('"data.alarm", "eq", true', '"data.alarm", "in", true', "wrong shape"),
        ('"data.alarm"', '"data.alrm"', "malformed"),
        ('id = "health"', 'id = "healthy"', "calls itself"),
        ('title = "health"', 'titel = "health"', "malformed"),
        ("level = 4", "level = ", "malformed"),
    ],
)
def test_a_wrong_profile_is_refused(old: str, new: str, said: str) -> None:
    """A build fault, named."""
    text = (FOLDER / "health.toml").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(InternalError) as refused:
        parse("health", text.replace(old, new, 1).encode())
    assert refused.value.code == "catalogue.profile"
    assert said in refused.value.message


def test_an_unknown_profile_is_no_profile() -> None:
    """No path is made of a name."""
    with pytest.raises(KeyError):
        profile("../rows/a_levels")
