"""Sealed files put into a real object storage: read as before, altered ones refused, broken-off moves repeated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.servers import objects

from fivefold.errors import InputError, StorageError, TrustError
from fivefold.keys import signing
from fivefold.log import audit, published, publishing, static
from fivefold.log.archived import LIST, Archived
from fivefold.log.disk import Folder
from fivefold.log.mirror import mirror
from fivefold.log.note import NoteKey
from fivefold.store.objects import Bucket, Place
from fivefold.store.people import People
from fivefold.traceability.recorder import Reading, Recorder
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Objects

ORIGIN = "fivefold.test/record"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Objects]:
    """A server of objects, begun for one test."""
    with objects(tmp_path / "objects") as found:
        yield found


class Log:
    """A record in small segments, with blobs."""

    def __init__(self, root: Path, shelf: Bucket) -> None:
        self.folder, self.shelf = root, shelf
        self.signer, self.secrets = signing.generate(), Secrets(bytes(32), People(None, "app"))

    def disk(self) -> Archived:
        return Archived(Folder(self.folder), self.shelf)

    def record(self, count: int, *, blobs: bool = False) -> None:
        disk = self.disk()
        recorder = Recorder(disk, ORIGIN, self.signer, self.secrets, segment_bytes=4096, closing=disk.close)
        with recorder, recorder.open("loan") as case:
            for number in range(count):
                case.add("status", {"number": number, "text": "x" * 100}, wait=number % 5 == 0)
            if blobs:
                case.input({"pixels": np.zeros(100_000, np.uint8)})

    def reading(self) -> Reading:
        return Reading(self.disk(), self.secrets)

    def audit(self) -> audit.Audit:
        return self.reading().audit((self.signer.public,))

    def here(self) -> set[str]:
        return {path.name for path in self.folder.iterdir() if re.match(r"segment|blob", path.name)}


@pytest.fixture
def log(tmp_path: Path, server: Objects) -> Log:
    """A record with a shelf on the server."""
    shelf = Bucket(Place(f"{server.url}/app", server.access, server.secret))
    return Log(tmp_path / "record", shelf)


def test_what_was_put_away_is_read_as_before(log: Log, server: Objects) -> None:
    """Records, proofs, the audit, more records, hashes made again: all as if every file were here."""
    log.record(100, blobs=True)
    before = [item.body for item in log.reading().search()]
    moved = log.disk().move(drop=False)
    assert (moved.files, moved.dropped) == (len(log.here()) - 1, False)
    assert moved.files > 5
    assert log.disk().move(drop=True).files == 0
    assert len(log.here()) == 1
    assert [item.body for item in log.reading().search()] == before
    assert log.audit().faults == ()
    assert log.reading().prove("0")
    for hashes in log.folder.glob("hashes-*"):
        hashes.unlink()
    log.record(100, blobs=True)
    assert log.audit().faults == ()
    assert log.audit().size == 202
    assert log.disk().move(drop=True).files > 5
    assert len(log.here()) == 1
    assert [item.body for item in log.reading().search()][:101] == before
    assert (server.files / "app" / "checkpoint").read_bytes() == (log.folder / "checkpoint").read_bytes()


def test_a_record_comes_back_from_the_storage_alone(log: Log, server: Objects, tmp_path: Path) -> None:
    """Copied into an empty folder with whatever program, it is whole up to what had been put away."""
    log.record(100)
    log.disk().move(drop=True)
    back = Log(tmp_path / "back", log.shelf)
    back.signer, back.secrets = log.signer, log.secrets
    (tmp_path / "back").mkdir()
    for path in (server.files / "app").iterdir():
        (tmp_path / "back" / path.name).write_bytes(path.read_bytes())
    found = list(back.reading().search())
    assert 80 < len(found) < 100
    assert [item.body for item in found] == [item.body for item in log.reading().search()][: len(found)]


@pytest.mark.parametrize("how", ["altered", "shortened", "gone", "list gone", "list broken", "list of another"])
def test_what_is_not_as_it_was_put_away_is_refused(log: Log, server: Objects, how: str) -> None:
    """By reading and by the audit, with a code; never served."""
    log.record(100)
    log.disk().move(drop=True)
    target = sorted((server.files / "app").glob("segment-*"))[1]
    data = bytearray(target.read_bytes())
    if how == "altered":
        data[200] ^= 1
        target.write_bytes(data)
    elif how == "shortened":
        target.write_bytes(data[:-1])
    elif how == "gone":
        target.unlink()
    elif how == "list gone":
        (log.folder / LIST).unlink()
    elif how == "list broken":
        (log.folder / LIST).write_bytes(b"\xc1")
    else:
        (log.folder / LIST).write_bytes((log.folder / LIST).read_bytes().replace(b"segment-", b"segmint-"))
    with pytest.raises(TrustError):
        list(log.reading().search())
    try:
        assert log.audit().faults
    except TrustError as error:
        assert error.code in {"archive.altered", "archive.list"}  # noqa: PT017  the audit cannot go on at all


def test_a_move_that_breaks_off_anywhere_loses_nothing(
    log: Log, server: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every call of the storage: all is still read, and the next run ends it."""
    log.record(60, blobs=True)
    before = [item.body for item in log.reading().search()]
    calls, stop = [0], [0]

    def counted(real: object) -> object:
        def call(*given: object) -> object:
            calls[0] += 1
            if calls[0] == stop[0]:
                raise StorageError("objects.refused", "broken off")
            return real(*given)

        return call

    monkeypatch.setattr(log.shelf, "put", counted(log.shelf.put))
    monkeypatch.setattr(log.shelf, "get", counted(log.shelf.get))
    broken = 0
    while True:
        calls[0], stop[0] = 0, broken + 1
        (log.folder / LIST).unlink(missing_ok=True)
        for path in (server.files / "app").glob("*"):
            path.unlink()
        try:
            log.disk().move(drop=True)
        except StorageError:
            broken += 1
            stop[0] = 0
            assert [item.body for item in log.reading().search()] == before
            continue
        break
    assert broken >= 2 * 6
    stop[0] = 0
    assert [item.body for item in log.reading().search()] == before
    assert len(log.here()) == 1


