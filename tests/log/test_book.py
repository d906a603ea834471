"""A log on disk: what was acknowledged is there after any stop, and what was altered is noticed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fivefold.errors import FivefoldError, InputError, StorageError, TrustError
from fivefold.keys import signing
from fivefold.log import audit, checkpoint, frames, segments, tiles, tlog_proof, tree
from fivefold.log.book import CHECKPOINT, Book
from fivefold.log.disk import Folder
from fivefold.log.simulated import PowerLossError, SimulatedDisk
from fivefold.log.writer import Once, Writer

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.log.disk import Disk

SIGNER, OTHER = signing.generate(), signing.generate()
ORIGIN = "fivefold/app/record"


def _book(disk: Disk, segment_bytes: int = 2000) -> Book:
    return Book(disk, ORIGIN, SIGNER, segment_bytes=segment_bytes)


def _entries(rng: np.random.Generator, count: int) -> list[bytes]:
    return [rng.bytes(int(rng.integers(1, 300))) for _ in range(count)]


def _read(disk: Disk) -> list[bytes]:
    return [entry for _, found in segments.walk(disk) for entry in found]


def _filled(disk: Disk, count: int = 60, seed: int = 1) -> list[bytes]:
    book, rng, every = _book(disk), np.random.default_rng(seed), []
    while len(every) < count:
        batch = _entries(rng, min(int(rng.integers(1, 9)), count - len(every)))
        assert book.append(batch) == len(every)
        every += batch
    book.publish()
    return every


@pytest.mark.parametrize("make", ["folder", "simulated"])
def test_entries_are_read_back_after_opening_again(tmp_path: Path, make: str) -> None:
    """In order, over several segments, with the same root; and the log goes on."""
    disk = Folder(tmp_path) if make == "folder" else SimulatedDisk()
    every = _filled(disk)
    assert len(segments.listed(disk)) > 3
    again = _book(Folder(tmp_path) if make == "folder" else disk)
    assert again.size == 60
    assert _read(again.disk) == every
    assert segments.entry(again.disk, 37) == every[37]
    again.append([b"more"])
    again.publish()
    assert again.published is not None
    assert again.published.root == tree.root([tree.leaf_hash(entry) for entry in [*every, b"more"]])
    assert audit.audit(again.disk, (SIGNER.public,)) == audit.Audit(61, 61, ())


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 511, 700, 66_000])
def test_packed_hashes_give_the_proofs_of_the_tree(size: int) -> None:
    """Inclusion and consistency against the plain tree (small) and against the verifier (all sizes)."""
    disk = SimulatedDisk()
    packed = tiles.Tiles(disk)
    leaves = [tree.leaf_hash(str(number).encode()) for number in range(size)]
    for start in range(0, size, 100):
        packed.append(leaves[start : start + 100])
    root = tiles.root(disk, size)
    assert root == tree.root(leaves)
    rng = np.random.default_rng(size)
    for index in {0, size - 1, *rng.integers(0, size, 10).tolist()}:
        proof = tiles.inclusion(disk, index, size)
        tree.verify_inclusion(leaves[index], index, size, proof, root)
        old = index + 1
        steps = tiles.consistency(disk, old, size)
        tree.verify_consistency(old, size, steps, tree.root(leaves[:old]), root)
        if size <= 700:
            assert proof == tree.inclusion_proof(leaves, index)
            assert steps == tree.consistency_proof(leaves, old)


def _workload(disk: SimulatedDisk, seed: int, said: list[bytes], points: list[bytes]) -> None:
    """Append and publish as a writer does; ``said`` holds what was acknowledged."""
    rng, book = np.random.default_rng(seed), _book(disk, 700)
    for _ in range(12):
        batch = _entries(rng, int(rng.integers(1, 5)))
        book.append(batch)
        said += batch
        if rng.random() < 0.5:
            points.append(book.publish())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_power_may_be_lost_at_any_operation(seed: int) -> None:
    """Every acknowledged entry is there, in order, whole; the checkpoint never goes back; the log goes on."""
    whole = SimulatedDisk()
    _workload(whole, seed, [], [])
    assert whole.operations > 40
    rng = np.random.default_rng(seed)
    for stop in range(1, whole.operations + 1):
        disk, said, points = SimulatedDisk(stop_at=stop), [], []
        with pytest.raises(PowerLossError):
            _workload(disk, seed, said, points)
        found = disk.after_crash(lambda below: int(rng.integers(below)))
        book = _book(found, 700)
        assert _read(found)[: len(said)] == said, stop
        assert book.size >= len(said)
        if points:
            last = checkpoint.parse(points[-1])
            assert book.published is not None
            assert book.published.size >= last.size
            assert tiles.root(found, last.size) == last.root
        book.append([b"after"])
        book.publish()
        assert audit.audit(found, (SIGNER.public,)).faults == ()
        assert segments.entry(found, book.size - 1) == b"after"


def test_what_was_never_acknowledged_does_not_come_back_behind_later_entries() -> None:
    """The first of two frames is torn; the second, still whole, must not follow a later entry of the same length."""
    disk = SimulatedDisk()
    book = _book(disk)
    book.append([b"a" * 50, b"b" * 50])
    name = segments.listed(disk)[0].name
    disk.spoil(name, lambda data: _flip(data, 20))
    book = _book(disk)
    assert book.size == 0
    book.append([b"c" * 50])
    assert _read(disk) == [b"c" * 50]
    assert _book(disk).size == 1


@pytest.mark.parametrize("seed", [4, 5])
def test_the_disk_may_fail_at_any_operation(seed: int) -> None:
    """The book stops, refuses what comes after, and holds what it acknowledged when opened again."""
    whole = SimulatedDisk()
    _workload(whole, seed, [], [])
    for fail in range(1, whole.operations + 1):
        disk, said = SimulatedDisk(fail_at=fail), []
        with pytest.raises(StorageError) as error:
            _workload(disk, seed, said, [])
        assert error.value.code == "log.disk"
        assert _read(SimulatedDisk.of(disk.files()))[: len(said)] == said
        assert _book(disk, 700).size >= len(said)


def test_after_an_error_of_the_disk_nothing_is_accepted() -> None:
    """Not even if the disk would take it again."""
    disk = SimulatedDisk()
    book = _book(disk)
    book.append([b"one"])
    disk.fail_at = disk.operations + 2
    with pytest.raises(StorageError):
        book.append([b"two"])
    for act in (lambda: book.append([b"three"]), book.publish):
        with pytest.raises(StorageError) as error:
            act()
        assert error.value.code == "log.stopped"


def _flip(data: bytearray, at: int) -> bytearray:
    data[at] ^= 1
    return data


def _codes(disk: Disk, kept: tuple[bytes, ...] = ()) -> set[str]:
    return {fault.code for fault in audit.audit(disk, (SIGNER.public,), kept).faults}


def _forged(disk: SimulatedDisk, entries: list[bytes]) -> SimulatedDisk:
    """Return a log made anew from ``entries`` with the log's own key."""
    del disk
    fresh = SimulatedDisk()
    book = _book(fresh)
    book.append(entries)
    book.publish()
    return fresh


