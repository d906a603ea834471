"""`model train --explainable network`: an additive head over copies of the application's own network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from fivefold.errors import FivefoldError
from fivefold.explanation.antehoc import command, page
from fivefold.explanation.antehoc.form import decode
from fivefold.manifest.reader import read

pytest.importorskip("torch", reason="torch is not installed")

if TYPE_CHECKING:
    from pathlib import Path

NET = """
import torch

def build(inputs):
    return torch.nn.Sequential(
        torch.nn.Linear(inputs, 16), torch.nn.Tanh(), torch.nn.Dropout(0.1), torch.nn.Linear(16, 8))

def flat(inputs):
    return torch.nn.Flatten(0)

def none(inputs):
    return inputs
"""


def application(root: Path, network: str = "net:build", task: str = "binary", **features: dict[str, str]) -> Path:
    """Write an application whose score is a wave in one column, falls in another, and hangs on a text."""
    root.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    n = 1600
    rows = pd.DataFrame({"wave": rng.uniform(-3, 3, n).round(3), "falls": rng.normal(size=n).round(3),
                         "town": np.array(["north", "south", None], dtype=object)[rng.integers(0, 3, n)]})  # fmt: skip
    score = 2 * np.sin(rows["wave"]) - rows["falls"] + (rows["town"] == "north") * 1.5 - 0.5
    noisy = score + rng.logistic(size=n) / 2
    rows["y"] = noisy * 50 if task == "regression" else np.where(noisy > 0, "yes", "no")
    rows.iloc[: n // 2].to_csv(root / "train.csv", index=False)
    rows.iloc[n // 2 :].to_csv(root / "test.csv", index=False)
    (root / "net.py").write_text(NET, encoding="utf-8")
    data = {"target": "y"} if task == "regression" else {"target": "y", "positive": "yes"}
    told = {
        "fivefold": 1, "application": {"id": "waves", "level": 3, "purpose": "tell waves"},
        "use": {"output": "score", "acts": "human"}, "features": features,
        "data": {name: {"path": f"{name}.csv", **data} for name in ("train", "test")},
        "controls": {"E1": {"network": network}},
    }  # fmt: skip
    (root / "fivefold.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    return root


def shapes(made: command.Made) -> dict[str, np.ndarray]:
    return {term.column: np.array(term.adds)[:, 0] for term in decode(made.model).terms}


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_network_learns_shapes_and_what_comes_out_is_a_page(task: str, tmp_path: Path) -> None:
    """Close to the black box; the wave is told as one, the fall as a fall; the page is the model."""
    made = command.learn(read(application(tmp_path / "app", task=task)), "network", 7)
    assert page.read(made.page.decode()) == decode(made.model)
    assert made.onnx
    assert made.told["lost"] < 0.06
    wave = shapes(made)["wave"]
    assert wave[-3:].mean() > wave.mean() > wave[:3].mean()
    assert max(wave) > wave[-1]
    assert (np.diff(shapes(made)["falls"]) <= 0).mean() > 0.8


def test_a_direction_is_kept_against_the_data(tmp_path: Path) -> None:
    """Declared to rise with a column with which it falls, the score no longer hangs on it, or rises."""
    made = command.learn(read(application(tmp_path / "app", falls={"monotone": "up"})), "network", 7)
    assert "wave" in shapes(made)
    assert (np.diff(shapes(made).get("falls", np.zeros(2))) >= 0).all()


@pytest.mark.parametrize(
    ("network", "code"),
    [("", "antehoc.network"), ("net:flat", "model.shape"), ("net:none", "model.shape")],
)
def test_what_is_no_network_is_refused(network: str, code: str, tmp_path: Path) -> None:
    """No declaration, a wrong shape, no module: each with its code."""
    with pytest.raises(FivefoldError) as caught:
        command.learn(read(application(tmp_path / "app", network)), "network", 7)
    assert caught.value.code.startswith(code)
