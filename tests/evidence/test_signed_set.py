"""Signed set: which files make up the model, and which walks are refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fivefold.errors import TrustError
from fivefold.evidence import signed_set
from fivefold.manifest.nouns import Application, Manifest, Model, Use

if TYPE_CHECKING:
    from pathlib import Path


def _manifest(root: Path, training: str = "", **model: object) -> Manifest:
    return Manifest(
        root=root,
        file=root / "fivefold.yaml",
        raw=b"",
        digest="",
        application=Application(id="a", level=1),
        use=Use(output="score"),
        data={},
        model=Model(**model),
        training=training,
    )


@pytest.fixture
def app(tmp_path: Path) -> Path:
    for name in (
        "fivefold.yaml", "weights/a.bin", "weights/.hidden", "weights/sub/b.bin", "weights/__pycache__/c.pyc",
        "scorer/__init__.py", "scorer/tree.py", "scorer/__pycache__/tree.pyc", "train.py", "extra.txt", "model.sig",
        "data.csv",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_the_set_is_weights_factory_package_training_and_named_files(app: Path) -> None:
    """Everything below the model's path, the packages without compiled files, never the data or the signature."""
    named = ("extra.txt", "model.sig")
    manifest = _manifest(
        app, "train:fit", path="weights", factory="scorer.tree:load", files=named, signature="model.sig"
    )
    found = signed_set.files(manifest)
    assert list(found) == [
        "extra.txt", "scorer/__init__.py", "scorer/tree.py", "train.py", "weights/.hidden", "weights/__pycache__/c.pyc",
        "weights/a.bin", "weights/sub/b.bin",
    ]  # fmt: skip
    assert all(path == app / name for name, path in found.items())


def test_no_model_has_no_set(app: Path) -> None:
    """A file of predictions without a model has the empty digest."""
    assert signed_set.files(_manifest(app)) == {}
    assert signed_set.digest({}) == ""


def test_the_digest_depends_on_names_and_contents_only(app: Path) -> None:
    """Order does not matter; a name or a content does; moving a border between names does too."""
    names = {"a": "11", "b": "22"}
    assert signed_set.digest(names) == signed_set.digest({"b": "22", "a": "11"})
    assert (
        len({signed_set.digest(item) for item in (names, {"a": "11"}, {"a": "22", "b": "11"}, {"a1": "1", "b": "22"})})
        == 4
    )


@pytest.mark.parametrize("link", ["weights/sub/link", "weights/dir", "scorer/link.py", "train.py", "weights"])
def test_a_symbolic_link_anywhere_is_refused(app: Path, link: str) -> None:
    """A link to a file, to a folder, in the package, or in place of a named file."""
    place = app / link
    if place.is_dir():
        place.rename(app / "elsewhere")
        place.symlink_to(app / "elsewhere")
    else:
        place.unlink(missing_ok=True)
        place.symlink_to(app / ("scorer" if link == "weights/dir" else "extra.txt"))
    with pytest.raises(TrustError) as error:
        signed_set.files(_manifest(app, path="weights", factory="scorer:load", training="train:fit"))
    assert error.value.code == "model.symlink"


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../b", "a\\b", "a//b", "C:x", "a\x07", "a\x85b", "a/.", "x" * 1025]
)
def test_names_that_leave_or_deceive_are_refused(app: Path, name: str) -> None:
    """Before anything is opened."""
    with pytest.raises(TrustError) as error:
        signed_set.files(_manifest(app, path=name))
    assert error.value.code == "model.name"


def test_deceiving_names_on_disk_are_refused(app: Path) -> None:
    """A backslash or a byte that is not Unicode in a file name below the model's path."""
    for raw in (b"a\\b", b"\xff\xfe"):
        path = os.fsencode(app / "weights") + b"/" + raw
        with open(path, "wb"):  # noqa: PTH123  a name that is bytes
            pass
        with pytest.raises(TrustError) as error:
            signed_set.files(_manifest(app, path="weights"))
        assert error.value.code == "model.name"
        os.unlink(path)  # noqa: PTH108


def test_missing_and_special_files_are_refused(app: Path) -> None:
    """A named file that is not there, and a pipe that would block."""
    with pytest.raises(TrustError) as error:
        signed_set.files(_manifest(app, path="none.bin"))
    assert error.value.code == "model.missing"
    os.mkfifo(app / "weights/pipe")
    with pytest.raises(TrustError) as refused:
        signed_set.files(_manifest(app, path="weights"))
    assert refused.value.code == "model.special"
