"""Each stage left out in turn: what it stops gets through, and everything is on record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.guard import signed
from tests.guard.signed import command
from tests.subject.apps import table

from fivefold.manifest.reader import read
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def application(root: Path) -> Path:
    """Return an application that declares every control."""
    (root / "data").mkdir(parents=True)
    table(600, 3).to_csv(root / "data" / "calibration.csv", index=False)
    data = {
        "train": {"path": "data/train.csv", "target": "answer", "positive": "yes"},
        "test": {"path": "data/test.csv"},
        "calibration": {"path": "data/calibration.csv"},
    }
    controls = {
        "P2": {"budget": "6000/day", "decimals": 2, "detect": True},
        "C2": {"members": 3},
        "C3": {"risk": 0.25, "delta": 0.1, "levels": ["model", "simpler"]},
    }
    return signed.application(root, controls=controls, data=data)


def test_no_single_failure_lets_an_attack_through_unseen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table is on record; a stage that is gone lets through what it stopped, and only that."""
    root = application(tmp_path / "app")
    capsys.readouterr()
    assert command("guard", "drill", root, "--json") == 0
    cells = {(cell["without"], cell["attack"]): cell for cell in json.loads(capsys.readouterr().out)}
    assert all(cell["recorded"] for cell in cells.values())
    stages = {without for without, _ in cells}
    assert stages >= {
        "-",
        "purpose",
        "domain",
        "drift",
        "budget",
        "screen",
        "model",
        "judge",
        "fallback",
        "shape",
        "reason",
    }
    assert len(cells) == 9 * len(stages)

    def came(without: str, attack: str) -> str:
        return str(cells[without, attack]["came"])

    assert came("-", "an operator asks") == "refused: guard.role"
    assert not came("purpose", "an operator asks").startswith("refused")
    assert came("-", "a purpose that is not declared") == "refused: guard.purpose"
    assert came("-", "a column too many") == "refused: guard.fields"
    assert came("-", "a value that cannot be") == "refused: guard.range"
    assert came("domain", "a value that cannot be") == "refused: guard.rows"
    assert came("-", "more questions than the budget") == "refused: guard.budget"
    assert not came("budget", "more questions than the budget").startswith("refused: guard.budget")
    assert came("-", "the model's process is killed") == "fell back"
    assert came("fallback", "the model's process is killed").startswith("refused")
    (told,) = place_of(read(root)).reading().search(case="guard", kind="status")
    assert len(told.body.fields["cells"]) == len(cells)
