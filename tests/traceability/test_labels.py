"""T1.labels: through the commands, from a manifest, with every fault named where it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.subject.apps import build
from tests.truth import labels as subjects

from fivefold.cli.main import run
from fivefold.contract.registry import resolve
from fivefold.errors import TrustError, UnsupportedError
from fivefold.evidence import data_label
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate

LABEL = {
    "class": "internal", "personal": [], "basis": "contract", "purpose": ["credit"], "region": "EU",
    "retain": "5y",
}  # fmt: skip


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application whose data sets declare whole labels."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    root = tmp_path / "app"
    build(root)
    path = root / "fivefold.yaml"
    document = yaml.safe_load(path.read_text())
    for data in document["data"].values():
        data |= {"label": LABEL, "source": "bureau"}
    document["application"]["level"] = 4
    path.write_text(json.dumps(document))
    return root


def _run(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    with pytest.raises(SystemExit) as left:
        run(words)
    said = capsys.readouterr()
    assert (left.value.code or 0) == code, said
    return said.out + said.err


def _codes(app: Path, capsys: pytest.CaptureFixture[str], code: int) -> list[str]:
    return [row["code"] for row in json.loads(_run(["data", "check", str(app), "--json"], capsys, code))]


def test_labels_are_signed_verified_and_every_fault_is_named(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unlabelled, labelled, data changed, swapped, manifest weakened, stripped: each named for its own data set."""
    assert set(_codes(app, capsys, 1)) == {"label.missing"}
    assert "no steward key" in _run(["data", "label", str(app)], capsys, 2)
    _run(["key", "new", "--role", "steward"], capsys)
    _run(["data", "label", str(app)], capsys)
    assert set(_codes(app, capsys, 3)) == {"trust.unknown-key"}
    public = next((app.parent / "config" / "fivefold" / "keys").glob("steward-*.pub"))
    _run(["trust", "add", str(public), "--role", "steward", "--name", "Steward"], capsys)
    made = json.loads(_run(["data", "label", str(app), "--json"], capsys))["labels"]
    assert len(made) == len(_codes(app, capsys, 0)) >= 2
    (row,) = [row for row in _assessed(app, capsys)["findings"] if row["check"] == "T1.labels"]
    assert row["result"]["outcome"] == "pass", row
    manifest = yaml.safe_load((app / "fivefold.yaml").read_text())
    first = app / next(iter(manifest["data"].values()))["path"]
    whole = first.read_bytes()
    first.write_bytes(whole + b"\n")
    assert _codes(app, capsys, 1).count("label.data-changed") == 1
    first.write_bytes(whole)
    one, two = Path(made[0]), Path(made[1])
    kept = one.read_bytes(), two.read_bytes()
    one.write_bytes(kept[1])
    two.write_bytes(kept[0])
    assert _codes(app, capsys, 1).count("label.other-data") == 2
    one.write_bytes(kept[0])
    two.unlink()
    assert _codes(app, capsys, 1).count("label.missing") == 1
    next(iter(manifest["data"].values()))["label"]["class"] = "public"
    (app / "fivefold.yaml").write_text(json.dumps(manifest))
    assert "label.differs" in _codes(app, capsys, 1)


@pytest.mark.parametrize(
    ("declared", "same"), [("DE, FR", True), ("FR,DE", True), ("DE", False), ("DE, FR, US", False)]
)
def test_a_list_in_a_label_is_declared_as_words_parted_at_commas(declared: str, same: bool) -> None:
    """A derived label lists its regions, and a manifest writes them as a text."""
    signer = generate()
    trust = trust_file.add(trust_file.Trust(), signer.public, name="s", roles=("steward",))
    said = {**LABEL, "region": ["DE", "FR"], "source": "bureau"}
    label = data_label.sign("train", "d", said, signer, "2026-01-01T00:00:00Z")
    held = {"declared": {**said, "region": declared}, "trust": trust, "now": "2026-01-02T00:00:00Z"}
    if same:
        assert data_label.verify(label, "train", "d", **held).fields == said
        return
    with pytest.raises(TrustError) as refused:
        data_label.verify(label, "train", "d", **held)
    assert refused.value.code == "label.differs"


def _assessed(app: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    with pytest.raises(SystemExit) as left:
        run(["assess", str(app), "--only", "T1.labels", "--json"])
    said = capsys.readouterr()
    assert said.out, (left.value.code, said.err)
    return dict(json.loads(said.out))


def test_an_incomplete_label_is_not_signed(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is lacking is named, for each data set, with what to write."""
    manifest = yaml.safe_load((app / "fivefold.yaml").read_text())
    for data in manifest["data"].values():
        del data["label"]["basis"]
    (app / "fivefold.yaml").write_text(json.dumps(manifest))
    _run(["key", "new", "--role", "steward"], capsys)
    said = _run(["data", "label", str(app)], capsys, 2)
    assert "does not say: basis" in said
    assert not list(app.rglob("*.label.json"))


@pytest.mark.parametrize("fault", ["", *subjects.FAULTS])
def test_each_fault_fails_and_names_its_data_set(fault: str) -> None:
    """One fault in one data set: that set fails, the others pass; without a fault all do."""
    result = resolve("T1.labels")(subjects.build(3, fault))
    assert str(result.outcome) == ("fail" if fault else "pass")
    assert result.canary is not None
    assert result.canary.noticed
    failing = [measure.where for measure in result.measures if measure.value == 0.0]
    assert bool(failing) == bool(fault)
    if fault not in {"", "swapped", "other role", "revoked", "expired key"}:
        assert len(failing) == 1
        assert failing[0] in result.reason


def test_data_in_memory_have_no_label() -> None:
    """There are no bytes to bind one to: said, not passed."""
    with pytest.raises(UnsupportedError):
        resolve("T1.labels")(replace(subjects.build(1), digests={}))


@pytest.mark.parametrize("answer", [None, TrustError("label.missing", "never")])
def test_the_canary_can_fail(answer: TrustError | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verification that believes everything, or nothing, concludes nothing."""

    def verify(*_: object, **__: object) -> None:
        if answer is not None:
            raise answer

    monkeypatch.setattr(data_label, "verify", verify)
    result = resolve("T1.labels")(subjects.build(5))
    assert str(result.outcome) == "inconclusive"
    assert result.canary is not None
    assert not result.canary.noticed


def test_a_data_set_that_declares_nothing_is_not_passed_over() -> None:
    """Data that were read and of which the manifest's view says nothing fail."""
    whole = subjects.build(8)
    assert str(resolve("T1.labels")(whole).outcome) == "pass"
    result = resolve("T1.labels")(replace(whole, settings=replace(whole.settings, labels=None)))
    assert str(result.outcome) == "fail"
    result = resolve("T1.labels")(replace(whole, digests={**whole.digests, "more": "00" * 32}))
    assert [measure.where for measure in result.measures if not measure.value] == ["data.more"]


def test_a_label_too_large_to_be_one_is_refused(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is called malformed, and not read whole."""
    manifest = yaml.safe_load((app / "fivefold.yaml").read_text())
    first = app / next(iter(manifest["data"].values()))["path"]
    first.with_name(first.name + data_label.ENDING).write_bytes(b" " * (data_label.MAX_BYTES + 10))
    assert "label.malformed" in _codes(app, capsys, 1)
