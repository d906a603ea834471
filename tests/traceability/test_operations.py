"""V1: what reads declared data or the model says so in the record, before and after, with its result."""

from __future__ import annotations

import ast
import getpass
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.subject.apps import build
from tests.traceability.test_labels import LABEL

from fivefold.cli.main import run
from fivefold.manifest.digests import data_digests
from fivefold.manifest.reader import read
from fivefold.traceability.operations import recorded

SOURCE = Path(__file__).resolve().parents[2] / "src" / "fivefold"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application with whole labels, its recorder turned on."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    root = tmp_path / "app"
    build(root, manifest={"controls": {"T4": {}}, "purposes": ["credit-scoring"]})
    document = yaml.safe_load((root / "fivefold.yaml").read_text())
    for data in document["data"].values():
        data |= {"label": LABEL, "source": "bureau"}
    document["model"]["signature"] = "model.sig"
    (root / "model.sig").write_text("none yet")
    (root / "fivefold.yaml").write_text(json.dumps(document))
    return root


def _run(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        run(words)
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out + said.err


def _operations(app: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    code, said = _run(["record", "search", "--kind", "data-operation", "--in", str(app), "--json"], capsys)
    assert code == 0, said
    return [item["fields"] for item in json.loads(said)]


@pytest.mark.parametrize(
    ("words", "what", "objects", "result"),
    [
        (["data", "label"], "data label", ["data.train", "data.test"], "labelled by "),
        (["data", "check"], "data check", ["data.train", "data.test"], "label.missing"),
        (["model", "sign"], "model sign", ["model"], "signed by "),
        (["plan"], "plan", ["data.train", "data.test", "model"], "done"),
        (["plan", "--probe"], "probe", ["data.train", "data.test", "model"], "done"),
        (["assess", "--only", "A1.answers"], "assess", ["data.train", "data.test", "model"], "done"),
    ],
)  # fmt: skip
def test_every_command_that_reads_says_so(
    words: list[str], what: str, objects: list[str], result: str, app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Begun and ended, by whom, on which bytes, under which label and for what; nothing else of the data."""
    for role in ("steward", "signer"):
        _run(["key", "new", "--role", role], capsys)
    _run([*words, str(app)], capsys)
    found = [item for item in _operations(app, capsys) if item["operation"] == what]
    assert [item["object"] for item in found] == objects * 2
    assert [item["result"] for item in found[: len(objects)]] == ["begun"] * len(objects)
    assert all(item["result"].startswith(result) for item in found[len(objects) :]), found
    assert {item["who"] for item in found} == {getpass.getuser()}
    assert {item["purpose"] for item in found} == {"credit-scoring"}
    digests = data_digests(read(app))
    for item in found[len(objects) :]:
        if item["object"] != "model":
            assert item["digest"] == digests[item["object"].removeprefix("data.")]
            assert (item["class"], item["labelled for"]) == ("internal", "credit")
        elif what in ("plan", "probe", "assess"):
            assert len(item["digest"]) == 64


def test_an_error_is_the_result(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command fails as before, and the record says by which code; one that is cut off shows as begun."""
    code, said = _run(["data", "label", str(app)], capsys)
    assert (code, "no steward key" in said) == (2, True)
    (app / "data" / "test.csv").write_bytes((app / "data" / "train.csv").read_bytes())
    code, _ = _run(["data", "check", str(app)], capsys)
    assert code == 2
    found = _operations(app, capsys)
    assert [item["result"] for item in found] == ["begun", "begun", *["manifest.same-data"] * 2]
    with pytest.raises(ZeroDivisionError), recorded(read(app), "try"):
        raise ZeroDivisionError
    assert _operations(app, capsys)[-1]["result"] == "ZeroDivisionError"


def test_what_cannot_be_recorded_is_not_begun(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A record that cannot be written refuses the read: the data stay unread, the label unmade."""
    _run(["key", "new", "--role", "steward"], capsys)
    (app / "record").write_text("a file where the folder should be")
    code, said = _run(["data", "label", str(app)], capsys)
    assert code == 2, said
    assert "log.disk" in said
    assert not list((app / "data").glob("*.label.json"))


def test_without_the_recorder_nothing_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No record is begun that nobody asked for."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    build(tmp_path / "app")
    _run(["data", "check", str(tmp_path / "app")], capsys)
    assert not (tmp_path / "app" / "record").exists()


def test_they_are_handed_on_to_a_monitoring_system(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As CloudEvents, one a line."""
    _run(["data", "check", str(app)], capsys)
    _, said = _run(["record", "export", "--kind", "data-operation", "--in", str(app)], capsys)
    events = [json.loads(line) for line in said.splitlines()]
    assert len(events) == 4
    assert {event["type"] for event in events} == {"fivefold.record.data-operation"}


_READS = {"data_digests", "data_digest", "Bench", "sign_files", "verify_trusted"}
_OUTSIDERS = {
    "run.py:_assessed": "inside `assess`, which records",
    "run.py:_sealed": "inside `assess`, which records",
    "taking.py:take": "inside `model fingerprint`, which records",
    "drill_.py:_about": "of a drill, whose table is recorded right after",
}


def test_no_read_of_ours_goes_round_it() -> None:
    """Whatever in the commands and in `assess` reads data or model does so inside a recorded operation."""
    seen, bare = set(), []
    for path in sorted([*(SOURCE / "cli").rglob("*.py"), *(SOURCE / "assess").rglob("*.py")]):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            where = f"{path.name}:{function.name}"
            for call, inside in _calls(function):
                seen.add(where)
                if not inside and where not in _OUTSIDERS:
                    bare.append(f"{where} calls {call}")
    assert len(seen) >= 8, seen
    assert set(_OUTSIDERS) <= seen
    assert not bare, bare


def _calls(node: ast.AST, inside: bool = False) -> list[tuple[str, bool]]:
    """Return the reads below a node, and whether each stands in a `with` that records."""
    found: list[tuple[str, bool]] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            name = child.func.attr if isinstance(child.func, ast.Attribute) else getattr(child.func, "id", "")
            found += [(name, inside)] if name in _READS else []
        records = isinstance(child, ast.With) and any(
            "operating.operation" in ast.unparse(item.context_expr) for item in child.items
        )
        found += _calls(child, inside or records)
    return found
