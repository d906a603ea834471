"""The command classify: answers as flags, from a manifest, and what cannot be an answer."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.subject.apps import build

if TYPE_CHECKING:
    from pathlib import Path


def run(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "fivefold", "classify", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_flags_give_a_level_with_reasons() -> None:
    """As JSON and as text."""
    found = json.loads(run("--output", "decision", "--alone", "--json").stdout)
    assert found["level"] == 5
    assert len(found["reasons"]) == 2
    assert "Level 2" in run("--output", "label").stdout


def test_a_lower_declared_level_is_told_with_the_reason(tmp_path: Path) -> None:
    """The manifest's own answers contradict its level."""
    build(tmp_path / "app", manifest={"use": {"output": "decision", "acts": "system", "alone": True}})
    assert "lower than that" in run(tmp_path / "app", code=1).stdout
    build(tmp_path / "fair")
    assert "high enough" in run(tmp_path / "fair").stdout


@pytest.mark.parametrize(
    ("words", "error"),
    [(("--output", "verdict"), "classify.answer"), ((), "classify.output"),
     (("--output", "label", "--within", "hours"), "classify.answer")],
)  # fmt: skip
def test_what_is_no_answer_is_refused(words: tuple[str, ...], error: str) -> None:
    """With the choices."""
    assert error in run(*words, code=2).stderr
