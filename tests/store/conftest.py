"""The two places that rows can lie in: a file, and a real server of PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.servers import postgres

from fivefold.store.server import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server of PostgreSQL, begun for these tests."""
    with postgres() as found:
        yield found


def _place(kind: str, request: pytest.FixtureRequest, folder: Path) -> Path | Database | None:
    if kind == "memory":
        return None
    return folder / "a" / "rows.sqlite" if kind == "file" else Database(request.getfixturevalue("server").fresh())


@pytest.fixture(params=["memory", "file", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | Database | None:
    """An empty place for rows, of each kind."""
    return _place(request.param, request, tmp_path)


@pytest.fixture(params=["file", "postgres"])
def common(request: pytest.FixtureRequest, tmp_path: Path) -> Path | Database | None:
    """An empty place for rows that more than one may open."""
    return _place(request.param, request, tmp_path)
