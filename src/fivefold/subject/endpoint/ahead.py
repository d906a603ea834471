"""Ahead: an answer over HTTP that is on its way while whoever asked does something else."""

from __future__ import annotations

import contextlib
import io
import re
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

_READ = 1 << 16
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,12})[ \t]*(?=\r\n)", re.IGNORECASE)
_PARTS = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_FINAL = re.compile(rb"HTTP/1\.[01] [2-5]")


class Ahead:
    """What came of an answer so far; it stands for the connection where the rest of it is read.

    Attributes:
        peer: The connection, which speaks no TLS.
    """

    def __init__(self, peer: socket.socket) -> None:
        """Nothing came yet."""
        self.peer, self._came = peer, b""

    def ready(self) -> bool:
        """Return whether the whole answer is plainly here, without waiting; one that is not may have begun to come."""
        with contextlib.suppress(OSError):  # who reads on is told
            if select.select([self.peer], [], [], 0)[0]:
                self._came += self.peer.recv(_READ)
        head, end, body = self._came.partition(b"\r\n\r\n")
        found = _LENGTH.findall(head + b"\r\n") if end and _FINAL.match(head) and not _PARTS.search(head) else []
        return len(found) == 1 and len(body) == int(found[0])

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return what came and what still comes, as :class:`http.client.HTTPResponse` reads it."""
        return io.BufferedReader(_Rest(self._came, self.peer))

    def close(self) -> None:
        """Close the connection."""
        self.peer.close()


class _Rest(io.RawIOBase):
    """Bytes that came, and after them those of a connection."""

    def __init__(self, came: bytes, peer: socket.socket) -> None:
        self._came, self._peer = came, peer

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if not self._came:
            return self._peer.recv_into(buffer)
        part, self._came = self._came[: len(buffer)], self._came[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
