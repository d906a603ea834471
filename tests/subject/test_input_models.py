"""Every kind of model that can be given images and texts is given them in their natural form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from fivefold.assess.probe import probe
from fivefold.assess.run import Options, assess
from fivefold.manifest.reader import read

from . import input_apps
from .oip_server import Running, Served

if TYPE_CHECKING:
    from pathlib import Path

_TRAIN = """

def fit(data, rng):
    assert len(data.inputs) == len(data.target)
    made = Model()
    made.inner = LogisticRegression(max_iter=500).fit(seen(data.inputs), data.target)
    return made
"""
_NET = """
import torch

class Halves(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(0.05))
    def forward(self, x):
        assert x.shape[1:] == (1, 6, 6) and x.dtype == torch.float32
        gap = self.scale * (x[:, 0, :3].mean((1, 2)) - x[:, 0, 3:].mean((1, 2)))
        return torch.stack([-gap, gap], 1)

def build():
    return Halves()
"""


def _model(root: Path, model: dict[str, object], **more: object) -> None:
    file = root / "fivefold.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8")) | {"model": model} | more
    file.write_text(yaml.safe_dump(document), encoding="utf-8")


@pytest.mark.parametrize("kind", ["image", "series", "text"])
def test_training_is_given_inputs_and_target(tmp_path: Path, kind: str) -> None:
    """``fit(data, rng)`` sees ``data.inputs`` and ``data.target``; membership trains again."""
    root = input_apps.build(tmp_path / "app", kind)
    with (root / "reader.py").open("a", encoding="utf-8") as file:
        file.write(_TRAIN)
    model = {"factory": "reader:load", "files": ["fit.npz"]}
    _model(root, model, training={"factory": "reader:fit"})
    done = assess(read(root), Options(effort="quick", only=("P3.membership",)))
    assert done.plan.facts.model is not None
    assert done.plan.facts.model.retrains
    (finding,) = done.findings
    assert str(finding.result.outcome) != "error", finding.result.reason


def test_a_torch_module_is_given_images_and_gives_gradients(tmp_path: Path) -> None:
    """P1.gradient runs on images: gradients come back in their shape."""
    pytest.importorskip("torch", reason="torch is not installed; scripts/test installs it")
    root = input_apps.build(tmp_path / "app", "image", rows=100)
    (root / "net.py").write_text(_NET, encoding="utf-8")
    _model(root, {"factory": "net:build", "classes": ["down", "up"]})
    done = assess(read(root), Options(effort="quick", only=("P1.gradient", "P3.accuracy")))
    fact = done.plan.facts.model
    assert fact is not None
    assert (fact.error, fact.kind, fact.inputs, fact.gradients) == ("", "torch", "image", True)
    assert {str(item.result.outcome) for item in done.findings} <= {"pass", "fail", "inconclusive"}, done.findings


def _halves(shape: list[str | int]) -> bytes:
    """Return an ONNX file that compares the halves of images of 6 x 6."""
    import onnx

    weights = np.concatenate([np.full(18, 0.003), np.full(18, -0.003)]).astype(np.float32)
    make, number = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        make.make_node("Flatten", ["x"], ["f"]),
        make.make_node("MatMul", ["f", "w"], ["z"]),
        make.make_node("Softmax", ["z"], ["p"], axis=1),
    ]
    graph = make.make_graph(
        nodes, "halves",
        [make.make_tensor_value_info("x", number, shape)],
        [make.make_tensor_value_info("p", number, ["n", 2])],
        [onnx.numpy_helper.from_array(np.column_stack([-weights, weights]), "w")],
    )  # fmt: skip
    made = make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=9)
    return bytes(made.SerializeToString())


@pytest.mark.parametrize("flat", [False, True])
def test_an_onnx_file_is_given_images_whole_or_flattened(tmp_path: Path, flat: bool) -> None:
    """An input of four dimensions, or one matrix."""
    pytest.importorskip("onnx", reason="onnx is not installed; scripts/test installs it")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; scripts/test installs it")
    root = input_apps.build(tmp_path / "app", "image", rows=60)
    (root / "model.onnx").write_bytes(_halves(["n", 36] if flat else ["n", 1, 6, 6]))
    _model(root, {"path": "model.onnx", "classes": ["down", "up"]})
    done = assess(read(root), Options(effort="quick", only=("P3.accuracy",)))
    assert done.plan.facts.model is not None
    assert not done.plan.facts.model.error
    assert str(done.findings[0].result.outcome) == "pass", done.findings[0].result.reason


def test_predictions_of_series_belong_to_ids(tmp_path: Path) -> None:
    """One line for each series, in any order."""
    root = input_apps.build(tmp_path / "app", "series")
    frame = pd.read_csv(root / "test.csv").groupby("pump")["state"].first().rename("prediction")
    frame.sample(frac=1.0, random_state=1).to_csv(root / "answers.csv")
    _model(root, {"predictions": "answers.csv"})
    done = assess(read(root), Options(effort="quick", only=("P3.accuracy",)))
    assert str(done.findings[0].result.outcome) == "pass", done.findings[0].result.reason


def test_a_command_is_not_asked_about_images_and_the_plan_says_why(tmp_path: Path) -> None:
    """CSV carries no images; that is no error, but a reason."""
    root = input_apps.build(tmp_path / "app", "image", rows=30)
    _model(root, {"command": ["awk", "{ print }"]})
    done = assess(read(root), Options(effort="quick"))
    plans = {item.check: item for item in done.plan.checks}
    assert plans["P3.accuracy"].status == "not-run"
    assert "CSV, which carries no images" in plans["P3.accuracy"].reason


def test_a_command_is_given_texts_in_one_column(tmp_path: Path) -> None:
    """The header names it ``text``."""
    root = input_apps.build(tmp_path / "app", "text", rows=60)
    rule = (
        'NR == 1 { print "prediction"; if ($0 != "text") exit 1; next } { print ($0 ~ /refund/) ? "money" : "fault" }'
    )
    (root / "rule.awk").write_text(rule, encoding="utf-8")
    _model(root, {"command": ["awk", "-f", "rule.awk"]})
    fact = probe(read(root)).model
    assert fact is not None
    assert (fact.error, fact.inputs, fact.task) == ("", "text", "binary")


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_an_endpoint_is_given_images_as_one_tensor(tmp_path: Path, kind: str) -> None:
    """One tensor of four dimensions, in the datatype that the model declares."""
    for engine in ("onnx", "onnxruntime", "h2"):
        pytest.importorskip(engine, reason=f"{engine} is not installed; scripts/test installs it")
    root = input_apps.build(tmp_path / "app", "image", rows=60)
    (tmp_path / "m.onnx").write_bytes(_halves(["n", 1, 6, 6]))
    with Running(Served(tmp_path / "m.onnx"), kind) as served:
        _model(root, {"endpoint": served.url, "classes": ["down", "up"]})
        fact = probe(read(root)).model
    assert fact is not None
    assert (fact.error, fact.kind, fact.inputs, fact.scores) == ("", kind, "image", True)
