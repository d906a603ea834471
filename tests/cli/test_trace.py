"""Command ``record trace``: from a decision to data and people, back again, and as W3C PROV and OpenLineage."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from fivefold.cli.main import run
from fivefold.evidence import signed_set
from fivefold.manifest.reader import read
from fivefold.traceability.recorder import open_recorder

REPO = Path(__file__).resolve().parents[2]
PEER = REPO / ".venv-peers" / "exports" / "bin" / "python"
SAID = ["--here", "--parameter", "seed=20", "--person", "trained=Jane Doe"]
_TEXT, _URI = {"type": "string", "minLength": 1}, {"type": "string", "format": "uri", "pattern": "^[a-z][a-z0-9+.-]*:"}
_FACETS = {
    "type": "object",
    "additionalProperties": {
        "type": "object", "required": ["_producer", "_schemaURL"],
        "properties": {"_producer": _URI, "_schemaURL": _URI, "url": _URI, "datasetVersion": _TEXT},
    },
}  # fmt: skip
_NAMED = {"type": "object", "required": ["namespace", "name"],
          "properties": {"namespace": _TEXT, "name": _TEXT, "facets": _FACETS}}  # fmt: skip
OPENLINEAGE = {
    "type": "object", "required": ["eventTime", "producer", "schemaURL", "run", "job"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"},
        "producer": _URI, "schemaURL": _URI, "job": _NAMED,
        "run": {"type": "object", "required": ["runId"],
                "properties": {"runId": {"pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}}},
        "inputs": {"type": "array", "items": _NAMED}, "outputs": {"type": "array", "items": _NAMED},
    },
}  # fmt: skip
"""What the specification of OpenLineage 2-0-2 demands of a run event."""


def _run(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    with pytest.raises(SystemExit) as left:
        run(words)
    said = capsys.readouterr()
    assert left.value.code == code, said
    return said.out + said.err


def _json(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> Any:
    return json.loads(_run([*words, "--json"], capsys, code))


@pytest.fixture
def app(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return the credit example with a signed origin, and three decisions by its model and one by an unknown one."""
    skipped = shutil.ignore_patterns("__pycache__", "evidence", "record")
    root = Path(shutil.copytree(REPO / "examples" / "credit", tmp_path / "credit", ignore=skipped))
    made = _json(["key", "new", "--role", "signer", "--name", "Owner"], capsys)
    _run(["trust", "add", str(made["public"]), "--role", "signer", "--name", "Owner"], capsys)
    _run(["model", "provenance", str(root), *SAID], capsys)
    manifest = read(root)
    model = signed_set.digest(signed_set.digests(manifest))
    with open_recorder(root / "record", manifest.application.id) as recorder:
        for number, by in enumerate((model, model, model, "f" * 64)):
            with recorder.open(f"loan {number}", subject=f"Jim {number}", model=by) as case:
                case.input({"age": np.array([30.0 + number])})
                case.add("decision", {"answer": ["good"], "rows": 1}, batch={"y": np.array([1.0])}, wait=True)
    return root


