"""A real MLServer in an environment of its own, serving a scikit-learn pipeline that it trained there."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PEER = Path(__file__).resolve().parents[2] / ".venv-peers" / "mlserver" / "bin" / "python"

TRAIN = """
import sys, joblib, pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
data, target, dropped, place = sys.argv[1:]
frame = pd.read_csv(data)
X = frame.drop(columns=[target, *filter(None, dropped.split(","))])
texts = [name for name in X if not pd.api.types.is_numeric_dtype(X[name])]
numbers = [name for name in X if name not in texts]
model = make_pipeline(
    make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), texts),
    ),
    LogisticRegression(max_iter=1000),
)
joblib.dump(model.fit(X, frame[target]), place)
"""


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def mlserver(
    folder: Path, data: Path, target: str, dropped: str = "", *, more: dict[str, Any] | None = None
) -> Iterator[tuple[str, str]]:
    """Train on a CSV file, serve, and yield the URLs for REST and gRPC; skip where the peer is not installed.

    ``more`` are further settings of the model.
    """
    looked = [PEER, "-c", "import mlserver_sklearn"]
    if not PEER.exists() or subprocess.run(looked, check=False, capture_output=True).returncode:
        pytest.skip(f"MLServer is not installed in {PEER.parents[1]} (scripts/test does it)")
    folder.mkdir()
    subprocess.run([PEER, "-c", TRAIN, data, target, dropped, folder / "model.joblib"], check=True, timeout=120)
    http, grpc, metrics = _free(), _free(), _free()
    ports = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    settings = {**ports, "host": "127.0.0.1", "parallel_workers": 0, "debug": False}
    (folder / "settings.json").write_text(json.dumps(settings))
    described = {
        "name": "m",
        "implementation": "mlserver_sklearn.SKLearnModel",
        **(more or {}),
        "parameters": {"uri": "./model.joblib", "version": "v1", **(more or {}).get("parameters", {})},
    }
    (folder / "model-settings.json").write_text(json.dumps(described))
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PEER.parent / "mlserver", "start", folder],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        _wait(f"http://127.0.0.1:{http}/v2/models/m/ready", process, folder / "log")
        yield f"http://127.0.0.1:{http}/v2/models/m", f"grpc://127.0.0.1:{grpc}/m"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + 90
    while time.monotonic() < end:
        with contextlib.suppress(OSError), opener.open(url, timeout=2) as answer:
            if answer.status == 200:
                return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    pytest.fail(f"MLServer did not start: {log.read_text(errors='replace')[-2000:]}\n{sys.version}")
