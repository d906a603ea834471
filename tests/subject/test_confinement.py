"""The model's process: what a hostile model tries, and what a decent one needs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from tests.subject import attempts
from tests.subject.apps import build

from fivefold.keys import store
from fivefold.manifest.digests import data_digests
from fivefold.subject.bench import Bench
from fivefold.subject.remote import RemoteModel
from fivefold.subject.worker import confine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.manifest.nouns import Manifest

SOURCE = Path(attempts.__file__)

CERTAIN = (
    "fork", "raw_clone", "run_program", "shell", "posix_spawn", "tcp", "udp", "unix_socket", "listen", "read_key",
    "read_evidence", "read_record", "read_app_keys", "read_dot_file", "read_home", "read_unsigned_code",
    "import_unsigned_code", "list_app", "write_app", "write_model", "write_tmp", "write_data", "truncate_data",
    "chmod_key", "touch_evidence", "link_key", "symlink_key", "delete_evidence", "kill_parent", "kill_all", "pidfd",
    "own_signal", "read_parent_environment", "parent_descriptors", "memory_file", "shared_memory", "environment_secret",
    "large_file", "outlive_parent",
)  # fmt: skip
"""Attempts that work on any Linux machine when nothing confines them."""

needs_kernel = pytest.mark.skipif(
    not {"seccomp"} <= set(confine.protections()) or not any(p.startswith("landlock") for p in confine.protections()),
    reason="this kernel has no Landlock, or libseccomp is missing",
)


def prepare(root: Path, home: Path) -> Manifest:
    """Write an application whose model is the battery, with everything around it that it may not touch."""
    for name in ("evidence", "record", "keys"):
        (root / name).mkdir(exist_ok=True)
        (root / name / "file").write_text("secret")
    (root / ".env").write_text("secret")
    (root / "unsigned.py").write_text("secret = 1\n")
    (home / "note").write_text("secret")
    model = {"factory": "scorer:load", "files": ["places.json"]}
    return build(root, SOURCE.read_text(), rows=40, manifest={"model": model})


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Manifest, Path]]:
    """Return the hostile application and a place outside it, beside a server that would answer."""
    root, home = tmp_path_factory.mktemp("app") / "app", tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, socket.socket() as server:
        for name in ("CONFIG", "STATE", "CACHE", "DATA"):
            patch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
        patch.setenv("FIVEFOLD_TEST_SECRET", "hush")
        server.bind(("127.0.0.1", 0))
        server.listen()
        key = store.new_key("assessor").path
        root.mkdir()
        places = {
            "key": str(key),
            "evidence": str(root / "evidence" / "file"),
            "record": str(root / "record" / "file"),
            "app_keys": str(root / "keys" / "file"),
            "dot": str(root / ".env"),
            "home": str(home / "note"),
            "unsigned": str(root / "unsigned.py"),
            "app": str(root),
            "data": str(root / "data" / "test.csv"),
            "train": str(root / "data" / "train.csv"),
            "driver": os.getpid(),
            "port": server.getsockname()[1],
            "secret": "hush",
        }
        (root / "places.json").write_text(json.dumps(places))
        yield prepare(root, home), home


@pytest.fixture(scope="module")
def outside(around: tuple[Manifest, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Return what works for the same code in an ordinary process."""
    manifest, _ = around
    copy = tmp_path_factory.mktemp("copy")
    for name in ("scorer.py", "places.json", "unsigned.py"):
        shutil.copy(manifest.root / name, copy)
    shutil.copytree(manifest.root / "data", copy / "data")
    scratch = copy / "scratch"
    scratch.mkdir()
    ran = subprocess.run(
        [sys.executable, "scorer.py"],
        cwd=copy,
        env={**os.environ, "TMPDIR": str(scratch)},
        capture_output=True,
        check=True,
    )
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def inside(around: tuple[Manifest, Path], outside: dict[str, float]) -> dict[str, float]:
    """Return what works for it as a model in the worker."""
    manifest, _ = around
    with Bench(manifest, data_digests(manifest), evidence=manifest.root / "evidence") as bench:
        model = RemoteModel(bench.lend().peer)  # as checks and guard get it
        answers = model.ask("predict", "frame", pd.DataFrame({"name": attempts.NAMES}))
        assert (bench.snapshot.signed / "scorer.py").read_bytes() == SOURCE.read_bytes(), "the snapshot was changed"
    return dict(zip(attempts.NAMES, answers.tolist(), strict=True))


@pytest.mark.parametrize("name", CERTAIN)
def test_the_attempt_works_where_nothing_confines_it(outside: dict[str, float], name: str) -> None:
    """An attempt that fails everywhere would prove nothing."""
    assert outside[name] == 1.0


@needs_kernel
@pytest.mark.parametrize("name", attempts.FORBIDDEN)
def test_the_attempt_fails_in_the_worker(inside: dict[str, float], name: str) -> None:
    """The kernel refuses it."""
    assert inside[name] == 0.0


@pytest.mark.parametrize("name", attempts.ALLOWED)
def test_what_a_decent_model_needs_works(inside: dict[str, float], name: str) -> None:
    """Threads, a scratch folder, the application's data and memory are there."""
    assert inside[name] == 1.0
