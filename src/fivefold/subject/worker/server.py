"""Fork server: imports the engines once, then forks a child for each check and each model.

It runs none of the application's code and reads none of its data. When the parent goes away, it ends its children and
itself.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import selectors
import signal
from typing import TYPE_CHECKING

from fivefold.contract import registry
from fivefold.errors import SubjectError
from fivefold.subject.worker import confine, frames
from fivefold.subject.worker.battery import BatteryJob
from fivefold.subject.worker.lesson import LessonJob
from fivefold.subject.worker.messages import (
    CheckJob,
    CommandJob,
    EndpointJob,
    Exited,
    Hello,
    Kill,
    ModelJob,
    Preload,
    Spawn,
    Spawned,
    ToServer,
)

if TYPE_CHECKING:
    import socket

_ENGINES = ("numpy", "pandas", "pyarrow")
_CHILDREN = ("fivefold.subject.worker.check_child", "fivefold.subject.worker.model_child")
_MAY_PRELOAD = frozenset(
    {"numpy", "scipy", "pandas", "pyarrow", "sklearn", "onnx", "onnxruntime", "torch", "safetensors"}
)
_CAP = 64 << 20
_POLL = 0.05
CHILD = 3
"""The descriptor of a child's only connection."""


def serve(parent: socket.socket) -> None:
    """Serve until the parent closes the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    missing = tuple(name for name in _ENGINES if not _loads(name))
    _thrift(missing)
    for name in _CHILDREN:
        _loads(name)
    frames.send(parent, Hello(protections=confine.protections(), missing=missing, resident=_resident()))
    _Server(parent).run()


def _thrift(missing: tuple[str, ...]) -> None:
    """Have Arrow allocate from the system: its own allocator keeps what was freed, as much again as a table."""
    if "pyarrow" not in missing:
        import pyarrow as pa

        pa.set_memory_pool(pa.system_memory_pool())


class _Server:
    """The loop: spawn on request, tell when a child has ended."""

    def __init__(self, parent: socket.socket) -> None:
        self._parent = parent
        self._children: dict[int, int] = {}
        self._handles: dict[int, int] = {}
        self._unwatched: set[int] = set()
        self._select = selectors.DefaultSelector()
        self._select.register(parent, selectors.EVENT_READ)

    def run(self) -> None:
        try:
            while True:
                for key, _ in self._select.select(_POLL if self._unwatched else None):
                    if key.fileobj is self._parent:
                        self._command()
                    else:
                        self._ended(self._handles.pop(key.fd), key.fd)
                for pid in self._unwatched & self._children.keys():
                    self._ended(pid, None)
        except (frames.ClosedError, SubjectError):
            pass
        finally:
            for pid in self._children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                _end_group(pid)

    def _command(self) -> None:
        message: ToServer
        message, descriptor = frames.receive_with(self._parent, ToServer, _CAP)
        if isinstance(message, Kill):
            self._kill(message.token)
            return
        if isinstance(message, Preload):
            for name in message.modules:
                if name.partition(".")[0] in _MAY_PRELOAD:
                    _loads(name)
            for check in message.checks:
                with contextlib.suppress(ImportError, KeyError, AttributeError):
                    registry.resolve(check)
            frames.send(self._parent, Hello(protections=confine.protections(), missing=(), resident=_resident()))
            return
        if descriptor is not None:
            self._spawn(message, descriptor)

    def _kill(self, token: int) -> None:
        for pid, known in self._children.items():
            if known == token:
                os.kill(pid, signal.SIGKILL)
                _end_group(pid)

    def _spawn(self, message: Spawn, descriptor: int) -> None:
        gc.freeze()
        me = os.getpid()
        pid = os.fork()
        if pid == 0:
            _child(message, descriptor, me)
        os.close(descriptor)
        self._children[pid] = message.token
        try:
            handle = os.pidfd_open(pid)
        except (OSError, AttributeError):
            self._unwatched.add(pid)
        else:
            self._handles[handle] = pid
            self._select.register(handle, selectors.EVENT_READ)
        frames.send(self._parent, Spawned(token=message.token, pid=pid))

    def _ended(self, pid: int, handle: int | None) -> None:
        """Reap a child that has ended, and say so; without a handle it may still live."""
        done, status = os.waitpid(pid, 0 if handle is not None else os.WNOHANG)
        if done == 0:
            return
        if handle is not None:
            self._select.unregister(handle)
            os.close(handle)
        self._unwatched.discard(pid)
        _end_group(pid)
        frames.send(self._parent, Exited(token=self._children.pop(pid), status=status))


def _end_group(pid: int) -> None:
    """End what a child started: all of it is in the group that the child leads, and cannot leave it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _child(message: Spawn, descriptor: int, server: int) -> None:
    """Run one child; never returns."""
    code = 70
    try:
        os.dup2(descriptor, CHILD)
        os.closerange(CHILD + 1, os.sysconf("SC_OPEN_MAX"))
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if message.kind == "check":
            from fivefold.subject.worker.check_child import main as check

            code = check(frames.parse(message.job, CheckJob), CHILD, server)
        elif message.kind == "endpoint":
            from fivefold.subject.worker.endpoint_child import main as endpoint

            code = endpoint(frames.parse(message.job, EndpointJob), CHILD, server)
        elif message.kind == "battery":
            from fivefold.subject.worker.battery_child import main as battery

            code = battery(frames.parse(message.job, BatteryJob), CHILD, server)
        elif message.kind == "lesson":
            from fivefold.subject.worker.lesson_child import main as lesson

            code = lesson(frames.parse(message.job, LessonJob), CHILD, server)
        elif message.kind == "command":
            from fivefold.subject.worker.command_child import main as command

            code = command(frames.parse(message.job, CommandJob), CHILD, server)
        else:
            from fivefold.subject.worker.model_child import main as model

            code = model(frames.parse(message.job, ModelJob), CHILD, server)
    except BaseException:  # noqa: BLE001  nothing may return into the server's loop
        code = 70
    finally:
        os._exit(code)


def _loads(name: str) -> bool:
    try:
        importlib.import_module(name)
    except Exception:  # noqa: BLE001  an engine that does not load is as good as missing
        return False
    return True


def _resident() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  one line
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
