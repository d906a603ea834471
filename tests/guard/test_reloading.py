"""Loading again, in one process: what may not take the place, and what happens when it ends meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.guard import signed
from tests.guard.signed import ROW

from fivefold.guard import Guard
from fivefold.guard.nouns import Principal, RefusedError
from fivefold.guard.reloading import Reloading
from fivefold.guard.service import Service
from fivefold.guard.tokens import Tokens
from fivefold.manifest.reader import read
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def reloading(old: Guard, opened: Callable[[str, Guard], Any]) -> Reloading:
    """Serve a guard that ``opened`` replaces."""
    return Reloading(Service(old, Tokens(old.manifest.application.id), {}), opened)


def test_another_application_does_not_take_the_place(app: Path, tmp_path: Path) -> None:
    """It is refused on record, is closed, and the one that is served answers on."""
    other, made = signed.application(tmp_path / "other"), list[Guard]()

    def opened(_who: str, _old: Guard) -> tuple[Guard, dict[str, Any]]:
        made.append(Guard(other))
        return made[0], {}

    with Guard(app) as old:
        again = reloading(old, opened)
        with pytest.raises(RefusedError) as error:
            again.asked(Principal("ops", "operator", ()))
        assert (error.value.code, error.value.status) == ("guard.reload", 409)
        assert "guard.other" in str(error.value)
        assert again.service.guard is old
        assert made[0].stopped
        assert old.decide(ROW, caller="c", purpose="sorting").answers == ("yes",)
    told = [item.body.fields for item in place_of(read(app)).reading().search(case="guard") if item.body]
    assert [one["by"] for one in told if one.get("refused") == "guard.other"] == ["ops"]


def test_what_is_loaded_while_the_service_ends_is_not_served(app: Path) -> None:
    """It is closed as well: no model's process and no open record is left."""
    made: list[Guard] = []

    def opened(_who: str, old: Guard) -> tuple[Guard, dict[str, Any]]:
        made.append(Guard(app, writing=old.writing))
        again.close()
        return made[0], {}

    old = Guard(app)
    again = reloading(old, opened)
    with pytest.raises(RefusedError) as error:
        again.load("signal")
    assert error.value.code == "guard.stopped"
    assert old.stopped
    assert made[0].stopped
    assert again.service.guard is old


def test_one_loading_at_a_time(app: Path) -> None:
    """A second one is refused at once; the first goes on, and the record stays open with the new guard alone."""

    def opened(_who: str, old: Guard) -> tuple[Guard, dict[str, Any]]:
        with pytest.raises(RefusedError) as error:
            again.load("somebody else")
        assert error.value.code == "guard.reloading"
        return Guard(app, writing=old.writing), {}

    old = Guard(app)
    again = reloading(old, opened)
    new = again.load("signal").guard
    try:
        assert old.stopped
        assert new.decide(ROW, caller="c", purpose="sorting").answers == ("yes",)
    finally:
        again.close()
