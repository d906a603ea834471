"""Applications that a guard serves: signed by a key that this user trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.subject.apps import RULE, build

from fivefold.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

ROW = {"weight": 61.5, "colour": "red", "since": "2021-03-04", "count": 3.0, "team": "a"}
"""A row that the rule answers with yes."""


def command(*words: object) -> int:
    """Run a command; return its exit code."""
    with pytest.raises(SystemExit) as end:
        run([str(word) for word in words])
    return int(end.value.code or 0)


def sign(root: Path) -> None:
    """Sign the model of an application with this user's key."""
    assert command("model", "sign", root) == 0


def application(root: Path, model: str = RULE, *, signed: bool = True, **parts: Any) -> Path:
    """Write an application with purposes and benefit, and sign its model."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "m.sig").touch()
    manifest = {
        "model": {"factory": "scorer:load", "signature": "m.sig", "version": 2},
        "purposes": ["sorting", "testing"],
        "benefit": {"measure": "share sorted well", "target": 0.7},
        "features": {"weight": {"type": "number", "range": [0, 120], "unit": "kg"}},
        **parts,
    }
    build(root, model, manifest=manifest)
    (root / "m.sig").unlink()
    if signed:
        sign(root)
    return root


def signer(home: Path) -> None:
    """Make a signer's key and trust it."""
    assert command("key", "new", "--role", "signer", "--name", "Mo") == 0
    (key,) = home.rglob("signer-*.pub")
    assert command("trust", "add", key, "--role", "signer", "--name", "Mo") == 0
