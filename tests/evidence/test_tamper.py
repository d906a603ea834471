"""Every file of a real evidence folder, every kind of change: verify says which file, and exits 1 (a stranger: 3)."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import evidence_builder as build
import pytest
from tests.few import few

from fivefold.contract import registry
from fivefold.evidence.application import newest_manifest, observe, read_folder
from fivefold.evidence.verify import verify
from fivefold.keys import signing

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.evidence.flaws import Verification
    from fivefold.keys.signing import Signer

Folder = dict[str, bytes | None]

pytestmark = pytest.mark.usefixtures("few_checks")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Signer]:
    root = tmp_path_factory.mktemp("app")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setattr(registry, "checks", registry.checks)  # put back in the end
        few()
        return root, build.fill(root, attempts=2)


@pytest.fixture
def folder(made: tuple[Path, Signer]) -> Folder:
    return read_folder(made[0] / "evidence")


@pytest.fixture
def trust(made: tuple[Path, Signer]) -> bytes:
    return build.trusting((made[1], "Ann", "assessor"))


def _names(found: Verification) -> set[str]:
    return {flaw.path for flaw in found.problems}


def test_untouched_evidence_holds(made: tuple[Path, Signer], folder: Folder, trust: bytes) -> None:
    """Exit code 0, with the application beside it; both attempts' plans and verdicts were computed again."""
    manifest = newest_manifest(folder, made[0])
    assert manifest is not None
    found = verify(folder, trust, build.NOW, application=observe(made[0], manifest), since=folder["log/checkpoint"])
    assert (found.problems, found.unknown, found.doubts, found.exit_code) == ((), (), (), 0)
    assert len(found.recomputed) == 4
    assert {(item.name, item.role, item.standing) for item in found.signatures} == {("Ann", "assessor", "trusted")}
    assert found.size == len(folder) - 2


@pytest.mark.slow
def test_a_flipped_byte_anywhere_names_its_file(folder: Folder, trust: bytes) -> None:
    """Four bits of every file: of its first and last byte, and two at random."""
    draw = random.Random(5)
    for path, data in folder.items():
        places = {0, len(data) - 1, *(draw.randrange(len(data)) for _ in range(2))}
        for place in places:
            changed = bytearray(data)
            changed[place] ^= 1 << draw.randrange(8)
            found = verify(folder | {path: bytes(changed)}, trust, build.NOW)
            assert found.exit_code == 1, (path, place)
            assert path in _names(found), (path, place)


