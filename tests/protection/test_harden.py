"""`model train --robust`: the net that comes out stands where the plain one falls, and nothing else is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from fivefold.assess.run import Options, assess
from fivefold.errors import FivefoldError
from fivefold.manifest.digests import data_digests
from fivefold.manifest.reader import read
from fivefold.protection.evasion.harden import command

from . import digit_models as digits

torch = digits.torch
save_file = pytest.importorskip("safetensors.torch", reason="safetensors is not installed").save_file

if TYPE_CHECKING:
    from pathlib import Path

NET = """
import torch

def build():
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(16, 16, 3, 2, 1),
        torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(256, 10))
"""


def application(root: Path, **training: object) -> Path:
    """Write an application on digits whose net was trained plainly."""
    root.mkdir()
    x, y = digits.data()
    for name, part in (("train", slice(0, 1000)), ("test", slice(1000, 1400))):
        np.savez(root / f"{name}.npz", x=x[part], y=y[part])
    (root / "net.py").write_text(NET, encoding="utf-8")
    save_file(dict(digits.trained().state_dict()), str(root / "plain.safetensors"))
    data = {"kind": "image", "target": "y"}
    manifest = {
        "fivefold": 1,
        "application": {"id": "digits", "level": 2, "purpose": "read digits"},
        "use": {"output": "label", "acts": "human"},
        "data": {name: {"path": f"{name}.npz", **data} for name in ("train", "test")},
        "model": {
            "factory": "net:build", "path": "plain.safetensors", "classes": [str(one) for one in range(10)],
            "output": "logits",
        },
        "controls": {"P1": {"training": {"epsilon": 0.15, "epochs": 12, "batch": 64, "rate": 0.005, **training}}},
        "checks": {"P1.standard": {"epsilon": 0.15, "steps": 20, "queries": 50}},
    }  # fmt: skip
    (root / "fivefold.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    return root


def standing(root: Path) -> dict[str, float]:
    """Return what P1.standard measured, by the product's own run."""
    done = assess(read(root), Options(effort="quick", only=("P1.standard",)))
    finding = next(one for one in done.findings if one.check == "P1.standard")
    return {one.name: one.value for one in finding.result.measures if not one.where and one.value is not None}


@pytest.mark.slow
def test_a_net_trained_so_stands_where_the_plain_one_falls(tmp_path: Path) -> None:
    """From a manifest: robust accuracy rises by at least 25 points, for at most 8 points of clean accuracy."""
    root = application(tmp_path / "app")
    before = standing(root)
    manifest = read(root)
    made = command.harden(manifest, data_digests(manifest)["train"])
    (root / "robust.safetensors").write_bytes(made.weights)
    told = yaml.safe_load((root / "fivefold.yaml").read_text())
    told["model"]["path"] = "robust.safetensors"
    (root / "fivefold.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    after = standing(root)
    assert after["robust accuracy"] >= before["robust accuracy"] + 0.25
    assert after["accuracy without an attack"] >= before["accuracy without an attack"] - 0.08
    assert abs(made.robust - after["robust accuracy"]) < 0.15


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    """Twice the same bytes; another seed gives others."""
    manifest = read(application(tmp_path / "app", epochs=1, rows=200))
    made = [command.harden(manifest, "", seed).weights for seed in (0, 0, 1)]
    assert made[0] == made[1]
    assert made[0] != made[2]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"epsilon": 7.0}, "evasion.training"),
        ({"speed": 3}, "evasion.training"),
    ],
)
def test_an_unfit_recipe_is_refused(tmp_path: Path, change: dict[str, object], code: str) -> None:
    """Unknown keys and figures out of range are named before anything is read."""
    with pytest.raises(FivefoldError) as caught:
        command.ready(read(application(tmp_path / "app", **change)))
    assert caught.value.code == code


def test_a_module_that_does_not_fit_the_classes_is_refused(tmp_path: Path) -> None:
    """Ten outputs for three classes: the error says which."""
    root = application(tmp_path / "app", epochs=1, rows=200)
    told = yaml.safe_load((root / "fivefold.yaml").read_text())
    told["model"]["classes"] = ["0", "1", "2"]
    (root / "fivefold.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    with pytest.raises(FivefoldError) as caught:
        command.harden(read(root), "")
    assert caught.value.code == "model.shape"
