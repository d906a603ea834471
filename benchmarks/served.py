"""Served: the benchmark's application behind the guard and behind MLServer, asked over sockets."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from benchmarks.measure import family
from benchmarks.peer_env import REPO

if TYPE_CHECKING:
    from collections.abc import Iterator

PINS = ("mlserver==1.7.1", "mlserver-sklearn==1.7.1")
COLUMNS = tuple(f"f{at}" for at in range(20))
ROWS = 64
TRAIN = """
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

def load(data="data/train.csv"):
    frame = pd.read_csv(data)
    return LogisticRegression().fit(frame.drop(columns="y").to_numpy(), frame["y"])
"""
SERVE = """
import sys
import fivefold.guard.reasoning as reasoning
import fivefold.guard.steps as steps
from fivefold.cli.main import run
reasoning.MOST_ROWS = int(sys.argv[1])

async def unwaited(records, *, here):
    records.hasten(here=False)

if sys.argv[2] == "asynchronous":
    steps._durable = unwaited
    import fivefold.traceability.recorder.recorder as recorder
    recorder.Case.__exit__ = lambda *_: None
run(sys.argv[3:])
"""
_FOLDERS = ("CONFIG", "STATE", "CACHE", "DATA")


@dataclass
class Side:
    """A server that is asked.

    Attributes:
        port: On this machine.
        requests: Bytes of each request.
        single: Milliseconds of each answer, one at a time.
        rates: Answers a second over four connections, for each round.
        cost: Milliseconds of processor time an answer, of the server and all that it started, for each round.
    """

    pid: int
    port: int
    requests: list[bytes]
    single: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)


def environment(home: Path) -> dict[str, str]:
    """Return the environment of programs whose keys and state lie below a folder."""
    found = dict(os.environ) | {f"XDG_{name}_HOME": str(home / name.lower()) for name in _FOLDERS}
    return found | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPO / "src")}


def fivefold(environment: dict[str, str], *words: str) -> str:
    """Run the command and return what it printed."""
    command = [sys.executable, "-m", "fivefold", *words]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def signer(environment: dict[str, str]) -> None:
    """Make a signer's key and trust it."""
    told = fivefold(environment, "key", "new", "--role", "signer", "--name", "Mo")
    public = re.search(r"public\s+(\S+)", told)
    if public is None:
        raise RuntimeError(told)
    fivefold(environment, "trust", "add", public[1], "--role", "signer", "--name", "Mo")


def application(root: Path, model: dict[str, Any], environment: dict[str, str], **more: Any) -> None:
    """Write and sign an application of 20 numbers; ``more``: further keys of its manifest."""
    root.mkdir()
    (root / "data").mkdir()
    for at, name in enumerate(("train", "test", "calibration")):
        table(at).to_csv(root / "data" / f"{name}.csv", index=False)
    (root / "scorer.py").write_text(TRAIN, encoding="utf-8")
    manifest = {
        "fivefold": 1, "application": {"id": root.name, "level": 4, "purpose": "a benchmark"},
        "use": {"output": "label"}, "purposes": ["measuring"], "benefit": {"measure": "none", "target": 0.5},
        "data": {"train": {"path": "data/train.csv", "target": "y"}, "test": {"path": "data/test.csv"}},
        "features": {name: {"type": "number", "range": [-10, 10]} for name in COLUMNS}, "model": model, **more,
    }  # fmt: skip
    (root / "fivefold.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    if "factory" in model:
        (root / "m.sig").touch()
        (root / "m.sig").unlink()
        fivefold(environment, "model", "sign", str(root))


@contextlib.contextmanager
def guard(
    root: Path, model: dict[str, Any], environment: dict[str, str], reasons: int = 0, record: str = "durable"
) -> Iterator[tuple[int, int, str]]:
    """Serve an application that gives reasons for so many rows a request; yield process, port and token."""
    if not root.exists():
        application(root, model, environment)
    told = fivefold(environment, "guard", "token", "issue", "--name", "b", "--purpose", "measuring", "--in", str(root))
    words = ["guard", "serve", str(root), "--port", "0", "--allow-unattained"]
    command = [sys.executable, "-c", SERVE, str(reasons), record, *words]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            port = re.search(r":(\d+)/v2", line)
            if port is None:
                raise RuntimeError(f"the guard does not listen: {line}")
            yield process.pid, int(port[1]), told.split()[0]
        finally:
            process.terminate()


@contextlib.contextmanager
def mlserver(folder: Path, python: Path) -> Iterator[tuple[int, int]]:
    """Serve the same model with MLServer; yield its process and port."""
    folder.mkdir()
    (folder / "scorer.py").write_text(TRAIN, encoding="utf-8")
    table(0).to_csv(folder / "train.csv", index=False)
    dump = "import joblib, scorer; joblib.dump(scorer.load('train.csv'), 'model.joblib')"
    subprocess.run([python, "-c", dump], cwd=folder, check=True)
    ports = {name: free() for name in ("http_port", "grpc_port", "metrics_port")}
    settings = {**ports, "host": "127.0.0.1", "parallel_workers": 0, "debug": False}
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    model = {
        "name": "m", "implementation": "mlserver_sklearn.SKLearnModel",
        "inputs": [{"name": "input", "datatype": "FP64", "shape": [-1, len(COLUMNS)]}],
        "outputs": [
            {"name": "predict", "datatype": "BYTES", "shape": [-1]},
            {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 2]},
        ],
        "parameters": {"uri": "./model.joblib", "version": "v1"},
    }  # fmt: skip
    (folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [python.parent / "mlserver", "start", folder], cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        end = time.monotonic() + 90
        while not ready(ports["http_port"]):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.2)
        yield process.pid, ports["http_port"]
    finally:
        process.terminate()
        process.wait(20)


