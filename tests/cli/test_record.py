"""Commands `record …` on an application that somebody else wrote: found, proven, spoiled, erased."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.log import verifying
from tests.subject.apps import build

from fivefold.cli.main import run
from fivefold.traceability.recorder import open_recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


VKEY = (verifying.SUMDB / "log300.vkey").read_text().strip()


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application with three recorded cases."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    root = tmp_path / "app"
    manifest = build(root, manifest={"controls": {"T4": {"store": "kept"}}})
    with open_recorder(root / "kept", manifest.application.id) as recorder:
        for number in range(3):
            with recorder.open(f"loan {number}", subject=f"Jane {number}") as case:
                case.input({"income": np.arange(3.0)})
                case.output({"score": np.array([0.5])}, answer="yes")
                case.add("action", {"who": "officer-7", "big": 2**60, "odd": [float("nan"), b"\1"]}, wait=True)
    return root


@contextlib.contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def _web_server(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def _run(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    with pytest.raises(SystemExit) as left:
        run(words)
    said = capsys.readouterr()
    assert left.value.code == code, said
    return said.out + said.err


def _json(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> object:
    return json.loads(_run([*words, "--json"], capsys, code))


def test_records_are_found_shown_and_traced(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By case, person, kind and time; a trace is the whole case."""
    found = _json(["record", "search", "--case", "loan 1", "--in", str(app)], capsys)
    assert [item["kind"] for item in found] == ["input", "output", "action"]
    assert [item["index"] for item in found] == [3, 4, 5]
    for words, count in (
        (["--person", "Jane 2"], 3), (["--kind", "action"], 3), (["--since", "2100-01-01"], 0),
        (["--until", "2100-01-01"], 9), (["--most", "2"], 2), ([], 9),
    ):  # fmt: skip
        assert len(_json(["record", "search", *words, "--in", str(app)], capsys)) == count, words
    shown = _json(["record", "show", found[0]["id"], "--in", str(app)], capsys)
    assert shown["tensors"] == [{"name": "income", "dtype": "<f8", "shape": [3]}]
    assert _json(["record", "trace", "4", "--in", str(app)], capsys)["records"] == found
    words = _run(["record", "trace", found[2]["id"], "--in", str(app)], capsys)
    assert "officer-7" in words
    assert "income: <f8 [3]" in _run(["record", "show", "3", "--in", str(app)], capsys)


