"""Hostile model files are refused by their bytes, whatever they are called; plain ones are not; nothing is executed."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fivefold.errors import TrustError
from fivefold.subject.hostile.scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Bomb:
    """Leaves a mark when it is unpickled."""

    mark = ""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (type(self).mark, "w")


def zipped(*members: tuple[str, bytes]) -> bytes:
    """Return a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def tarred(name: str, data: bytes, *, link: str = "") -> bytes:
    """Return a tar archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        item = tarfile.TarInfo(name)
        item.size = len(data)
        if link:
            item.type, item.linkname, item.size = tarfile.SYMTYPE, link, 0
        archive.addfile(item, io.BytesIO(data))
    return file.getvalue()


def npy(values: np.ndarray) -> bytes:
    """Return an npy file."""
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    return file.getvalue()


def tensors(header: object, payload: bytes = b"\0" * 8, *, length: int | None = None) -> bytes:
    """Return a safetensors file with this header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + payload


def refused(tmp_path: Path, name: str, data: bytes) -> str:
    """Return the code with which a file is refused; empty if it is not."""
    place = tmp_path / "file"
    place.write_bytes(data)
    told: list[TrustError] = []
    try:
        scan([(name, place)])
    except TrustError as error:
        told.append(error)
    assert all(error.remedy and error.where == name for error in told)
    return told[0].code if told else ""


DISGUISES: dict[str, Callable[[bytes], bytes]] = {
    "plain.bin": lambda data: data,
    "model.pt": lambda data: zipped(("archive/data.pkl", data), ("archive/version", b"3")),
    "renamed.bin": lambda data: b"\0\0" + zipped(("x", data)),
    "a.npz": lambda data: zipped(("a.npy", npy(np.zeros(3))), ("b.npy", data)),
    "nested.zip": lambda data: zipped(("in.tar", tarred("in.gz", gzip.compress(data)))),
    "old.joblib": zlib.compress,
    "a.gz": gzip.compress,
    "a.bz2": bz2.compress,
    "a.xz": lzma.compress,
    "a.lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "a.tar": lambda data: tarred("x", data),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", DISGUISES)
def test_a_pickle_is_refused_in_any_disguise(tmp_path: Path, name: str, protocol: int) -> None:
    """By every protocol, in every container, without a mark of having run."""
    Bomb.mark = str(tmp_path / "ran")
    data = pickle.dumps(Bomb(), protocol=protocol)
    assert refused(tmp_path, name, DISGUISES[name](data)) == "model.pickle"
    assert refused(tmp_path, "cut.bin", data[:-1]) == "model.pickle"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'ls'\ntR.",
        b"(S'ls'\nios\nsystem\n.",
        b"(cos\nsystem\nS'ls'\no.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R broken",
        b"cbuiltins\neval\n(V1\ntR\xff\xff",
        pickle.dumps({"weights": [1.0, 2.0]}),
    ],
)
def test_hand_made_pickles_are_refused_where_the_peer_sees_them_too(tmp_path: Path, data: bytes) -> None:
    """Calls without a header, a torn end, and plain data."""
    assert refused(tmp_path, "w.bin", data) == "model.pickle"
    assert refused(tmp_path, "w.npy", npy(np.array([None, 1]))) == "model.pickle"


