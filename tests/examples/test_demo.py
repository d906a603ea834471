"""The script scripts/demo, with the installed program replaced by one that notes how it was called."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]

STUB = """#!/usr/bin/env bash
echo "$*" >> "$DEMO_CALLS"
case "$1 $2" in
  "trust list") cat "$DEMO_TRUST" ;;
  "trust add") printf '{"keys":[{"name":"Example Savings Bank"}]}' > "$DEMO_TRUST" ;;
  "assess "*) exit "$DEMO_ASSESS" ;;
  "report "*) exit "$DEMO_REPORT" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the scripts with an environment whose programs are stubs."""
    shutil.copytree(REPO / "scripts", tmp_path / "scripts")
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, text in {"fivefold": STUB, "pip": "#!/bin/sh\n", "python": "#!/bin/sh\ncat > /dev/null\n"}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / "trust").write_text('{"keys":[]}')
    return tmp_path


def demo(checkout: Path, *words: str, assess: int = 0, report: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the script; return what it said, with the calls that it made in ``calls``."""
    settings = {
        "DEMO_CALLS": str(checkout / "calls"),
        "DEMO_TRUST": str(checkout / "trust"),
        "DEMO_ASSESS": str(assess),
        "DEMO_REPORT": str(report),
    }
    return subprocess.run(
        ["bash", "scripts/demo", *words],
        cwd=checkout,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("verdict", [0, 1, 3])
def test_it_exits_0_when_it_ran_whatever_the_verdict(checkout: Path, verdict: int) -> None:
    """Attained, failed, inconclusive: each is an answer; the report is named."""
    done = demo(checkout, assess=verdict)
    assert done.returncode == 0, done.stderr
    assert str(checkout / "build" / "credit-report.html") in done.stderr
    calls = (checkout / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["trust", "trust", "assess", "report"]


def test_it_trusts_the_owner_once_and_says_how_to_undo_it(checkout: Path) -> None:
    """The trust file is the user's: the change is said, and a second run makes none."""
    assert "To undo: .venv/bin/fivefold trust revoke examples/credit/owner.pub" in demo(checkout).stderr
    assert "To undo" not in demo(checkout).stderr
    assert (checkout / "calls").read_text().count("trust add") == 1


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"assess": 2}, 2, "did not run"),
        ({"report": 1}, 2, "verify"),
        ({"assess": 130}, 130, "run scripts/demo again"),
    ],
)
def test_what_did_not_run_is_not_a_success(checkout: Path, settings: dict[str, int], code: int, words: str) -> None:
    """Refused input, evidence that does not verify, Ctrl-C: not 0, and what to do."""
    done = demo(checkout, **settings)
    assert done.returncode == code
    assert words in done.stderr


def test_unknown_words_are_refused(checkout: Path) -> None:
    """A misspelt option does not start an installation."""
    assert demo(checkout, "--noopen").returncode == 2
    assert demo(checkout, "--help").returncode == 0
    assert not (checkout / "calls").exists()
