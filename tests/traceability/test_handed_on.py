"""Records handed on: CloudEvents, and W3C PROV that an outside library reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from tests.subject.apps import build

from fivefold.traceability.recorder import open_recorder

if TYPE_CHECKING:
    from collections.abc import Sequence

PEER = Path(__file__).resolve().parents[2] / ".venv-peers" / "exports" / "bin" / "python"
_READ = """
import json, sys
from prov.model import ProvDocument, ProvActivity, ProvAgent, ProvEntity
found = ProvDocument.deserialize(content=sys.stdin.read(), format="json")
kinds = {kind.__name__: len(list(found.get_records(kind))) for kind in (ProvActivity, ProvAgent, ProvEntity)}
print(json.dumps([kinds, len(found.get_records()), found.get_provn()]))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An application with two cases, one of a person who was erased, and odd names."""
    manifest = build(tmp_path / "app")
    with open_recorder(manifest.root / "record", "app") as recorder:
        for name, person in (("loan: 17 é\\n", "Jane"), ("loan 18", "John")):
            with recorder.open(name, subject=person, model="ab" * 32) as case:
                case.input({"x": [1.0]})
                case.output({"y": [2.0]})
                case.action("officer 7", "override", "income was wrong")
        recorder.erase("John")
    return manifest.root


def exported(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = (sys.executable, "-m", "fivefold", "record", "export", "--in", str(root), *words)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_prov_says_what_came_of_what(root: Path) -> None:
    """Cases used inputs and made outputs by a model; somebody acted; what was erased has no content."""
    told = json.loads(exported(root, "--format", "prov").stdout)
    assert {item["prov:label"] for item in told["activity"].values()} >= {"loan: 17 é\\n"}
    assert {item["prov:label"] for item in told["agent"].values()} == {"ab" * 32, "officer 7"}
    assert len(told["used"]) == 1
    assert len(told["wasDerivedFrom"]) == 2
    assert sum("ff:erased" in item for item in told["entity"].values()) == 3
    assert "John" not in json.dumps(told)


def test_an_outside_library_reads_the_prov_document(root: Path) -> None:
    """The package prov (W3C PROV for Python)."""
    if not PEER.exists() or subprocess.run([PEER, "-c", "import prov"], capture_output=True, check=False).returncode:
        pytest.skip("prov is not installed; scripts/test installs it")
    text = exported(root, "--format", "prov").stdout
    done = subprocess.run([PEER, "-c", _READ], input=text, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    kinds, every, notation = json.loads(done.stdout)
    assert kinds == {"ProvActivity": 2, "ProvAgent": 2, "ProvEntity": 7}
    assert every > 15
    assert "wasDerivedFrom" in notation


_MINE = """
import io, json, sys, warnings
warnings.simplefilter("ignore")
from contextlib import redirect_stdout
with redirect_stdout(io.StringIO()):
    import pm4py
    found = pm4py.read_xes(sys.argv[1])
    starts, ends = pm4py.get_start_activities(found), pm4py.get_end_activities(found)
