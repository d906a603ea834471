"""Frames: length-prefixed messages over a stream socket, with a size cap on the reading side.

A frame is eight bytes of big-endian length and that many bytes of message pack. Nothing is allocated for a frame
before its length has been held against the cap.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.errors import SubjectError

if TYPE_CHECKING:
    import socket

_HEADER = struct.Struct(">Q")
_PART = 1 << 20
_READ = 1 << 16
SMALL = 1 << 20
"""Cap of frames that carry no table."""


class ClosedError(Exception):
    """The other side closed the connection."""


def send(peer: socket.socket, message: msgspec.Struct) -> None:
    """Send one message.

    Raises:
        ClosedError: Nobody reads any more.
    """
    data = msgspec.msgpack.encode(message)
    head = _HEADER.pack(len(data))
    try:
        if len(data) <= _PART:  # in one piece: the reader is woken once
            peer.sendall(head + data)
            return
        peer.sendall(head)
        peer.sendall(data)
    except OSError as error:
        raise ClosedError from error


def receive(peer: socket.socket, kind: Any, cap: int) -> Any:
    """Read one message, waiting for it.

    Raises:
        ClosedError: The other side is gone.
        SubjectError: ``frame.too-large`` or ``frame.malformed``.
    """
    (size,) = _HEADER.unpack(_exactly(peer, _HEADER.size))
    if size > cap:
        raise SubjectError("frame.too-large", f"a message of {size} bytes came where at most {cap} are allowed.")
    return parse(bytes(_exactly(peer, size)), kind)


def send_with(peer: socket.socket, message: msgspec.Struct, descriptor: int) -> None:
    """Send one message and hand over a copy of a descriptor.

    Raises:
        ClosedError: Nobody reads any more.
    """
    import socket as sockets

    data = msgspec.msgpack.encode(message)
    try:
        sockets.send_fds(peer, [_HEADER.pack(len(data))], [descriptor])
        peer.sendall(data)
    except OSError as error:
        raise ClosedError from error


def receive_with(peer: socket.socket, kind: Any, cap: int) -> tuple[Any, int | None]:
    """Read one message and the descriptor that came with it, if any did.

    Raises:
        ClosedError: The other side is gone.
        SubjectError: ``frame.too-large`` or ``frame.malformed``.
    """
    import socket as sockets

    try:
        header, descriptors, _, _ = sockets.recv_fds(peer, _HEADER.size, 1)
    except OSError as error:
        raise ClosedError from error
    if not header:
        raise ClosedError
    (size,) = _HEADER.unpack(header + bytes(_exactly(peer, _HEADER.size - len(header))))
    if size > cap:
        raise SubjectError("frame.too-large", f"a message of {size} bytes came where at most {cap} are allowed.")
    return parse(bytes(_exactly(peer, size)), kind), descriptors[0] if descriptors else None


def parse(data: bytes, kind: Any) -> Any:
    """Read a message's bytes.

    Raises:
        SubjectError: ``frame.malformed``.
    """
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise SubjectError("frame.malformed", "a message cannot be read.") from None


def some(peer: socket.socket) -> bytes:
    """Return what a socket has to give now.

    Raises:
        ClosedError: It has ended.
    """
    import socket as sockets

    try:
        data = peer.recv(_READ, sockets.MSG_DONTWAIT)
    except BlockingIOError:
        return b""
    except OSError as error:
        raise ClosedError from error
    if not data:
        raise ClosedError
    return data


def _exactly(peer: socket.socket, size: int) -> bytearray:
    """Read exactly ``size`` bytes; memory grows with what really came."""
    data = bytearray()
    while len(data) < size:
        try:
            part = peer.recv(min(_PART, size - len(data)))
        except OSError as error:
            raise ClosedError from error
        if not part:
            raise ClosedError
        data += part
    return data


class Reader:
    """Frames out of a socket that does not block."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._data = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take what came and return the messages that are complete.

        Raises:
            SubjectError: ``frame.too-large``.
        """
        self._data += data
        found = []
        while len(self._data) >= _HEADER.size:
            (size,) = _HEADER.unpack_from(self._data)
            if size > self._cap:
                raise SubjectError("frame.too-large", f"a message of {size} bytes came where {self._cap} are allowed.")
            if len(self._data) < _HEADER.size + size:
                break
            found.append(bytes(self._data[_HEADER.size : _HEADER.size + size]))
            del self._data[: _HEADER.size + size]
        return found
