"""Steps: a request's course, run to its end in this thread, or from an event loop that waits for nothing itself.

A course is a generator that yields whatever it has to wait for; each driver waits in its own way.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Executor

    from fivefold.guard.nouns import Decision

    Course = Generator["Step", None, Decision]

PATIENCE = 0.002
"""Seconds that an event loop itself waits for a model that usually answers sooner, where nothing else is in hand."""
LONGER = 0.02
"""Seconds after which a thread waits for a model that usually answers sooner."""


class Step(Protocol):
    """Something that takes its time."""

    def now(self) -> None:
        """Wait for it in this thread; what it raises goes on in the course."""
        ...


class Begun(Protocol):
    """A question that was asked and is not answered yet; :meth:`take` must follow, in whatever thread."""

    def fileno(self) -> int:
        """Return the descriptor that can be read once the answer begins to come."""
        ...

    def ready(self, seconds: float) -> bool:
        """Return whether the answer is there, waiting so long at most."""
        ...

    def take(self) -> Any:
        """Return the answer, waiting for it."""
        ...


class Question(Protocol):
    """A question to the model; a step that can be begun without waiting."""

    @property
    def single(self) -> bool:
        """Whether the model answers one question at a time."""
        ...

    def now(self) -> None:
        """Ask and wait."""
        ...

    def begin(self) -> Begun | None:
        """Ask a model that usually answers at once; None: it is busy, or slow, and nothing was asked."""
        ...

    def take(self, begun: Begun) -> None:
        """Take the answer, waiting for it."""
        ...


@dataclass(frozen=True)
class Slow:
    """Work that may take longer than an event loop should be held up."""

    call: Callable[[], object]

    def now(self) -> None:
        """Do it."""
        self.call()


@dataclass(frozen=True)
class Kept:
    """Records of a case that are to be durable."""

    records: Any

    def now(self) -> None:
        """Wait until they are.

        Raises:
            StorageError: Something could not be kept.
        """
        self.records.settle()


def driven(course: Course) -> Decision:
    """Run a course in this thread; what it raises in the end is raised."""
    try:
        step = next(course)
        while True:
            try:
                step.now()
            except BaseException as error:  # noqa: BLE001  the course decides what it means
                step = course.throw(error)
            else:
                step = course.send(None)
    except StopIteration as end:
        found: Decision = end.value
        return found


@dataclass(frozen=True)
class Loop:
    """What requests on one event loop share.

    Attributes:
        threads: For what takes its time.
        alone: Whether nothing else is in hand: then the loop itself waits for a quick model and writes the record,
            which spares turns of threads and of the loop.
        turn: Of a model that answers one question at a time: who waits for it does so here, in order.
    """

    threads: Executor
    alone: Callable[[], bool]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


async def driven_soon(course: Course, loop: Loop) -> Decision:
    """Run a course from an event loop; what it raises in the end is raised."""
    try:
        step = next(course)
        while True:
            try:
                await _awaited(step, loop)
            except BaseException as error:  # noqa: BLE001  the course decides what it means
                step = course.throw(error)
            else:
                step = course.send(None)
    except StopIteration as end:
        found: Decision = end.value
        return found


async def _awaited(step: Any, loop: Loop) -> None:
    if isinstance(step, Kept):
        await _durable(step.records, here=loop.alone())
    elif not hasattr(step, "begin"):
        await asyncio.get_running_loop().run_in_executor(loop.threads, step.now)
    elif step.single:
        async with loop.turn:
            await _told(step, loop)
    else:
        await _told(step, loop)


async def _told(step: Question, loop: Loop) -> None:
    begun, run = step.begin(), asyncio.get_running_loop().run_in_executor
    if begun is None:
        await run(loop.threads, step.now)
    elif begun.ready(PATIENCE if loop.alone() else 0.0) or await _readable(begun, loop):
        step.take(begun)
    else:
        await run(loop.threads, step.take, begun)


async def _readable(begun: Begun, shared: Loop) -> bool:
    """Return whether an answer came within :data:`LONGER`, while the event loop does other things.

    One that begins to come and is not whole at once is left to a thread.
    """
    loop = asyncio.get_running_loop()
    told: asyncio.Future[bool] = loop.create_future()

    def tell(*, found: bool) -> None:
        if not told.done():
            told.set_result(found)

    place = begun.fileno()
    loop.add_reader(place, lambda: tell(found=begun.ready(0.0)))
    late = loop.call_later(LONGER, partial(tell, found=False))
    try:
        return await told
    except BaseException:
        shared.threads.submit(begun.take)  # it was asked: nobody else is told before this answer was taken
        raise
    finally:
        loop.remove_reader(place)
        late.cancel()


async def _durable(records: Any, *, here: bool) -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    records.hasten(here=here)
    if not records.durable:
        records.after(lambda: loop.call_soon_threadsafe(done.set))
        await done.wait()
    records.settle()
