"""A request's course comes to the same end in a thread and on an event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from fivefold.errors import StorageError
from fivefold.guard.steps import Slow, driven, driven_soon

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
            return await driven_soon(course, threads, alone=lambda: True)

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
