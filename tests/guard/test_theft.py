"""The stage that looks for thieves: who asks variant after variant is refused, on record, also after a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from tests.guard import signed
from tests.guard.signed import ROW

from fivefold.errors import InputError
from fivefold.guard import Guard
from fivefold.guard.nouns import Principal, RefusedError
from fivefold.manifest.reader import read
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from pathlib import Path

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
