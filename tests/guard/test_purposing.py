"""Purpose at run time: consent, drift of population and rate, alarms on record and shown, refusal where declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from tests.guard import signed
from tests.guard.signed import ROW

from fivefold.errors import InputError
from fivefold.guard import Guard
from fivefold.guard.nouns import Principal, RefusedError
from fivefold.guard.service import Service
from fivefold.guard.tokens import Tokens
from fivefold.manifest.reader import read
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from pathlib import Path

ASKER = Principal("branch", "caller", ("sorting", "testing"))


def asked(root: Path, rows: pd.DataFrame) -> dict[str, list[Any]]:
    """Return rows as a request."""
    return {name: [None if value != value else value for value in rows[name]] for name in rows.columns}


def alarms(root: Path) -> list[Any]:
    """Return the recorded alarms."""
    return [item.body.fields for item in place_of(read(root)).reading().search(case="guard", kind="alarm")]


def everybody(root: Path) -> pd.DataFrame:
    """Return rows as the model was made for, again and again in another order."""
    rows = pd.read_csv(root / "data" / "train.csv").drop(columns="answer")
    return rows.sample(400, replace=True, random_state=3)


def heavy(root: Path) -> pd.DataFrame:
    """Return the heavier half of them."""
    rows = everybody(root)
    return rows[rows["weight"] > rows["weight"].median()]


def test_relabelled_requests_raise_one_alarm_that_stays(tmp_path: Path) -> None:
    """Honest ones none; the alarm is recorded once, noted with each answer, shown to who asks, and kept over a restart.

    The other purpose is not concerned.
    """
    root = signed.application(tmp_path / "app")
    with Guard(root) as guard:
        guard.answer(ASKER, asked(root, everybody(root)), purpose="sorting")
        assert guard.findings == {}
        for _ in range(3):
            guard.answer(ASKER, asked(root, heavy(root)), purpose="testing", case="relabelled")
        (found,) = alarms(root)
        assert (found["drift"], found["manifest"]) == ("testing", guard.manifest.digest)
        assert found["why"].startswith("population: weight")
        assert guard.findings == {"drift": {"testing": found["why"]}}
        assert guard.decide(ROW, caller="branch", purpose="sorting", case="other").answers == ("yes",)
        shown = Service(guard, Tokens(guard.manifest.application.id), {}).about()
        assert shown["findings"] == {"drift": ["testing"]}
        said = list(place_of(read(root)).reading().search(case="relabelled", kind="decision"))
        assert [item.body.fields.get("drift") for item in said][1:] == [found["why"]] * 2
        (other,) = place_of(read(root)).reading().search(case="other", kind="decision")
        assert "drift" not in other.body.fields
    with Guard(root) as guard:
        assert list(guard.findings["drift"]) == ["testing"]
        guard.decide(ROW, caller="branch", purpose="testing")
        assert len(alarms(root)) == 1


def test_drift_is_refused_where_the_manifest_says_so(tmp_path: Path) -> None:
    """From the alarm on, for the purpose that drifted alone."""
    root = signed.application(tmp_path / "app", controls={"D1": {"drift": "refuse"}})
    with Guard(root) as guard:
        with pytest.raises(RefusedError) as error:
            guard.answer(ASKER, asked(root, heavy(root)), purpose="testing")
        assert (error.value.code, error.value.status) == ("guard.drift", 403)
        assert guard.decide(ROW, caller="branch", purpose="sorting").answers == ("yes",)
    assert len(alarms(root)) == 1


def test_more_than_the_declared_rate_raises_an_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst does not; many hours of three times as much do."""
    root = signed.application(tmp_path / "app", controls={"D1": {"rate": "10/hour", "tolerance": 0.5}})
    now = [1_000_000_000.0]
    monkeypatch.setattr("fivefold.guard.purposing.time.time", lambda: now[0])
    rows = asked(root, everybody(root).iloc[:30])
    with Guard(root) as guard:
        guard.answer(ASKER, rows, purpose="sorting")
        assert guard.findings == {}
        for _ in range(40):
            now[0] += 3600
            guard.answer(ASKER, rows, purpose="sorting")
        assert guard.findings["drift"]["sorting"].startswith("rate: ")


@pytest.mark.parametrize(
    ("said", "lets"),
    [(True, True), ("yes", True), (np.True_, True), (1, True), (False, False), (None, False), ("", False)],
)
def test_consent_is_asked_where_it_is_declared(tmp_path: Path, said: Any, lets: bool) -> None:
    """Each row's own; the model is not given the column."""
    root = signed.application(tmp_path / "app", controls={"D1": {"consent": "agreed"}})
    with Guard(root) as guard:
        for given in (ROW | {"agreed": said}, ROW):
            if given is not ROW and lets:
                assert guard.decide(given, caller="c", purpose="sorting").answers == ("yes",)
                continue
            with pytest.raises(RefusedError) as error:
                guard.decide(given, caller="c", purpose="sorting")
            assert (error.value.code, error.value.field, error.value.status) == ("guard.consent", "agreed", 403)
        two = {name: [value, value] for name, value in ROW.items()}
        with pytest.raises(RefusedError) as error:
            guard.answer(ASKER, two | {"agreed": [said]}, purpose="sorting")
        assert error.value.code == "guard.consent"


@pytest.mark.parametrize(
    ("control", "code"),
    [({"drift": "off"}, "guard.drift"), ({"rate": "many"}, "purpose.rate"), ({"tolerance": 0.9}, "purpose.tolerance")],
)
def test_a_control_that_cannot_be_enforced_opens_nothing(tmp_path: Path, control: dict[str, Any], code: str) -> None:
    """An owner cannot leave the stage out, or write what is not known."""
    root = signed.application(tmp_path / "app", controls={"D1": control})
    with pytest.raises(InputError) as error:
        Guard(root)
    assert error.value.code == code


def test_a_request_sent_again_and_again_is_one_question(tmp_path: Path) -> None:
    """A client that repeats itself is no other population; that it asks too often is for the rate to say."""
    root = signed.application(tmp_path / "app")
    with Guard(root) as guard:
        for _ in range(150):
            guard.answer(ASKER, {name: [value] * 2 for name, value in ROW.items()}, purpose="sorting")
        assert guard.findings == {}
