"""``plan``: light, honest about what it does not know, and complete once the facts are read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fivefold.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable

CREDIT = Path(__file__).resolve().parents[2] / "examples" / "credit"
HEAVY = ("numpy", "pandas", "scipy", "sklearn", "torch", "pyarrow")
MANIFEST = """\
application: {id: tiny, level: 2}
use: {output: label}
data:
  train: {path: train.csv, target: grade, protected: [team]}
  test: {path: test.csv}
model: {factory: "scorer:load"}
"""
MODEL = """\
class Model:
    classes_ = ["high", "low"]

    def predict(self, table):
        return ["high" if hours > 5 else "low" for hours in table["hours"]]


def load():
    return Model()
"""


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs ``plan`` and gives exit code, output and errors."""

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            run(["plan", *words])
        shown = capsys.readouterr()
        return int(stopped.value.code or 0), shown.out, shown.err

    return call


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return an application with two small tables and a model that gives labels only."""
    for name, rows in (("train", 120), ("test", 80)):
        lines = [f"{n % 11},{'ab'[n % 2]},{'high' if n % 11 > 5 else 'low'}" for n in range(rows)]
        (tmp_path / f"{name}.csv").write_text("hours,team,grade\n" + "\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "scorer.py").write_text(MODEL, encoding="utf-8")
    (tmp_path / "fivefold.yaml").write_text(MANIFEST, encoding="utf-8")
    return tmp_path


def checks(shown: str) -> dict[str, dict[str, Any]]:
    """Return check id to its part of the plan."""
    return {check["check"]: check for check in json.loads(shown)["checks"]}


@pytest.mark.parametrize("words", [["plan", str(CREDIT)], ["list"], ["explain", "S5"], ["--help"]])
def test_light_commands_import_no_engine(words: list[str], tmp_path: Path) -> None:
    """No engine is loaded; what the commands cost is measured by ``python -m benchmarks assess``."""
    code = "import sys; from fivefold.cli.main import run\ntry: run()\nfinally: sys.stderr.write(' '.join(sys.modules))"
    settings = os.environ | {f"XDG_{name}_HOME": str(tmp_path) for name in ("CONFIG", "STATE", "CACHE", "DATA")}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, env=settings
    )
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "typer" in loaded
    assert not loaded & set(HEAVY)


def test_what_needs_an_engine_is_undecided(app: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """Without facts nothing is guessed: the built checks wait, the others say why they do not run; exit 0."""
    code, shown, _ = say(str(app), "--json")
    found = checks(shown)
    assert code == 0
    assert {found[name]["status"] for name in ("P3.accuracy", "P3.membership", "F1.gaps")} == {"undecided"}
    assert found["P4.model"]["status"] == "not-run"
    assert found["P1.images"]["status"] == "not-applicable"
    assert all(check["reason"] for check in found.values())
    assert json.loads(shown)["facts"] == {"data": None, "model": None, "notes": [], "version": 1}


def test_a_probe_decides_all_and_is_remembered(app: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """With --probe nothing is undecided; the light plan then knows it too, until a byte changes."""
    code, shown, error = say(str(app), "--probe", "--json")
    assert code == 0, error
    document = json.loads(shown)
    assert "undecided" not in {check["status"] for check in document["checks"]}
    assert document["facts"]["data"]["test"]["rows"] == 80
    assert document["facts"]["model"]["classes"] == ["high", "low"]
    assert document["facts"]["model"]["scores"] is False
    assert checks(say(str(app), "--json")[1]) == checks(shown)
    code, words, _ = say(str(app))
    assert "test (80 rows)" in words
    assert "gives labels only" in words
    with (app / "test.csv").open("a", encoding="utf-8") as file:
        file.write("3,a,low\n")
    assert checks(say(str(app), "--json")[1])["P3.accuracy"]["status"] == "undecided"


def test_labels_that_training_lacks_are_said(app: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """The probe names a label of the test's target that no training row has; the plan shows it."""
    place = app / "test.csv"
    place.write_text(place.read_text(encoding="utf-8").replace("low", "Low"), encoding="utf-8")
    _, shown, _ = say(str(app), "--probe")
    assert '"Low" (45 rows, perhaps "low" is meant)' in " ".join(shown.split())


