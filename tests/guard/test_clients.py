"""Clients that we did not write ask the guard: tritonclient and kserve, over HTTP."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.guard import signed
from tests.guard.test_serve import serving
from tests.subject.apps import table
from tests.subject.mlserver_peer import mlserver

REPO = Path(__file__).resolve().parents[2]
PYTHON = REPO / ".venv-peers" / "oip" / "bin" / "python"
COLUMNS = {"weight": "FP64", "colour": "BYTES", "since": "BYTES", "count": "FP64", "team": "BYTES"}
STEPS = (
    "1 live and ready", "2 metadata", "3 JSON", "4 binary both ways", "5 FP16", "6 gzip", "7 no content type", "8 NaN",
    "9 ten thousand rows", "10 gRPC live, ready, metadata", "11 gRPC infer", "12 gRPC BYTES", "13 kserve JSON",
    "14 kserve binary", "15 kserve health",
)  # fmt: skip


def asked(http: str, grpc: str, name: str, token: str) -> dict[str, str]:
    """Return what each step gave: empty, or why it failed."""
    found: dict[str, str] = {}
    for what, address in (("http", http), ("grpc", grpc)):
        command = [PYTHON, REPO / "tests" / "guard" / "clients.py", what, address, name, token]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        assert ran.returncode == 0, ran.stderr[-2000:]
        found |= json.loads(ran.stdout.splitlines()[-1])
    return found


def ours(root: Path) -> dict[str, str]:
    """Ask a guard."""
    with serving(signed.application(root), "--allow-unattained", "--grpc-port", "0") as served:
        return asked(served.url.removeprefix("http://"), served.grpc, root.name, served.token)


def theirs(root: Path) -> dict[str, str]:
    """Ask MLServer, with the columns in its settings."""
    root.mkdir()
    table(600, 1).to_csv(root / "train.csv", index=False)
    inputs = [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in COLUMNS.items()]
    settings = {"inputs": inputs, "parameters": {"content_type": "pd"}}
    with mlserver(root / "peer", root / "train.csv", "answer", more=settings) as (url, grpc):
        return asked(url.split("/")[2], grpc.split("/")[2], "m", "")


def both(root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return what each step gave, asked of a guard and of MLServer."""
    root.mkdir()
    return ours(root / "asked"), theirs(root / "mlserver")


@pytest.fixture(scope="module")
def told(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what each step gave."""
    if not PYTHON.exists():
        pytest.skip("the clients of the Open Inference Protocol are not installed (scripts/test does it)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(made / "config"))
        return ours(tmp_path_factory.mktemp("clients") / "asked")


@pytest.mark.parametrize("step", STEPS)
def test_the_client_gets_what_it_expects(told: dict[str, str], step: str) -> None:
    """As with any other server of the protocol, with a token."""
    assert told[step] == ""


@pytest.mark.slow
def test_mlserver_passes_fewer_steps(told: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same matrix against MLServer; both columns are printed."""
    found = theirs(tmp_path / "mlserver")
    with capsys.disabled():
        for step in STEPS:
            why = found[step].partition("\n")[0][:70]
            print(f"\n{step:32} {'no' if told[step] else 'yes':5} MLServer: {why or 'yes'}", end="")  # noqa: T201
    assert sum(not told[step] for step in STEPS) == len(STEPS) == 15
    assert sum(not found[step] for step in STEPS) < 15
