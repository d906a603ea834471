"""Records handed on: CloudEvents, and W3C PROV that an outside library reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

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


def test_cloudevents_are_as_before(root: Path) -> None:
    """One a line; another format is refused."""
    lines = [json.loads(line) for line in exported(root).stdout.splitlines()]
    assert len(lines) == 7
    assert {line["specversion"] for line in lines} == {"1.0"}
    refused = exported(root, "--format", "pdf")
    assert refused.returncode == 2
    assert "record.format" in refused.stderr