def test_thresholds_follow_the_manifest(app: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """A stricter threshold is planned; a looser one is refused with its line."""
    (app / "fivefold.yaml").write_text(MANIFEST + "checks: {P3.membership: {max_auc: 0.55}}\n", encoding="utf-8")
    assert checks(say(str(app), "--json")[1])["P3.membership"]["thresholds"]["max_auc"] == 0.55
    (app / "fivefold.yaml").write_text(MANIFEST + "checks: {P3.membership: {max_auc: 0.65}}\n", encoding="utf-8")
    code, _, error = say(str(app))
    assert code == 2
    assert "fivefold.yaml:7" in error.replace("\n", "")


def test_effort_changes_rows_alone(app: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """Less effort means fewer rows and the same thresholds; another word is refused."""
    quick, thorough = (checks(say(str(app), "--effort", effort, "--json")[1]) for effort in ("quick", "thorough"))
    assert quick["P3.accuracy"]["rows"] < thorough["P3.accuracy"]["rows"]
    assert quick["P3.accuracy"]["thresholds"] == thorough["P3.accuracy"]["thresholds"]
    assert say(str(app), "--effort", "lazy")[0] == 2


def test_a_model_that_does_not_load_is_said(app: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """The probe says what went wrong; the plan stays a plan."""
    (app / "scorer.py").write_text("def load():\n    raise ValueError('no weights')\n", encoding="utf-8")
    code, shown, error = say(str(app), "--probe", "--json")
    assert code == 0, error
    assert json.loads(shown)["facts"]["model"]["error"]
    assert "model: " in say(str(app), "--probe")[1]


def test_the_screen_shows_claims_checks_reasons_and_duties(say: Callable[..., tuple[int, str, str]]) -> None:
    """A reader sees every claim, every built check with thresholds and cost, and what people have to do."""
    code, shown, _ = say(str(CREDIT))
    assert code == 0
    words = " ".join(shown.split())
    assert all(f" {claim} " in words for claim in ("1a", "2c", "4d"))
    assert " 5a " not in words
    assert "max_auc 0.6" in words
    assert "cost: " in words
    assert "Duties of people" in words
    assert "P1.images" in say(str(CREDIT), "--all")[1]


def test_what_init_proposes_can_be_planned(app: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """The manifest of ``init`` goes through ``plan`` without another word."""
    (app / "fivefold.yaml").unlink()
    words = [
        "init",
        str(app),
        "--train",
        "train.csv",
        "--test",
        "test.csv",
        "--target",
        "grade",
        "--model",
        "scorer:load",
    ]
    with pytest.raises(SystemExit) as stopped:
        run([*words, "--yes"])
    assert not stopped.value.code
    assert say(str(app))[0] == 0


def test_no_manifest_is_refused(tmp_path: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """Exit code 2 and the way out."""
    code, _, error = say(str(tmp_path))
    assert code == 2
    assert "fivefold init" in error
    shutil.copytree(CREDIT, tmp_path / "copy", ignore=shutil.ignore_patterns("evidence"))
    assert say(str(tmp_path / "copy"))[0] == 0


def test_many_numbers_taken_for_classes_are_said(app: Path, say: Callable[..., tuple[int, str, str]]) -> None:
    """Rounded grades look like classes; the plan says so, and how to declare a quantity."""
    for name, rows in (("train", 120), ("test", 80)):
        lines = [f"{n % 12},{'ab'[n % 2]},{n % 12}" for n in range(rows)]
        (app / f"{name}.csv").write_text("hours,team,grade\n" + "\n".join(lines) + "\n", encoding="utf-8")
    (app / "scorer.py").write_text("def load():\n    return lambda t: t['hours'].round()\n", encoding="utf-8")
    shown = " ".join(say(str(app), "--probe")[1].split())
    assert "12 different whole numbers" in shown
    assert "model.task: regression" in shown
    (app / "fivefold.yaml").write_text(
        MANIFEST.replace('factory: "scorer:load"', 'factory: "scorer:load", task: regression'), encoding="utf-8"
    )
    shown = " ".join(say(str(app), "--probe")[1].split())
    assert "model: regression" in shown
    assert "different whole numbers" not in shown
