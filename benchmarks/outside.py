"""The guard over sockets, further: what it adds as a proxy beside nginx, what durability costs, an image, overload."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from benchmarks.rows import Row
from benchmarks.served import Side, answer, fivefold, free, guard, rate, ready, requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIGNED = {"factory": "scorer:load", "signature": "m.sig"}
NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections 256; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream behind {{ server 127.0.0.1:{behind}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""
_IMAGE = (3, 224, 224)
_SCORER = """
import numpy as np

def load():
    return judged

def judged(rows):
    second = np.clip(rows[:, 0, 0, 0], 0.0, 1.0)
    return np.column_stack([1.0 - second, second])
"""
_SECONDS = {"gates": 2.0, "full": 8.0}


@contextlib.contextmanager
def nginx(folder: Path, behind: int) -> Iterator[Side | None]:
    """Serve nginx before another server; yields None where it is not installed."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        yield None
        return
    folder.mkdir()
    port = free()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, behind=behind, port=port), encoding="utf-8")
    with subprocess.Popen([program, "-p", folder, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 20
            while not ready(port) and time.monotonic() < end:
                time.sleep(0.1)
            yield Side(process.pid, port, requests("/v2/models/m/infer", port, "", matrix=True))
        finally:
            process.terminate()


def durability(home: Path, found: dict[str, str], count: int, repeat: int) -> Row:
    """Return requests a second over 16 connections, durable before the reply and not."""
    rates: dict[str, list[float]] = {"durable": [], "asynchronous": []}
    with contextlib.ExitStack() as stack:
        sides = {}
        for name in rates:
            pid, port, token = stack.enter_context(guard(home / name, SIGNED, found, record=name))
            sides[name] = Side(pid, port, requests(f"/v2/models/{name}/infer", port, token, matrix=False))
            rate(sides[name], 16, 16)
        for _ in range(repeat):
            for name, side in sides.items():
                rates[name].append(rate(side, count // 4, 16))
    ours, other = (statistics.median(rates[name]) for name in rates)
    return Row("durable before reply, 16 connections, against not waiting", ours, other, 0.9, "min", "/s")


def image(home: Path, found: dict[str, str], count: int) -> Row:
    """Return what the guard adds to a model that takes an image of 602 kB, as binary data, one connection."""
    root = home / "image"
    rng = np.random.default_rng(0)

    def write(root: Path) -> dict[str, Any]:
        for name, rows in (("train", 120), ("test", 60)):
            pixels = rng.random((rows, *_IMAGE), dtype=np.float32)
            label = np.where(pixels[:, 0, 0, 0] > 0.5, "yes", "no")
            np.savez(root / "data" / f"{name}.npz", x=pixels, label=label)
        return {
            "train": {"path": "data/train.npz", "kind": "image", "target": "label"},
            "test": {"path": "data/test.npz"},
        }

    root.mkdir()
    (root / "data").mkdir()
    (root / "scorer.py").write_text(_SCORER, encoding="utf-8")
    manifest = {
        "fivefold": 1, "application": {"id": "image", "level": 4, "purpose": "a benchmark"}, "data": write(root),
        "use": {"output": "label"}, "purposes": ["measuring"], "benefit": {"measure": "none", "target": 0.5},
        "model": {**SIGNED, "classes": ["no", "yes"]},
    }  # fmt: skip
    (root / "fivefold.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    fivefold(found, "model", "sign", str(root))
    with guard(root, SIGNED, found) as (pid, port, token):
        made = [_binary(port, token, rng.random((1, *_IMAGE), dtype=np.float32)) for _ in range(8)]
        side, times = Side(pid, port, made), []
        with socket.create_connection(("127.0.0.1", port), timeout=60) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(count):
                began = time.perf_counter()
                peer.sendall(side.requests[at % len(made)])
                answer(peer)
                times.append(1000 * (time.perf_counter() - began))
    note = "all but the model, which looks at one pixel: two sockets, 602 kB sealed, written and synced as a file."
    return Row("602 kB image, binary, overhead", statistics.median(times), None, 1.0, "max", "ms", note=note)


def _binary(port: int, token: str, pixels: np.ndarray) -> bytes:
    import json

    data = pixels.tobytes()
    about = {"name": "input", "shape": list(pixels.shape), "datatype": "FP32"}
    head = json.dumps({"inputs": [{**about, "parameters": {"binary_data_size": len(data)}}]}).encode()
    lines = (
        f"POST /v2/models/image/infer HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/octet-stream\r\nInference-Header-Content-Length: {len(head)}\r\n"
        f"Content-Length: {len(head) + len(data)}\r\n\r\n"
    )
    return lines.encode() + head + data


@dataclass
class _Load:
    """What came of requests sent at a rate: milliseconds of those admitted, and how many of each status."""

    admitted: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)

    def p99(self) -> float:
        """Return the 99th percentile of the milliseconds of admitted requests."""
        return float(np.quantile(self.admitted, 0.99)) if self.admitted else float("nan")


def overload(home: Path, found: dict[str, str], *, gates: bool) -> list[Row]:
    """Return p99 of what is admitted at twice what can be served against that at 0.8 of it, and what is unrecorded."""
    seconds = _SECONDS["gates" if gates else "full"]
    with guard(home / "overload", SIGNED, found) as (pid, port, token):
        side = Side(pid, port, requests("/v2/models/overload/infer", port, token, matrix=False))
        rate(side, 40, 16)
        most = max(rate(side, 100, 16) for _ in range(2))
        calm, storm = _Load(), _Load()
        _sent(side, 0.8 * most, seconds, calm)
        _sent(side, 2.0 * most, seconds, storm)
    answered = storm.statuses.get("200", 0)
    told = fivefold(
        found, "record", "search", "--kind", "decision", "--json", "--most", "1000000", "--in", str(home / "overload")
    )
    kept = len(re.findall(r'"kind": ?"decision"', told))
    expected = calm.statuses.get("200", 0) + answered
    note = f"saturation {most:.0f}/s; at twice that {answered:,} answered, and {storm.statuses}."
    late = "overload: p99 of admitted at 2x saturation against 0.8x"
    return [
        Row(late, storm.p99(), calm.p99(), 3.0, "max", "ms", note=note),
        Row("overload: answers without a record", float(max(0, expected - kept)), None, 0.0, "max", ""),
    ]  # fmt: skip


def _sent(side: Side, wanted: float, seconds: float, load: _Load, connections: int = 96) -> None:
    """Send at a rate, whatever comes back, over connections in turn; one that still waits is passed over."""
    lock, end = threading.Lock(), time.monotonic() + seconds
    ticket = iter(range(10**9))
    began = time.monotonic()

    def run() -> None:
        with socket.create_connection(("127.0.0.1", side.port), timeout=60) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                with lock:
                    number = next(ticket)
                due = began + number / wanted
                if due > end:
                    return
                time.sleep(max(0.0, due - time.monotonic()))
                sent = time.perf_counter()
                peer.sendall(side.requests[number % len(side.requests)])
                status = _status(peer)
                took = 1000 * (time.perf_counter() - sent)
                with lock:
                    load.statuses[status] = load.statuses.get(status, 0) + 1
                    if status == "200":
                        load.admitted.append(took)

    threads = [threading.Thread(target=run) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _status(peer: socket.socket) -> str:
    data = b""
    while b"\r\n\r\n" not in data:
        part = peer.recv(1 << 16)
        if not part:
            raise RuntimeError("the server hung up")
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    left = int(length[1]) - len(body) if length else 0
    while left > 0:
        left -= len(peer.recv(1 << 16))
    return head[9:12].decode()
