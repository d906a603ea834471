"""Steps: a request's course, run to its end in this thread, or from an event loop that waits for nothing itself.

A course is a generator that yields whatever it has to wait for; each driver waits in its own way.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Executor

    from fivefold.guard.nouns import Decision

    Course = Generator["Step", None, Decision]

PATIENCE = 0.002
"""Seconds that an event loop itself waits for a model that usually answers sooner."""


class Step(Protocol):
    """Something that takes its time."""

    def now(self) -> None:
        """Wait for it in this thread; what it raises goes on in the course."""
        ...


class Begun(Protocol):
    """A question that was asked and is not answered yet; :meth:`take` must follow, in whatever thread."""

    def ready(self, seconds: float) -> bool:
        """Return whether the answer is there, waiting so long at most."""
        ...

    def take(self) -> Any:
        """Return the answer, waiting for it."""
        ...


class Question(Protocol):
    """A question to the model; a step that can be begun without waiting."""

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


async def driven_soon(course: Course, threads: Executor, *, alone: Callable[[], bool]) -> Decision:
    """Run a course from an event loop; what it raises in the end is raised.

    Args:
        course: It.
        threads: For what takes its time.
        alone: Whether nothing else is in hand: then the record is written here, which spares two turns of threads.
    """
    try:
        step = next(course)
        while True:
            try:
                await _awaited(step, threads, alone)
            except BaseException as error:  # noqa: BLE001  the course decides what it means
                step = course.throw(error)
            else:
                step = course.send(None)
    except StopIteration as end:
        found: Decision = end.value
        return found


async def _awaited(step: Any, threads: Executor, alone: Callable[[], bool]) -> None:
    if isinstance(step, Kept):
        await _durable(step.records, here=alone())
        return
    loop = asyncio.get_running_loop()
    if hasattr(step, "begin"):
        begun = step.begin()
        if begun is not None:
            if begun.ready(PATIENCE):
                step.take(begun)
            else:
                await loop.run_in_executor(threads, step.take, begun)
            return
    await loop.run_in_executor(threads, step.now)


async def _durable(records: Any, *, here: bool) -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    records.hasten(here=here)
    if not records.durable:
        records.after(lambda: loop.call_soon_threadsafe(done.set))
        await done.wait()
    records.settle()