def processor(root: int) -> float:
    """Return seconds that a process and all its descendants have run."""
    total = 0
    for pid in family(root):
        with contextlib.suppress(OSError):
            total += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def free() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ready(port: int) -> bool:
    """Return whether the model behind a port is ready."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as peer:
        peer.sendall(b"GET /v2/models/m/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return peer.recv(64).startswith(b"HTTP/1.1 200")
    return False


def table(seed: int) -> pd.DataFrame:
    """Return 600 rows of 20 numbers and their label."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(600, len(COLUMNS))).round(4).clip(-9, 9)
    frame = pd.DataFrame(values, columns=list(COLUMNS))
    return frame.assign(y=np.where(values[:, :5].sum(axis=1) + rng.normal(size=600) > 0, "good", "bad"))


def requests(path: str, port: int, token: str, *, matrix: bool) -> list[bytes]:
    """Return requests for 64 rows: as one tensor, or as one for each column."""
    made = []
    for row in table(2)[list(COLUMNS)].iloc[:ROWS].to_numpy().tolist():
        if matrix:
            inputs = [{"name": "input", "shape": [1, len(row)], "datatype": "FP64", "data": row}]
            body = {"inputs": inputs, "outputs": [{"name": "predict"}, {"name": "predict_proba"}]}
        else:
            named = zip(COLUMNS, row, strict=True)
            body = {"inputs": [{"name": n, "shape": [1], "datatype": "FP64", "data": [v]} for n, v in named]}
        data = json.dumps(body).encode()
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n{bearer}"
            f"Content-Length: {len(data)}\r\n\r\n"
        )
        made.append(head.encode() + data)
    return made


def asked(side: Side, count: int, first: int = 0) -> list[float]:
    """Ask one after the other over one connection; return milliseconds of each."""
    found = []
    with socket.create_connection(("127.0.0.1", side.port), timeout=60) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(count):
            began = time.perf_counter()
            peer.sendall(side.requests[(first + at) % ROWS])
            answer(peer)
            found.append(1000 * (time.perf_counter() - began))
    return found


def answer(peer: socket.socket) -> None:
    """Read one answer off a connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = peer.recv(1 << 16)
        if not part:
            raise RuntimeError(f"the server hung up: {data[:200]!r}")
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    if not head.startswith(b"HTTP/1.1 200") or length is None:
        raise RuntimeError(f"no answer: {data[:500]!r}")
    left = int(length[1]) - len(body)
    while left > 0:
        left -= len(peer.recv(1 << 16))


def rate(side: Side, count: int, connections: int = 4) -> float:
    """Return answers a second over connections that ask ``count`` / 2 times each."""
    each = max(1, count // 2)
    threads = [threading.Thread(target=asked, args=(side, each, 16 * at)) for at in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return connections * each / (time.perf_counter() - began)
