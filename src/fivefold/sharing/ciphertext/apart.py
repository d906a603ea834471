"""Apart: the server in a process of its own, asked over a socket; it gives its memory to whoever searches it."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, Any, Self

import msgspec

from fivefold.errors import FivefoldError, InputError, SubjectError
from fivefold.sharing.ciphertext import engine, found, scorer
from fivefold.sharing.ciphertext.messages import Refusal, pack, unpack
from fivefold.sharing.ciphertext.server import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

MEMORY, PLAIN = "/memory", "/plain"
_HEAD = struct.Struct("<Q")
_MOST = 1 << 30


class Setup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the process serves.

    Attributes:
        scorer: Its file.
        error: Most that a score may be off.
        careless: The planted fault: secret keys are taken, and rows in the clear.
    """

    scorer: bytes
    error: float
    careless: bool = False


class Careless(Service):
    """The planted fault: a server that takes what it must not have, and keeps it."""

    def __init__(self, *told: Any) -> None:
        super().__init__(*told)
        self._kept: list[Any] = []

    def answer(self, path: str, body: bytes) -> bytes:
        """Keep rows in the clear and secret keys; answer anything else as it should be."""
        if path == PLAIN:
            self._kept.append(body)
            return b"kept"
        try:
            return super().answer(path, body)
        except InputError as error:
            if error.code != "ciphertext.key":
                raise
            self._kept.append(engine.library().context_from(body, n_threads=1))
            return b"kept"


def serve(peer: socket.socket) -> None:
    """Serve until the other side closes; the first message says what."""
    setup = unpack(_receive(peer), Setup)
    made = scorer.read(setup.scorer)
    service = Careless(made, setup.error) if setup.careless else Service(made, setup.error)
    _send(peer, b"ready")
    while True:
        try:
            path, _, body = _receive(peer).partition(b"\0")
        except EOFError:
            return
        if path.decode() == MEMORY:
            for block in found.memory():
                _send(peer, block)
            _send(peer, b"")
            continue
        try:
            _send(peer, b"\0" + service.answer(path.decode(), body))
        except FivefoldError as error:
            _send(peer, b"\1" + pack(Refusal(code=error.code, message=error.message, remedy=error.remedy)))
        del body


class Elsewhere:
    """Our side of such a process; what is sent to it is kept for the search."""

    def __init__(self, start: Callable[[], socket.socket], setup: Setup) -> None:
        """Start it.

        Raises:
            SubjectError: ``ciphertext.apart`` if it does not come up.
        """
        self.traffic: list[bytes] = []
        self._peer = start()
        try:
            _send(self._peer, pack(setup))
            _receive(self._peer)
        except (EOFError, OSError) as error:
            raise SubjectError("ciphertext.apart", f"the server's process ended ({type(error).__name__}).") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        self._peer.close()

    def post(self, path: str, body: bytes) -> bytes:
        """Ask.

        Raises:
            InputError: What the server refuses, under its code.
            SubjectError: ``ciphertext.apart`` if it ended.
        """
        self.traffic.append(body)
        try:
            _send(self._peer, path.encode() + b"\0" + body)
            reply = _receive(self._peer)
        except (EOFError, OSError) as error:
            raise SubjectError("ciphertext.apart", f"the server's process ended ({type(error).__name__}).") from None
        self.traffic.append(reply)
        if reply[:1] == b"\0":
            return reply[1:]
        told = unpack(reply[1:], Refusal)
        raise InputError(told.code, told.message, remedy=told.remedy)

    def memory(self) -> Iterator[bytes]:
        """Yield the memory of the server's process, block by block.

        Raises:
            SubjectError: ``ciphertext.apart`` if it ended.
        """
        try:
            _send(self._peer, MEMORY.encode() + b"\0")
            while block := _receive(self._peer):
                yield block
        except (EOFError, OSError) as error:
            raise SubjectError("ciphertext.apart", f"the server's process ended ({type(error).__name__}).") from None


def forked() -> socket.socket:
    """Return a connection to a server in a process that is forked from this one.

    What is drawn after this call is not in its memory.

    Raises:
        OSError: Processes may not be started here.
    """
    mine, theirs = socket.socketpair()
    between = os.fork()
    if between == 0 and os.fork() == 0:  # a grandchild, which nobody has to reap
        code = 70
        try:
            mine.close()
            serve(theirs)
            code = 0
        finally:
            os._exit(code)
    if between == 0:
        os._exit(0)
    theirs.close()
    os.waitpid(between, 0)
    return mine


def _send(peer: socket.socket, body: bytes) -> None:
    peer.sendall(_HEAD.pack(len(body)))
    peer.sendall(body)


def _receive(peer: socket.socket) -> bytes:
    (size,) = _HEAD.unpack(_exactly(peer, _HEAD.size))
    if size > _MOST:
        raise EOFError
    return _exactly(peer, size)


def _exactly(peer: socket.socket, size: int) -> bytes:
    body, at = bytearray(size), 0
    view = memoryview(body)
    while at < size:
        got = peer.recv_into(view[at:])
        if not got:
            raise EOFError
        at += got
    return bytes(body)
