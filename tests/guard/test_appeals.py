"""Appeals with real processes: a served decision challenged by its receipt, reviewed by somebody else, proven."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from tests.guard import signed
from tests.guard.signed import ROW
from tests.guard.test_serve import infer, serving

from fivefold.guard.tokens import Tokens
from fivefold.manifest.reader import read

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

APPEAL = {"F1": {"appeal": {"days": 30, "to": "appeals@example.org"}}}


def told(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> Any:
    """Run a command with --json and return what it wrote."""
    capsys.readouterr()
    assert signed.command(*words, "--json") == code, capsys.readouterr().err
    written = capsys.readouterr()
    return json.loads(written.out or written.err)


def reviewer(root: Path, name: str) -> None:
    """Give somebody a reviewer's token."""
    Tokens(root.name).issue(read(root), name, "reviewer", (), 1)


def test_a_decision_is_challenged_by_its_receipt_and_remedied_by_somebody_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Served over HTTP, filed, interrupted, examined, reviewed, remedied; the log alone proves it."""
    root = signed.application(tmp_path / "challenged", controls=APPEAL)
    reviewer(root, "officer-7")
    reviewer(root, "branch-12")
    with serving(root, "--allow-unattained") as served:
        status, answer = served.ask(f"{served.model}/infer", infer(ROW, case="loan-1", subject="Jane Roe"))
        assert status == 200
        (reason,) = answer["parameters"]["reasons"]
        assert "appeals@example.org" in json.dumps(reason)
        receipt = tmp_path / "receipt.json"
        receipt.write_text(json.dumps(answer["parameters"]["receipt"]))
        words = ["appeal", "file", str(receipt), "--by", "Jane Roe", "--because", "I weigh 40", "--in", str(root)]
        begun = subprocess.Popen([sys.executable, "-m", "fivefold", *words], stdout=subprocess.DEVNULL)
        while not (waiting := told(capsys, "appeal", "list", "--in", root)):
            time.sleep(0.05)
        begun.send_signal(signal.SIGKILL)
        begun.wait()
        (one,) = waiting
        assert one["answer"] == "yes"
        made = told(capsys, *words)
        assert made["id"] == one["id"]
        assert made["replayed"] == "same"
        assert made["explained"].startswith("What spoke for this answer most")
        decide = ["appeal", "decide", made["id"], "--because", "read the scale again", "--in", root]
        assert told(capsys, *decide, "--as", "jane  ROE", "--ruling", "uphold", code=2)["error"]["code"] == "queue.who"
        assert (
            told(capsys, *decide, "--as", "branch-12", "--ruling", "uphold", code=2)["error"]["code"] == "appeal.self"
        )
        assert told(capsys, "appeal", "verify", made["id"], "--in", root, code=3)["faults"] == []
        right = ["--ruling", "correct", "--set", "weight=40", "--as", "officer-7"]
        done = told(capsys, *decide, *right)
        assert done["decided"][0]["answer"] == "no"
        assert done["remedied"] == ["correction of data"]
        again = told(capsys, *decide, "--as", "officer-7", "--ruling", "uphold", code=2)
        assert again["error"]["code"] == "appeal.decided"
        found = told(capsys, "appeal", "verify", made["id"], "--in", root)
        assert found["faults"] == []
        assert len(found["proven"]) == 6
