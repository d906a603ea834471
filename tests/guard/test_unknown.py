"""The stage for unknown threats: a row like none that is benign is not answered as benign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.guard import signed
from tests.guard.signed import ROW
from tests.subject.apps import table

from fivefold.errors import InputError
from fivefold.guard import Guard
from fivefold.guard.nouns import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

STRANGE = ROW | {"weight": 119.0, "count": 1e6, "team": "z"}


def test_a_row_unlike_benign_ones_is_refused_where_nobody_stands_below(tmp_path: Path) -> None:
    """An ordinary row is answered; one with values that no row has is not."""
    root = signed.application(tmp_path / "app", controls={"P5": {"false_alarms": 0.05}})
    table(900, 1).to_csv(root / "data" / "train.csv", index=False)
    with Guard(root) as guard:
        assert "threats" in guard.stages
        assert guard.decide(ROW | {"weight": 60.0}, caller="c", purpose="sorting").answers == ("yes",)
        with pytest.raises(RefusedError) as error:
            guard.decide(STRANGE, caller="c", purpose="sorting")
    assert (error.value.code, error.value.status) == ("guard.unknown", 403)


def test_a_detector_that_cannot_be_opens_no_guard(tmp_path: Path) -> None:
    """A benign class that the data do not have."""
    root = signed.application(tmp_path / "app", controls={"P5": {"benign": "nobody"}})
    with pytest.raises(InputError) as error:
        Guard(root)
    assert error.value.code == "guard.threats"
