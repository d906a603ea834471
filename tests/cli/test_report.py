"""The command report over real evidence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "evidence"))

import evidence_builder as build

from fivefold.evidence.folder import Evidence
from fivefold.keys import store


def run(*words: str | Path, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run fivefold report in a process of its own, in a folder."""
    command = [sys.executable, "-m", "fivefold", "report", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=cwd)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An application assessed with the user's own key, in a folder of its own."""
    signer, _ = store.default_assessor()
    root = tmp_path / "app"
    root.mkdir()
    build.application(root)
    evidence = Evidence(root / "evidence", signer, "toy-app")
    build.close(build.begin(evidence, root))
    return root


def state(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("place", ["", "evidence"])
def test_html_is_written_beside_the_reader(app: Path, tmp_path: Path, place: str) -> None:
    """Given the evidence or the application's folder: one page in the working folder, named after the application."""
    before = state(app)
    done = run(app / place, cwd=tmp_path)
    assert done.stdout.strip() == "toy-app-report.html"
    assert (tmp_path / "toy-app-report.html").read_text().startswith("<!doctype html>")
    assert state(app) == before


def test_json_and_terminal_go_to_standard_output_or_a_file(app: Path, tmp_path: Path) -> None:
    """The form follows the ending of --out where it is not given."""
    assert json.loads(run(app, "--format", "json", cwd=tmp_path).stdout)["verified"] == "yes"
    assert json.loads(run(app, "--json", cwd=tmp_path).stdout)["verdict"]["application"] == "toy-app"
    assert "Checks:" in run(app, "--format", "terminal", cwd=tmp_path).stdout
    run(app, "--out", "a.json", cwd=tmp_path)
    assert json.loads((tmp_path / "a.json").read_text())["version"] == 1
    run(app, "--out", "a.txt", cwd=tmp_path)
    assert "Checks:" in (tmp_path / "a.txt").read_text()
    (tmp_path / "there").mkdir()
    assert run(app, "--out", "there", cwd=tmp_path).stdout.strip() == "there/toy-app-report.html"
    assert run(app, "--out", "-", cwd=tmp_path).stdout.startswith("<!doctype html>")


@pytest.mark.parametrize("target", ["evidence/report.html", "evidence/attempts/x.html", "link/r.html", "file.html"])
def test_nothing_is_ever_written_into_the_evidence(app: Path, target: str) -> None:
    """Straight, deeper, through a linked folder or a linked file: refused, and nothing changed."""
    (app / "link").symlink_to(app / "evidence")
    (app / "file.html").symlink_to(app / "evidence" / "attempts" / "0001" / "report.html")
    before = state(app / "evidence")
    done = run("evidence", "--out", target, cwd=app, code=2)
    assert "report.inside-evidence" in done.stderr
    assert state(app / "evidence") == before
    assert "report.inside-evidence" in run("evidence", "--out", "link", cwd=app, code=2).stderr
    assert "report.inside-evidence" in run(".", cwd=app / "evidence", code=2).stderr


def test_evidence_that_does_not_hold_is_rendered_with_a_warning(app: Path, tmp_path: Path) -> None:
    """A changed file: exit 1, and the first screen says which. An empty trust file: exit 3."""
    empty = tmp_path / "nobody.json"
    empty.write_text("")
    assert "not a clean answer" in run(app, "--trust", empty, cwd=tmp_path, code=3).stderr
    with (app / "evidence" / "attempts" / "0001" / "report.html").open("ab") as file:
        file.write(b" ")
    done = run(app, "--out", "bad.html", cwd=tmp_path, code=1)
    assert "does not verify" in done.stderr
    page = (tmp_path / "bad.html").read_text()
    assert "The evidence does not verify." in page
    assert "attempts/0001/report.html" in page


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--format", "pdf"), "report.format"),
        (("--format", "html", "--json"), "report.format"),
        (("--attempt", "9"), "report.attempt"),
        (("--out", "no/such/folder/r.html"), "report.unwritable"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_code(
    app: Path, tmp_path: Path, words: tuple[str, ...], code: str
) -> None:
    """Unknown form, contradiction, unknown attempt, a place that is not there."""
    assert code in run(app, *words, cwd=tmp_path, code=2).stderr


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_where_there_is_no_evidence_report_refuses(tmp_path: Path, name: str) -> None:
    """A folder that does not exist, or holds none."""
    (tmp_path / "empty").mkdir()
    assert "evidence.none" in run(name, cwd=tmp_path, code=2).stderr
