"""Peer environments: `.venv-peers/NAME`, built once from pinned versions."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent


class PeerAbsentError(Exception):
    """A peer could not be installed; the text says why."""


def ensure(name: str, pins: tuple[str, ...]) -> Path:
    """Return the interpreter of the peers' environment, building it if it is not there or is out of date.

    Args:
        name: Folder below ``.venv-peers``.
        pins: Requirements with exact versions.

    Raises:
        PeerAbsentError: pip failed.
    """
    folder = REPO / ".venv-peers" / name
    python, stamp = folder / "bin" / "python", folder / "fivefold-pins"
    wanted = hashlib.sha256("\n".join((sys.version, *pins)).encode()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"building .venv-peers/{name}: {', '.join(pins)}", file=sys.stderr)
    venv.create(folder, with_pip=True, symlinks=True, clear=True)
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode:
        last = [line for line in installed.stderr.splitlines() if line.strip()][-1:]
        raise PeerAbsentError(f"pip could not install the peers of {name}: {' '.join(last)}")
    stamp.write_text(wanted)
    return python
