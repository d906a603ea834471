"""Keys of people: kept, found, destroyed; the same in a file and on a server of PostgreSQL."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from fivefold.errors import InputError, StorageError
from fivefold.store.people import People
from fivefold.store.queued import Item, Queued
from fivefold.store.server import Database
from fivefold.store.witnessed import Witnessed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import Postgres

    Place = Path | Database | None


def test_a_key_is_found_until_it_is_destroyed(place: Place) -> None:
    """By person and by id, for its application alone; a new one can follow."""
    people = People(place, "app")
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


def test_odd_bytes_come_back_as_they_were(place: Place) -> None:
    """Zeros, quotes, percent signs, question marks, all byte values."""
    people = People(place, "app ?%s'\\")
    for at, odd in enumerate((b"\0\0", b"'\"%s?\\x00", bytes(range(256)))):
        people.add(odd, bytes([at]), odd)
        assert people.current(odd) == (bytes([at]), odd)
    people.close()


def test_applications_do_not_see_each_other(common: Place) -> None:
    """One common, two applications."""
    one, two = People(common, "one"), People(common, "two")
    one.add(b"tag", b"id", b"wrapped")
    assert two.current(b"tag") is None
    assert two.wrapped(b"id") is None
    assert two.erase(b"tag") == 0
    assert one.current(b"tag") == (b"id", b"wrapped")
    one.close()
    two.close()


def test_a_witness_goes_only_forward_however_many_ask(common: Place) -> None:
    """What was read inside the block is not older than what is written: no step is lost."""
    Witnessed(common).close()

    def step() -> None:
        memory = Witnessed(common)
        for _ in range(20):
            with memory.alone():
                known = memory.latest("log")
                memory.keep("log", known[0] + 1 if known else 1, b"root", b"note")
        memory.close()

    threads = [threading.Thread(target=step) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    memory = Witnessed(common)
    assert memory.latest("log") == (80, b"root", b"note")
    memory.close()


def test_a_block_that_breaks_off_changes_nothing(place: Place) -> None:
    """As a whole or not at all."""
    memory = Witnessed(place)

    def broken() -> None:
        with memory.alone():
            memory.keep("log", 1, b"root", b"note")
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert memory.latest("log") is None
    with memory.alone():
        memory.keep("log", 2, b"root", b"note")
    assert memory.latest("log") == (2, b"root", b"note")
    memory.close()


def test_nothing_of_a_destroyed_key_is_left_in_the_files(tmp_path: Path) -> None:
    """Not in the base, not in its journal, with the connection still open."""
    people = People(tmp_path / "keys.sqlite", "app")
    secret = bytes(range(100, 160))
    people.add(b"tag", b"id", secret)
    assert any(secret in path.read_bytes() for path in tmp_path.iterdir())
    people.erase(b"tag")
    assert not any(secret in path.read_bytes() for path in tmp_path.iterdir())
    people.close()


def test_a_file_that_is_no_base_is_refused(tmp_path: Path) -> None:
    """With a code."""
    (tmp_path / "keys.sqlite").write_bytes(b"no base at all" * 100)
    with pytest.raises(StorageError) as error:
        People(tmp_path / "keys.sqlite", "app")
    assert error.value.code == "store.disk"


def test_a_server_that_parts_is_told_and_reached_again(server: Postgres) -> None:
    """The call that meets it is refused, the one after it connects anew; a change is durable whatever its default."""
    url = server.fresh()
    name = urlsplit(url).path.strip("/")
    server.run(f"ALTER DATABASE {name} SET synchronous_commit = off")
    people = People(Database(url), "app")
    assert people._base.ask("SHOW synchronous_commit") == [("on",)]
    people.add(b"tag", b"id", b"wrapped")
    server.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    with pytest.raises(StorageError) as error:
        people.current(b"tag")
    assert error.value.code == "store.server"
    assert url not in str(error.value)
    assert people.current(b"tag") == (b"id", b"wrapped")
    people.close()


def test_an_older_version_of_a_row_is_freed_after_an_erasure(server: Postgres) -> None:
    """No dead row is left for a later reader; the server's own journal is its operator's."""
    url, secret = server.fresh(), bytes(range(100, 160))
    people = People(Database(url), "app")
    people.add(b"tag", b"id", secret)
    people.add(b"tug", b"id-2", b"another")
    ((name,),) = server.run("SELECT pg_relation_filepath('fivefold.person_keys')", url)
    file = server.files / str(name)
    server.run("CHECKPOINT", url)
    assert secret in file.read_bytes()
    people.erase(b"tag")
    server.run("CHECKPOINT", url)
    assert secret not in file.read_bytes()
    people.close()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("mysql://localhost/db", "store.url"),
        ("", "store.url"),
        ("postgresql://db.example.org/keys?sslmode=prefer", "store.url"),
        ("postgresql://localhost/keys?host=db.example.org&sslmode=disable", "store.url"),
        ("postgresql://localhost/keys?hostaddr=203.0.113.5&sslmode=prefer", "store.url"),
        ("postgresql:///keys?service=far&sslmode=disable", "store.url"),
        ("postgresql://localhost:1/keys?password=hidden-word", "store.server"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_being_shown(url: str, code: str) -> None:
    """Another scheme, a network without TLS, nobody there."""
    with pytest.raises((InputError, StorageError)) as error:
        People(Database(url), "app")
    assert error.value.code == code
    assert "hidden-word" not in str(error.value) + repr(Database(url))


def test_a_network_means_tls_and_the_right_name() -> None:
    """Unless the address says otherwise, which may be stricter or at least TLS."""
    assert Database("postgresql://db.example.org/keys").checked().endswith("?sslmode=verify-full")
    assert Database("postgresql://a:b@[2001:db8::1]:5/k?application_name=x").checked().endswith("&sslmode=verify-full")
    named = "postgresql://db.example.org/keys?sslmode=require"
    assert Database(named).checked() == named
    for local in ("postgresql:///keys?host=/run/postgresql", "postgresql://[::1]/keys", "postgresql://u:p@localhost/k"):
        assert Database(local).checked() == local


def test_a_case_is_decided_once_however_many_try(common: Place) -> None:
    """Eight threads, each with a connection of its own: one decides, and its decision stands."""
    queue = Queued(common, "app")
    queue.add([Item("one", "input", 0, "c", "p", 0, 100), Item("two", "input", 1, "c", "p", 0, 50)])
    assert [item.id for item in queue.waiting(10, 9)] == ["two", "one"]
    done: list[str] = []

    def decide(who: str) -> None:
        mine = Queued(common, "app")
        if mine.decide("one", 10, who, "yes", "because"):
            done.append(who)
        mine.close()

    threads = [threading.Thread(target=decide, args=(f"officer {at}",)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
    found = queue.get("one")
    assert found is not None
    assert (found.who, found.answer, found.decided, found.record) == (done[0], "yes", 10, "")
    assert queue.expire(60) == 1
    assert not queue.decide("two", 60, "late", "yes", "because")
    assert [(item.id, item.who) for item in queue.unrecorded(9)] == [("two", ""), ("one", done[0])]
    queue.recorded("one", "r1")
    queue.withdraw(["two"])
    assert queue.unrecorded(9) == []
    assert Queued(common, "other").get("one") is None
    queue.close()