def test_every_kind_of_tampering_is_found_by_who_kept_a_checkpoint() -> None:
    """Also by somebody who holds the log's key: edit, delete, insert, reorder, duplicate, cut, rewrite, roll back."""
    disk = SimulatedDisk()
    every = _filled(disk)
    kept = disk.read(CHECKPOINT, 0, 1 << 16)
    assert _codes(disk, (kept,)) == set()
    changed = {
        "edit": [*every[:20], b"another", *every[21:]],
        "delete": every[:20] + every[21:],
        "insert": [*every[:20], b"invented", *every[20:]],
        "reorder": [*every[:20], every[21], every[20], *every[22:]],
        "duplicate": [*every[:21], *every[20:]],
        "truncate": every[:50],
        "rewrite": [bytes([1, *entry[1:]]) for entry in every],
        "nothing": [],
    }
    for kind, entries in changed.items():
        forged = _forged(disk, entries) if entries else SimulatedDisk()
        assert _codes(forged, (kept,)) & {"log.rewritten", "log.truncated", "log.no-checkpoint"}, kind


def test_who_lacks_the_key_cannot_change_a_byte_of_what_is_covered() -> None:
    """Entries flipped, the checkpoint altered, segments removed: all found, and opening refuses."""
    disk = SimulatedDisk()
    _filled(disk, 12)
    files = disk.files()
    for name in [name for name in files if name.startswith("segment-")]:
        used = len(files[name].rstrip(b"\0"))
        for at in range(0, used, 7):
            spoiled = SimulatedDisk.of(files)
            spoiled.spoil(name, lambda data, at=at: _flip(data, at))  # type: ignore[misc]
            assert _codes(spoiled), (name, at)
            with pytest.raises(TrustError):
                _book(spoiled)
        gone = SimulatedDisk.of({other: data for other, data in files.items() if other != name})
        assert _codes(gone), name
    for at in range(len(files[CHECKPOINT])):
        spoiled = SimulatedDisk.of(files)
        spoiled.spoil(CHECKPOINT, lambda data, at=at: _flip(data, at))  # type: ignore[misc]
        assert _codes(spoiled), at


