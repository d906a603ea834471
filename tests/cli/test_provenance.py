"""Command ``model provenance``, and what ``model train`` signs, on the credit example."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from fivefold.cli.main import run
from fivefold.evidence import links, model_provenance, signed_set
from fivefold.keys import store
from fivefold.keys import trust as trust_file
from fivefold.manifest.digests import data_digests
from fivefold.manifest.reader import read

CREDIT = Path(__file__).resolve().parents[2] / "examples" / "credit"
SAID = ["--here", "--parameter", "seed=20", "--parameter", 'drop=["sex"]', "--person", "trained=Jane Doe"]


def _run(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    with pytest.raises(SystemExit) as left:
        run(words)
    said = capsys.readouterr()
    assert left.value.code == code, said
    return said.out + said.err


def _json(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(_run([*words, "--json"], capsys))


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return a copy of the example, beside no repository."""
    return Path(shutil.copytree(CREDIT, tmp_path / "credit", ignore=shutil.ignore_patterns("__pycache__", "evidence")))


@pytest.fixture
def owner(capsys: pytest.CaptureFixture[str]) -> None:
    """Make a signer key that this user trusts."""
    made = _json(["key", "new", "--role", "signer", "--name", "Owner"], capsys)
    _run(["trust", "add", str(made["public"]), "--role", "signer", "--name", "Owner"], capsys)


def _broken(app: Path, statement: bytes) -> list[tuple[str, str]]:
    manifest = read(app)
    there = links.look(manifest, statement, signed_set.digests(manifest), data_digests(manifest))
    _, found = links.follow(statement, there, trust=trust_file.read(store.read_trust()), now=store.utc_now())
    return [(link.part, link.code) for link in links.broken(found)]


@pytest.mark.usefixtures("owner")
def test_what_a_model_was_made_of_is_signed_and_holds(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Data, code, parameters, environment and people are named; one changed row breaks the link to the data."""
    value = _json(["model", "provenance", str(app), *SAID], capsys)
    assert value["data"] == ["data.train", "data.calibration"]
    assert value["code"] == ["scorer.py", "train.py"]
    assert value["people"] == ["Jane Doe (trained)"]
    place = Path(value["provenance"])
    assert place == app / "model.provenance.json"
    trust = trust_file.read(store.read_trust())
    known = model_provenance.opened(place.read_bytes(), trust=trust, now=store.utc_now())
    definition = known.says.buildDefinition
    assert definition.externalParameters.parameters == {"seed": 20, "drop": ["sex"]}
    assert definition.internalParameters.environment["packages"]["numpy"]
    assert known.says.served == signed_set.digest(signed_set.digests(read(app)))
    assert _broken(app, place.read_bytes()) == []
    with (app / "data/train.csv").open("a", encoding="utf-8") as file:
        file.write((app / "data/train.csv").read_text(encoding="utf-8").splitlines()[1] + "\n")
    assert _broken(app, place.read_bytes()) == [("data", "provenance.other-data")]


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], "provenance.no-environment"),
        ([*SAID, "--environment", "README.md"], "provenance.no-environment"),
        (SAID[:5], "provenance.no-people"),
        (["--here", *SAID[5:]], "provenance.no-parameters"),
        ([*SAID, "--parameter", "seed"], "provenance.parameter"),
        ([*SAID, "--parameter", "seed=3"], "provenance.parameter"),
        ([*SAID, "--person", "=Jane"], "provenance.person"),
        ([*SAID, "--finished", "yesterday"], "trust.time"),
        ([*SAID, "--data", "no/such.csv"], "provenance.file"),
    ],
)
def test_what_is_lacking_is_asked_for(
    words: list[str], code: str, app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is signed that would not name all five."""
    said = json.loads(_run(["model", "provenance", str(app), *words, "--json"], capsys, 2))
    assert said["error"]["code"] == code
    assert said["error"]["remedy"]
    assert not (app / "model.provenance.json").exists()


@pytest.mark.usefixtures("owner")
def test_a_model_that_was_just_trained_brings_its_provenance(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``model train`` signs it beside the file, with the way, the data as they were read, and who ran it."""
    out = app / "fair.json"
    value = _json(["model", "train", "--fair", "reweigh", "--in", str(app), "--out", str(out)], capsys)
    place = Path(value["provenance"])
    assert place == app / "fair.provenance.json"
    trust = trust_file.read(store.read_trust())
    known = model_provenance.opened(place.read_bytes(), trust=trust, now=store.utc_now())
    said = known.says.buildDefinition.externalParameters
    assert known.files == {"fair.json": signed_set.sha256(out)}
    assert said.factory == "fivefold model train --fair"
    assert said.parameters["method"] == "reweigh"
    assert [one.role for one in said.people] == ["ran"]
    train = known.says.named("data")[0]
    assert (train.name, train.digest["sha256"]) == ("data.train", data_digests(read(app))["train"])
    assert known.says.runDetails.builder.id == model_provenance.SEEN


def test_without_a_key_training_goes_on_and_says_so(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The model is written; that it has no provenance is said, with the way to one."""
    out = app / "fair.json"
    said = _run(["model", "train", "--fair", "reweigh", "--in", str(app), "--out", str(out)], capsys)
    assert out.exists()
    assert "No provenance: you have no signer key" in said
    assert not (app / "fair.provenance.json").exists()
