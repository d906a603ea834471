"""Keys of people: kept, found, destroyed without a trace in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fivefold.errors import StorageError
from fivefold.store.people import People

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kept", [True, False])
def test_a_key_is_found_until_it_is_destroyed(tmp_path: Path, kept: bool) -> None:
    """By person and by id, for its application alone; a new one can follow."""
    people = People(tmp_path / "a" / "keys.sqlite" if kept else None, "app")
    people.add(b"tag", b"id-1", b"wrapped")
    people.add(b"tug", b"id-2", b"another")
    assert people.current(b"tag") == (b"id-1", b"wrapped")
    assert people.wrapped(b"id-1") == b"wrapped"
    assert people.erase(b"tag") == 1
    assert people.erase(b"tag") == 0
    assert people.current(b"tag") is None
    assert people.wrapped(b"id-1") is None
    assert people.wrapped(b"id-2") == b"another"
    people.add(b"tag", b"id-3", b"later")
    assert people.current(b"tag") == (b"id-3", b"later")
    people.close()


def test_nothing_of_a_destroyed_key_is_left_in_the_files(tmp_path: Path) -> None:
    """Not in the base, not in its journal, with the connection still open."""
    people = People(tmp_path / "keys.sqlite", "app")
    secret = bytes(range(100, 160))
    people.add(b"tag", b"id", secret)
    assert any(secret in path.read_bytes() for path in tmp_path.iterdir())
    people.erase(b"tag")
    assert not any(secret in path.read_bytes() for path in tmp_path.iterdir())
    people.close()


def test_applications_do_not_see_each_other(tmp_path: Path) -> None:
    """One file, two applications."""
    one, two = People(tmp_path / "keys.sqlite", "one"), People(tmp_path / "keys.sqlite", "two")
    one.add(b"tag", b"id", b"wrapped")
    assert two.current(b"tag") is None
    assert two.wrapped(b"id") is None
    assert two.erase(b"tag") == 0
    one.close()
    two.close()


def test_a_file_that_is_no_base_is_refused(tmp_path: Path) -> None:
    """With a code."""
    (tmp_path / "keys.sqlite").write_bytes(b"no base at all" * 100)
    with pytest.raises(StorageError) as error:
        People(tmp_path / "keys.sqlite", "app")
    assert error.value.code == "store.disk"