def test_spoiled_hashes_are_said_and_made_again() -> None:
    """They are derived: opening the log repairs them, entries stay as they are."""
    disk = SimulatedDisk()
    every = _filled(disk, 40)
    disk.spoil(tiles.file_of(0), lambda data: _flip(data, 5))
    assert _codes(disk) == {"log.stale-hashes"}
    book = _book(disk)
    assert book.size == len(every)
    assert _codes(disk) == set()


def test_another_key_and_another_log_are_refused() -> None:
    """A writer continues only its own log."""
    disk = SimulatedDisk()
    _filled(disk, 5)
    for origin, signer, code in ((ORIGIN, OTHER, "log.unknown-key"), ("fivefold/other", SIGNER, "log.origin")):
        with pytest.raises(TrustError) as error:
            Book(disk, origin, signer)
        assert error.value.code == code


def _verify(data: bytes) -> None:
    proof = tlog_proof.read(data)
    tlog_proof.verify(proof, proof.extra, (SIGNER.public,))


def test_a_proof_file_is_verified_offline_and_has_one_form() -> None:
    """The entry, its index, the hashes and the checkpoint are all bound; anything else is refused."""
    disk = SimulatedDisk()
    every = _filled(disk)
    point = disk.read(CHECKPOINT, 0, 1 << 16)
    made = tlog_proof.write(tlog_proof.Proof(every[7], 7, tuple(tiles.inclusion(disk, 7, 60)), point))
    found = tlog_proof.read(made)
    assert tlog_proof.verify(found, found.extra, (SIGNER.public,))[0].size == 60
    for at in range(0, len(made), 3):
        spoiled = bytes(_flip(bytearray(made), at))
        with pytest.raises(TrustError):
            _verify(spoiled)
    for other in (b"", made[:-5], made.replace(b"index 7", b"index 07"), made.replace(b"@v1", b"@v2")):
        with pytest.raises(TrustError) as error:
            _verify(other)
        assert error.value.code in {"log.malformed-proof", "log.malformed-note"}


@pytest.mark.parametrize("size", [0, 65_536])
def test_entries_have_a_size(size: int) -> None:
    """Empty ones and those over 65,535 bytes are refused before anything is written."""
    book = _book(SimulatedDisk())
    with pytest.raises(InputError) as error:
        book.append([b"ok", bytes(size)])
    assert error.value.code == "log.entry-size"
    assert book.size == 0