PLAIN = {
    "weights.npz": zipped(("a.npy", npy(np.arange(6.0).reshape(2, 3))), ("b.npy", npy(np.array(["x", "y"])))),
    "fields.npy": npy(np.zeros(2, dtype=[("One", "f8"), ("Other", "i4")])),
    "model.json": b'{"weights": [1, 2]}',
    "colours.csv": b"colour,weight\n1.5,2\n0.5,1\n",
    "one.csv": b"colour\nred\nblue\n0.1\n",
    "code.py": b"import os\n\ndef load():\n    return os\n",
    "class.py": b"class A:\n    pass\n",
    "text.txt": b"Version 1\nclasses: 2\n.",
    "train.csv.gz": gzip.compress(b"a,b\n" + b"1,2\n" * 1000),
    "empty": b"",
    "zeros.npz": zipped(("z.npy", npy(np.zeros(1_000_000)))),
    "model.safetensors": tensors({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_files_pass(tmp_path: Path, name: str) -> None:
    """Numbers, texts, tables, code."""
    assert refused(tmp_path, name, PLAIN[name]) == ""


@pytest.mark.parametrize("line", [b"c\xfe?\x80\nz\nR", b"c\x9d a?b\n\x01\nR", b"ca b?\nc\nR"])
def test_arrays_whose_bytes_name_what_no_module_is_called_pass(line: bytes) -> None:
    """What looks like an import of impossible names, as stored arrays do now and then, is no pickle."""
    from fivefold.subject.hostile.pickles import look

    assert not look(io.BytesIO(b"PK\x03\x04\n" + line)).is_pickle
    assert look(io.BytesIO(b"PK\x03\x04\ncos\nsystem\nR")).is_pickle


def test_random_bytes_pass(tmp_path: Path) -> None:
    """Raw weights are rarely taken for something else."""
    rng = np.random.default_rng(3)
    taken = [refused(tmp_path, "w.bin", rng.normal(size=200).astype(np.float32).tobytes()) for _ in range(500)]
    taken += [refused(tmp_path, "w.bin", rng.bytes(400)) for _ in range(500)]
    assert sum(code != "" for code in taken) <= 1


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.zip", zipped(("../x", b"1")), "model.zip-slip"),
        ("a.zip", zipped(("/etc/x", b"1")), "model.zip-slip"),
        ("a.zip", zipped(("a\\..\\x", b"1")), "model.zip-slip"),
        ("a.tar", tarred("x", b"", link="/etc/passwd"), "model.zip-slip"),
        ("a.gz", gzip.compress(bytes(400 << 20)), "model.bomb"),
        ("a.zip", zipped(("big", bytes(300 << 20))), "model.bomb"),
        ("a.xz", lzma.compress(bytes(200 << 20), preset=0), "model.bomb"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c rest", "model.archive"),
        ("a.zip", b"PK\x03\x04" + zipped(("a", b"1"))[4:-30] + b"PK\x05\x06" + b"\xff" * 18, "model.archive"),
        ("x.safetensors", tensors({}, length=1 << 60), "model.safetensors"),
        ("x.safetensors", tensors({"w": {"dtype": "F32", "shape": [9], "data_offsets": [0, 8]}}), "model.safetensors"),
        ("x.safetensors", tensors({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}), "model.safetensors"),
        ("x.bin", tensors({"w": {"dtype": "X", "shape": [1], "data_offsets": [0, 8]}}), "model.safetensors"),
        ("x.safetensors", tensors(b'{"w":1,"w":2}'), "model.safetensors"),
        ("x.safetensors", tensors(b"[" * 100_000), "model.safetensors"),
    ],
)
def test_archives_and_headers_that_lie_are_refused(tmp_path: Path, name: str, data: bytes, code: str) -> None:
    """With a code of its own, and within 64 MB of memory."""
    tracemalloc.start()
    found = refused(tmp_path, name, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == code
    assert peak < 64 << 20


@pytest.mark.parametrize("place", ["../w.bin", "/etc/passwd", "absent.bin", "a/../../w.bin"])
def test_external_data_outside_the_signed_set_is_refused(tmp_path: Path, place: str) -> None:
    """Told from the wire format, in a tensor of an inner graph too."""
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    from onnx import TensorProto, helper

    def graph(inner: bool, where: str) -> bytes:
        tensor = TensorProto(name="w", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value=where)
        node = helper.make_node("Constant", [], ["w"], value=tensor)
        body = helper.make_graph([node], "inner", [], [])
        outer = helper.make_graph([helper.make_node("If", ["c"], ["w"], then_branch=body)], "g", [], [])
        flat = helper.make_graph([], "g", [], [], [tensor])
        made: bytes = helper.make_model(outer if inner else flat).SerializeToString()
        return made

    assert onnx
    for inner in (False, True):
        assert refused(tmp_path, "m.onnx", graph(inner, place)) == "model.external-data"
    (tmp_path / "beside.bin").write_bytes(b"\0" * 4)
    assert refused(tmp_path, "m.onnx", graph(inner=True, where="beside.bin")) == ""
    assert refused(tmp_path, "m.onnx", b"\xff" * 40) == "model.onnx-malformed"


def test_a_signed_pickle_stops_the_assessment_before_anything_runs(tmp_path: Path) -> None:
    """Where the snapshot is taken; one that lies about unsigned is not our business."""
    from tests.subject.apps import build

    from fivefold.subject.snapshot import take

    app = build(tmp_path / "app")
    (tmp_path / "app" / "old.pkl").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "one").mkdir()
    take(app, tmp_path / "one")
    named = build(tmp_path / "app", manifest={"model": {"factory": "scorer:load", "path": "old.pkl"}})
    (tmp_path / "two").mkdir()
    with pytest.raises(TrustError) as caught:
        take(named, tmp_path / "two")
    assert caught.value.code == "model.pickle"


def test_the_peer_finds_the_same_pickles(tmp_path: Path) -> None:
    """Differential: what picklescan calls dangerous, we refuse, and we name the same import."""
    scanner = pytest.importorskip("picklescan.scanner", reason="picklescan is not installed")
    from fivefold.subject.hostile.pickles import look

    for protocol in range(6):
        data = pickle.dumps(Bomb(), protocol=protocol)
        theirs = {f"{item.module}.{item.name}" for item in scanner.scan_pickle_bytes(io.BytesIO(data), "x").globals}
        found = look(io.BytesIO(data))
        assert found.is_pickle
        assert set(found.names) == theirs
