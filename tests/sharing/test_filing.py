"""The command: two files, reasons, a summary and a picture; nothing is overwritten, nothing outside is read."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from fivefold.cases.dosage.cohort import doses, patients
from fivefold.cases.dosage.harming import poisoned
from fivefold.cli.main import run

MANIFEST = """fivefold: 1
application: {{id: dose, level: 1, purpose: give a weekly dose}}
use: {{output: recommendation, acts: human, alone: false}}
data:
  train: {{path: train.csv, target: dose, protected: [sex]}}
{more}"""


def app(folder: Path, more: str = "") -> tuple[Path, np.ndarray]:
    """Write an application with bad doses in it."""
    rng = np.random.default_rng(51)
    rows = patients(800, rng)
    rows, said, bad = poisoned(rows, doses(rows, rng), rng)
    rows["dose"] = said
    folder.mkdir()
    rows.to_csv(folder / "train.csv", index=False)
    rows[~bad].head(80).to_csv(folder / "good.csv", index=False)
    (folder / "fivefold.yaml").write_text(MANIFEST.format(more=more), encoding="utf-8")
    return folder, bad


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object]]:
    """Run and return the exit code and the document."""
    with pytest.raises(SystemExit) as leave:
        run(["data", "filter", *arguments, "--json"])
    out, err = capsys.readouterr()
    return int(leave.value.code or 0), json.loads(out or err)


@pytest.mark.parametrize("more", ["", "controls: {S5: {trusted: good.csv}}\n"])
def test_rows_are_parted_with_reasons(tmp_path: Path, capsys: pytest.CaptureFixture[str], more: str) -> None:
    """Kept and quarantined rows are all rows; the bad ones are held; the picture is well-formed."""
    folder, bad = app(tmp_path / "app", more)
    before = (folder / "train.csv").read_bytes()
    code, summary = told([str(folder), "--out", str(tmp_path / "out")], capsys)
    assert code == 0
    kept, held = (pd.read_csv(tmp_path / "out" / name) for name in ("kept.csv", "quarantined.csv"))
    assert len(kept) + len(held) == len(bad) == summary["rows"]
    assert set(np.flatnonzero(bad)) <= set(held["fivefold_row"])
    assert held["fivefold_reason"].notna().all()
    assert summary["trusted"] == (80 if more else 0)
    assert ET.parse(tmp_path / "out" / "picture.svg").getroot().tag.endswith("svg")
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["kept"] == len(kept)
    assert (folder / "train.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("controls: {S5: {trusted: ../elsewhere.csv}}\n", "filter.trusted"),
        ("controls: {S5: {trust: good.csv}}\n", "manifest.unknown-key"),
    ],
)
def test_what_is_declared_wrongly_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: str, code: str
) -> None:
    """A file outside the folder, an option that is none: exit code 2, and nothing is written."""
    (tmp_path / "elsewhere.csv").write_text("age,dose\n1,2\n")
    folder, _ = app(tmp_path / "app", more)
    left, document = told([str(folder), "--out", str(tmp_path / "out")], capsys)
    assert left == 2
    assert document["error"]["code"] == code  # type: ignore[index]
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with anything in it is refused and stays as it is."""
    folder, _ = app(tmp_path / "app")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept.csv").write_text("mine")
    left, document = told([str(folder), "--out", str(tmp_path / "out")], capsys)
    assert left == 2
    assert document["error"]["code"] == "filter.out"  # type: ignore[index]
    assert (tmp_path / "out" / "kept.csv").read_text() == "mine"


def test_harm_is_told_before_and_after_and_by_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Clean rows of ``test`` judge: the error falls without the bad rows, for all and for each sex."""
    folder, _ = app(tmp_path / "app")
    rng = np.random.default_rng(52)
    rows = patients(300, rng)
    rows["dose"] = doses(rows, rng)
    rows.to_csv(folder / "test.csv", index=False)
    text = (folder / "fivefold.yaml").read_text()
    line = "  train: {path: train.csv, target: dose, protected: [sex]}\n"
    (folder / "fivefold.yaml").write_text(text.replace(line, line + "  test: {path: test.csv}\n"))
    _, summary = told([str(folder), "--out", str(tmp_path / "out")], capsys)
    harm = summary["harm"]
    assert (harm["judged by"], harm["error"]) == ("data.test", "mean absolute error")  # type: ignore[index]
    groups = {one["group"]: one for one in harm["groups"]}  # type: ignore[index]
    assert groups["all rows"]["rows"] == 300
    assert groups["all rows"]["after"] < 0.8 * groups["all rows"]["before"]
    assert {name for name in groups if name.startswith("sex=")}


def test_without_rows_to_judge_by_no_harm_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither test rows nor trusted ones: it is said, and no figure is made up."""
    folder, _ = app(tmp_path / "app")
    _, summary = told([str(folder), "--out", str(tmp_path / "out")], capsys)
    assert summary["harm"]["groups"] == []  # type: ignore[index]
    assert "declare data.test" in summary["harm"]["judged by"]  # type: ignore[index]
