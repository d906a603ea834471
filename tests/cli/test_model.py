"""Commands ``model sign`` and ``model verify``, run as a user runs them."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from tests.subject.apps import build


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """Run one command of the command line."""
    return subprocess.run(
        [sys.executable, "-m", "fivefold", *map(str, words)], capture_output=True, text=True, check=False
    )


def app(tmp_path: Path) -> Path:
    """Return an application whose manifest names a signature that is not there yet."""
    root = tmp_path / "app"
    root.mkdir()
    (root / "m.sig").touch()
    build(root, manifest={"model": {"factory": "scorer:load", "signature": "m.sig"}})
    (root / "m.sig").unlink()
    return root


def test_a_signed_model_verifies_and_a_changed_one_does_not(tmp_path: Path) -> None:
    """Sign, trust, verify; then one byte of the module that loads the model."""
    root = app(tmp_path)
    made = json.loads(run("key", "new", "--role", "signer", "--name", "Mo", "--json").stdout)
    said = run("model", "sign", root, "--json")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["files"] == ["scorer.py"]
    stranger = run("model", "verify", root)
    assert stranger.returncode == 1
    public = next(Path(value) for value in made.values() if str(value).endswith(".pub"))
    assert run("trust", "add", public, "--role", "signer", "--name", "Mo").returncode == 0
    good = run("model", "verify", root)
    assert good.returncode == 0, good.stderr
    assert "Mo" in good.stdout
    with (root / "scorer.py").open("a") as file:
        file.write("\n")
    bad = run("model", "verify", root, "--json")
    assert bad.returncode == 1
    assert json.loads(bad.stderr)["error"]["code"] == "oms.changed-file"


def test_without_a_signer_key_the_remedy_says_how_to_make_one(tmp_path: Path) -> None:
    """Nothing is signed with some other key."""
    said = run("model", "sign", app(tmp_path))
    assert said.returncode == 2
    assert "key new --role signer" in " ".join(said.stderr.split())


def test_an_unsigned_model_does_not_verify(tmp_path: Path) -> None:
    """A missing signature is broken trust, exit code 1."""
    said = run("model", "verify", app(tmp_path), "--json")
    assert said.returncode == 1
    assert json.loads(said.stderr)["error"]["code"] == "oms.unsigned"


def test_a_file_that_runs_code_when_it_is_read_is_not_signed(tmp_path: Path) -> None:
    """A pickle in the signed set is refused with its code, and no signature is written."""
    root = tmp_path / "app"
    root.mkdir()
    (root / "m.sig").touch()
    (root / "weights.bin").write_bytes(pickle.dumps({"weights": [1, 2]}, protocol=4))
    model = {"factory": "scorer:load", "files": ["weights.bin"], "signature": "m.sig"}
    build(root, manifest={"model": model})
    (root / "m.sig").unlink()
    run("key", "new", "--role", "signer")
    said = run("model", "sign", root, "--json")
    assert said.returncode == 1
    assert json.loads(said.stderr)["error"]["code"] == "model.pickle"
    assert not (root / "m.sig").exists()


@pytest.mark.parametrize("style", ["block", "flow"])
def test_a_manifest_that_names_no_signature_is_given_one(tmp_path: Path, style: str) -> None:
    """One command signs: the line is added, comments stay, nothing else changes; a plan then reads it."""
    root = tmp_path / "app"
    build(root)
    place = root / "fivefold.yaml"
    text = place.read_text(encoding="utf-8")
    if style == "flow":
        text = text.replace("model:\n  factory: scorer:load", 'model: {factory: "scorer:load"}')
    place.write_text(text + "# the end\n", encoding="utf-8")
    assert run("key", "new", "--role", "signer", "--name", "Mo").returncode == 0
    said = run("model", "sign", root)
    assert said.returncode == 0, said.stderr
    assert "signature: model.sig" in said.stdout
    changed = place.read_text(encoding="utf-8")
    assert changed.replace("  signature: model.sig\n", "").replace("signature: model.sig, ", "") == text + "# the end\n"
    assert (root / "model.sig").is_file()
    assert run("plan", root).returncode == 0
    assert run("model", "sign", root).returncode == 0
    assert place.read_text(encoding="utf-8") == changed


def test_without_a_key_or_with_a_file_in_the_place_the_manifest_stays(tmp_path: Path) -> None:
    """Nothing is written that the signature would not follow."""
    root = tmp_path / "app"
    build(root)
    before = (root / "fivefold.yaml").read_bytes()
    assert run("model", "sign", root).returncode == 2
    assert run("key", "new", "--role", "signer", "--name", "Mo").returncode == 0
    (root / "model.sig").write_text("something else", encoding="utf-8")
    said = run("model", "sign", root)
    assert said.returncode == 2
    assert "signature: model.sig" in " ".join(said.stderr.split())
    assert (root / "fivefold.yaml").read_bytes() == before


def test_a_plan_without_the_signature_says_how_to_make_it(tmp_path: Path) -> None:
    """The remedy is the command, not a name that is spelt alike."""
    said = run("plan", app(tmp_path))
    assert said.returncode == 2
    assert "fivefold model sign" in " ".join(said.stderr.split())
