"""The stage that looks for thieves: who asks variant after variant is refused, on record, also after a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from tests.guard import signed
from tests.guard.signed import ROW

from fivefold.errors import InputError
from fivefold.guard import Guard
from fivefold.guard.nouns import Passage, Principal, RefusedError
from fivefold.guard.shaping import Shape
from fivefold.manifest.reader import read
from fivefold.subject.access import Access
from fivefold.subject.way import Told
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from pathlib import Path

OTHER = {"colour": "blue", "weight": 20, "since": "2019-01-01", "count": 9.0, "team": "b"}
WATCHED = {"controls": {"P2": {"detect": True}}}


def ask_variants(guard: Guard, caller: str, most: int) -> int:
    """Ask variants of one row, each of another weight, until refused for theft; return how many were answered."""
    for at in range(most):
        try:
            guard.decide(ROW | {"weight": 50 + at / 100}, caller=caller, purpose="sorting")
        except RefusedError as error:
            refused = (error.code, error.status)
            break
    else:
        return most
    assert refused == ("guard.theft", 403)
    return at


def alarms(root: Path) -> list[dict[str, Any]]:
    """Return the alarms on record."""
    return [item.body.fields for item in place_of(read(root)).reading().search(case="guard", kind="alarm")]


def test_a_thief_is_refused_and_stays_so_after_a_restart(tmp_path: Path) -> None:
    """An alarm names him; another caller is answered; a guard opened anew refuses him at once."""
    app = signed.application(tmp_path / "app", **WATCHED)
    with Guard(app) as guard:
        assert 10 < ask_variants(guard, "thief", 100) < 60
        assert guard.decide(ROW, caller="branch-12", purpose="sorting").answers == ("yes",)
        assert ask_variants(guard, "thief", 5) == 0
    (alarm,) = alarms(app)
    assert (alarm["theft"], alarm["new callers"]) == ("thief", False)
    with Guard(app) as guard:
        assert ask_variants(guard, "thief", 5) == 0
        assert guard.decide(ROW, caller="branch-12", purpose="sorting").answers == ("yes",)
    assert len(alarms(app)) == 1


def test_honest_rows_and_retries_are_answered(tmp_path: Path) -> None:
    """All rows of the application's own, in one batch and one by one, and the same row over and over."""
    app = signed.application(tmp_path / "app", **WATCHED)
    rows = pd.read_csv(app / "data" / "test.csv").drop(columns="answer")
    rows = rows.astype(object).where(rows.notna(), None)
    with Guard(app) as guard:
        found = guard.answer(Principal("batch", "caller", ("sorting",)), rows.to_dict("list"))
        assert len(found.answers) == len(rows)
        for at in range(40):
            guard.decide(rows.iloc[at].to_dict(), caller="branch-12", purpose="sorting")
            guard.decide(rows.iloc[0].to_dict(), caller="branch-13", purpose="sorting")
    assert alarms(app) == []


@pytest.mark.parametrize("options", [{"detect": "yes"}, {"detect": True, "variants": 0}])
def test_options_that_cannot_be_read_open_no_guard(tmp_path: Path, options: dict[str, Any]) -> None:
    """The error says which."""
    app = signed.application(tmp_path / "app", controls={"P2": options})
    with pytest.raises(InputError) as error:
        Guard(app)
    assert error.value.code == "guard.detect"


def test_thieves_with_many_accounts_are_held_back(tmp_path: Path) -> None:
    """New callers who ask variants of one row between them are refused for now; each one's part is on record."""
    app = signed.application(tmp_path / "app", **WATCHED)
    states: list[int] = []
    with Guard(app) as guard:
        for at in range(70):
            try:
                guard.decide(ROW | {"weight": 50 + at / 100}, caller=f"account {at % 35}", purpose="sorting")
            except RefusedError as error:
                states.append(error.status)
        assert guard.decide(ROW | OTHER, caller="branch-12", purpose="sorting").answers
    assert len(states) > 20
    assert 429 in states
    noted = [item.body.fields for item in place_of(read(app)).reading().search(kind="decision")]
    assert {"held", "passed"} <= {fields["theft"]["state"] for fields in noted}


def test_noise_is_added_to_scores_and_the_same_question_gets_the_same(tmp_path: Path) -> None:
    """Also after a restart; the answer stays the model's; decimals come last."""
    app = signed.application(tmp_path / "app", controls={"P2": {"noise": 0.5, "decimals": 3}})
    with Guard(app) as guard:
        first = guard.decide(ROW, caller="c", purpose="sorting")
        again = guard.decide(ROW, caller="d", purpose="sorting")
        other = guard.decide(ROW | {"weight": 61.6}, caller="c", purpose="sorting")
    with Guard(app) as guard:
        later = guard.decide(ROW, caller="c", purpose="sorting")
    assert first.answers == ("yes",)
    assert first.scores == again.scores == later.scores
    assert first.scores is not None
    assert first.scores != other.scores
    assert first.scores[0][1] > 0.5
    assert all(round(score, 3) == score for score in first.scores[0])
    assert abs(first.scores[0][1] - 0.909) > 0.001


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"noise": "much"}, "guard.noise"),
        ({"noise": 9}, "guard.noise"),
        ({"top": 0}, "guard.top"),
        ({"flips": 2}, "guard.flips"),
        ({"step": -1.0}, "guard.step"),
        ({"decimals": 1.5}, "guard.decimals"),
    ],
)
def test_what_cannot_be_let_out_so_opens_no_guard(options: dict[str, Any], code: str) -> None:
    """The error names the option."""
    access = Access("binary", ("no", "yes"), "frame", "predict")
    with pytest.raises(InputError) as error:
        Shape(options, access)
    assert error.value.code == code


def test_a_value_is_told_in_steps() -> None:
    """All of an interval are told as its middle; the guard takes the width from the manifest."""
    passage = Passage(Principal("ward"), "dosing", None, told=Told({}, np.array([30.0, 39.9, 4.0, -1.0])))
    Shape({"step": 10}, Access("regression", (), "frame", "predict"))(passage)
    assert passage.shaped == ((35.0, 35.0, 5.0, -5.0), None)


def test_noise_of_values_needs_a_unit() -> None:
    """Without one nobody knows how much one standard deviation is."""
    with pytest.raises(InputError) as error:
        Shape({"noise": 0.1}, Access("regression", (), "frame", "predict"))
    assert error.value.code == "guard.spread"