def test_truncated_extended_and_emptied_files_are_named(folder: Folder, trust: bytes) -> None:
    """Cut by one byte, cut in half, emptied, one byte or a newline longer."""
    for path, data in folder.items():
        for changed in (data[:-1], data[: len(data) // 2], b"", data + b"x", data + b"\n"):
            found = verify(folder | {path: changed}, trust, build.NOW)
            assert found.exit_code == 1
            assert path in _names(found), (path, len(changed))


def test_a_removed_or_special_file_is_named(folder: Folder, trust: bytes) -> None:
    """Gone, or replaced by a link (None)."""
    for path in folder:
        for changed in ({name: data for name, data in folder.items() if name != path}, folder | {path: None}):
            found = verify(changed, trust, build.NOW)
            assert found.exit_code == 1
            assert path in _names(found), path


@pytest.mark.parametrize(
    "path",
    [
        "attempts/0001/statements/S5.harm.json",
        "attempts/0003/plan.json",
        "waivers/1a-x.json",
        "notes.txt",
        "attempts/0001/.hidden",
        "log/entries2",
        "attempts/0001/attempts/0001/plan.json",
        "keys/" + "0" * 64 + ".pem",
    ],
)
@pytest.mark.parametrize("content", [b"", None, "copy"])
def test_an_added_file_is_named(folder: Folder, trust: bytes, path: str, content: bytes | str | None) -> None:
    """Whatever it is called and whatever is in it."""
    data = folder["attempts/0001/statements/P3.accuracy.json"] if content == "copy" else content
    found = verify(folder | {path: data}, trust, build.NOW)
    assert found.exit_code == 1
    assert path in _names(found)


def test_two_swapped_files_are_both_named(folder: Folder, trust: bytes) -> None:
    """Each pair of neighbours with different content, and the same file of two attempts."""
    names = list(folder)
    pairs = [*pairwise(names), ("attempts/0001/verdict.json", "attempts/0002/verdict.json")]
    for first, second in pairs:
        if folder[first] == folder[second]:
            continue
        found = verify(folder | {first: folder[second], second: folder[first]}, trust, build.NOW)
        assert {first, second} <= _names(found), (first, second)
        assert found.exit_code == 1


def test_lines_of_the_log_cannot_be_moved_dropped_doubled_or_cut(folder: Folder, trust: bytes) -> None:
    """Each neighbouring pair reordered; each line removed, doubled, or the log cut before it."""
    lines = folder["log/entries"].splitlines(keepends=True)
    for index in range(len(lines)):
        edits = [
            lines[:index] + lines[index + 1 :],
            [*lines[: index + 1], *lines[index:]],
            lines[:index],
        ]
        if index:
            edits.append([*lines[: index - 1], lines[index], lines[index - 1], *lines[index + 1 :]])
        for edit in edits:
            found = verify(folder | {"log/entries": b"".join(edit)}, trust, build.NOW)
            assert found.exit_code == 1
            assert "log/entries" in _names(found), index


def test_an_older_checkpoint_or_log_is_noticed(tmp_path: Path) -> None:
    """Rolling back the log, the checkpoint or both leaves the newer files unexplained."""
    signer = build.fill(tmp_path)
    trust = build.trusting((signer, "Ann", "assessor"))
    old = read_folder(tmp_path / "evidence")
    build.fill(tmp_path, signer)
    new = read_folder(tmp_path / "evidence")
    fresh = set(new) - set(old)
    for names in (("log/entries",), ("log/checkpoint",), ("log/entries", "log/checkpoint")):
        found = verify(new | {name: old[name] for name in names}, trust, build.NOW)
        assert found.exit_code == 1
        assert fresh <= _names(found)
    rolled = verify(old, trust, build.NOW, since=new["log/checkpoint"])
    assert [flaw.code for flaw in rolled.problems] == ["evidence.since"]
    assert verify(new, trust, build.NOW, since=old["log/checkpoint"]).exit_code == 0
    assert verify(old, trust, build.NOW).exit_code == 0, "without a root kept elsewhere a clean rollback does not show"


def test_evidence_rewritten_with_another_key_is_by_a_stranger(tmp_path: Path) -> None:
    """All of it made again and consistent: exit 3, each signed file named; parts of it mixed in: exit 1."""
    signer = build.fill(tmp_path / "one")
    trust = build.trusting((signer, "Ann", "assessor"))
    real = read_folder(tmp_path / "one" / "evidence")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
        build.fill(tmp_path / "two", signing.generate())
    forged = read_folder(tmp_path / "two" / "evidence")
    found = verify(forged, trust, build.NOW)
    assert (found.problems, found.exit_code) == ((), 3)
    signed = {name for name in forged if name.endswith((".json", "checkpoint"))}
    assert {flaw.path for flaw in found.unknown} == signed
    for name in signed & set(real):
        mixed = verify(real | {name: forged[name]}, trust, build.NOW)
        assert mixed.exit_code == 1
        assert name in _names(mixed)


def test_every_file_of_the_application_is_compared(made: tuple[Path, Signer], folder: Folder, trust: bytes) -> None:
    """Manifest, data, each file of the model: changed, removed, added, swapped, linked; each is named."""
    root = made[0]
    manifest = newest_manifest(folder, root)
    assert manifest is not None

    def names() -> set[str]:
        return _names(verify(folder, trust, build.NOW, application=observe(root, manifest)))

    for name in ("fivefold.yaml", "data/train.csv", "data/test.csv", "weights/a.bin", "weights/b.bin", "scorer.py"):
        path = root / name
        data = path.read_bytes()
        for changed in (data + b"x", data[:-1], bytes([data[0] ^ 1]) + data[1:]):
            path.write_bytes(changed)
            assert names() == {name}
        path.unlink()
        assert names() & {name, "model"}
        path.symlink_to(root / "model.sig")
        assert names() & {name, "model"}
        path.unlink()
        path.write_bytes(data)
    (root / "weights" / "c.bin").write_bytes(b"")
    assert names() == {"weights/c.bin"}
    (root / "weights" / "c.bin").unlink()
    (root / "weights/a.bin").write_bytes(b"bbbb")
    (root / "weights/b.bin").write_bytes(b"aaaa")
    assert names() == {"weights/a.bin", "weights/b.bin"}
    (root / "weights/a.bin").write_bytes(b"aaaa")
    (root / "weights/b.bin").write_bytes(b"bbbb")
    assert names() == set()
