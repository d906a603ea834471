"""The commands verify and waive over real folders."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "evidence"))

import evidence_builder as build

from fivefold.evidence.folder import Evidence
from fivefold.keys import store


def run(*words: str | Path, code: int = 0) -> Any:
    """Run fivefold with --json in a process of its own; return the document on standard output, or the error."""
    command = [sys.executable, "-m", "fivefold", *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout or done.stderr)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An application assessed with the user's own key."""
    signer, _ = store.default_assessor()
    build.application(tmp_path)
    evidence = Evidence(tmp_path / "evidence", signer, "toy-app")
    build.close(build.begin(evidence, tmp_path), pages=evidence)
    return tmp_path


def test_own_evidence_verifies_with_the_application_beside_it(app: Path) -> None:
    """Given the evidence or the application's folder: exit 0, who signed is said."""
    for place in (app, app / "evidence"):
        found = run("verify", place)["verification"]
        assert found["problems"] == []
        assert {item["standing"] for item in found["signatures"]} == {"trusted"}
        assert not any("not beside" in note for note in found["notes"])


def test_a_stranger_sees_exit_3_and_a_change_exit_1(app: Path, tmp_path: Path) -> None:
    """An empty trust file; then one byte of the data, one of the evidence."""
    empty = tmp_path / "nobody.json"
    empty.write_text("")
    assert run("verify", app, "--trust", empty, code=3)["verification"]["unknown"]
    (app / "data" / "test.csv").write_text("x\n")
    assert {flaw["path"] for flaw in run("verify", app, code=1)["verification"]["problems"]} == {"data/test.csv"}
    with (app / "evidence" / "attempts" / "0001" / "report.html").open("ab") as file:
        file.write(b" ")
    paths = {flaw["path"] for flaw in run("verify", app / "evidence", code=1)["verification"]["problems"]}
    assert paths == {"data/test.csv", "attempts/0001/report.html"}


def test_a_root_kept_elsewhere_is_a_file_or_a_text(app: Path, tmp_path: Path) -> None:
    """A copy of the checkpoint, or size and root as verify prints them."""
    kept = tmp_path / "kept"
    kept.write_bytes((app / "evidence" / "log" / "checkpoint").read_bytes())
    found = run("verify", app, "--since", kept)["verification"]
    assert run("verify", app, "--since", f"{found['size']} {found['root']}")["exit_code"] == 0
    gone = run("verify", app, "--since", f"{found['size'] + 1} {found['root']}", code=1)
    assert [flaw["code"] for flaw in gone["verification"]["problems"]] == ["evidence.since"]
    assert run("verify", app, "--since", "yesterday", code=2)["error"]["code"] == "evidence.since"


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_where_there_is_no_evidence_verify_refuses(tmp_path: Path, name: str) -> None:
    """A folder that does not exist, or holds none: exit 2."""
    (tmp_path / "empty").mkdir()
    assert run("verify", tmp_path / name, code=2)["error"]["code"] == "evidence.none"


def test_people_read_who_signed_and_what_is_wrong(app: Path) -> None:
    """The text names files on lines that are not wrapped."""
    (app / "evidence" / "attempts" / "0001" / "statements" / "P3.membership.json").write_text("{}")
    command = [sys.executable, "-m", "fivefold", "verify", str(app)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "  attempts/0001/statements/P3.membership.json: this is not the file in the log." in done.stdout
    assert "as assessor, trusted: " in done.stdout
    assert "It does NOT hold." in done.stdout


def test_two_officers_waive_and_the_attempt_is_judged_again(app: Path) -> None:
    """One half counts for nothing; with the second, a new verdict is logged, and all of it verifies."""
    day = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    for role, name in (("privacy-officer", "Pia"), ("legal-officer", "Leo")):
        run("key", "new", "--role", role, "--name", name, "--trust")
    terms = ("--until", day, "--reason", "accepted until the next release")
    first = run("waive", "2c", app, *terms, "--key", "Pia")
    assert (first["counts"], first["verdict"]) == (False, "")
    again = run("waive", "2c", app, *terms, "--key", "Pia")
    assert again["counts"] is False
    second = run("waive", "2c", app, *terms, "--key", "Leo")
    assert (second["counts"], second["verdict"]) == (True, "verdicts/0001.json")
    found = run("verify", app)["verification"]
    assert "verdict verdicts/0001.json" in found["recomputed"]
    assert any(note.startswith("Claim 2c is waived by Pia and Leo until") for note in found["notes"])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"claim": "9z"}, "waiver.claim"),
        ({"--until": "2031-01-01"}, "waiver.until"),
        ({"--until": "2020-01-01"}, "waiver.until"),
        ({"--until": "soon"}, "waiver.until"),
        ({"--reason": "no"}, "waiver.reason"),
        ({"--key": "Nobody"}, "keys.missing"),
        ({"--key": "Ann"}, "waiver.role"),
        ({"folder": "/nowhere"}, "evidence.none"),
    ],
)
def test_a_waiver_that_cannot_count_is_refused(app: Path, change: dict[str, str], error: str) -> None:
    """Nothing is logged for it."""
    store.new_key("privacy-officer", "Pia")
    store.new_key("assessor", "Ann")
    day = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    terms = {"claim": "2c", "folder": str(app), "--until": day, "--reason": "accepted for now only", "--key": "Pia"}
    terms |= change
    options = [word for name in ("--until", "--reason", "--key") for word in (name, terms[name])]
    before = (app / "evidence" / "log" / "checkpoint").read_bytes()
    assert run("waive", terms["claim"], terms["folder"], *options, code=2)["error"]["code"] == error
    assert (app / "evidence" / "log" / "checkpoint").read_bytes() == before
