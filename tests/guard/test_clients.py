"""Clients that we did not write ask the guard: tritonclient and kserve, over HTTP."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.guard import signed
from tests.guard.test_serve import serving

REPO = Path(__file__).resolve().parents[2]
PYTHON = REPO / ".venv-peers" / "oip" / "bin" / "python"
STEPS = (
    "1 live and ready", "2 metadata", "3 JSON", "4 binary both ways", "5 FP16", "6 gzip", "7 no content type", "8 NaN",
    "9 ten thousand rows", "13 kserve JSON", "14 kserve binary", "15 kserve health",
)  # fmt: skip


@pytest.fixture(scope="module")
def told(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what each step gave."""
    if not PYTHON.exists():
        pytest.skip("the clients of the Open Inference Protocol are not installed (scripts/test does it)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(made / "config"))
        root = signed.application(tmp_path_factory.mktemp("clients") / "asked")
        with serving(root, "--allow-unattained") as served:
            address = served.url.removeprefix("http://")
            command = [PYTHON, REPO / "tests" / "guard" / "clients.py", address, root.name, served.token]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("step", STEPS)
def test_the_client_gets_what_it_expects(told: dict[str, str], step: str) -> None:
    """As with any other server of the protocol, with a token."""
    assert told[step] == ""
