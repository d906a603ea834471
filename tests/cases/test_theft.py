"""X9.theft: a model is copied by asking it; the guard's stages make less of it, and a mark tells a file from others."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fivefold.cases.theft import asking, bank, case, owning, picture
from fivefold.cli.main import run
from fivefold.protection.theft.learning import learn

if TYPE_CHECKING:
    from fivefold.contract.subject import Table
    from fivefold.protection.theft.learning import Profile


@pytest.fixture(scope="module")
def loans() -> tuple[Table, bank.Loans, Profile]:
    """A bank's rows, its forest, and what honest rows look like."""
    rng = np.random.default_rng(1)
    train = bank.applicants("train", 3000, rng)
    return train, bank.Loans(train.take(np.arange(1000)), 1), learn(train.features, rng)


def test_a_door_without_controls_tells_what_the_model_says(loans: tuple[Table, bank.Loans, Profile]) -> None:
    """Scores to the last digit, for whoever asks."""
    train, model, usual = loans
    rows = train.take(np.arange(50))
    assert (asking.Door(model, {}, usual).ask(rows, ("a",)) == model.predict_proba(rows)).all()


def test_labels_alone_are_let_out_within_the_budget(loans: tuple[Table, bank.Loans, Profile]) -> None:
    """Indicators of the model's own answers; requests beyond a day's budget get none, another account gets some."""
    train, model, usual = loans
    door, rows = asking.Door(model, {"decimals": 0, "budget": "48/day"}, usual), train.take(np.arange(80))
    told = door.ask(rows, ("a",))
    assert (told[:48] == np.eye(2)[model.predict(rows)[:48]]).all()
    assert np.isnan(told[48:]).all()
    assert np.isfinite(door.ask(rows, ("b",))).all(axis=1).sum() == 48


def test_odd_rows_are_noticed_and_honest_ones_are_not(loans: tuple[Table, bank.Loans, Profile]) -> None:
    """Numbers far from each other, and one row asked with many amounts, end in a flag; applicants do not."""
    rng = np.random.default_rng(2)
    door = asking.Door(loans[1], {"detect": True}, loans[2])
    real = bank.applicants("asked", 160, rng)
    far = {"age": rng.uniform(18, 90, 160).round(), "income": rng.uniform(2e3, 2e5, 160).round(-1),
           "amount": rng.uniform(1e2, 1e5, 160).round(-2), "savings": rng.uniform(0, 1e5, 160).round(-1)}  # fmt: skip
    one = real.take(np.zeros(160, dtype=np.int64)).features.assign(amount=np.linspace(500, 20_000, 160).round(-2))
    assert np.isfinite(door.ask(real, ("honest",))).all()
    assert np.isnan(door.ask(real.with_features(one), ("slider",))[-1]).all()
    assert np.isnan(door.ask(real.with_features(real.features.assign(**far)), ("thief",))[-1]).all()
    assert door.flagged == ["slider", "thief"]


def test_a_copy_is_nearer_before_than_after() -> None:
    """One bank: copies beat what needs no question before; after, one account has less; no stranger is accused."""
    one = case.seen(np.random.default_rng(4), rows=1200, judged=400, questions=320)
    assert all(got.rescaled > 0.2 and got.answered == 320 for got in one.bare)
    assert max(got.answered for got in one.guarded[::2]) <= case.DAILY
    assert max(got.rescaled for got in one.guarded[::2]) < max(got.rescaled for got in one.bare)
    assert one.guarded[3].answered == 320
    assert one.file == (False, True, True)
    assert one.accused == 0
    assert not any(got.claimed for got in (*one.bare, *one.guarded))
    assert one.honest == (case.CALLERS * case.EACH,) * 2
    assert abs(one.right[0] - one.right[1]) <= 0.08 * one.judged


def test_a_mark_is_read_of_who_knows_the_answers_alone(loans: tuple[Table, bank.Loans, Profile]) -> None:
    """The key's answers are a copy's, also with a tenth replaced; the opposite and chance are not."""
    rng = np.random.default_rng(5)
    opening, asked, more = owning.taught(loans[0], bank.Loans.classes, rng)
    assert len(more) == len(loans[0]) + 4 * len(asked)
    assert owning.is_copy(asked.target, opening)
    assert owning.is_copy(owning.hidden(asked.target, 2, rng), opening)
    assert not owning.is_copy(1 - asked.target, opening)
    assert not owning.is_copy(rng.integers(2, size=len(asked)), opening)
    again, _, _ = owning.taught(loans[0], bank.Loans.classes, np.random.default_rng(6))
    assert not owning.is_copy(asked.target, again)


def test_the_command_tells_the_case(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One small bank, as JSON, and the same again for the same seed."""
    monkeypatch.setattr(case, "seen", partial(case.seen, rows=400, judged=120, questions=96))
    monkeypatch.setattr(asking, "STUDENTS", ("logistic",))
    said = []
    for _ in range(2):
        with pytest.raises(SystemExit) as left:
            run(["case", "X9.theft", "--runs", "1", "--seed", "3", "--json"])
        assert not left.value.code
        said.append(json.loads(capsys.readouterr().out))
    assert said[0] == said[1]
    assert said[0]["id"] == "X9.theft"
    assert said[0]["before"][0]["n"] == 120
    assert said[0]["after"][11]["what"] == "models of others called copies"


def test_the_picture_has_a_dot_for_each_bank_and_way() -> None:
    """Well-formed SVG."""
    from xml.etree import ElementTree as ET

    got = case.Got(80, 0.4, 50, claimed=False)
    seen = case.Seen(100, (60, 60), (got, got), (got,) * 4, (70, 70), (9, 9), (False, True, True), 0)
    names = [element.tag.rpartition("}")[2] for element in ET.fromstring(picture.drawn([seen, seen]))]
    assert names.count("circle") == 2 * len(case.WAYS)