def test_a_storage_that_cannot_be_used_says_why(log: Log, server: Objects) -> None:
    """A wrong key, a bucket that is not there, nobody there: refused, nothing removed, no secret shown."""
    log.record(60)
    held = log.here()
    for url, secret in (
        (server.url, "wrong-key-word"),
        (server.url.replace("/bucket", "/bocket"), server.secret),
        ("http://127.0.0.1:9/bucket", server.secret),
    ):
        disk = Archived(Folder(log.folder), Bucket(Place(url, server.access, secret)))
        with pytest.raises(StorageError) as error:
            disk.move(drop=True)
        assert error.value.code == "objects.refused"
        assert secret not in str(error.value)
        assert log.here() == held


def test_nothing_is_removed_that_another_storage_lacks(log: Log, server: Objects) -> None:
    """Put away in one, then dropped under the address of another: refused, all of it is still here."""
    log.record(60)
    held = log.here()
    log.disk().move(drop=False)
    other = Bucket(Place(f"{server.url}/other", server.access, server.secret))
    with pytest.raises(TrustError) as error:
        Archived(Folder(log.folder), other).move(drop=True)
    assert error.value.code == "archive.altered"
    assert log.here() == held
    assert log.disk().move(drop=True).dropped
    assert len(log.here()) == 1


def test_a_shelf_of_another_record_is_not_written_over(log: Log, tmp_path: Path) -> None:
    """All records name their files alike: the second one is refused, the first one is whole."""
    log.record(60)
    log.disk().move(drop=True)
    other = Log(tmp_path / "other", log.shelf)
    other.record(60)
    held = other.here()
    with pytest.raises(TrustError) as error:
        other.disk().move(drop=True)
    assert error.value.code == "archive.altered"
    assert other.here() == held
    assert log.audit().faults == ()


def test_a_machine_without_the_storage_says_so(log: Log) -> None:
    """What is here is read; what is away is refused with the remedy."""
    log.record(60)
    log.disk().move(drop=True)
    with pytest.raises(StorageError) as error:
        list(Reading(Archived(Folder(log.folder), None), log.secrets).search())
    assert error.value.code == "archive.unknown"


@pytest.mark.parametrize(
    "url", ["http://s3.example.org/bucket", "https://s3.example.org", "ftp://localhost/b", "https://u:p@h/b", ""]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """Plain over a network, without a bucket, another scheme, with a key in it."""
    with pytest.raises(InputError) as error:
        Bucket(Place(url, "a", "s"))
    assert error.value.code == "objects.url"


def test_published_tiles_are_copied_and_verify_there(log: Log, server: Objects, tmp_path: Path) -> None:
    """Only what is new, the checkpoint last; partial tiles go once the full one is there."""
    key = NoteKey(ORIGIN, log.signer.public)
    for count in (200, 100, 300):
        log.record(count)
        publishing.publish(log.disk(), tmp_path / "published", (log.signer.public,))
        assert mirror(tmp_path / "published", log.shelf, "tiles") > 1
        assert mirror(tmp_path / "published", log.shelf, "tiles") == 1
    found = published.audit(static.folder(server.files / "app" / "tiles"), key)
    assert (found.size, found.faults) == (600, ())
    names = {path.relative_to(tmp_path / "published") for path in (tmp_path / "published").rglob("*") if path.is_file()}
    there = server.files / "app" / "tiles"
    assert {path.relative_to(there) for path in there.rglob("*") if path.is_file()} == names


def test_a_folder_without_a_log_is_not_copied(log: Log, tmp_path: Path) -> None:
    """With a code."""
    with pytest.raises(TrustError) as error:
        mirror(tmp_path, log.shelf, "tiles")
    assert error.value.code == "tiles.missing"
