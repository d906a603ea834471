"""The environment with Flower, which wants older protobuf, rich and typer: ``scripts/test`` builds it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    return subprocess.run(
        words, cwd=folder, env=_env(folder), capture_output=True, text=True, timeout=seconds, check=False
    )


@contextlib.contextmanager
def kept(words: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Keep a program of that environment running in a folder; it is told to end by SIGTERM, and must."""
    with (folder / f"{words[2]}-{words[-1]}.log".replace("/", "-")).open("w") as log:
        process = subprocess.Popen(words, cwd=folder, env=_env(folder), stdout=log, stderr=log, text=True)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def _env(folder: Path) -> dict[str, str]:
    env = {**os.environ, "HOME": str(folder), "OMP_NUM_THREADS": "1", "PATH": f"{PEER.parent}:{os.environ['PATH']}"}
    env.pop("PYTHONPATH", None)
    return env
