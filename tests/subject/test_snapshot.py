"""What is verified is what is loaded, and nothing unsigned can be imported."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest
from tests.subject.apps import build

from fivefold.errors import TrustError
from fivefold.evidence import signed_set
from fivefold.subject.snapshot import Snapshot, take

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.manifest.nouns import Manifest


@pytest.fixture
def app(tmp_path: Path) -> Manifest:
    """Return an application with helpers, weights, data, code that is not signed, and places nobody may read."""
    root = tmp_path / "app"
    for name in ("parts", "data/deep", "notes", "evidence", "record", "keys", ".hidden", "mixed/inner"):
        (root / name).mkdir(parents=True)
    for name, text in {
        "parts/__init__.py": "",
        "weights.bin": "w",
        "plain.txt": "t",
        "other.py": "x",
        "notes/note.txt": "n",
        "data/deep/more.csv": "a\n1\n",
        "mixed/helper.py": "x",
        "mixed/table.csv": "a\n1\n",
        "mixed/inner/deep.txt": "d",
        "evidence/file": "e",
        "record/file": "r",
        "keys/file": "k",
        ".hidden/file": "h",
        ".env": "s",
    }.items():
        (root / name).write_text(text)
    (root / "out").symlink_to(tmp_path)
    (root / "way.txt").symlink_to(root / "evidence" / "file")
    return build(root, manifest={"model": {"factory": "scorer:load", "path": "weights.bin", "files": ["parts"]}})


def shot(app: Manifest, tmp_path: Path, *forbidden: Path) -> Snapshot:
    """Take a snapshot."""
    folder = tmp_path / "shot"
    folder.mkdir(mode=0o700)
    return take(app, folder, forbidden)


def names(folder: Path) -> set[str]:
    """Return every file below a folder, links followed."""
    found = set()
    for place, _, leaves in os.walk(folder, followlinks=True):
        found |= {os.path.relpath(f"{place}/{leaf}", folder) for leaf in leaves}
    return found


def test_the_signed_folder_holds_the_signed_set_and_nothing_else(app: Manifest, tmp_path: Path) -> None:
    """Plain read-only copies, with the digests that a verifier computes from the originals."""
    made = shot(app, tmp_path)
    assert names(made.signed) == {"scorer.py", "weights.bin", "parts/__init__.py"} == set(made.files)
    assert made.files == signed_set.digests(app)
    assert made.digest == signed_set.digest(made.files)
    assert made.files["weights.bin"] == hashlib.sha256(b"w").hexdigest()
    assert not any(
        path.is_symlink() or path.stat().st_mode & 0o222 for path in made.signed.rglob("*") if path.is_file()
    )


def test_the_model_sees_data_but_no_unsigned_code_and_no_secret(app: Manifest, tmp_path: Path) -> None:
    """Entry by entry where a folder holds code; evidence, record, keys, dot files and links away are not there."""
    seen = names(shot(app, tmp_path).app)
    assert {"scorer.py", "weights.bin", "plain.txt", "notes/note.txt", "data/deep/more.csv", "data/train.csv"} <= seen
    assert {"mixed/table.csv", "mixed/inner/deep.txt"} <= seen
    lacking = ("evidence", "record", "keys", ".hidden", ".env", "other.py", "mixed/helper.py", "out", "way.txt")
    assert not [name for name in seen if name.startswith(lacking)]


def test_what_is_loaded_is_the_very_file_that_is_verified(app: Manifest, tmp_path: Path) -> None:
    """One inode, so neither can be changed without the other; a later change of the original reaches neither."""
    made = shot(app, tmp_path)
    assert (made.signed / "scorer.py").stat().st_ino == (made.app / "scorer.py").stat().st_ino
    (app.root / "scorer.py").write_text("changed")
    assert (made.app / "scorer.py").read_text() != "changed"


def test_a_forbidden_folder_is_left_out_wherever_it_lies(app: Manifest, tmp_path: Path) -> None:
    """An evidence folder among the data: its neighbours are still there."""
    made = shot(app, tmp_path, app.root / "data" / "deep")
    assert "data/train.csv" in names(made.app)
    assert "data/deep/more.csv" not in names(made.app)
    assert not any("deep" in path for path in made.reachable if "/data/" in path)


@pytest.mark.parametrize("kind", ["link", "pipe", "missing"])
def test_a_set_that_cannot_be_copied_is_refused(app: Manifest, tmp_path: Path, kind: str) -> None:
    """A link, a pipe or nothing in the place of the weights."""
    place = app.root / "weights.bin"
    place.unlink()
    if kind == "link":
        place.symlink_to(app.root / "plain.txt")
    elif kind == "pipe":
        os.mkfifo(place)
    with pytest.raises(TrustError) as caught:
        shot(app, tmp_path)
    assert caught.value.code == {"link": "model.symlink", "pipe": "model.special", "missing": "model.missing"}[kind]
