"""The endpoint process: TCP to one port is all the network that it has, and it reads nothing of the application's."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fivefold.subject.worker import confine, landlock

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import json, os, socket, sys
from fivefold.subject.worker.confine import confine, protections
from fivefold.subject.worker.messages import Confinement
told = json.loads(sys.argv[1])
read = tuple(path for path in sys.path if path)
kept = {"scratch": told["scratch"], "port": told["port"], "write": (told["ledger"],)}
rules = Confinement(read=read, file_bytes=1 << 20, foreign=False, **kept)
protections()  # as the fork server does, before it forks
if told["confined"]:
    confine(rules, os.getppid())

def tcp(port):
    socket.create_connection(("127.0.0.1", port), timeout=2).close()

def listen():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

attempts = {
    "own port": lambda: tcp(told["port"]),
    "ledger": lambda: open(told["ledger"], "ab").write(b"x"),
    "other port": lambda: tcp(told["other"]),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
    "raw": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).close(),
    "packet": lambda: socket.socketpair(),
    "listen": listen,
    "token file": lambda: open(told["secret"]).read(),
    "fork": fork,
    "program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "look up": lambda: socket.getaddrinfo("models.example.org", 80, type=socket.SOCK_STREAM),
}
found = {}
for name, attempt in attempts.items():
    try:
        attempt()
        found[name] = True
    except OSError:
        found[name] = False
print(json.dumps(found))
"""

ALLOWED = ("own port", "ledger")


def tried(folder: Path, *, confined: bool) -> dict[str, bool]:
    """Return what works, with a confinement like that of the endpoint process or without one."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    (folder / "secret").write_text("token")
    (folder / "ledger").touch()
    with socket.socket() as own, socket.socket() as other:
        for server in (own, other):
            server.bind(("127.0.0.1", 0))
            server.listen()
        told = {
            "confined": confined,
            "scratch": str(scratch),
            "port": own.getsockname()[1],
            "other": other.getsockname()[1],
            "secret": str(folder / "secret"),
            "ledger": str(folder / "ledger"),
        }
        path = os.pathsep.join(entry for entry in sys.path if entry)
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT, json.dumps(told)],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            check=True,
        )
    return json.loads(ran.stdout)


needs_kernel = pytest.mark.skipif(
    "seccomp" not in confine.protections() or landlock.abi() < 4,
    reason="this kernel has no Landlock for TCP (ABI 4), or libseccomp is missing",
)


@needs_kernel
def test_only_its_port_and_its_ledger_are_open(tmp_path: Path) -> None:
    """Everything else works in an ordinary process and not in this one."""
    outside, inside = tried(tmp_path, confined=False), tried(tmp_path, confined=True)
    assert all(works for name, works in outside.items() if name != "look up")
    assert {name for name, works in inside.items() if works} == set(ALLOWED)
