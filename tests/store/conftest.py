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


@pytest.fixture(params=["memory", "file", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | Database | None:
    """An empty place for rows, of each kind."""
    if request.param == "memory":
        return None
    if request.param == "file":
        return tmp_path / "a" / "rows.sqlite"
    return Database(request.getfixturevalue("server").fresh())
