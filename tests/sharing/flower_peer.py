"""The environment with Flower, which wants older protobuf, rich and typer: ``scripts/test`` builds it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
PEER = REPO / ".venv-peers" / "flower" / "bin" / "python"


def flower() -> Path:
    """Return its interpreter; skip where there is none."""
    looked = [PEER, "-c", "import flwr.serverapp, fivefold.sharing.federated.flower"]
    if not PEER.exists() or subprocess.run(looked, capture_output=True, check=False, timeout=120).returncode:
        pytest.skip("Flower is not installed in .venv-peers/flower; scripts/test installs it")
    return PEER


def ran(words: list[str], folder: Path, *, seconds: int = 900) -> subprocess.CompletedProcess[str]:
    """Run a program of that environment in a folder, with the home there too."""
    env = {**os.environ, "HOME": str(folder), "OMP_NUM_THREADS": "1", "PATH": f"{PEER.parent}:{os.environ['PATH']}"}
    env.pop("PYTHONPATH", None)
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=seconds, check=False)
