"""Long: at least 3,000 requests drawn from the guard's own description; the client matrix beside MLServer's.

``python -m tests.guard.long`` writes ``docs/figures/guard-service.md``.
"""

from __future__ import annotations

import argparse
import platform
import re
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.guard import signed
from tests.guard.test_clients import PYTHON, STEPS, both
from tests.guard.test_serve import drawn, serving

FIGURE = Path(__file__).resolve().parents[2] / "docs" / "figures" / "guard-service.md"
_LEAST = 3000


def requests(root: Path, each: int) -> tuple[bool, list[str]]:
    """Draw requests, ``each`` for an operation and phase; return whether all went well, and lines."""
    with serving(root, "--allow-unattained") as served:
        done = drawn(served, root.parent, each)
    told = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    generated, passed = (int(told[1]), int(told[2])) if told else (0, 0)
    good = done.returncode == 0 and passed == generated >= _LEAST
    if not good:
        print(done.stdout[-6000:], file=sys.stderr)  # noqa: T201
    counts = f"{generated:,} generated, {passed:,} passed, {generated - passed:,} not."
    words = "Requests drawn by schemathesis from the published OpenAPI, all its checks but that columns must fit"
    return good, [f"- {words}: {counts}"]


def matrix(root: Path) -> tuple[bool, list[str]]:
    """Ask guard and MLServer the same with the same clients."""
    if not PYTHON.exists():
        return False, ["- The clients are not installed: not measured."]
    ours, theirs = both(root)
    good = not any(ours.values())
    lines = ["", "| step | guard | MLServer 1.7.1 |", "|---|---|---|"]
    lines += [f"| {step} | {_word(ours[step])} | {_word(theirs[step])} |" for step in STEPS]
    counts = [sum(not found[step] for step in STEPS) for found in (ours, theirs)]
    return good, [*lines, f"| passed | {counts[0]} of {len(STEPS)} | {counts[1]} of {len(STEPS)} |"]


def _word(why: str) -> str:
    short = why.partition("\n")[0].replace("|", "/")[:80]
    return f"no ({short})" if why else "yes"


def main() -> int:
    """Measure, write the figures, and return 1 if something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=500, help="requests for an operation and phase")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        home = Path(folder)
        for name in ("CONFIG", "STATE", "CACHE", "DATA"):
            patch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
        signed.signer(home)
        drawn_well, lines = requests(signed.application(home / "drawn"), given.each)
        asked_well, more = matrix(home / "matrix")
    when = f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}"
    text = f"# The guard's service, measured\n`python -m tests.guard.long`, {when}.\n\n"
    FIGURE.write_text(text + "\n".join((*lines, *more)) + "\n", encoding="utf-8")
    return 0 if drawn_well and asked_well else 1


if __name__ == "__main__":
    sys.exit(main())
