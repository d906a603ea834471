"""X9.breach: diagnoses are told by differences and not with noise; a taken disk tells none; labels are asked."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from fivefold.cases.breach import case, lending, picture, reading, scraping, survey
from fivefold.cli.main import run


@pytest.fixture(scope="module")
def one() -> case.Wanted:
    """A small survey, and people who are alone in it."""
    return case.wanted(np.random.default_rng(1), rows=800, targets=16)


def test_exact_answers_tell_everybody_and_noise_tells_as_much_as_nothing(one: case.Wanted) -> None:
    """Outright and by differences with small cells withheld: all for sure; at epsilon 1 nobody, at 100 all again."""
    cell, gap = scraping.exactly(one.rows, one.people)
    for told in (cell, gap):
        found = scraping.named(scraping.believed(one.prior, told, 0.0), one.truth)
        assert found == scraping.Named(16, 16, 0)
    blind = scraping.named(one.prior, one.truth)
    private = case.spent(one, scraping.EPSILON, np.random.default_rng(2))
    assert blind.right <= 14
    assert abs(private.right - blind.right) <= 3
    assert private.sure == blind.sure == 0
    assert case.spent(one, 100.0, np.random.default_rng(2)).sure == 16


def test_the_old_rule_withholds_a_cell_of_one_and_not_a_difference(one: case.Wanted) -> None:
    """With nothing shown below ten, people like that are not told of; a difference that is withheld tells nothing."""
    prior = one.prior[:2]
    told = np.array([[np.nan, 0, 0, 1, 0], [0, 0, 0, 0, 1.0]])
    assert (scraping.believed(prior, told, 0.0)[0] == prior[0]).all()
    assert scraping.believed(prior, told, 0.0)[1].argmax() == 4


def test_beliefs_follow_from_bayes() -> None:
    """With noise of known size the odds of two diagnoses are those of the two normal densities."""
    prior, told = np.array([[0.5, 0.2, 0.1, 0.1, 0.1]]), np.array([[0.3, 1.2, -0.4, 0.1, 0.0]])
    found = scraping.believed(prior, told, 0.8)[0]
    far = ((told[0] - np.eye(5)) ** 2).sum(axis=1)
    wanted = prior[0] * np.exp(-far / (2 * 0.8**2))
    assert found == pytest.approx(wanted / wanted.sum())


def test_the_ledger_ends_the_questions(one: case.Wanted) -> None:
    """After the table some thirty questions at epsilon 0.15 are answered, then none; the table is near the truth."""
    office = scraping.Office(one.rows, np.random.default_rng(3))
    told, exact = office.publish()
    assert (np.abs(told - exact)[exact > 0] <= case.NEAR).mean() > 0.7
    where = scraping.described(one.people.iloc[0])
    answered = [office.count(where) is not None for _ in range(40)]
    assert 20 <= sum(answered) < 40
    assert not any(answered[sum(answered) :])


def test_only_the_wanted_person_meets_a_description(one: case.Wanted) -> None:
    """Whoever is alone is alone; rates are shares, and depend on nothing but sex and age."""
    for _, row in one.people.iterrows():
        same = (one.rows[list(survey.KNOWN)] == row[list(survey.KNOWN)]).all(axis=1)
        assert same.sum() == 1
    shares = survey.rates(one.rows)
    assert shares.sum(axis=1) == pytest.approx(1.0)
    assert len(np.unique(shares, axis=0)) <= 2 * (len(survey.BANDS) - 1)


def test_a_taken_disk_tells_nothing_without_the_secret(one: case.Wanted) -> None:
    """Lines tell all, sealed records none; who has the secret reads all but the erased."""
    found = reading.taken(one.rows.iloc[:8], 3, np.random.default_rng(4))
    assert found == reading.Taken(8, 8, 0, 0, 16, 16, 5, 0, 3)


@pytest.mark.parametrize("kind", ["utf-8", "utf-16-le", "hex", "base64"])
def test_words_are_found_in_whatever_form(kind: str, tmp_path: object) -> None:
    """The reader of the disk sees a planted word between other bytes; another word is not seen."""
    import base64
    from pathlib import Path

    word = "heart since 1999, benefit 00000001"
    whole = f"..{word}.."
    raw = {"hex": whole.encode().hex().encode(), "base64": base64.b64encode(whole.encode())}
    place = Path(str(tmp_path)) / "deep"
    place.mkdir()
    (place / "file").write_bytes(b"\x00\x07" + raw.get(kind, b"" if kind in raw else whole.encode(kind)) + b"\xff")
    assert reading._found(place, [word, "cancer since 1999, benefit 00000001"]) == 1


def test_a_label_is_asked_only_with_the_control(one: case.Wanted) -> None:
    """Every use goes through without T1; with it the allowed one alone."""
    rows = one.rows.iloc[:60]
    assert all(lending.lent(rows, guarded=False).values())
    assert [name for name, goes in lending.lent(rows, guarded=True).items() if goes] == ["as allowed"]


def test_the_command_tells_the_case(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One small survey, as JSON: harm before and none after, and the same again for the same seed; parts are named."""
    monkeypatch.setattr(case, "seen", partial(case.seen, rows=700, targets=6))
    said = []
    for words, code in ((["X9.breach"], 0), (["x9.Breach"], 0), (["X9"], 2)):
        with pytest.raises(SystemExit) as left:
            run(["case", *words, "--runs", "1", "--seed", "3", "--json"])
        assert (left.value.code or 0) == code
        said.append(capsys.readouterr())
    assert said[0].out == said[1].out
    told = json.loads(said[0].out)
    assert told["id"] == "X9.breach"
    assert [one["count"] for one in told["before"][3:]] == [6, case.STORED, 4]
    assert [one["count"] for one in told["after"][3:6]] == [0, 0, 0]
    assert "X9.breach, X9" in said[2].out + said[2].err


def test_the_picture_has_a_line_for_each_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Well-formed SVG with four lines."""
    from xml.etree import ElementTree as ET

    monkeypatch.setattr(picture, "wanted", partial(case.wanted, rows=300, targets=3))
    monkeypatch.setattr(picture, "EPSILONS", (0.5, 1.0, 32.0))
    names = [element.tag.rpartition("}")[2] for element in ET.fromstring(picture.drawn(1, 5))]
    assert names.count("polyline") == 4
