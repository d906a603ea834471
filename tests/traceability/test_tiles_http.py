"""A published log read over HTTP, from servers that do as they should and from others."""

from __future__ import annotations

import contextlib
import gzip
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from fivefold.errors import FivefoldError
from fivefold.keys import signing
from fivefold.log import note, static
from fivefold.log.book import Book
from fivefold.log.published import audit
from fivefold.log.publishing import publish
from fivefold.log.simulated import SimulatedDisk
from fivefold.traceability.recorder import tiles_http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SIGNER = signing.generate()
KEY = note.NoteKey("fivefold/app/record", SIGNER.public)


@pytest.fixture(scope="module")
def www(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a published log of 700 entries."""
    disk, folder = SimulatedDisk(), tmp_path_factory.mktemp("www")
    book = Book(disk, KEY.name, SIGNER)
    book.append([f"entry {number}".encode() * 9 for number in range(700)])
    book.publish()
    publish(disk, folder, (SIGNER.public,))
    return folder


@contextlib.contextmanager
def _served(handler: Callable[..., object]) -> Iterator[tuple[str, ThreadingHTTPServer]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Files(SimpleHTTPRequestHandler):
    """Python's own server of files, with connections that are kept."""

    protocol_version = "HTTP/1.1"
    connections: set[object] = set()  # noqa: RUF012  shared on purpose

    def do_GET(self) -> None:
        self.connections.add(self.client_address)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_web_server_that_knows_nothing_of_logs_is_enough(www: Path) -> None:
    """Every file over one connection; what is not there is named as missing."""
    _Files.connections.clear()
    with _served(partial(_Files, directory=str(www))) as (url, _):
        with contextlib.closing(tiles_http.source(url)) as source:
            found = audit(source, KEY)
        assert (found.size, found.faults) == (700, ())
        assert len(_Files.connections) == 1
        with contextlib.closing(tiles_http.source(f"{url}/tile/")) as source:
            assert audit(source, KEY).faults[0].code == "log.no-checkpoint"


def _handler(answer: Callable[[BaseHTTPRequestHandler, str], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with contextlib.suppress(OSError):
                answer(self, self.path)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _reply(request: BaseHTTPRequestHandler, status: int, body: bytes, *more: tuple[str, str]) -> None:
    request.send_response(status)
    for name, value in (("Content-Length", str(len(body))), *more):
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


@pytest.mark.parametrize("way", ["gzip unasked", "no keeping", "chunked", "large pages for what is missing"])
def test_servers_may_answer_as_http_allows(www: Path, way: str) -> None:
    """Packed without being asked, connections closed each time, chunks, error pages larger than a tile."""

    def answer(request: BaseHTTPRequestHandler, path: str) -> None:
        file = www / path.lstrip("/")
        data = file.read_bytes() if file.is_file() else b""
        if not data or (way.startswith("large") and "entries/001" in path):
            _reply(request, 404, b"x" * 100_000)
        elif way == "gzip unasked":
            _reply(request, 200, gzip.compress(data), ("Content-Encoding", "gzip"))
        elif way == "chunked":
            request.send_response(200)
            request.send_header("Transfer-Encoding", "chunked")
            request.end_headers()
            for at in range(0, len(data), 1000):
                part = data[at : at + 1000]
                request.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            request.wfile.write(b"0\r\n\r\n")
        else:
            _reply(request, 200, data)
            request.close_connection = way == "no keeping"

    with _served(_handler(answer)) as (url, _):
        with contextlib.closing(tiles_http.source(url)) as source:
            found = audit(source, KEY)
        codes = {fault.code for fault in found.faults}
        assert found.size == 700
        assert codes == ({"tiles.missing"} if way.startswith("large") else set())


@pytest.mark.parametrize(
    ("way", "code"),
    [("huge", "tiles.malformed"), ("endless", "tiles.malformed"), ("bomb", "tiles.malformed"),
     ("torn gzip", "tiles.malformed"), ("no gzip", "tiles.malformed"), ("brotli", "tiles.malformed"),
     ("dripping", "tiles.unreachable"), ("silent", "tiles.unreachable"), ("short", "tiles.unreachable"),
     ("redirect", "tiles.refused"), ("error", "tiles.refused"), ("garbage", "tiles.unreachable")],
)  # fmt: skip
def test_hostile_servers_are_cut_off(monkeypatch: pytest.MonkeyPatch, way: str, code: str) -> None:
    """Each with its code, within seconds, whatever they send."""
    monkeypatch.setattr(tiles_http, "_SECONDS", 1)
    monkeypatch.setattr(tiles_http, "_MOST_SECONDS", 1)
    bomb = gzip.compress(bytes(50_000_000))

    def answer(request: BaseHTTPRequestHandler, _: str) -> None:
        gzipped = ("Content-Encoding", "gzip")
        if way in ("dripping", "endless"):
            request.send_response(200)
            request.end_headers()
            for _ in range(10_000):
                request.wfile.write(b"x" if way == "dripping" else b"x" * 1000)
                time.sleep(0.2 if way == "dripping" else 0)
        elif way == "silent":
            time.sleep(4)
        elif way == "short":
            request.send_response(200)
            request.send_header("Content-Length", "100")
            request.end_headers()
            request.wfile.write(b"x" * 50)
            request.close_connection = True
        elif way == "garbage":
            request.wfile.write(b"\0" * 100)
            request.close_connection = True
        elif way in ("redirect", "error"):
            _reply(request, 302 if way == "redirect" else 503, b"", ("Location", "/elsewhere"))
        elif way == "brotli":
            _reply(request, 200, b"x", ("Content-Encoding", "br"))
        elif way == "huge":
            _reply(request, 200, b"x" * 9000)
        else:
            body = {"bomb": bomb, "torn gzip": gzip.compress(b"x" * 99)[:-9], "no gzip": b"x" * 99}[way]
            _reply(request, 200, body, gzipped)

    begun = time.monotonic()
    with _served(_handler(answer)) as (url, _):
        with pytest.raises(FivefoldError) as refused:
            tiles_http.source(url)("tile/0/000", 8192)
        assert refused.value.code == code
        assert time.monotonic() - begun < 10


def test_a_server_that_closed_the_connection_is_asked_again(www: Path) -> None:
    """Once; with nobody there any more it is said."""
    with _served(partial(_Files, directory=str(www))) as (url, _), contextlib.closing(tiles_http.source(url)) as source:
        assert source(static.CHECKPOINT, 1 << 20)
        made = source._made
        assert made is not None
        assert made.sock is not None
        made.sock.close()
        assert source(static.CHECKPOINT, 1 << 20)
        assert source._made is not made
    with pytest.raises(FivefoldError) as refused:
        tiles_http.source(url)(static.CHECKPOINT, 1)
    assert refused.value.code == "tiles.unreachable"


@pytest.mark.parametrize(
    "url",
    ["http://log.example", "ftp://localhost", "https://", "https://a@b.example", "https://log.example?x=1",
     "https://log.example:port", "http://127.0.0.1.example/", "file:///etc"],
)  # fmt: skip
def test_only_addresses_of_logs_are_taken(url: str) -> None:
    """TLS, or this machine."""
    with pytest.raises(FivefoldError) as refused:
        tiles_http.source(url)
    assert refused.value.code == "tiles.url"
