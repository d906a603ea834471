"""A witness over HTTP: the real command, real records, and every way of tampering that its word shows."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from fivefold.errors import InputError, TrustError
from fivefold.keys import signing
from fivefold.log import cosigning, note
from fivefold.log.audit import audit
from fivefold.log.book import CHECKPOINT, Book
from fivefold.log.disk import Folder
from fivefold.log.simulated import SimulatedDisk
from fivefold.traceability.recorder import tampering, witness_http

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGINS, NOW = ("fivefold/one/record", "fivefold/two/record", "fivefold/three/record"), 2_000_000_000


class Running(NamedTuple):
    """A witness as a process: its address, its key, the log's signer that it follows."""

    url: str
    key: signing.PublicKey
    log: signing.Signer
    port: int


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Start the real command on a free port."""
    pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
    home, log = tmp_path_factory.mktemp("witness"), signing.generate()
    command = [sys.executable, "-m", "fivefold", "record", "witness", "--port", "0"]
    for origin in ORIGINS:
        command += ["--log", note.NoteKey(origin, log.public).vkey]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(home), "HOME": str(home), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first, second = process.stdout.readline(), process.stdout.readline()
            match = re.search(r"http://127\.0\.0\.1:(\d+)", first)
            assert match, first
            key = signing.load_public(Path(second.partition(": ")[2].strip()).read_bytes())
            yield Running(match[0], key, log, int(match[1]))
        finally:
            process.terminate()


def _grown(disk: Folder, origin: str, log: signing.Signer, size: int) -> Book:
    book = Book(disk, origin, log)
    book.append([f"entry {number}".encode() for number in range(book.size, size)])
    book.publish()
    return book


def test_eleven_of_eleven_kinds_of_tampering_show(running: Running, tmp_path: Path) -> None:
    """With what the witness says, all show; with the record's own checkpoint alone, one does: the table is honest."""
    disk = Folder(tmp_path / "record")
    _grown(disk, ORIGINS[0], running.log, 300)
    cosigning.obtain(disk, witness_http.sender(running.url), (running.key,), NOW)
    files = {name: disk.read(name, 0, disk.size(name)) for name in disk.names() if name != cosigning.COSIGNED}
    kept = witness_http.newest(running.url, ORIGINS[0])
    assert kept is not None
    keys, rng = (running.log.public,), np.random.Generator(np.random.PCG64(5))
    assert audit(SimulatedDisk.of(files), keys, (kept,)).faults == ()
    for kind in tampering.KINDS:
        for _ in range(5):
            altered = tampering.tampered(kind, files, ORIGINS[0], running.log, rng)
            assert audit(altered, keys, (kept,)).faults, kind
            assert bool(audit(altered, keys).faults) == (kind == "edit without key"), kind


def test_a_witness_does_not_follow_a_log_back(running: Running, tmp_path: Path) -> None:
    """A rewritten log of any size is refused, in words, and the true one goes on."""
    disk = Folder(tmp_path / "record")
    book = _grown(disk, ORIGINS[1], running.log, 400)
    _, found = cosigning.obtain(disk, witness_http.sender(running.url), (running.key,), NOW)
    assert [one.key.id for one in found] == [running.key.id]
    for size in (10, 400, 500):
        other = Folder(tmp_path / f"other{size}")
        forged = Book(other, ORIGINS[1], running.log)
        forged.append([f"forged {number}".encode() for number in range(size)])
        forged.publish()
        with pytest.raises(TrustError) as caught:
            cosigning.obtain(other, witness_http.sender(running.url), (running.key,), NOW)
        assert caught.value.code == "witness.conflict"
        assert not other.size(cosigning.COSIGNED)
    book.append([b"one more"])
    book.publish()
    assert cosigning.obtain(disk, witness_http.sender(running.url), (running.key,), NOW)[1]


def test_a_stranger_is_not_believed(running: Running, tmp_path: Path) -> None:
    """A cosignature by a key that is not trusted is not kept; a log that is not followed is refused with a remedy."""
    disk = Folder(tmp_path / "record")
    _grown(disk, ORIGINS[2], running.log, 500)
    with pytest.raises(TrustError) as caught:
        cosigning.obtain(disk, witness_http.sender(running.url), (signing.generate().public,), NOW)
    assert caught.value.code == "witness.unknown"
    assert not disk.size(cosigning.COSIGNED)
    foreign = Folder(tmp_path / "foreign")
    _grown(foreign, ORIGINS[2], signing.generate(), 3)
    with pytest.raises(InputError, match="403"):
        cosigning.obtain(foreign, witness_http.sender(running.url), (running.key,), NOW)


def test_bad_requests_are_answered_and_bounded(running: Running) -> None:
    """Garbage, a huge body, other methods and paths: an answer below 500, and the witness lives on."""
    for method, path, body in (
        ("POST", "/add-checkpoint", b"\0" * 100),
        ("POST", "/add-checkpoint", b"old 0\n\n" + b"x" * (1 << 17)),
        ("GET", "/add-checkpoint", None),
        ("POST", "/checkpoint", b""),
        ("GET", "/checkpoint?origin=%00%ff", None),
        ("GET", "/" + "a" * 5000, None),
    ):
        made = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
        made.request(method, path, body=body)
        assert 400 <= made.getresponse().status < 500, (method, path)
        made.close()
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as rude:
        rude.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab")
    assert witness_http.newest(running.url, "fivefold/none") is None


@pytest.mark.parametrize(
    "url",
    ["", "witness.example", "http://witness.example", "ftp://localhost", "https://a:b@host", "http://localhost:x",
     "https://host/?q=1", "http://[::1"],
)  # fmt: skip
def test_addresses_are_checked(url: str) -> None:
    """Plain http leaves this machine for nobody, and an address is an address."""
    with pytest.raises(InputError) as caught:
        witness_http.sender(url)
    assert caught.value.code == "witness.url"


def test_a_witness_that_is_away_is_said_to_be() -> None:
    """Nobody listens: an error with a remedy."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(InputError) as caught:
        witness_http.newest(f"http://127.0.0.1:{port}", ORIGINS[0])
    assert caught.value.code == "witness.unreachable"
    assert CHECKPOINT not in caught.value.message
