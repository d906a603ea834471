"""The commands data scan, data mask and data anonymity, as people and hooks type them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from fivefold.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = """fivefold: 1
application: {id: shop, level: 1, purpose: count orders by town, scenario: retail}
use: {output: statistic, acts: human, alone: false}
data:
  train: {path: orders.csv, label: {class: internal, personal: [mail], basis: contract, purpose: [counts], region: EU}}
"""


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def _file(path: Path) -> Path:
    pd.DataFrame({
        "mail": [f"u{at}@example.org" for at in range(60)], "plz": [f"8{at:04d}" for at in range(60)],
        "n": range(60), "note": ["ask +49 30 1234567 again tomorrow", "nothing"] * 30,
    }).to_csv(path, index=False)  # fmt: skip
    return path


def _call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, Any]:
    with pytest.raises(SystemExit) as caught:
        run([*(str(word) for word in words), "--json"])
    told = capsys.readouterr()
    return int(caught.value.code or 0), json.loads(told.out or told.err)


def test_a_file_with_personal_data_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, names of columns, no cell; known columns are fine."""
    file = _file(tmp_path / "a.csv")
    code, told = _call(capsys, "data", "scan", file)
    assert (code, told["files"][0]["unlabelled"]) == (1, ["mail", "plz", "note"])
    assert "u1@" not in json.dumps(told)
    code, told = _call(capsys, "data", "scan", file, "--known", "mail", "--known", "plz", "--known", "note")
    assert (code, told["files"][0]["unlabelled"]) == (0, [])


def test_labels_of_a_manifest_count_for_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Named by folder or by file, as pre-commit does; the proposal is written beside the data."""
    file = _file(tmp_path / "orders.csv")
    (tmp_path / "fivefold.yaml").write_text(MANIFEST, encoding="utf-8")
    for where in (tmp_path, file):
        code, told = _call(capsys, "data", "scan", where, "--write")
        assert (code, told["files"][0]["unlabelled"]) == (1, ["plz", "note"])
    side = json.loads((tmp_path / "orders.csv.personal.json").read_text(encoding="utf-8"))
    assert side["label"] == {"personal": ["mail", "note", "plz"]}
    assert side["columns"]["plz"]["kind"] == "postcode"


def test_what_is_masked_is_not_found_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pseudonyms need an application; the same value has the same one in two files; columns left out are gone."""
    file = _file(tmp_path / "orders.csv")
    (tmp_path / "fivefold.yaml").write_text(MANIFEST, encoding="utf-8")
    code, told = _call(capsys, "data", "mask", file, "--out", tmp_path / "b.csv")
    assert (code, told["error"]["code"]) == (2, "mask.key")
    for name in ("b.csv", "c.csv"):
        assert _call(capsys, "data", "mask", file, "--out", tmp_path / name, "--in", tmp_path)[0] == 0
    one, two = (pd.read_csv(tmp_path / name, dtype=str) for name in ("b.csv", "c.csv"))
    assert one.equals(two)
    assert not set(one["mail"]) & set(pd.read_csv(file)["mail"])
    assert one["note"].str.endswith(" again tomorrow").sum() == 30
    code, _ = _call(capsys, "data", "mask", file, "--out", tmp_path / "d.csv", "--how", "drop")
    assert _call(capsys, "data", "scan", tmp_path / "d.csv")[0] == 0


def test_anonymity_is_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """1 where some combination is shared by fewer than k rows, else 0."""
    file = _file(tmp_path / "a.csv")
    code, told = _call(capsys, "data", "anonymity", file, "--quasi", "note", "--quasi", "plz", "--k", "5")
    assert (code, told["unique"], told["without"]) == (1, 60, {"note": 60, "plz": 0})
    assert _call(capsys, "data", "anonymity", file, "--quasi", "note", "--k", "5", "--sensitive", "n")[0] == 0


def test_a_sample_and_lines_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half of the rows, in words."""
    with pytest.raises(SystemExit):
        run(["data", "scan", str(_file(tmp_path / "a.csv")), "--sample", "0.5"])
    told = capsys.readouterr().out
    assert "of 60 rows" in told
    assert "FOUND  mail: e-mail address" in told
    assert "3 columns with personal data that no label names." in told
