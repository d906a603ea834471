"""Driver: the parent's side of the worker; starts the fork server, runs checks side by side, enforces limits.

It holds the keys and runs none of the code that it starts: no engine, no check, nothing of the application. What it
reads from a child is a frame of bounded size and strict type.
"""

from __future__ import annotations

import contextlib
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, Self

import msgspec

from fivefold.errors import InternalError, SubjectError
from fivefold.subject.worker import frames, watch
from fivefold.subject.worker.messages import (
    CommandJob,
    EndpointJob,
    Exited,
    Failed,
    FromCheck,
    FromServer,
    Hello,
    Kill,
    ModelHere,
    ModelJob,
    Preload,
    Progress,
    Refused,
    Spawn,
    Spawned,
    WantBattery,
    WantModel,
)
from fivefold.subject.worker.running import RUNS, Child, Ended, Running, Supply, Task, held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from fivefold.subject.worker.lesson import AnyJob, LessonJob
    from fivefold.subject.worker.watch import Limits

    Tell = Callable[[str, float, str], None]

_TICK = 0.03
_START = 120.0
_GRACE = 2.0
_FILES_EVERY = 0.5
_MOST_MODELS, _MOST_ALIVE, _MOST_BATTERIES = 64, 16, 8
_SERVER_CAP = 1 << 20


@dataclass(frozen=True)
class Lent:
    """A model process in the hands of the parent.

    Attributes:
        peer: The connection.
        child: The process.
    """

    peer: socket.socket
    child: Child


