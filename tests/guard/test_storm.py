"""Killed processes and full disks, over and over: every answer has its record, every refusal is accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.guard.storm import ROWS, Storm
from tests.guard.test_falling import application

if TYPE_CHECKING:
    from pathlib import Path


def test_no_answer_without_record_and_admission_whatever_dies(tmp_path: Path) -> None:
    """1,500 questions, some of them out of range; `python -m tests.guard.storm` asks 100,000."""
    root = application(tmp_path / "app", levels=["model", "rules"], risk=0.2)
    found = Storm(root, 1500, 3, kill=0.7, full=0.7).run()
    assert found.kills
    assert found.full
    assert found.told["answered"] > 100
    assert found.told["guard.range"] > 50
    assert sum(found.told.values()) == 1500
    assert sum(found.by.values()) == ROWS * found.told["answered"]
    assert (found.lost, found.wrong, found.unadmitted, found.uncounted) == (0, 0, 0, 0)
