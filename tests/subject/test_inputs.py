"""Images, series, texts and recordings: from a manifest to findings; hostile files are refused."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from fivefold.assess.run import Options, assess
from fivefold.errors import InputError, ProblemsError
from fivefold.manifest.digests import data_digests
from fivefold.manifest.nouns import DataSet
from fivefold.manifest.reader import read
from fivefold.subject.inputs.read import read as stored

from . import input_apps

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.subject.inputs.stored import Stored


def _read(root: Path, **declared: object) -> Stored:
    return stored(root, DataSet(name="test", **declared), (), "")  # type: ignore[arg-type]


def _codes(error: ProblemsError) -> set[str]:
    return {problem.code for problem in error.problems}


@pytest.mark.parametrize("kind", input_apps.KINDS)
def test_the_manifest_of_the_page_assesses_each_kind(tmp_path: Path, kind: str) -> None:
    """The model asserts the form that it is given; checks run, and those that cannot say why."""
    done = assess(read(input_apps.build(tmp_path / "app", kind)), Options(effort="quick"))
    fact = done.plan.facts.model
    assert fact is not None
    assert (fact.error, fact.inputs, fact.task, fact.scores, fact.perturbable) == ("", kind, "binary", True, True)
    accuracy = next(item.result for item in done.findings if item.check == "P3.accuracy")
    assert str(accuracy.outcome) == "pass", accuracy.reason
    plans = {item.check: item for item in done.plan.checks}
    assert plans["F1.gaps"].status == "run"
    assert plans["D2.integrity"].status == "not-run"
    assert f"`train` is {kind}" in plans["D2.integrity"].reason
    assert (plans["P1.blackbox"].status == "run") == (kind == "image")
    assert not [item.check for item in done.findings if str(item.result.outcome) == "error"]


@pytest.mark.parametrize("kind", input_apps.KINDS)
def test_a_changed_byte_changes_the_digest_of_the_data(tmp_path: Path, kind: str) -> None:
    """Also in a wav file of a folder and in its index; the checks refuse bytes that were not planned."""
    root = input_apps.build(tmp_path / "app", kind, rows=30)
    manifest = read(root)
    before = data_digests(manifest)
    place = root / manifest.data["test"].path
    for file in [place / "r0003.wav", place / "index.csv"] if place.is_dir() else [place]:
        raw = bytearray(file.read_bytes())
        raw[-2] ^= 1
        file.write_bytes(bytes(raw))
        after = data_digests(manifest)
        assert after["test"] != before["test"]
        assert after["train"] == before["train"]
        with pytest.raises(InputError) as caught:
            stored(root, manifest.data["test"], (), before["test"])
        assert caught.value.code == "data.changed"


def test_many_thousand_rows_of_each_kind_are_read(tmp_path: Path) -> None:
    """20,000 images, series and texts come back in order and in full."""
    rng, n = np.random.default_rng(1), 20_000
    x, y = input_apps.images(n, rng)
    np.savez(tmp_path / "x.npz", x=x, label=y)
    images = _read(tmp_path, path="x.npz", kind="image", target="label")
    assert images.inputs is not None
    assert np.array_equal(images.inputs, x)
    assert images.frame["label"].tolist() == y.tolist()
    long = pd.DataFrame({"id": np.repeat(np.arange(n), 3), "t": np.tile([2, 0, 1], n), "v": np.arange(3 * n)})
    long.to_parquet(tmp_path / "long.parquet")
    series = _read(tmp_path, path="long.parquet", kind="series", id="id", time="t")
    assert series.inputs is not None
    assert series.inputs.shape == (n, 1, 3)
    assert np.array_equal(series.inputs[:, 0, 0], 3 * np.arange(n) + 1)
    input_apps.texts(n, rng).to_csv(tmp_path / "t.csv", index=False)
    assert _read(tmp_path, path="t.csv", kind="text", target="topic", drop=("channel",)).text == "message"


def test_images_of_all_floats_and_orders_become_float32(tmp_path: Path) -> None:
    """Types and memory orders that numpy writes are read as the values that they are."""
    x = np.random.default_rng(2).normal(size=(9, 3, 5, 4))
    for at, form in enumerate((x, x.astype(">f4"), np.asfortranarray(x), x.astype(np.float16))):
        np.savez_compressed(tmp_path / f"{at}.npz", x=form, label=np.arange(9), extra=np.zeros((2, 2)))
        found = _read(tmp_path, path=f"{at}.npz", kind="image")
        assert found.inputs is not None
        assert found.inputs.dtype == np.float32
        assert np.allclose(found.inputs, x, atol=2e-3)
        assert list(found.frame.columns) == ["label"]


def test_ragged_series_are_sorted_and_end_in_nan(tmp_path: Path) -> None:
    """Lines in any order; a missing value and what lies behind the end are NaN; dates order as time."""
    frame = pd.DataFrame(
        {
            "id": ["b", "a", "b", "a", "a"],
            "day": ["2024-01-02", "2024-01-03", "2024-01-01", "2024-01-01", "2024-01-02"],
            "v": [2.0, 30.0, 1.0, 10.0, np.nan],
            "y": [1, 0, 1, 0, 0],
        }
    )
    frame.to_csv(tmp_path / "s.csv", index=False)
    found = _read(tmp_path, path="s.csv", kind="series", id="id", time="day", target="y")
    assert found.inputs is not None
    assert np.array_equal(found.inputs, np.float32([[[1, 2, np.nan]], [[10, np.nan, 30]]]), equal_nan=True)
    assert found.frame["id"].tolist() == ["b", "a"]
    assert found.frame["y"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"y": [0, 1, 0]}, 'the target "y" changes along 1 of 2 series'),
        ({"t": [0, 0, 0]}, "1 lines have the same id and time"),
        ({"t": [0, None, 0]}, "1 lines have no id or no time"),
        ({"v": ["x", "y", "z"]}, "holds no numbers"),
        ({"t": ["mon", "tue", "wed"]}, "neither numbers nor dates"),
    ],
)
def test_a_long_table_that_is_no_series_says_why(tmp_path: Path, change: dict[str, list], why: str) -> None:
    """Each fault has a figure and a remedy."""
    frame = pd.DataFrame({"id": [1, 1, 2], "t": [0, 1, 0], "v": [1.0, 2.0, 3.0], "y": [0, 0, 1], **change})
    frame.to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(InputError) as caught:
        _read(tmp_path, path="s.csv", kind="series", id="id", time="t", target="y")
    assert caught.value.code == "data.series"
    assert why in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_pcm_of_every_width_is_read(tmp_path: Path, width: int) -> None:
    """Values come back within one step of the coding; two channels are averaged."""
    wanted = np.sin(np.arange(400) / 9)
    (tmp_path / "w").mkdir()
    input_apps.write_wav(tmp_path / "w" / "a.wav", wanted, width=width, channels=2)
    (tmp_path / "w" / "index.csv").write_text("file\na.wav\n", encoding="utf-8")
    found = _read(tmp_path, path="w", kind="audio")
    assert found.inputs is not None
    assert found.inputs.dtype == np.float32
    assert np.abs(found.inputs[0] - wanted).max() < 2.5 / 2 ** (8 * min(width, 2) - 1)


def _npy(header: str, data: bytes) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def _npz(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


_PLAIN = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2, 2), }"
_HOSTILE = {
    "objects": ({"x.npy": _npy(_PLAIN, bytes(32)), "label.npy": _npy(_PLAIN.replace("<f4", "|O"), b"")}, "objects"),
    "slip": ({"../x.npy": _npy(_PLAIN, bytes(32))}, "zip-slip"),
    "lies": ({"x.npy": _npy(_PLAIN.replace("(2,", "(200000000,"), bytes(32))}, "npz"),
    "negative": ({"x.npy": _npy(_PLAIN.replace("(2,", "(-2,"), bytes(32))}, "npz"),
    "code": ({"x.npy": _npy("__import__('os').abort()", bytes(32))}, "npz"),
    "bomb": ({"x.npy": _npy(_PLAIN.replace("(2,", "(20000000,"), bytes(320_000_000))}, "bomb"),
    "other": ({"x.pkl": b"cos\nabort\n(tR."}, "npz"),
    "flat": ({"x.npy": _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (8,), }", bytes(32))}, "array"),
}


@pytest.mark.parametrize("name", [*_HOSTILE, "cut", "text"])
def test_a_hostile_npz_is_refused_with_line_and_remedy(tmp_path: Path, name: str) -> None:
    """When the manifest is read, before any engine runs; nothing is executed or unpacked."""
    root = input_apps.build(tmp_path / "app", "image", rows=30)
    members, code = _HOSTILE.get(name, ({}, "npz"))
    whole = (root / "test.npz").read_bytes()
    other = whole[: len(whole) // 2] if name == "cut" else b"not a zip"
    (root / "test.npz").write_bytes(_npz(members) if members else other)
    with pytest.raises(ProblemsError) as caught:
        read(root)
    problem = next(item for item in caught.value.problems if item.code.endswith(code))
    assert problem.field == "data.test.path"
    assert problem.where.rpartition(":")[2].isdigit()
    assert problem.remedy


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("../../etc/passwd", "data.wav-name"),
        ("/etc/passwd", "data.wav-name"),
        ("absent.wav", "data.wav-name"),
        ("", "data.wav-name"),
        ("cut.wav", "data.wav"),
        ("lies.wav", "data.wav"),
        ("text.wav", "data.wav"),
        ("fast.wav", "data.wav-rate"),
    ],
)
def test_a_hostile_folder_of_recordings_is_refused(tmp_path: Path, fault: str, code: str) -> None:
    """Names that leave the folder, files that are cut off or lie, differing rates: refused with a remedy."""
    folder = tmp_path / "w"
    input_apps.recordings(folder, 4, np.random.default_rng(1))
    good = (folder / "r0001.wav").read_bytes()
    (folder / "cut.wav").write_bytes(good[:-60])
    (folder / "lies.wav").write_bytes(good[:40] + struct.pack("<I", 4_000_000_000) + good[44:])
    (folder / "text.wav").write_bytes(b"RIFF but no wav")
    input_apps.write_wav(folder / "fast.wav", np.zeros(50), rate=16_000)
    (folder / "index.csv").write_text(f"file,state\nr0000.wav,whole\n{fault},broken\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        _read(tmp_path, path="w", kind="audio", target="state")
    assert caught.value.code == code
    assert caught.value.remedy


def test_a_link_in_a_folder_of_recordings_is_refused(tmp_path: Path) -> None:
    """Neither digest nor reading follows it."""
    root = input_apps.build(tmp_path / "app", "audio", rows=10)
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "test" / "r9.wav").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError) as caught:
        data_digests(read(root))
    assert caught.value.code == "data.link"


@pytest.mark.parametrize(
    ("kind", "old", "new", "code"),
    [
        ("series", "time: hour", "time: hours", "manifest.unknown-column"),
        ("series", "time: hour, ", "", "manifest.form"),
        ("text", "input: message", "input: massage", "manifest.unknown-column"),
        ("audio", "target: state", "target: stat", "manifest.target-absent"),
        ("image", "protected: [scanner]", "protected: [skanner]", "manifest.unknown-column"),
        ("image", "kind: image", "kind: image, time: label", "manifest.form"),
        ("image", "{path: test.npz}", "{path: test.npz, kind: series}", "manifest.kind-differs"),
        ("audio", "path: test}", "path: test/index.csv}", "manifest.not-a-folder"),
    ],
)
def test_a_wrong_manifest_says_line_and_remedy(tmp_path: Path, kind: str, old: str, new: str, code: str) -> None:
    """Unknown columns, keys that mean nothing and other faults are found when the manifest is read."""
    root = input_apps.build(tmp_path / "app", kind, rows=20)
    file = root / "fivefold.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ProblemsError) as caught:
        read(root)
    assert {code, code.removeprefix("manifest.")} & _codes(caught.value)
    assert all(item.remedy and item.where for item in caught.value.problems)
