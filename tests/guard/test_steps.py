"""A request's course comes to the same end in a thread and on an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from fivefold.errors import StorageError
from fivefold.guard.steps import LONGER, Loop, Slow, driven, driven_soon

if TYPE_CHECKING:
    from collections.abc import Generator


def _course(seen: list[str]) -> Generator[Any, None, Any]:
    yield Slow(lambda: seen.append("first"))
    try:
        yield Slow(_fails)
    except StorageError as error:
        seen.append(error.code)
    yield Slow(lambda: seen.append("last"))
    return "end"


def _fails() -> None:
    raise StorageError("log.disk", "full.")


def _soon(course: Any) -> Any:
    async def run() -> Any:
        with ThreadPoolExecutor(1) as threads:
            return await driven_soon(course, Loop(threads, alone=lambda: True))

    return asyncio.run(run())


@pytest.mark.parametrize("drive", [driven, _soon])
def test_errors_of_a_step_go_on_in_the_course(drive: Any) -> None:
    """The course decides what they mean, and what it returns comes out."""
    seen: list[str] = []
    assert drive(_course(seen)) == "end"
    assert seen == ["first", "log.disk", "last"]


@pytest.mark.parametrize("drive", [driven, _soon])
def test_what_a_course_raises_in_the_end_is_raised(drive: Any) -> None:
    """An error that it lets through comes out as it is."""

    def course() -> Generator[Any, None, Any]:
        yield Slow(_fails)

    with pytest.raises(StorageError, match="full"):
        drive(course())


class _Peer:
    """A model at the other end of a socket that answers when it is told to, one question at a time."""

    def __init__(self) -> None:
        self.mine, self.other = socket.socketpair()
        self.asked = self.taken = 0
        self.threads: set[int] = set()
        self._question = asyncio.Event()

    async def came(self) -> None:
        """Return once another question came."""
        await self._question.wait()
        self._question.clear()

    def close(self) -> None:
        """Close both ends."""
        self.mine.close()
        self.other.close()

    def fileno(self) -> int:
        return self.mine.fileno()

    def ready(self, seconds: float) -> bool:
        return bool(select.select([self.mine], [], [], seconds)[0])

    def take(self) -> None:
        assert self.mine.recv(1) == b"."
        self.taken += 1
        self.threads.add(threading.get_ident())


class _Question:
    single = True

    def __init__(self, peer: _Peer) -> None:
        self._peer = peer

    def now(self) -> None:
        raise AssertionError

    def begin(self) -> _Peer:
        peer = self._peer
        assert peer.asked == peer.taken, "it was asked while it had not answered"
        peer.asked += 1
        peer._question.set()
        return peer

    def take(self, begun: _Peer) -> None:
        begun.take()


def _told(count: int, late: float) -> _Peer:
    """Ask so many at once; the model answers each after some seconds."""
    peer = _Peer()

    def course() -> Generator[Any, None, Any]:
        yield _Question(peer)

    async def answer() -> None:
        for _ in range(count):
            await peer.came()
            await asyncio.sleep(late)
            peer.other.send(b".")

    async def run() -> None:
        with ThreadPoolExecutor(1) as threads:
            loop = Loop(threads, alone=lambda: False)
            await asyncio.gather(answer(), *(driven_soon(course(), loop) for _ in range(count)))

    asyncio.run(run())
    peer.close()
    return peer


def test_a_model_that_answers_one_at_a_time_is_asked_in_turns_by_the_loop_itself() -> None:
    """Eight requests wait for the same model, and no thread waits for any of them."""
    peer = _told(8, 0.0)
    assert (peer.asked, peer.taken) == (8, 8)
    assert peer.threads == {threading.get_ident()}


def test_an_answer_that_is_late_is_waited_for_by_a_thread() -> None:
    """The event loop does not wait for it, and the next one is asked after it."""
    peer = _told(2, 2 * LONGER)
    assert (peer.asked, peer.taken) == (2, 2)
    assert threading.get_ident() not in peer.threads


def test_who_gives_up_while_the_model_answers_leaves_it_ready_for_the_next() -> None:
    """A request is cancelled after it was asked: its answer is taken all the same, and not by the next one."""
    peer = _Peer()

    def course() -> Generator[Any, None, Any]:
        yield _Question(peer)

    async def run() -> None:
        with ThreadPoolExecutor(1) as threads:
            loop = Loop(threads, alone=lambda: False)
            asking = asyncio.create_task(driven_soon(course(), loop))
            await peer.came()
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking
            peer.other.send(b".")

    asyncio.run(run())
    peer.close()
    assert (peer.asked, peer.taken) == (1, 1)