class Worker:
    """A fork server and the children that run in it; a context manager.

    Attributes:
        hello: What the server said of this machine: protections, missing engines, resident size.
    """

    hello: Hello

    def __init__(self, environment: Mapping[str, str], scratch: Path) -> None:
        """Start the fork server.

        Args:
            environment: Its whole environment.
            scratch: An empty folder for the scratch folders of the children.

        Raises:
            InternalError: ``worker.start``.
        """
        self._environment = dict(environment)
        self._scratch = scratch
        self._children: dict[int, Child] = {}
        self._tokens = 0
        self._files_at = 0.0
        self._select = selectors.DefaultSelector()
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the fork server and, with it, all children."""
        self._select.close()
        self._stop()

    def preload(self, checks: Iterable[str], modules: Iterable[str] = ()) -> None:
        """Have the code of checks and engine modules imported once, before the children need them.

        Raises:
            InternalError: ``worker.start`` if the server ended over it.
        """
        with contextlib.suppress(frames.ClosedError):
            frames.send(self._server, Preload(checks=tuple(checks), modules=tuple(modules)))
        self.hello = self._hello()

    def run(self, tasks: Sequence[Task], *, width: int, tell: Tell | None = None) -> Iterator[Ended]:
        """Run tasks, at most ``width`` at a time, and yield each as it ends.

        Args:
            tasks: In the order in which they begin.
            width: How many run side by side.
            tell: Called with check id, share and words.
        """
        waiting, running = deque(tasks), list[Running]()
        try:
            while waiting or running:
                try:
                    while waiting and len(running) < max(1, width):
                        self._begin(waiting[0], running)
                        waiting.popleft()
                    self._turn(running, tell)
                except frames.ClosedError:
                    self._lost(running)
                for item in [item for item in running if item.over]:
                    running.remove(item)
                    self._forget(item)
                    yield item.ended()
        finally:
            for item in running:
                for child in item.living:
                    self._kill(child)
                self._forget(item)

    def lend(self, job: ModelJob | LessonJob) -> Lent:
        """Start a model process that the caller asks itself; it lives until :meth:`take_back`.

        Raises:
            InternalError: ``worker.start`` if the fork server was lost and does not start again.
        """
        try:
            token = self._tokens
            return Lent(self._spawn("model", job), self._children[token])
        except frames.ClosedError:
            self._restart()
            return self.lend(job)

    def tend(self, lent: Lent, limits: Limits) -> None:
        """Hear what the fork server says of a process, and end it where it breaks a limit; call it now and then."""
        try:
            if self._select.select(0):
                self._from_server()
        except frames.ClosedError:
            lent.child.status = 0
            self._restart()
        child = lent.child
        if child.pid and child.status is None and not child.why:
            child.why = watch.broken(child.pid, child.scratch, limits, self.hello.resident, files=True)
            if child.why:
                self._kill(child)

    def take_back(self, lent: Lent) -> None:
        """End a process that was lent."""
        self._kill(lent.child)
        lent.peer.close()
        self._children.pop(lent.child.token, None)
        shutil.rmtree(lent.child.scratch, ignore_errors=True)

    def _restart(self) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._select.unregister(self._server)
        self._stop()
        self._start()

    def _start(self) -> None:
        mine, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "fivefold.subject.worker", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                command,
                env=self._environment,
                cwd="/",
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._server = mine
        self._server.settimeout(_START)
        self._reader = frames.Reader(_SERVER_CAP)
        self.hello = self._hello()
        self._select.register(mine, selectors.EVENT_READ)

    def _stop(self) -> None:
        self._server.close()
        try:
            self._process.wait(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _hello(self) -> Hello:
        message: FromServer | None = None
        with contextlib.suppress(frames.ClosedError, SubjectError):
            message = frames.receive(self._server, FromServer, _SERVER_CAP)
        if isinstance(message, Hello):
            return message
        self._process.kill()
        raise InternalError(
            "worker.start", "the worker process did not start.", remedy="Install again: pip install 'fivefold[assess]'."
        )

    def _lost(self, running: list[Running]) -> None:
        """Go on with a new fork server after the old one was ended from outside."""
        for item in running:
            item.lost()
        self._restart()

    def _begin(self, task: Task, running: list[Running]) -> None:
        token = self._tokens
        peer = self._spawn("check", task.job)
        item = Running(task, time.monotonic(), peer, [self._children[token]])
        self._select.register(peer, selectors.EVENT_READ, item)
        running.append(item)

    def _spawn(self, kind: Literal["check", "model"], job: AnyJob) -> socket.socket:
        """Have a process forked and return our end of its connection."""
        token = self._tokens
        self._tokens += 1
        scratch = self._scratch / str(token)
        scratch.mkdir(mode=0o700)
        rules = msgspec.structs.replace(job.confinement, scratch=str(scratch))
        body = msgspec.msgpack.encode(msgspec.structs.replace(job, confinement=rules))
        self._children[token] = Child(token, kind, scratch)
        mine, theirs = socket.socketpair()
        with theirs:
            runs = next((name for made, name in RUNS.items() if isinstance(job, made)), kind)
            frames.send_with(self._server, Spawn(token=token, kind=runs, job=body), theirs.fileno())
        return mine

    def _turn(self, running: list[Running], tell: Tell | None) -> None:
        for key, _ in self._select.select(_TICK):
            if key.fileobj is self._server:
                self._from_server()
            elif isinstance(key.data, Running):
                self._from_check(key.data, tell)
        now = time.monotonic()
        files = now - self._files_at > _FILES_EVERY
        self._files_at = now if files else self._files_at
        for item in running:
            if item.supply is not None:
                item.supply.serve(partial(self._started, item, item.task.model))
            self._watch(item, now, files=files)

    def _from_server(self) -> None:
        for frame in self._reader.feed(frames.some(self._server)):
            message: FromServer = frames.parse(frame, FromServer)
            child = None if isinstance(message, Hello) else self._children.get(message.token)
            if child is None:
                continue
            if isinstance(message, Spawned):
                child.pid = message.pid
            elif isinstance(message, Exited):
                child.status = message.status

    def _from_check(self, item: Running, tell: Tell | None) -> None:
        try:
            for frame in item.reader.feed(frames.some(item.peer)):
                self._said(item, frames.parse(frame, FromCheck), tell)
        except frames.ClosedError:
            item.closed = True
        except SubjectError as error:
            item.closed = True
            item.message = item.message or Failed(kind="internal", code=error.code, message=error.message)
        if item.closed:
            self._select.unregister(item.peer)

    def _said(self, item: Running, message: FromCheck, tell: Tell | None) -> None:
        if isinstance(message, Progress):
            if tell is not None:
                tell(item.task.job.check, min(max(message.share, 0.0), 1.0), message.text)
        elif isinstance(message, WantModel):
            if message.guarded:
                self._guard(item)
            else:
                self._model(item, training=message.training)
        elif isinstance(message, WantBattery):
            self._battery(item, message)
        else:
            item.message = item.message or message

    def _model(self, item: Running, *, training: bool) -> None:
        peer = self._started(item, item.task.training if training else item.task.model)
        if peer is None:
            frames.send(item.peer, Refused(reason="limit"))
            return
        with peer:
            frames.send_with(item.peer, ModelHere(), peer.fileno())

    def _battery(self, item: Running, wanted: WantBattery) -> None:
        """Start our own attempts to break out, confined as the model of this task is, or what a pack provides."""
        job = item.task.model if isinstance(item.task.model, ModelJob) else None
        if (job is None and not wanted.provided) or item.batteries >= _MOST_BATTERIES:
            frames.send(item.peer, Refused(reason="elsewhere" if job is None else "limit"))
            return
        token, item.batteries = self._tokens, item.batteries + 1
        with self._spawn("model", item.tries(job, wanted, held(self._scratch, token))) as peer:
            item.children.append(self._children[token])
            frames.send_with(item.peer, ModelHere(), peer.fileno())

    def _started(self, item: Running, job: ModelJob | EndpointJob | CommandJob | None) -> socket.socket | None:
        """Return our end of the connection to a new model process of a task; None: no more are started."""
        started = sum(child.kind == "model" for child in item.children)
        if job is None or started >= _MOST_MODELS or len(item.living) > _MOST_ALIVE:
            return None
        token, peer = self._tokens, self._spawn("model", job)
        item.children.append(self._children[token])
        return peer

    def _guard(self, item: Running) -> None:
        """Hand one end of a new connection to the guard of a task, and the other to its check."""
        if item.task.front is None or item.supply is not None:
            frames.send(item.peer, Refused(reason="limit"))
            return
        item.supply, (mine, theirs) = Supply(), socket.socketpair()
        item.task.front(mine, item.supply)
        with theirs:
            frames.send_with(item.peer, ModelHere(), theirs.fileno())

    def _watch(self, item: Running, now: float, *, files: bool) -> None:
        limits = item.task.limits
        if not item.dismissed and (item.message is not None or item.closed):
            item.dismissed = now + _GRACE
        if item.dismissed and now > item.dismissed:
            for child in item.living:
                child.dismissed = True
                self._kill(child)
        elif not item.dismissed and now - item.started > limits.seconds:
            self._too_late(item, now)
        for child in item.living:
            if child.pid and not child.why and not child.dismissed:
                child.why = self._broken(item, child, files=files)
                if child.why:
                    self._kill(child)

    def _broken(self, item: Running, child: Child, *, files: bool) -> str:
        """Return which limit a child breaks, in words; of a command also what it started (that is slower to find)."""
        limits = item.task.limits
        why = watch.broken(child.pid, child.scratch, limits, self.hello.resident, files=files)
        if not why and files and child.kind == "model" and isinstance(item.task.model, CommandJob):
            why = watch.crowded(child.pid, limits)
        return why

    def _too_late(self, item: Running, now: float) -> None:
        """End the model first, so that its check can say what it was doing; then the check."""
        models = [child for child in item.living if child.kind == "model"]
        item.late = item.late or now
        overdue = models if models and now - item.late < _GRACE else item.living
        for child in overdue:
            if not child.why:
                child.why = f"took more than {item.task.limits.seconds:g} seconds"
                self._kill(child)

    def _kill(self, child: Child) -> None:
        if child.status is None:
            with contextlib.suppress(frames.ClosedError):
                frames.send(self._server, Kill(token=child.token))

    def _forget(self, item: Running) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._select.unregister(item.peer)
        item.peer.close()
        if item.supply is not None:
            item.supply.close()
        for child in item.children:
            self._children.pop(child.token, None)
            shutil.rmtree(child.scratch, ignore_errors=True)
            shutil.rmtree(held(self._scratch, child.token).parent, ignore_errors=True)