def test_many_threads_append_and_each_gets_its_own_place(tmp_path: Path) -> None:
    """Eight threads, one order; closing publishes a checkpoint over all."""
    places: dict[int, bytes] = {}
    with Writer(Book(Folder(tmp_path), ORIGIN, SIGNER), checkpoint_seconds=0.01) as writer:

        def work(who: int) -> None:
            for number in range(25):
                entry = f"{who} {number}".encode()
                places[writer.append([entry])] = entry

        threads = [threading.Thread(target=work, args=(who,)) for who in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [places[index] for index in range(200)] == _read(Folder(tmp_path))
    assert audit.audit(Folder(tmp_path), (SIGNER.public,)) == audit.Audit(200, 200, ())
    with pytest.raises(StorageError) as error:
        writer.append([b"late"])
    assert error.value.code == "log.closed"


def test_who_waits_hears_of_a_failing_disk() -> None:
    """All that wait, and all that come after."""
    disk = SimulatedDisk()
    with Writer(_book(disk), checkpoint_seconds=60) as writer:
        writer.append([b"one"])
        disk.fail_at = disk.operations + 1
        codes = []
        for _ in range(3):
            try:
                writer.append([b"two"])
            except FivefoldError as failure:
                codes.append(failure.code)
        assert set(codes) <= {"log.disk", "log.stopped"}
        assert len(codes) == 3
        with pytest.raises(StorageError) as error:
            writer.append([b"three"])
        assert error.value.code == "log.stopped"


_CHILD = """
import sys
from pathlib import Path
from fivefold.keys.signing import ed25519_private
from fivefold.log.book import Book
from fivefold.log.disk import Folder
from fivefold.log.writer import Once, Writer
with Writer(Book(Folder(Path(sys.argv[1])), "x", ed25519_private(bytes(32)), segment_bytes=5000)) as writer:
    start = int(sys.argv[2])
    for number in range(start, 10**9):
        writer.append([f"entry {number}".encode() * 5])
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
"""


def test_a_process_may_be_killed_at_any_time(tmp_path: Path) -> None:
    """Kill -9, five times on one log: what it said it had kept is kept, and all of it verifies."""
    signer, rng, said = signing.ed25519_private(bytes(32)), np.random.default_rng(3), -1
    for _ in range(5):
        start = len(_read(Folder(tmp_path)))
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(tmp_path), str(start)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(int(rng.integers(1, 200))):
            said = max(said, int(child.stdout.readline()))
        os.kill(child.pid, signal.SIGKILL)
        rest = child.communicate()[0].split("\n")[:-1]
        said = max([said, *map(int, rest)])
        book = Book(Folder(tmp_path), "x", signer, segment_bytes=5000)
        assert book.size > said
        book.publish()
        assert _read(Folder(tmp_path)) == [f"entry {number}".encode() * 5 for number in range(book.size)]
        assert audit.audit(Folder(tmp_path), (signer.public,)).faults == ()


def test_one_entry_is_found_as_when_all_are_read() -> None:
    """By lengths alone up to it, its own checksum looked at; beyond the end and where it was altered there is none."""
    entries = [bytes([n % 251 + 1]) * (n % 40 + 1) for n in range(120)]
    data = frames.encode(1000, entries) + bytes(50)
    assert [frames.nth(data, 1000, index) for index in range(1000, 1120)] == entries
    assert frames.nth(data, 1000, 1120) is None
    assert frames.nth(data, 1000, 2000) is None
    assert frames.nth(b"", 0, 0) is None
    assert frames.nth(data, 999, 1000) is None, "an entry of another position"
    spoiled = bytearray(data)
    spoiled[frames.HEADER.size] ^= 1
    assert frames.nth(bytes(spoiled), 1000, 1000) is None
    assert frames.nth(bytes(spoiled), 1000, 1001) == entries[1], "this one is whole"


def test_some_entries_are_read_in_order_and_a_broken_one_is_named() -> None:
    """Over many segments; what lies behind the end is passed over, what cannot be read before it is a fault."""
    disk = SimulatedDisk()
    book = Book(disk, ORIGIN, SIGNER, segment_bytes=500)
    entries = [f"entry {n}".encode() * 5 for n in range(60)]
    for entry in entries:
        book.append([entry])
    every = segments.listed(disk)
    assert len(every) > 3
    wanted = [0, 1, 7, 30, 59, 60, 1000]
    assert list(segments.some(disk, wanted)) == [(n, entries[n]) for n in wanted[:5]]
    assert [segments.entry(disk, n) for n in wanted[:5]] == [entries[n] for n in wanted[:5]]
    for n in (-1, 60):
        with pytest.raises(InputError) as absent:
            segments.entry(disk, n)
        assert absent.value.code == "log.index"
    disk.write(every[0].name, 3, b"spoiled")
    with pytest.raises(TrustError) as broken:
        list(segments.some(disk, [2]))
    assert broken.value.code == "log.broken-segment"
    with pytest.raises(TrustError) as broken:
        segments.entry(disk, 0)
    assert broken.value.code == "log.broken-segment", "it is there, and was altered"


def test_a_signal_reaches_all_who_wait_and_those_who_come_later() -> None:
    """Given once, from another thread."""
    once, woken = Once(), []
    threads = [threading.Thread(target=lambda: (once.wait(), woken.append(1))) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert not once.is_set()
    once.set()
    for thread in threads:
        thread.join(10)
    once.wait()
    assert (len(woken), once.is_set()) == (20, True)


def test_entries_that_nobody_waits_for_go_with_the_next_commit_in_order(tmp_path: Path) -> None:
    """Whoever hastens commits them all with one sync; left alone they are kept when the checkpoint is due."""
    syncs: list[str] = []

    class Counting(Folder):
        def sync(self, name: str) -> None:
            syncs.append(name)
            super().sync(name)

    with Writer(Book(Counting(tmp_path), ORIGIN, SIGNER), checkpoint_seconds=60) as writer:
        first, second = (writer.submit([entry], soon=False) for entry in (b"one", b"two"))
        assert not first.done.is_set()
        before = len(syncs)
        writer.hasten()
        assert (first.wait(), second.wait(), len(syncs) - before) == (0, 1, 1)
    with Writer(Book(Folder(tmp_path), ORIGIN, SIGNER), checkpoint_seconds=0.05) as writer:
        assert writer.submit([b"three"], soon=False).wait() == 2


def test_many_who_hasten_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each entry has a place of its own, and its caller is told."""
    found: list[int] = []
    with Writer(Book(Folder(tmp_path), ORIGIN, SIGNER), checkpoint_seconds=0.01) as writer:

        def run() -> None:
            for _ in range(50):
                ticket = writer.submit([b"entry"], soon=False)
                ticket.done.then(lambda ticket=ticket: found.append(ticket.first))
                writer.hasten()
                ticket.wait()

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == list(range(400))


def test_ctrl_c_cannot_strike_inside_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it would be raised, the committer commits; where a server handles it, and in other threads, the caller."""
    seen: list[str] = []

    class Watched(Folder):
        def sync(self, name: str) -> None:
            seen.append(threading.current_thread().name)
            super().sync(name)

    with Writer(Book(Watched(tmp_path), ORIGIN, SIGNER), checkpoint_seconds=60) as writer:

        def keep() -> str:
            seen.clear()
            ticket = writer.submit([b"entry"], soon=False)
            writer.hasten()
            ticket.wait()
            return seen[0]

        assert keep() == "fivefold-committer"
        with monkeypatch.context() as patch:
            patch.setattr(signal, "getsignal", lambda _number: lambda *_: None)
            assert keep() == threading.main_thread().name


def test_a_commit_that_is_broken_off_stops_the_log_and_all_are_told(tmp_path: Path) -> None:
    """Whatever breaks it off: nobody waits for ever, and nothing more is written behind half a commit."""

    class Broken(Folder):
        def sync(self, name: str) -> None:
            raise KeyboardInterrupt

    found: list[BaseException] = []
    writer = Writer(Book(Folder(tmp_path), ORIGIN, SIGNER), checkpoint_seconds=60)
    writer._book.disk = Broken(tmp_path)

    def run() -> None:
        ticket = writer.submit([b"entry"], soon=False)
        try:
            writer.hasten()
        except KeyboardInterrupt as error:
            found.append(error)
        with pytest.raises(StorageError):
            ticket.wait()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert len(found) == 1
    with pytest.raises(StorageError) as stopped:
        writer.submit([b"later"])
    assert stopped.value.code == "log.stopped"


def test_who_is_told_and_fails_does_not_stop_the_log(tmp_path: Path) -> None:
    """The entry is kept, and so are those after it."""

    def gone() -> None:
        raise RuntimeError("the event loop is closed")

    with Writer(Book(Folder(tmp_path), ORIGIN, SIGNER), checkpoint_seconds=60) as writer:
        ticket = writer.submit([b"one"], soon=False)
        ticket.done.then(gone)
        writer.hasten()
        assert ticket.wait() == 0
        assert writer.append([b"two"]) == 1
