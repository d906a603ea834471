"""Appeals with real processes: a served decision challenged by its receipt, reviewed by somebody else, proven."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from tests.guard import signed
from tests.guard.signed import ROW
from tests.guard.test_serve import infer, serving

from fivefold.fairness.drift.recorded import STREAM
from fivefold.governance.appeals import standing
from fivefold.governance.operation.told import facts
from fivefold.guard.tokens import Tokens
from fivefold.manifest.reader import read
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    import pytest

CREDIT = Path(__file__).resolve().parents[2] / "examples" / "credit"
APPEAL = {"F1": {"appeal": {"days": 30, "to": "appeals@example.org"}}}


def told(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> Any:
    """Run a command with --json and return what it wrote."""
    capsys.readouterr()
    assert signed.command(*words, "--json") == code, capsys.readouterr().err
    written = capsys.readouterr()
    return json.loads(written.out or written.err)


def reviewer(root: Path, name: str, application: str = "") -> None:
    """Give somebody a reviewer's token."""
    Tokens(application or root.name).issue(read(root), name, "reviewer", (), 1)


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


def test_a_refused_loan_of_the_credit_example_is_appealed_and_the_checks_read_that_from_its_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A drop-out of the process that writes does not matter: filed while the guard serves, decided after it ended."""
    root = tmp_path / "credit-example"
    shutil.copytree(CREDIT, root)
    with (root / "fivefold.yaml").open("a") as file:
        file.write("\ncontrols: {F1: {appeal: {days: 10}}}\n")
    signed.sign(root)
    reviewer(root, "officer-7", "credit-example")
    rows = pd.read_csv(root / "data" / "test.csv").drop(
        columns=["credit", "sex", "age_band", "marital_status", "foreign_worker"]
    )
    with serving(root, "--allow-unattained", purpose="credit-scoring") as served:
        for at in range(len(rows)):
            status, answer = served.ask(f"{served.model}/infer", infer(rows.iloc[at].to_dict(), case=f"loan {at}"))
            assert status == 200, answer
            if answer["outputs"][0]["data"] == ["bad"]:
                break
        (tmp_path / "receipt.json").write_text(json.dumps(answer["parameters"]["receipt"]))
        words = ["appeal", "file", tmp_path / "receipt.json", "--by", "Jane Roe", "--because", "look again"]
        made = told(capsys, *words, "--in", root)
        assert (made["answer"], made["replayed"]) == ("bad", "same"), made["why"]
        assert "a person will look at it again" in made["explained"]
    decide = ["appeal", "decide", made["id"], "--as", "officer-7", "--because", "pays rent on time", "--in", root]
    assert told(capsys, *decide, "--ruling", "change", "--answer", "good")["remedied"] == ["re-decision"]
    assert told(capsys, "appeal", "verify", made["id"], "--in", root)["faults"] == []
    assert told(capsys, "appeal", "stats", "--in", root)["systemic"] == []
    with place_of(read(root)).writing() as recorder, recorder.open("loan 0") as case:
        case.add("outcome", {"group": {"sex": "female"}}, wait=True)
    found = facts(read(root))
    assert standing.read(str(found[standing.APPEALS])) == [standing.Standing(open=False, faults=())]
    stream = json.loads(str(found[STREAM]))
    assert stream["answers"][-1] == "bad"
    assert stream["protected"]["sex"][0] == "female"
