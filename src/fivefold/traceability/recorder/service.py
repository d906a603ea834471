"""Service: the process that writes a record takes what others of the same user hand it, over a socket."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import struct
import threading
from collections import deque
from typing import TYPE_CHECKING, Self

import msgspec

from fivefold.errors import FivefoldError, InputError, StorageError, SubjectError
from fivefold.log.writer import Ticket
from fivefold.subject.worker import frames
from fivefold.traceability.recorder.nouns import Body, Kind, encoded, new_id
from fivefold.traceability.recorder.recorder import Case, case_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from fivefold.traceability.recorder.recorder import Recorder

VERSION = 1
SOCKET = "socket"
MAX_FRAME = 1 << 26
"""Most bytes of one message."""
MAX_CLIENTS = 64
_AHEAD = 1024
_SECONDS = 10.0
_CREDENTIALS = struct.Struct("3i")


class Hello(msgspec.Struct, frozen=True, tag="hello", forbid_unknown_fields=True):
    """First message: protocol and application."""

    version: int
    application: str


class Append(msgspec.Struct, frozen=True, tag="append", forbid_unknown_fields=True):
    """Keep one record; ``body`` is its message pack."""

    id: bytes
    kind: Kind
    body: Body


class Erase(msgspec.Struct, frozen=True, tag="erase", forbid_unknown_fields=True):
    """Destroy a person's keys."""

    person: str


class Expire(msgspec.Struct, frozen=True, tag="expire", forbid_unknown_fields=True):
    """Destroy the keys of people, by keyed hash, whose term is over."""

    people: list[bytes]
    term: str


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Answer to each message, in order; sent once what was asked for is durable.

    Attributes:
        value: Position of the record, or number of keys destroyed.
        code: Of the error; empty: none.
        message: Its sentence.
        remedy: What to do.
    """

    value: int = 0
    code: str = ""
    message: str = ""
    remedy: str = ""


_Asked = Hello | Append | Erase | Expire


class Service:
    """Takes records from other processes until closed.

    Threat: another user of the machine writes into the record, or a broken client stops it.
    Limit: any program of the same user may write; the record says what it was told.
    """

    def __init__(self, recorder: Recorder, folder: Path, application: str) -> None:
        """Listen beside the log; whoever calls this holds the log's lock.

        Raises:
            StorageError: ``record.socket`` if the system gives none.
        """
        self._recorder, self._folder, self._application = recorder, folder, application
        self._clients: set[_Client] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with contextlib.suppress(FileNotFoundError):
                (folder / SOCKET).unlink()
            with _address(folder) as address:
                self._listener.bind(address)
            (folder / SOCKET).chmod(0o600)
            self._listener.listen(MAX_CLIENTS)
        except OSError as error:
            self._listener.close()
            raise StorageError("record.socket", f"no socket could be made ({error.strerror}).") from None
        self._thread = threading.Thread(target=self._accept, name="fivefold-record-service", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more; answer what was taken, then part."""
        with self._lock:
            self._closing = True
        with contextlib.suppress(OSError):
            (self._folder / SOCKET).unlink()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for client in tuple(self._clients):
            client.close()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                welcome = not self._closing and len(self._clients) < MAX_CLIENTS and _same_user(peer)
                if welcome:
                    client = _Client(peer, self._recorder, self._application, self._clients.discard)
                    self._clients.add(client)
            if welcome:
                client.start()
            else:
                peer.close()


