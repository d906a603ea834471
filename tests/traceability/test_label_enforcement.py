"""Use outside purpose or region is refused at every door; the model carries the strictest label of its data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.subject.apps import build
from tests.traceability.test_labels import LABEL

from fivefold.cli.main import run
from fivefold.errors import TrustError
from fivefold.evidence import data_label
from fivefold.guard.opening import require_labels
from fivefold.manifest.reader import read
from fivefold.traceability.labels import enforcing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A labelled application that says where it runs, whose steward is trusted."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    root = tmp_path / "app"
    build(root)
    _declare(root, {"region": "DE", "serves": ["FR"]}, ["credit"])
    _run(["key", "new", "--role", "steward", "--trust"], capsys)
    _run(["data", "label", str(root)], capsys)
    return root


def _declare(root: Path, control: dict[str, Any] | None, purposes: list[str]) -> None:
    path = root / "fivefold.yaml"
    document = yaml.safe_load(path.read_text())
    for data in document["data"].values():
        data |= {"label": LABEL, "source": "bureau"}
    document["purposes"] = purposes
    document.pop("controls", None)
    if control is not None:
        document["controls"] = {"T1": control}
    path.write_text(json.dumps(document))


def _run(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    with pytest.raises(SystemExit) as left:
        run(words)
    said = capsys.readouterr()
    assert (left.value.code or 0) == code, said
    return said.out + said.err


@pytest.mark.parametrize(
    ("control", "purposes", "code"),
    [
        ({"region": "DE", "serves": ["FR"]}, ["credit"], ""),
        (None, ["marketing"], ""),
        ({"region": "US"}, ["credit"], "label.region"),
        ({"region": "DE", "serves": ["BR"]}, ["credit"], "label.region"),
        ({"region": "DE"}, ["credit", "marketing"], "label.purpose"),
        ({"region": "DE", "purposes": ["credit"]}, ["credit", "marketing"], "label.purpose"),
    ],
)
def test_a_guard_opens_only_for_a_use_that_the_labels_allow(
    app: Path, control: dict[str, Any] | None, purposes: list[str], code: str
) -> None:
    """With no control nothing is asked; region of service and of callers, and every purpose, have to be allowed."""
    _declare(app, control, purposes)
    manifest = read(app)
    require_labels(manifest, served=False)
    if not code:
        require_labels(manifest, served=True)
        return
    with pytest.raises(TrustError) as refused:
        require_labels(manifest, served=True)
    assert refused.value.code == code


def test_a_release_goes_only_to_regions_that_the_label_allows(app: Path) -> None:
    """A declared party in the EU is served; one elsewhere, or whose region is not said, is not."""
    path = app / "fivefold.yaml"
    for recipients, allowed in (({"bureau": "FR"}, True), ({"bureau": "US"}, False), ({}, False)):
        document = yaml.safe_load(path.read_text())
        document["sharing"] = [{"what": "release", "data": "train", "with": "bureau", "control": "S2"}]
        document["controls"] = {"T1": {"region": "DE", "recipients": recipients}, "S2": {"epsilon": 1, "delta": 1e-6}}
        path.write_text(json.dumps(document))
        manifest = read(app)
        enforcing.enforce(manifest, "model train")
        if allowed:
            enforcing.enforce(manifest, "data release", ["train"])
            continue
        with pytest.raises(TrustError) as refused:
            enforcing.enforce(manifest, "data release", ["train"])
        assert refused.value.code == "label.region"


def test_commands_that_read_the_data_refuse_before_they_read(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In another region `data filter` and `model train` are refused, and write nothing."""
    _declare(app, {"region": "US"}, ["credit"])
    said = _run(["data", "filter", str(app), "--out", str(app.parent / "out")], capsys, 1)
    assert "label.region" in said
    said = _run(["model", "train", "--in", str(app), "--private", "--out", str(app.parent / "m.json")], capsys, 1)
    assert "label.region" in said
    assert not (app.parent / "out").exists()
    assert not (app.parent / "m.json").exists()


def test_the_model_has_the_strictest_label_and_its_loss_or_change_shows(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`data label` signs it, `data check` holds it against the model's files and the labels of the data."""
    place = data_label.model_place(read(app))
    found = json.loads(_run(["data", "check", str(app), "--json"], capsys))
    assert [row["holds"] for row in found] == [True, True]
    label = place.read_bytes()
    place.unlink()
    assert "label.model" in _run(["data", "check", str(app)], capsys, 1)
    place.write_bytes(label)
    module = next(app.glob("*.py"))
    module.write_text(module.read_text() + "\n")
    assert "not those that were labelled" in _run(["data", "check", str(app)], capsys, 1).replace("\n", " ")


def test_a_changed_cell_of_an_application_is_located(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`data check` of an application names column and rows, in text and in JSON."""
    path = read(app).root / read(app).data["train"].path
    lines = path.read_text().splitlines()
    column = lines[0].split(",")[0]
    lines[5] = ",".join(["7.25", *lines[5].split(",")[1:]])
    path.write_text("\n".join(lines) + "\n")
    row = next(
        one for one in json.loads(_run(["data", "check", str(app), "--json"], capsys, 1)) if one["data"] == "train"
    )
    assert row["code"] == "label.data-changed"
    assert [place["column"] for place in row["faults"][0]["where"]] == [column]
    assert f"{column}: rows 0-255" in _run(["data", "check", str(app)], capsys, 1)