def test_a_decision_is_walked_to_data_code_and_people(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every link is shown and holds; the signer is named as the verifier's trust file names them."""
    value = _json(["record", "trace", "1", "--in", str(app)], capsys)
    assert [one["kind"] for one in value["records"]] == ["input", "decision"]
    (origin,) = value["origins"]
    assert (origin["broken"], origin["served"], origin["signer"]) == (0, True, "Owner")
    assert {one["part"] for one in origin["links"]} == {
        "signature", "model", "data", "code", "parameters", "environment", "people",
    }  # fmt: skip
    said = _run(["record", "trace", "1", "--in", str(app)], capsys)
    for text in ("data.train (data/train.csv)", "train.py", "Jane Doe (trained)", "seed=20", "Every link holds."):
        assert text in said


def test_a_receipt_leads_to_its_decision(app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What came with the answer is enough to ask."""
    value = _json(["record", "trace", "1", "--in", str(app)], capsys)
    receipt = tmp_path / "receipt.json"
    said = {"application": "credit-example", "record": value["origins"][0]["record"], "leaf": "", "prove": "",
            "kind": "receipt, version 1"}  # fmt: skip
    receipt.write_text(json.dumps(said), encoding="utf-8")
    assert _json(["record", "trace", str(receipt), "--in", str(app)], capsys) == value
    receipt.write_text("{}", encoding="utf-8")
    said = json.loads(_run(["record", "trace", str(receipt), "--in", str(app), "--json"], capsys, 2))
    assert said["error"]["code"] == "appeal.receipt"


def _changed(app: Path, name: str) -> None:
    with (app / name).open("a", encoding="utf-8") as file:
        file.write("\n")


BREAKS = {
    "provenance.other-data": lambda app: _changed(app, "data/train.csv"),
    "provenance.missing": lambda app: (app / "data/extra.csv").unlink(),
    "provenance.none": lambda app: (app / "model.provenance.json").unlink(),
    "evidence.malformed": lambda app: _changed(app, "model.provenance.json"),
}


@pytest.mark.parametrize("code", BREAKS)
def test_a_broken_link_is_named(code: str, app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was changed, removed or forged since shows in the trace, with its code."""
    (app / "data/extra.csv").write_text("a\n", encoding="utf-8")
    _run(["model", "provenance", str(app), *SAID, "--data", "train", "--data", "data/extra.csv"], capsys)
    BREAKS[code](app)
    origin = _json(["record", "trace", "1", "--in", str(app)], capsys)["origins"][0]
    assert [one["code"] for one in origin["links"] if one["code"]] == [code]
    assert f"[{code}]" in _run(["record", "trace", "1", "--in", str(app)], capsys)


def test_a_model_that_nobody_signed_for_is_said_so(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The record names a model of which there is no statement."""
    origin = _json(["record", "trace", "7", "--in", str(app)], capsys)["origins"][0]
    assert [one["code"] for one in origin["links"]] == ["trace.unknown-model"]


def test_a_replaced_model_is_still_walked_back(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its earlier statement stands beside the new one; that its files gave way is told, and breaks nothing."""
    model = json.loads((app / "model.json").read_text(encoding="utf-8"))
    (app / "model.json").write_text(json.dumps(model, indent=1), encoding="utf-8")
    _run(["model", "provenance", str(app), "--here", "--parameter", "seed=21", "--person", "trained=John"], capsys)
    origin = _json(["record", "trace", "1", "--in", str(app)], capsys)["origins"][0]
    assert (origin["served"], origin["broken"], origin["signer"]) == (False, 0, "Owner")
    assert origin["statement"] != "model.provenance.json"
    assert [one["code"] for one in origin["links"] if one["since"]] == ["provenance.other-model"]
    assert {"part": "people", "name": "Jane Doe", "code": "", "text": "trained", "since": False} in origin["links"]


@pytest.mark.parametrize("name", ["train", "data.train", "data/train.csv", "scorer.py", "Jane Doe"])
def test_from_data_code_or_a_person_to_decisions(name: str, app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The way forward: to the model that was made of it, and to exactly its decisions."""
    (found,) = _json(["record", "trace", "--back", name, "--in", str(app)], capsys)
    assert [one["index"] for one in found["decisions"]] == [1, 3, 5]
    assert found["statement"] == "model.provenance.json"
    assert "3 decisions on record" in _run(["record", "trace", "--back", name, "--in", str(app)], capsys)


def test_what_no_statement_names_leads_nowhere(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Data that nothing learnt from touched no decision; neither do statements that nobody trusts."""
    assert _json(["record", "trace", "--back", "test", "--in", str(app)], capsys) == []
    nobody = app / "trust.json"
    nobody.write_text('{"keys": [], "version": 1}', encoding="utf-8")
    assert _json(["record", "trace", "--back", "train", "--trust", str(nobody), "--in", str(app)], capsys) == []


@pytest.mark.parametrize("words", [[], ["1", "--back", "train"], ["--back", "train", "--prov", "p.json"]])
def test_one_thing_is_asked_at_a_time(words: list[str], app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A record, or a way forward."""
    said = json.loads(_run(["record", "trace", *words, "--in", str(app), "--json"], capsys, 2))
    assert said["error"]["code"] == "record.trace"


def test_openlineage_events_are_as_its_specification_says(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Training and decision, begun and completed; the model is output of one and input of the other."""
    place = tmp_path / "events.jsonl"
    git = ["git", "-C", str(app), "-c", "user.name=t", "-c", "user.email=t@t"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--no-gpg-sign", "-m", "x"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    _run(["model", "provenance", str(app), *SAID], capsys)
    _run(["record", "trace", "1", "--in", str(app), "--openlineage", str(place)], capsys)
    events = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
    for event in events:
        Draft202012Validator(OPENLINEAGE).validate(event)
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"] * 2
    training, decision = events[1], events[3]
    assert {one["name"] for one in training["inputs"]} >= {"data/train.csv", "train.py"}
    assert training["outputs"] == decision["inputs"]
    assert training["job"]["facets"]["ownership"]["owners"] == [{"name": "Jane Doe", "type": "trained"}]
    assert len(training["job"]["facets"]["sourceCodeLocation"]["version"]) == 40
    assert events[0]["run"] == training["run"] != decision["run"]


def test_prov_says_what_came_of_what_down_to_people(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every relation leads from and to something that the document declares; an outside library reads it."""
    place = tmp_path / "prov.json"
    _run(["record", "trace", "1", "--in", str(app), "--prov", str(place)], capsys)
    document = json.loads(place.read_text(encoding="utf-8"))
    known = {name for part in ("entity", "activity", "agent") for name in document[part]}
    ends = [
        end for part in ("used", "wasGeneratedBy", "wasDerivedFrom", "wasAssociatedWith")
        for held in document[part].values() for key, end in held.items() if key not in ("prov:time", "prov:role")
    ]  # fmt: skip
    assert len(ends) > 12
    assert set(ends) <= known
    labels = [held.get("prov:label") for held in document["entity"].values()]
    assert "data/train.csv" in labels
    assert [one["prov:role"] for one in document["wasAssociatedWith"].values() if "prov:role" in one] == ["trained"]
    if not PEER.exists() or subprocess.run([PEER, "-c", "import prov"], capture_output=True, check=False).returncode:
        pytest.skip("prov is not installed; scripts/test installs it")
    code = "import sys; from prov.model import ProvDocument as D; print(len(D.deserialize(sys.argv[1]).get_records()))"
    done = subprocess.run([PEER, "-c", code, place], capture_output=True, text=True, check=True)
    assert int(done.stdout) == sum(len(held) for part, held in document.items() if part != "prefix")
