"""``model convert`` names what a pickle would import and how to export, and runs nothing."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import pytest
from sklearn.linear_model import LogisticRegression

from fivefold.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path


class Mark:
    """Leaves a file when it is unpickled."""

    place = ""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (type(self).place, "w")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict]:
    """Return exit code and JSON of the command."""
    with pytest.raises(SystemExit) as left:
        run(["model", "convert", *words, "--json"])
    return int(left.value.code or 0), json.loads(capsys.readouterr().out or "{}")


def test_a_pickled_estimator_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its class is named, and the exporter of its library."""
    place = tmp_path / "old.bin"
    place.write_bytes(pickle.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1])))
    code, told = said(capsys, str(place))
    assert code != 0
    assert told["code"] == "model.pickle"
    assert "sklearn.linear_model._logistic.LogisticRegression" in told["imports"]
    assert "skl2onnx" in told["export"][0]


def test_nothing_is_run_and_plain_files_are_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No mark is left; JSON is not refused."""
    Mark.place = str(tmp_path / "ran")
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(Mark()))
    assert said(capsys, str(tmp_path / "bad.pkl"))[0] != 0
    assert not (tmp_path / "ran").exists()
    (tmp_path / "model.json").write_text("{}")
    assert said(capsys, str(tmp_path / "model.json")) == (0, {**said(capsys, str(tmp_path / "model.json"))[1]})


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Exit code of bad input."""
    with pytest.raises(SystemExit) as left:
        run(["model", "convert", str(tmp_path / "none.pkl")])
    assert left.value.code == 2
