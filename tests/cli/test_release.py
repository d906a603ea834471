"""Commands data release, data budget and data rename-source, on the example's census."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CENSUS = Path(__file__).resolve().parents[2] / "examples" / "census"
SMALL = "loss: {rho: 0.001}\nqueries: [{name: people, what: count}]\n"


def run(*words: object, code: int = 0) -> Any:
    """Run the program; return what it says as JSON."""
    command = [sys.executable, "-m", "fivefold", *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout if not code else done.stderr)


@pytest.fixture
def census(tmp_path: Path) -> Path:
    """A copy of the example, whose labels are not asked here: each test changes its data, its source or its paths."""
    folder = shutil.copytree(CENSUS, tmp_path / "census", ignore=shutil.ignore_patterns("evidence"))
    manifest = folder / "fivefold.yaml"
    text = manifest.read_text()
    begin = text.index("  T1: ")
    manifest.write_text(text[:begin] + text[text.index("  S5:", begin) :])
    return folder


def test_the_example_releases_nothing_until_a_steward_labelled_it(tmp_path: Path) -> None:
    """As it is: refused with the remedy; then released."""
    folder = shutil.copytree(CENSUS, tmp_path / "census", ignore=shutil.ignore_patterns("evidence"))
    told = run("data", "release", "--in", folder, "--out", tmp_path / "1.json", code=1)["error"]
    assert told["code"] == "label.missing"
    assert "fivefold data label" in told["remedy"]
    run("key", "new", "--role", "steward", "--trust")
    run("data", "label", folder)
    run("data", "release", "--in", folder, "--out", tmp_path / "1.json")


def _budget(census: Path, source: str) -> Any:
    return next(one for one in run("data", "budget", "--in", census) if one["source"] == source)


def _error(*words: object, code: int = 2) -> str:
    return str(run(*words, code=code)["error"]["code"])


def test_releases_are_paid_from_the_budget_until_it_is_spent(census: Path, tmp_path: Path) -> None:
    """What is declared, twice; a third time is refused, and re-saving the file refills nothing."""
    assert run("data", "release", "--in", census, "--cost")["epsilon"] < 2
    assert _budget(census, "census 1994")["spent_rho"] == 0
    first = run("data", "release", "--in", census, "--out", tmp_path / "1.json", "--owner", tmp_path / "own.json")
    assert 0.5 < first["left"] < 0.7
    result = json.loads((tmp_path / "1.json").read_text())
    assert result["answers"][0]["cells"][0]["value"] == pytest.approx(6000, abs=100)
    assert "6000" not in (tmp_path / "1.json").read_text() or result["answers"][0]["cells"][0]["value"] == 6000
    own = json.loads((tmp_path / "own.json").read_text())
    assert own[0] == {"query": "people", "exact": 6000, "released": own[0]["released"]}
    assert stat.S_IMODE((tmp_path / "own.json").stat().st_mode) == 0o600
    data = census / "data" / "train.csv"
    data.write_text(data.read_text() + "20,,,,,Male,40,\n")
    run("data", "release", "--in", census, "--out", tmp_path / "2.json")
    assert _error("data", "release", "--in", census, "--out", tmp_path / "3.json") == "privacy.overdrawn"
    assert not (tmp_path / "3.json").exists()
    budget = _budget(census, "census 1994")
    assert len(budget["releases"]) == 2
    assert budget["spent_rho"] <= budget["rho"]
    assert all(len(one["result"]) == 64 for one in budget["releases"])


def test_a_file_of_queries_is_released(census: Path, tmp_path: Path) -> None:
    """In the language of the page; faults come with their line."""
    queries = tmp_path / "queries.yaml"
    queries.write_text(SMALL)
    run("data", "release", queries, "--in", census, "--out", tmp_path / "1.json")
    assert _error("data", "release", queries, "--in", census, "--out", tmp_path / "1.json") == "privacy.exists"
    queries.write_text("queries: [{name: people\n")
    told = run("data", "release", queries, "--in", census, "--out", tmp_path / "2.json", code=2)
    assert told["problems"][0]["where"].startswith(str(queries))
    queries.write_text(SMALL.replace("count", "counts"))
    assert _error("data", "release", queries, "--in", census, "--out", tmp_path / "2.json") == "privacy.query"
    assert _error("data", "release", tmp_path / "no.yaml", "--in", census) == "privacy.file"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("  - {what: release, data: train, with: Example Labour Office, control: S2}", "  []", "privacy.undeclared"),
        ("    epsilon: 3 ", "    epsilon: 0 ", "privacy.budget"),
        ("    source: census 1994 ", "    # ", "privacy.source"),
        ("      data: train\n      loss", "      data: test\n      loss", "privacy.undeclared"),
    ],
)
def test_what_is_not_declared_is_not_released(census: Path, tmp_path: Path, old: str, new: str, code: str) -> None:
    """No path, no budget, no source, no data set."""
    manifest = census / "fivefold.yaml"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new).replace("sharing:\n  []", "sharing: []"))
    assert _error("data", "release", "--in", census, "--out", tmp_path / "1.json") == code
    assert not (tmp_path / "1.json").exists()


def test_a_source_is_renamed_by_two_officers_and_keeps_what_is_spent(census: Path, tmp_path: Path) -> None:
    """A manifest that names another source is refused until both have signed; then the budget is the old one."""
    run("data", "release", "--in", census, "--out", tmp_path / "1.json")
    manifest = census / "fivefold.yaml"
    manifest.write_text(manifest.read_text().replace("source: census 1994", "source: census again"))
    words = ("data", "release", "--in", census, "--out", tmp_path / "2.json")
    assert _error(*words) == "privacy.renamed"
    rename = ("data", "rename-source", "census 1994", "census again", "--in", census, "--reason")
    keys = {}
    for role, name in (("privacy-officer", "Anna"), ("legal-officer", "Bela"), ("legal-officer", "Anna"),
                       ("steward", "Carla")):  # fmt: skip
        made = run("key", "new", "--role", role, "--name", name)
        keys[role, name] = made["private"]
        run("trust", "add", made["public"], "--role", role, "--name", name)
    assert _error(*rename, "the register is new", "--key", keys["steward", "Carla"]) == "privacy.officer"
    assert _error(*rename, "because", "--key", keys["legal-officer", "Bela"]) == "privacy.reason"
    for role, name in (("privacy-officer", "Anna"), ("legal-officer", "Anna")):
        told = run(*rename, "the register is new", "--key", keys[role, name])
        assert told["renamed"] is False
    assert _error(*words) == "privacy.renamed"
    assert run(*rename, "the register is new", "--key", keys["legal-officer", "Bela"])["renamed"] is True
    budget = _budget(census, "census again")
    assert budget["spent_rho"] > 0
    run(*words)
    assert _error("data", "release", "--in", census, "--out", tmp_path / "3.json") == "privacy.overdrawn"


def test_a_model_is_learned_privately_and_paid_for(census: Path, tmp_path: Path) -> None:
    """From the same budget as releases; without its path, or without --private, nothing is learned."""
    manifest = census / "fivefold.yaml"
    training = """    training:
      data: train
      target: sex
      positive: Male
      loss: {epsilon: 1, delta: 1.0e-7}
      steps: 10
      columns: {hours_per_week: {bounds: [0, 100]}, marital_status: {values: [Never-married, Divorced]}}
"""
    manifest.write_text(manifest.read_text().replace("\nchecks:\n", f"{training}\nchecks:\n"))
    words = ("model", "train", "--in", census, "--out", tmp_path / "model.json")
    assert _error(*words) == "privacy.private"
    assert _error(*words, "--private") == "privacy.undeclared"
    path = "sharing:\n  - {what: training, data: train, with: Example Labour Office, control: S2}\n"
    manifest.write_text(manifest.read_text().replace("sharing:\n", path))
    told = run(*words, "--private")
    assert 0.8 < told["epsilon"] < 1.1
    model = json.loads((tmp_path / "model.json").read_text())
    assert len(model["weights"]) == 5
    assert _error(*words, "--private") == "privacy.exists"
    budget = _budget(census, "census 1994")
    assert [one["what"] for one in budget["releases"]] == ["logistic regression of sex"]
