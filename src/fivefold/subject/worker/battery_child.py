"""Battery: our own attempts to break out of the confinement of a model, each named by what it goes for.

They harm nothing: the file is made for them, signals are of kind 0, processes end at once. No foreign code runs here,
which is why a protection may be left out to see that an attempt works where it is not there.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from fivefold.contract import registry
from fivefold.subject.worker import frames
from fivefold.subject.worker.battery import Tried
from fivefold.subject.worker.confine import confine, protections

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.subject.worker.battery import BatteryJob

_SEIZE, _DETACH = 0x4206, 17
_PRIVATE = 0o1600


def main(job: BatteryJob, descriptor: int, server: int) -> int:
    """Confine this process, try everything, say what worked; or run what a pack provides."""
    if job.provided:
        confine(job.confinement, server)
        os.chdir(job.confinement.scratch)
        registry.provided(job.provided)(socket.socket(fileno=descriptor))
        return 0
    known = protections()
    if job.without == "everything":
        os.setsid()
    else:
        confine(job.confinement, server, without=job.without)
    scratch = Path(job.confinement.scratch)
    tempfile.tempdir = str(scratch)
    os.chdir(scratch)
    attempts = _Attempts(Path(job.secret), server, scratch).every()
    worked = tuple(name for name, attempt in attempts.items() if _works(attempt))
    refused = tuple(name for name in attempts if name not in worked)
    frames.send(socket.socket(fileno=descriptor), Tried(worked=worked, refused=refused, protections=known))
    return 0


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except Exception:  # noqa: BLE001  however it is refused, it is
        return False
    return True


class _Attempts:
    """What is tried, on a file that is not the model's, and on the fork server, which is there as long as this is."""

    def __init__(self, secret: Path, other: int, scratch: Path) -> None:
        self._secret, self._other, self._scratch = secret, other, scratch

    def every(self) -> dict[str, Callable[[], object]]:
        """Return name to attempt; the word before the colon is the kind."""
        secret, other = self._secret, self._other
        return {
            "own: a file in the scratch folder": lambda: (self._scratch / "note").write_text("x", encoding="ascii"),
            "own: a thread": self._thread,
            "own: a process id": lambda: os.kill(os.getpid(), 0),
            "file: read": secret.read_bytes,
            "file: list its folder": lambda: list(secret.parent.iterdir()),
            "file: append": self._append,
            "file: read through a symbolic link": self._linked,
            "file: change its mode": lambda: secret.chmod(0o600),
            "file: change its time": lambda: os.utime(secret),
            "file: rename": self._rename,
            "process: fork": self._fork,
            "process: start a program": self._spawn,
            "process: shell": lambda: self._must(os.system("true") == 0),  # noqa: S605, S607  a constant; it is the point
            "socket: TCP": lambda: self._listen(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "socket: UDP": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
            "socket: Unix": lambda: socket.socket(socket.AF_UNIX).close(),
            "signal: the parent": lambda: os.kill(os.getppid(), 0),
            "signal: another process": lambda: os.kill(other, 0),
            "signal: through a descriptor": lambda: os.close(os.pidfd_open(os.getppid())),
            "signal: by an owner of a pipe": self._owner,
            "memory: read another process": self._peek,
            "memory: trace another process": self._trace,
            "memory: file in memory": lambda: os.close(os.memfd_create("fivefold")),
            "memory: shared segment": self._segment,
            "proc: environment of the parent": Path(f"/proc/{os.getppid()}/environ").read_bytes,
            "proc: descriptors of another process": lambda: list(Path(f"/proc/{other}/fd").iterdir()),
            "proc: memory of another process": self._mem,
        }

    @staticmethod
    def _must(done: bool) -> None:
        if not done:
            raise OSError("refused")

    def _thread(self) -> None:
        done: list[int] = []
        one = threading.Thread(target=done.append, args=(1,))
        one.start()
        one.join()
        self._must(bool(done))

    def _append(self) -> None:
        with self._secret.open("ab") as file:
            file.write(b".")

    def _linked(self) -> None:
        way = self._scratch / "way"
        way.symlink_to(self._secret)
        try:
            way.read_bytes()
        finally:
            way.unlink()

    def _rename(self) -> None:
        moved = self._secret.with_name("moved")
        self._secret.rename(moved)
        moved.rename(self._secret)

    @staticmethod
    def _fork() -> None:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)

    @staticmethod
    def _spawn() -> None:
        program = next(name for name in ("/bin/true", "/usr/bin/true") if Path(name).exists())
        os.waitpid(os.posix_spawn(program, ["true"], {}), 0)

    @staticmethod
    def _listen(family: int, kind: int, place: tuple[str, int]) -> None:
        with socket.socket(family, kind) as peer:
            peer.bind(place)
            peer.listen()

    @staticmethod
    def _owner() -> None:
        left, right = os.pipe()
        try:
            fcntl.fcntl(left, fcntl.F_SETOWN, os.getppid())
        finally:
            os.close(left)
            os.close(right)

    def _peek(self) -> None:
        here = ctypes.create_string_buffer(8)
        local = (ctypes.c_uint64 * 2)(ctypes.addressof(here), 8)
        remote = (ctypes.c_uint64 * 2)(id(None), 8)  # processes forked from one server have it at the same place
        self._must(_LIBC.process_vm_readv(self._other, local, 1, remote, 1, 0) >= 0)

    def _trace(self) -> None:
        self._must(_LIBC.ptrace(_SEIZE, self._other, None, None) >= 0)
        with contextlib.suppress(OSError):
            _LIBC.ptrace(_DETACH, self._other, None, None)

    def _segment(self) -> None:
        number = _LIBC.shmget(0, 4096, _PRIVATE)
        self._must(number >= 0)
        _LIBC.shmctl(number, 0, None)

    def _mem(self) -> None:
        with Path(f"/proc/{self._other}/mem").open("rb", buffering=0) as file:
            file.seek(id(None))
            self._must(len(file.read(8)) == 8)


_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.restype = ctypes.c_long
_LIBC.process_vm_readv.restype = ctypes.c_ssize_t
