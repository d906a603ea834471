"""Power lost at every operation, and a writer killed: what was acknowledged is there. The full numbers: ``long``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.traceability.crashing import WORKLOADS, kills

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", WORKLOADS)
def test_no_acknowledged_record_is_lost_at_any_operation(name: str) -> None:
    """One seed of each workload, all its points."""
    found = WORKLOADS[name](5)
    assert found.points > 30
    assert found.acknowledged > 100
    assert (found.lost, found.faults) == (0, 0)


def test_a_killed_recorder_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """Signal 9, four times on one log."""
    found = kills(tmp_path / "record", 4)
    assert (found.points, found.lost, found.faults) == (4, 0, 0)
    assert found.acknowledged > 4
