"""A new user's first five minutes: the built wheel, an empty environment, their own table."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
PAGE = REPO / "docs" / "first-report.md"
MINUTES = 5
"""What the page promises; the script is killed then."""


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_the_first_report_page_works_from_the_wheel_within_its_time(tmp_path: Path) -> None:
    """Every command of the page runs, in order, with only the wheel, within the promised time."""
    wheel = _wheel(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    assert "five minutes" in text
    file = re.search(r'^```python title="(.*?)"\n(.*?)^```', text, re.DOTALL | re.MULTILINE)
    assert file
    scorer = tmp_path / file.group(1)
    scorer.parent.mkdir()
    scorer.write_text(file.group(2), encoding="utf-8")
    (tmp_path / "loans.csv").write_bytes((REPO / "examples" / "credit" / "data" / "train.csv").read_bytes())

    script = ["set -u"]
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            command, _, note = line.removeprefix("$ ").partition("   # exit ")
            command = command.replace("'fivefold[assess]'", f"'{wheel}[assess]'").replace(
                "python3 -m venv", f"{sys.executable} -m venv"
            )
            expected = int(note or 0)
            script.append(f'{command}; code=$?; [ $code = {expected} ] || {{ echo "exit $code: {command}"; exit 9; }}')
    assert len(script) == 1 + 8
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            **{k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "HTTP"))},
        },
        capture_output=True,
        text=True,
        timeout=60 * MINUTES,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2500:]}\n{done.stderr[-2500:]}"
    assert "P3.accuracy" in (tmp_path / "report.html").read_text(encoding="utf-8")


def _wheel(folder: Path) -> Path:
    """Build the wheel, before the clock of the user starts."""
    pytest.importorskip("build", reason="`build` makes the wheel; scripts/test installs it")
    subprocess.run(
        [sys.executable, "-m", "build", "--quiet", "--wheel", "--outdir", str(folder / "wheel"), str(REPO)],
        check=True,
        capture_output=True,
    )
    return next((folder / "wheel").glob("*.whl"))