print(json.dumps([list(map(str, found.columns)), found.astype(str).values.tolist(), starts, ends]))
"""
_PARSE = """
import base64, json, sys
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
made = []
for line in sys.stdin:
    told = json.loads(line)
    for span in told["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for name in ("traceId", "spanId"):  # hexadecimal in OTLP, base64 in plain protocol buffers
            span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    span = ParseDict(told, TracesData()).resource_spans[0].scope_spans[0].spans[0]
    made.append([span.trace_id.hex(), len(span.span_id), span.start_time_unix_nano <= span.end_time_unix_nano,
                 [event.name for event in span.events], span.status.code])
print(json.dumps(made))
"""


def _peer(code: str, *words: str, text: str = "", needs: str) -> object:
    if (
        not PEER.exists()
        or subprocess.run([PEER, "-c", f"import {needs}"], capture_output=True, check=False).returncode
    ):
        pytest.skip(f"{needs} is not installed; scripts/test installs it")
    done = subprocess.run(
        [PEER, "-c", code, *words], input=text, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_process_mining_library_reads_the_event_log(root: Path, tmp_path: Path) -> None:
    """The package pm4py: cases, activities, who acted, times in order; control characters do not break the XML."""
    with open_recorder(root / "record", "app") as recorder, recorder.open("odd \x00\x0b<&>") as case:
        case.status(**{"mode \x1b": "a\x00b", "share": 0.5, "huge": 2**62, "on": True, "none": float("nan")})
    text = exported(root, "--format", "xes").stdout
    (tmp_path / "log.xes").write_text(text, encoding="utf-8")
    columns, rows, starts, ends = _peer(_MINE, str(tmp_path / "log.xes"), needs="pm4py")
    told = [dict(zip(columns, row, strict=True)) for row in rows]
    first = [row for row in told if row["case:concept:name"] == "loan: 17 é\\n"]
    assert [row["concept:name"] for row in first] == ["input", "output", "action: override"]
    assert first[2]["org:resource"] == "officer 7"
    assert starts["input"] == 1
    assert ends["action: override"] == 1
    assert any("odd" in row["case:concept:name"] for row in told)
    assert "John" not in text
    assert '<int key="fivefold:erased" value="3" />' in text


def test_opentelemetry_reads_the_spans(root: Path) -> None:
    """The package opentelemetry-proto: the application's trace id is kept, an alarm is an error."""
    with open_recorder(root / "record", "app") as recorder, recorder.open("traced", trace="c" * 32) as case:
        case.status(mode="normal", n=2**62, share=0.25, on=False)
        case.add("alarm", {"what": "late"})
    lines = exported(root, "--format", "otel").stdout
    found = {span[0]: span[1:] for span in _peer(_PARSE, text=lines, needs="opentelemetry.proto.trace.v1.trace_pb2")}
    assert found["c" * 32] == [8, True, ["status", "alarm"], 2]
    assert [8, True, ["input", "output", "action"], 0] in found.values()
    assert len(found) == 3
    assert "John" not in lines


def test_a_case_is_drawn(root: Path, tmp_path: Path) -> None:
    """Every record of it, in valid XML with nothing that runs; a folder that is not there is said."""
    command = [sys.executable, "-m", "fivefold", "record", "trace", "0", "--in", str(root), "--svg"]
    with open_recorder(root / "record", "app") as recorder, recorder.open("loan: 17 é\\n", subject="Jane") as case:
        case.status(said="<script>alert(1)</script>\x00")
    done = subprocess.run([*command, tmp_path / "case.svg"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    drawn = ET.parse(tmp_path / "case.svg").getroot()
    kinds = [part.text for part in drawn.iter("{http://www.w3.org/2000/svg}text") if part.get("class") == "kind"]
    assert kinds == ["input", "output", "action", "status"]
    assert len([part for part in drawn.iter("{http://www.w3.org/2000/svg}path") if part.get("class") == "link"]) == 2
    assert not list(drawn.iter("{http://www.w3.org/2000/svg}script"))
    erased = subprocess.run(
        [*command[:5], "3", *command[6:], tmp_path / "erased.svg"], capture_output=True, text=True, check=False
    )
    assert erased.returncode == 0, erased.stderr
    assert "nobody can read it" in (tmp_path / "erased.svg").read_text(encoding="utf-8")
    done = subprocess.run([*command, tmp_path / "no" / "case.svg"], capture_output=True, text=True, check=False)
    assert (done.returncode, "record.svg" in done.stderr) == (2, True)


def test_cloudevents_are_as_before(root: Path) -> None:
    """One a line; another format is refused."""
    lines = [json.loads(line) for line in exported(root).stdout.splitlines()]
    assert len(lines) == 7
    assert {line["specversion"] for line in lines} == {"1.0"}
    refused = exported(root, "--format", "pdf")
    assert refused.returncode == 2
    assert "record.format" in refused.stderr