class _Client:
    """One process that hands records over: one thread takes, one answers in order once each is durable."""

    def __init__(
        self, peer: socket.socket, recorder: Recorder, application: str, gone: Callable[[_Client], None]
    ) -> None:
        self._peer, self._recorder, self._application, self._gone = peer, recorder, application, gone
        self._answers: queue.Queue[Ticket | Reply | None] = queue.Queue(_AHEAD)
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._take, self._answer)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Take no more and answer what was taken."""
        with contextlib.suppress(OSError):
            self._peer.shutdown(socket.SHUT_RD)
        for thread in self._threads:
            thread.join(_SECONDS)

    def _take(self) -> None:
        try:
            self._peer.settimeout(_SECONDS)
            first = frames.receive(self._peer, _Asked, MAX_FRAME)
            if not isinstance(first, Hello) or (first.version, first.application) != (VERSION, self._application):
                self._answers.put(Reply(0, "record.other", "this is the record of another application, or version."))
                return
            self._answers.put(Reply())
            self._peer.settimeout(None)
            while True:
                self._answers.put(self._do(frames.receive(self._peer, _Asked, MAX_FRAME)))
        except (frames.ClosedError, SubjectError):
            pass  # gone, or not one of ours
        finally:
            self._answers.put(None)

    def _do(self, asked: Hello | Append | Erase | Expire) -> Ticket | Reply:
        try:
            if isinstance(asked, Append):
                return self._recorder.submit(asked.kind, asked.body, id_=asked.id)[1]
            if isinstance(asked, Erase):
                return Reply(self._recorder.erase(asked.person))
            if isinstance(asked, Expire):
                return Reply(self._recorder.expire(asked.people, asked.term))
        except FivefoldError as error:
            return Reply(0, error.code, error.message, error.remedy)
        return Reply(0, "record.message", "this message has no place here.")

    def _answer(self) -> None:
        try:
            while (answer := self._answers.get()) is not None:
                frames.send(self._peer, _reply(answer))
        except frames.ClosedError:
            with contextlib.suppress(OSError):
                self._peer.shutdown(socket.SHUT_RDWR)
            while self._answers.get() is not None:
                pass
        finally:
            self._peer.close()
            self._gone(self)


def _reply(answer: Ticket | Reply) -> Reply:
    if isinstance(answer, Reply):
        return answer
    try:
        return Reply(answer.wait())
    except FivefoldError as error:
        return Reply(0, error.code, error.message, error.remedy)


class Remote:
    """A record that another process writes; used like :class:`~fivefold.traceability.recorder.recorder.Recorder`.

    Attributes:
        queued: Whether outputs and actions return before they are durable.
    """

    def __init__(self, folder: Path, application: str, *, queued: bool = False) -> None:
        """Reach the process that writes the record.

        Raises:
            StorageError: ``record.unreachable`` if none listens; ``record.other`` if it is another application's.
        """
        self.queued = queued
        self._lock = threading.Lock()
        self._waiting: deque[Ticket] = deque()
        self._lost = ""
        self._peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._peer.settimeout(_SECONDS)
            with _address(folder) as address:
                self._peer.connect(address)
            frames.send(self._peer, Hello(VERSION, application))
            told: Reply = frames.receive(self._peer, Reply, frames.SMALL)
            self._peer.settimeout(None)
        except (OSError, frames.ClosedError, SubjectError):
            self._peer.close()
            raise StorageError("record.unreachable", "the process that writes this record does not answer.") from None
        if told.code:
            self._peer.close()
            raise StorageError(told.code, told.message)
        self._thread = threading.Thread(target=self._hear, name="fivefold-record-client", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _k: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self.close()

    def open(self, case: str, *, subject: str = "", model: str = "", trace: str = "") -> Case:
        """Begin, or go on with, a case; as :meth:`Recorder.open`."""
        return case_of(self, case, subject=subject, model=model, trace=trace)

    def submit(self, kind: Kind, body: Body, *, soon: bool = True) -> tuple[str, Ticket]:
        """Hand a record over; return its id and the ticket to wait on. When it is written is up to the other process.

        Raises:
            InputError: ``recorder.fields`` for what cannot be kept; ``recorder.size`` for more than 64 MiB.
            StorageError: ``record.lost`` if the other process has ended.
        """
        del soon
        size = len(encoded(body))
        if size > MAX_FRAME - frames.SMALL:
            raise InputError("recorder.size", f"a record has at most {MAX_FRAME >> 20} MiB, not {size >> 20}.")
        made = new_id()
        return made.hex(), self._ask(Append(made, kind, body))

    def hasten(self, *, here: bool = True) -> None:
        """Do nothing: the other process writes at once."""

    def erase(self, person: str) -> int:
        """Destroy a person's keys; as :meth:`Recorder.erase`."""
        return self._ask(Erase(person)).wait()

    def expire(self, people: Sequence[bytes], term: str) -> int:
        """Destroy the keys of people whose term is over; as :meth:`Recorder.expire`."""
        return sum(
            self._ask(Expire(list(people[at : at + _AHEAD]), term)).wait() for at in range(0, len(people), _AHEAD)
        )

    def close(self) -> None:
        """Wait for every answer and part."""
        with self._lock:
            last = self._waiting[-1] if self._waiting else None
        if last is not None:
            last.done.wait()
        with contextlib.suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._peer.close()

    def _ask(self, message: Append | Erase | Expire) -> Ticket:
        ticket = Ticket([])
        with self._lock:
            if self._lost:
                raise _lost()
            self._waiting.append(ticket)
            try:
                frames.send(self._peer, message)
            except frames.ClosedError:
                self._lost = "sending"
                raise _lost() from None
        return ticket

    def _hear(self) -> None:
        with contextlib.suppress(frames.ClosedError, SubjectError):
            while True:
                told: Reply = frames.receive(self._peer, Reply, frames.SMALL)
                with self._lock:
                    ticket = self._waiting.popleft()
                ticket.first = told.value
                ticket.error = _error(told) if told.code else None
                ticket.done.set()
        with self._lock:
            self._lost = "hearing"
            left, self._waiting = self._waiting, deque()
        for ticket in left:
            ticket.error = _lost()
            ticket.done.set()


def _error(told: Reply) -> FivefoldError:
    kind = InputError if told.code.startswith("recorder.") else StorageError
    return kind(told.code, told.message, remedy=told.remedy)


def _lost() -> StorageError:
    return StorageError(
        "record.lost",
        "the process that writes this record has ended; what it did not acknowledge may be lost.",
        remedy="Open the record again and hand it over again.",
    )


def _same_user(peer: socket.socket) -> bool:
    """Return whether the other side runs as this user; the folder's permissions say so too."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    told = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(told[1]) == os.getuid()


@contextlib.contextmanager
def _address(folder: Path) -> Iterator[str]:
    """Yield a short address of the socket: a path of a socket has at most 107 bytes."""
    plain = str(folder / SOCKET)
    if len(os.fsencode(plain)) < 100:
        yield plain
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)
