"""``init`` on images, series, texts and recordings: a manifest that loads and runs, or what has to be named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.subject import input_apps

from fivefold.cli.main import run
from fivefold.manifest.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Say = Callable[..., tuple[int, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Return a function that runs ``init`` and gives exit code and all that was said, in one line."""

    def call(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as stopped:
            run(["init", *words, "--yes"])
        shown = capsys.readouterr()
        return int(stopped.value.code or 0), " ".join((shown.out + shown.err).split())

    return call


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return an npz of images with labels, a group, and an array that is no row."""
    rng = np.random.default_rng(3)
    x, y = input_apps.images(80, rng)
    x[7] = x[3]
    y[7] = y[3]
    file = tmp_path / "digits.npz"
    sex = rng.choice(["male", "female"], 80)
    sex[7] = sex[3]
    np.savez(file, x=x, label=y, sex=sex, mean=np.array(0.5), side=np.arange(80) // 40)
    return file


@pytest.mark.parametrize("kind", input_apps.KINDS)
def test_the_manifest_is_that_of_the_page(kind: str, tmp_path: Path, say: Say) -> None:
    """Kind, input, id, time and target are those that somebody wrote by hand; its plan holds checks that run."""
    root = input_apps.build(tmp_path / "app", kind)
    meant = read(root)
    (root / "fivefold.yaml").unlink()
    said = ["--kind", kind] if kind in ("series", "text") else []
    names = [f"--{name}={meant.data[name].path}" for name in ("train", "test")]
    code, shown = say(str(root), *names, *said, "--target", meant.data["train"].target, "--model", "reader:load")
    assert code == 0, shown
    made = read(root)
    for name in ("train", "test"):
        one, other = meant.data[name], made.data[name]
        assert [other.kind, other.id, other.time, other.target] == [one.kind, one.id, one.time, one.target]
        assert other.input in (one.input, "message")
        assert not set(other.protected) - set(one.protected)
        assert set(other.drop) == (set(one.protected) - set(other.protected) if kind == "series" else set())
    with pytest.raises(SystemExit) as left:
        run(["plan", str(root), "--probe", "--json"])
    assert left.value.code in (0, None)


def test_an_npz_tells_groups_and_is_parted_by_what_it_holds(images: Path, tmp_path: Path, say: Say) -> None:
    """Equal images stay together, every image is kept once, other arrays stand in both files; the source is read."""
    before = images.read_bytes()
    root = tmp_path / "app"
    words = [str(root), "--data", str(images), "--split", "0.3", "--target", "label"]
    code, shown = say(*words)
    assert code == 0, shown
    data = read(root).data
    assert (data["train"].kind, data["test"].kind, data["train"].protected) == ("image", "image", ("sex",))
    assert images.read_bytes() == before
    whole = dict(np.load(images))
    parts = [dict(np.load(root / data[name].path)) for name in ("train", "test")]
    assert [len(part["x"]) for part in parts] == [pytest.approx(56, abs=2), pytest.approx(24, abs=2)]
    for name in ("x", "label", "sex"):
        joined = [part[name][at].tobytes() for part in parts for at in range(len(part[name]))]
        assert sorted(joined) == sorted(row.tobytes() for row in whole[name])
        assert {part[name].dtype for part in parts} == {whole[name].dtype}
    held = [{row.tobytes() for row in part["x"]} for part in parts]
    assert not held[0] & held[1]
    assert all(part["mean"] == 0.5 for part in parts)
    stored = [(root / data[name].path).read_bytes() for name in ("train", "test")]
    assert say(*words, "--force")[0] == 0
    assert stored == [(root / data[name].path).read_bytes() for name in ("train", "test")]


def test_a_folder_from_elsewhere_is_copied_whole_or_not_at_all(tmp_path: Path, say: Say) -> None:
    """A second run finds the same bytes; other bytes of that name are refused; a refused manifest leaves no copy."""
    input_apps.recordings(tmp_path / "wavs", 40, np.random.default_rng(1))
    root = tmp_path / "app"
    words = [str(root), "--data", str(tmp_path / "wavs"), "--target", "state"]
    assert "whole" in (tmp_path / "wavs" / "index.csv").read_text()
    assert say(*words, "--positive", "neither")[0] == 2
    assert not (root / "data" / "wavs").exists()
    code, shown = say(*words)
    assert code == 0, shown
    assert read(root).data["test"].kind == "audio"
    assert sorted(item.name for item in (root / "data" / "wavs").iterdir()) == sorted(
        item.name for item in (tmp_path / "wavs").iterdir()
    )
    assert say(*words, "--force")[0] == 0
    (root / "data" / "wavs" / "r0001.wav").write_bytes(b"other")
    assert "init.exists" in say(*words, "--force")[1]


def test_a_column_of_wav_files_is_known_by_what_it_holds(tmp_path: Path, say: Say) -> None:
    """Where no column has a usual name, the one of wav files is declared."""
    input_apps.recordings(tmp_path / "app" / "wavs", 30, np.random.default_rng(1))
    index = tmp_path / "app" / "wavs" / "index.csv"
    pd.read_csv(index).rename(columns={"file": "take"}).to_csv(index, index=False)
    code, shown = say(str(tmp_path / "app"), "--data", "wavs", "--target", "state")
    assert code == 0, shown
    assert read(tmp_path / "app").data["test"].input == "take"


def test_channels_that_come_last_are_told(tmp_path: Path, say: Say) -> None:
    """Photographs are often stored so; the manifest is written, with what to do."""
    file = tmp_path / "photos.npz"
    np.savez(file, x=np.zeros((30, 16, 16, 3), dtype=np.uint8), label=np.arange(30) % 2)
    code, shown = say(str(tmp_path / "app"), "--data", str(file), "--target", "label", "--json")
    assert code == 0, shown
    assert any("transpose(0, 3, 1, 2)" in note for note in json.loads(shown)["notes"])


@pytest.mark.parametrize(
    ("arrays", "words", "code", "remedy"),
    [
        ({"x": np.zeros((9, 8, 8), np.uint8)}, [], "data.array", "x[:, None, :, :]"),
        ({"x": np.zeros((9, 1, 8, 8)), "z": np.zeros((9, 1, 4, 4))}, [], "data.array", "input"),
        ({"x": np.zeros((9, 1, 8, 8))}, ["--input", "photo"], "data.array", "input"),
        ({"x": np.zeros((9, 1, 8, 8))}, ["--kind", "table"], "init.kind", "image, series"),
        ({"x": np.zeros((9, 1, 8, 8))}, ["--kind", "pictures"], "init.kind", "Choose: table"),
        ({"x": np.zeros((9, 1, 8, 8))}, ["--time", "label"], "init.kind", "Drop --time"),
        ({"x": np.array(3.0)}, [], "data.array", "--target"),
        ({"x": np.zeros((9, 1, 8, 8)), "names": np.array(["a", None] * 4, dtype=object)}, [], "data.objects", "str"),
        ({"x": np.zeros((0, 1, 8, 8))}, [], "init.rows", "rows"),
    ],
)  # fmt: skip
def test_what_cannot_be_proposed_says_what_to_name(
    arrays: dict[str, np.ndarray], words: list[str], code: str, remedy: str, tmp_path: Path, say: Say
) -> None:
    """Nothing is written, nothing is executed, and the remedy is one that can be followed."""
    rows = len(arrays["x"]) if arrays["x"].shape else 1
    if arrays["x"].shape:
        arrays = arrays | {"label": np.arange(rows) % 2}
    np.savez(tmp_path / "some.npz", **arrays)
    found, shown = say(str(tmp_path / "app"), "--data", str(tmp_path / "some.npz"), "--target", "label", *words)
    assert found == 2
    assert code in shown, shown
    assert remedy in shown or code == "data.array", shown
    assert not (tmp_path / "app" / "fivefold.yaml").exists()


def test_a_long_table_without_a_clear_series_asks_for_its_columns(tmp_path: Path, say: Say) -> None:
    """Numbers alone do not say which of them names a series."""
    rng = np.random.default_rng(0)
    pd.DataFrame(rng.normal(size=(60, 4)), columns=["a", "b", "c", "y"]).to_csv(tmp_path / "t.csv", index=False)
    code, shown = say(str(tmp_path / "app"), "--data", str(tmp_path / "t.csv"), "--target", "y", "--kind", "series")
    assert (code, "--id" in shown) == (2, True)
    code, shown = say(str(tmp_path / "app"), "--data", str(tmp_path / "t.csv"), "--target", "y", "--kind", "text")
    assert (code, "--input" in shown) == (2, True)


def test_whole_texts_in_a_table_are_pointed_out(tmp_path: Path, say: Say) -> None:
    """A model of texts looks like a model of a table until somebody says so."""
    frame = input_apps.texts(60, np.random.default_rng(2))
    frame.to_csv(tmp_path / "t.csv", index=False)
    code, shown = say(str(tmp_path / "app"), "--data", str(tmp_path / "t.csv"), "--target", "topic", "--json")
    assert code == 0
    assert any("--kind text --input message" in note for note in json.loads(shown)["notes"])
