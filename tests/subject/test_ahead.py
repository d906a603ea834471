"""An answer that is read ahead is whole only where that is plain, and is read the same in pieces; deadlines cut."""

from __future__ import annotations

import http.client
import socket
import time

import pytest

from fivefold.subject.endpoint.ahead import Ahead
from fivefold.subject.endpoint.deadlines import Deadlines

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("came", "whole"),
    [
        (HEAD + b"Content-Length: 4\r\n\r\nabcd", True),
        (HEAD + b"content-length: 0\r\n\r\n", True),
        (HEAD + b"Content-Length: 4\r\n\r\nabc", False),
        (HEAD + b"Content-Length: 4\r\n\r\nabcde", False),
        (HEAD + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", False),
        (HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nabcd", False),
        (HEAD + b"\r\nabcd", False),
        (b"HTTP/1.1 100 Continue\r\nContent-Length: 4\r\n\r\nabcd", False),
        (HEAD, False),
        (b"", False),
    ],
)
def test_whole_is_what_is_plainly_whole(came: bytes, whole: bool) -> None:
    """Anything else is left to who may wait."""
    mine, other = socket.socketpair()
    with mine, other:
        other.sendall(came)
        assert Ahead(mine).ready() is whole


def test_what_comes_in_pieces_is_read_to_its_end() -> None:
    """Some of it came before, and the rest comes while it is read."""
    mine, other = socket.socketpair()
    with mine, other:
        ahead = Ahead(mine)
        other.sendall(HEAD + b"Content-Le")
        assert not ahead.ready()
        other.sendall(b"ngth: 4\r\n\r\nab")
        assert not ahead.ready()
        other.sendall(b"cd")
        response = http.client.HTTPResponse(ahead)  # type: ignore[arg-type]
        response.begin()
        assert (response.status, response.read()) == (200, b"abcd")
        response.close()


def test_a_connection_is_cut_at_its_deadline_and_not_after_it_is_over() -> None:
    """One that is over in time stays open; one that is not can be read to its end at once."""
    deadlines = Deadlines()
    pairs = [socket.socketpair() for _ in range(2)]
    try:
        deadlines.end(deadlines.begin(pairs[0][0], time.monotonic() + 0.1))
        deadlines.begin(pairs[1][0], time.monotonic() + 0.2)
        assert pairs[1][0].recv(1) == b""
        pairs[0][1].sendall(b"x")
        assert pairs[0][0].recv(1) == b"x"
    finally:
        for one in (end for pair in pairs for end in pair):
            one.close()