def test_a_proof_is_verified_by_itself(app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By whoever trusts the log's key; exit 3 for a stranger's, 1 for one that was changed; no content in it."""
    proof = tmp_path / "4.tlog-proof"
    proof.write_text(_run(["record", "prove", "4", "--in", str(app)], capsys))
    value = _json(["verify", str(proof)], capsys)
    assert (value["index"], value["size"], value["record"]["kind"]) == (4, 9, "output")
    empty = tmp_path / "trust.json"
    empty.write_text('{"keys":[],"version":1}')
    assert "log.unknown-key" in _run(["verify", str(proof), "--trust", str(empty)], capsys, 3)
    proof.write_text(proof.read_text().replace("index 4", "index 5"))
    assert "log.bad-proof" in _run(["verify", str(proof)], capsys, 1)
    proof.write_text("no proof")
    assert "log.malformed-proof" in _run(["verify", str(proof)], capsys, 1)


def test_fsck_names_planted_tampering(app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bit flipped in a segment; and a record that was put back, which only a kept checkpoint shows."""
    assert "All of it holds" in _run(["record", "fsck", "--in", str(app)], capsys)
    kept = tmp_path / "checkpoint"
    kept.write_text(_run(["record", "checkpoint", "--in", str(app)], capsys))
    assert _json(["record", "fsck", "--in", str(app), "--kept", str(kept)], capsys)["faults"] == []
    segment = next((app / "kept").glob("segment-*"))
    whole = segment.read_bytes()
    segment.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    found = _json(["record", "fsck", "--in", str(app)], capsys, 1)
    assert "log.truncated" in {fault["code"] for fault in found["faults"]}
    (app / "kept" / "checkpoint").unlink()
    segment.write_bytes(bytes(100))
    found = _json(["record", "fsck", "--in", str(app), "--kept", str(kept)], capsys, 1)
    assert {"log.no-checkpoint", "log.truncated"} <= {fault["code"] for fault in found["faults"]}


def test_an_erased_person_is_gone_and_the_rest_stays(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Search and trace say erased; fsck holds; the export has no word of the person."""
    assert "1 key destroyed" in _run(["record", "erase", "Jane 1", "--in", str(app)], capsys)
    found = _json(["record", "search", "--person", "Jane 1", "--in", str(app)], capsys)
    assert [item.get("erased") for item in found] == [True] * 3
    assert "erased" in _run(["record", "trace", "4", "--in", str(app)], capsys)
    _run(["record", "fsck", "--in", str(app)], capsys)
    events = [json.loads(line) for line in _run(["record", "export", "--in", str(app)], capsys).splitlines()]
    assert len(events) == 10
    assert {event["specversion"] for event in events} == {"1.0"}
    assert "Jane 1" not in json.dumps(events)
    assert "Jane 2" in json.dumps(events)
    assert events[2]["data"]["fields"] == {"who": "officer-7", "big": str(2**60), "odd": ["nan", "01"]}


@pytest.mark.parametrize(
    ("words", "code"),
    [(["show", "99"], "recorder.unknown"), (["search", "--since", "soon"], "recorder.time"),
     (["fsck", "--kept", "nowhere"], "recorder.file"), (["erase", ""], "recorder.person")],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(
    app: Path, words: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its code and exit 2."""
    assert code in _run(["record", *words, "--in", str(app)], capsys, 2)


def test_a_record_stays_in_the_applications_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store that leaves it is refused; without a record there is nothing to show."""
    build(tmp_path / "out", manifest={"controls": {"T4": {"store": "../elsewhere"}}})
    assert "recorder.place" in _run(["record", "search", "--in", str(tmp_path / "out")], capsys, 2)
    build(tmp_path / "none")
    assert "recorder.none" in _run(["record", "search", "--in", str(tmp_path / "none")], capsys, 2)


@pytest.mark.parametrize("algorithm", ["ed25519", "ml-dsa-44"])
def test_a_witness_vouches_through_the_commands(
    algorithm: str, app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key handed over, cosigned, trusted, proven; a record put back to an older copy is named by fsck and refused."""
    pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
    vkey = _run(["record", "vkey", "--in", str(app)], capsys).strip()
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "auditor"), "PYTHONUNBUFFERED": "1"}
    assert "witness.word" in _run(["record", "witness", "sleep", "--log", vkey], capsys, 2)
    command = [sys.executable, "-m", "fivefold", "record", "witness", "serve", "--port", "0", "--log", vkey]
    command += ["--algorithm", algorithm]
    with _process(command, environment) as process:
        assert process.stdout is not None
        url = process.stdout.readline().partition(" at ")[2].partition(",")[0]
        public = process.stdout.readline().partition(": ")[2].strip()
        asked = ["record", "cosign", "--in", str(app), "--witness", url]
        assert "witness.unknown" in _run(asked, capsys, 3)
        _run(["trust", "add", public, "--role", "witness", "--name", "Auditor"], capsys)
        old = {path: path.read_bytes() for path in (app / "kept").iterdir()}
        with open_recorder(app / "kept", "app") as recorder, recorder.open("more") as case:
            case.output({"score": np.array([0.7])})
        assert "Auditor vouches for the first 10 records" in _run(asked, capsys)
        proof = tmp_path / "0.tlog-proof"
        proof.write_text(_run(["record", "prove", "0", "--in", str(app)], capsys))
        assert _json(["verify", str(proof)], capsys)["witnessed"][0]["name"] == "Auditor"
        fsck = ["record", "fsck", "--in", str(app), "--witness", url]
        assert [one["from"] for one in _json(fsck, capsys)["witnessed"]] == ["the record", "the witness"]
        published = ["record", "fsck", str(tmp_path / "www"), "--vkey", vkey]
        with open_recorder(app / "kept", "app") as recorder, recorder.open("later") as case:
            case.status(mode="normal")
        assert _json(["record", "tiles", str(tmp_path / "www"), "--cosigned", "--in", str(app)], capsys)["size"] == 10
        assert [one["size"] for one in _json(published, capsys)["witnessed"]] == [10]
        assert len(_json([*published, "--witness", url], capsys)["witnessed"]) == 2
        spoiled = (tmp_path / "www/checkpoint").read_text().split("\n")
        spoiled[-2] = spoiled[-2][:-3] + ("AA=" if spoiled[-2][-3:] != "AA=" else "BA=")
        (tmp_path / "www/checkpoint").write_text("\n".join(spoiled))
        assert "log.bad-cosignature" in _run(published, capsys, 1)
        for path in (app / "kept").iterdir():
            path.unlink()
        for path, data in old.items():
            path.write_bytes(data)
        assert "log.truncated" in _run(fsck, capsys, 1)
        assert "witness.conflict" in _run(asked, capsys, 1)
    assert "witness.unreachable" in _run(asked, capsys, 2)


