"""Command ``assess``, run as a user runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.few import PROGRAM
from tests.subject.apps import RULE, build

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeAlias

    Ran: TypeAlias = subprocess.CompletedProcess[str]

SLOW = (
    RULE
    + """
import time
fast = Model.predict_proba
def slow(self, frame):
    time.sleep(min(len(frame) // 280, 1) * 0.3)
    return fast(self, frame)
Model.predict_proba = slow
"""
)
"""The same answers, later."""


def run(*words: object, program: tuple[str, ...] = (sys.executable, "-m", "fivefold")) -> Ran:
    """Run one command of the command line."""
    return subprocess.run([*program, *map(str, words)], capture_output=True, text=True, check=False)


def test_a_first_run_says_the_verdict_the_key_the_place_and_what_to_type_next(tmp_path: Path) -> None:
    """And what it says to type works."""
    root = build(tmp_path / "app").root
    said = run("assess", root, "--effort", "quick")
    assert said.returncode in (0, 1, 3), said.stderr
    flat = " ".join(said.stdout.split())
    assert "Declared level 2" in flat
    assert "one was made in" in flat
    assert f"fivefold verify {root / 'evidence'}" in flat
    assert "P3.accuracy: pass" in said.stderr
    assert not list(root.glob("**/*.pem.*"))
    checked = run("verify", root / "evidence")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert run("report", root / "evidence", "--out", tmp_path / "page.html").returncode == 0


def test_json_is_one_document_on_standard_output(tmp_path: Path) -> None:
    """Nothing else is written there."""
    root = build(tmp_path / "app").root
    said = run("assess", root, "--effort", "quick", "--json", "--only", "P3.accuracy")
    document = json.loads(said.stdout)
    assert document["mode"] == "exploratory"
    assert document["findings"][0]["check"] == "P3.accuracy"
    assert document["verdict"] is None
    assert said.returncode == 0


def test_ctrl_c_keeps_what_was_finished_and_says_how_to_go_on(tmp_path: Path) -> None:
    """SIGINT in the middle; the same command takes the attempt up."""
    root = build(tmp_path / "app", SLOW, manifest={"training": {"factory": "scorer:load"}}).root
    command = [*PROGRAM, "assess", str(root), "--effort", "quick", "--workers", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if re.match(r"[A-Z]\d\.[a-z]", line):  # the first check that is finished
                break
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again" in " ".join(errors.split())
    again = run("assess", root, "--effort", "quick", program=PROGRAM)
    assert again.returncode in (1, 3), again.stderr
    assert "taken up" in again.stdout
    assert run("verify", root / "evidence", program=PROGRAM).returncode == 0


@pytest.mark.parametrize(
    ("words", "code"), [(["--effort", "lazy"], "assess.effort"), (["--only", "Q9"], "assess.only")]
)
def test_refused_input_gives_exit_code_2_and_its_code(tmp_path: Path, words: list[str], code: str) -> None:
    """Usage errors are no findings."""
    root = build(tmp_path / "app").root
    said = run("assess", root, "--json", *words)
    assert said.returncode == 2
    assert json.loads(said.stderr)["error"]["code"] == code


def test_built_checks_that_did_not_run_are_named_with_the_reason(tmp_path: Path) -> None:
    """A manifest without a model, and a table without rows, do not pass in silence."""
    root = build(tmp_path / "app").root
    place = root / "fivefold.yaml"
    text = place.read_text(encoding="utf-8")
    place.write_text(text[: text.index("model:")], encoding="utf-8")
    said = " ".join(run("assess", root, "--effort", "quick", program=PROGRAM).stdout.split())
    assert re.search(r"Did not run: [^:]*P3\.accuracy[^:]*: the manifest declares no model\.", said)
    place.write_text(text, encoding="utf-8")
    header = (root / "data" / "test.csv").read_text(encoding="utf-8").splitlines()[0]
    (root / "data" / "test.csv").write_text(header + "\n", encoding="utf-8")
    said = " ".join(run("assess", root, "--effort", "quick", program=PROGRAM).stdout.split())
    assert re.search(r"Did not run: [^:]*P3\.accuracy[^:]*: data set `test` has no rows\.", said)
    assert "data.test has no rows" in said