def test_a_published_record_is_verified_by_others(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Written as static files, read with the key alone, by us and by the program in Go; a spoiled one is refused."""
    www, vkey = tmp_path / "www", tmp_path / "app.vkey"
    vkey.write_text(_run(["record", "vkey", "--in", str(app)], capsys))
    assert _json(["record", "tiles", str(www), "--in", str(app)], capsys)["size"] == 9
    assert "0 of them new" in _run(["record", "tiles", str(www), "--in", str(app)], capsys)
    for key in (str(vkey), vkey.read_text().strip()):
        found = _json(["record", "fsck", str(www), "--vkey", key, "--kept", str(www / "checkpoint")], capsys)
        assert (found["size"], found["covered"], found["faults"]) == (9, 9, [])
    if verifying.toolchain():
        program = verifying.build(tmp_path)
        assert verifying.run(program, "verify", www, vkey.read_text().strip(), 9, 9, 1)[0] == 0
    with _web_server(www) as url:
        found = _json(["record", "fsck", url, "--vkey", str(vkey)], capsys)
    assert (found["size"], found["faults"]) == (9, [])
    assert "tiles.unreachable" in _run(["record", "fsck", url, "--vkey", str(vkey)], capsys, 2)
    bundle = www / "tile/entries/000.p/9"
    assert b"Jane" not in bundle.read_bytes()
    bundle.write_bytes(bundle.read_bytes()[:-1] + b"!")
    assert "tiles.entry" in _run(["record", "fsck", str(www), "--vkey", str(vkey)], capsys, 1)
    assert "All of it holds" in _run(["record", "fsck", str(www), "--vkey", str(vkey), "--hashes"], capsys)
    assert "tiles.foreign" in _run(["record", "tiles", str(app), "--in", str(app)], capsys, 2)


@pytest.mark.parametrize(
    ("words", "code"),
    [([".", "--vkey", "nowhere"], "log.vkey"), ([".", "--vkey", "a+b+c"], "log.vkey"), (["."], "tiles.options"),
     (["--vkey", "a+b+c"], "tiles.options"), (["nowhere", "--vkey", VKEY], "tiles.folder"),
     (["http://log.example", "--vkey", VKEY], "tiles.url")],
)  # fmt: skip
def test_a_published_record_needs_a_key(words: list[str], code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 and what is missing."""
    assert code in _run(["record", "fsck", *words], capsys, 2)
