"""Models that are torch modules with safetensors weights, by the product's own run: answers, gradients, faults."""

from __future__ import annotations

import runpy
import tempfile
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from fivefold.assess.probe import probe
from fivefold.assess.run import Options, assess
from fivefold.contract.outcome import Outcome
from fivefold.manifest.reader import read

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed; scripts/test installs it")
save_file = pytest.importorskip("safetensors.torch", reason="safetensors is not installed").save_file

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.plan import ModelFact

NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Dropout(0.5),
                                          torch.nn.Linear(8, outputs))

    def forward(self, x):
        return {out}

def build():
    return Net({outputs})
"""


def _data(kind: str, seed: int, rows: int = 500) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 4)), columns=["a", "b", "c", "d"])
    score = 2 * frame["a"] - frame["b"] + 0.5 * frame["c"] + 0.3 * rng.normal(size=rows)
    if kind == "values":
        frame["y"] = score
    elif kind == "three":
        frame["y"] = np.array(["low", "mid", "top"])[np.digitize(score, [-0.8, 0.8])]
    else:
        frame["y"] = np.where(score > 0, "yes", "no")
    return frame


def _trained(kind: str, outputs: int) -> dict[str, object]:
    """Train the network of the tests for a moment, and return its weights."""
    torch.manual_seed(3)
    with tempfile.NamedTemporaryFile("w", suffix=".py") as source:
        source.write(NET.format(out="self.layers(x)", outputs=outputs))
        source.flush()
        net = runpy.run_path(source.name)["build"]()
    frame = _data(kind, 1, 2000)
    x = torch.tensor(frame[["a", "b", "c", "d"]].to_numpy(), dtype=torch.float32)
    classes = sorted(frame["y"].unique()) if kind != "values" else []
    y = frame["y"].map({name: at for at, name in enumerate(classes)}) if classes else frame["y"]
    target = torch.tensor(y.to_numpy(), dtype=torch.int64 if outputs > 1 else torch.float32)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    losses = {True: torch.nn.CrossEntropyLoss(), False: torch.nn.BCEWithLogitsLoss()}
    loss = torch.nn.MSELoss() if kind == "values" else losses[outputs > 1]
    net.eval()
    for _ in range(200):
        optimizer.zero_grad()
        out = net(x)
        loss(out if outputs > 1 else out[:, 0], target).backward()
        optimizer.step()
    return dict(net.state_dict())


def application(root: Path, kind: str, *, outputs: int, out: str = "self.layers(x)", **model: object) -> Path:
    """Write an application whose model is a torch factory with weights."""
    root.mkdir(parents=True)
    for name, seed in (("train", 1), ("test", 2)):
        _data(kind, seed).to_csv(root / f"{name}.csv", index=False)
    (root / "net.py").write_text(NET.format(out=out, outputs=outputs), encoding="utf-8")
    save_file(_trained(kind, outputs), str(root / "model.safetensors"))
    manifest = {
        "fivefold": 1,
        "application": {"id": f"torch-{kind}", "level": 2, "purpose": "try a network"},
        "use": {"output": "label", "acts": "human"},
        "data": {"train": {"path": "train.csv", "target": "y"}, "test": {"path": "test.csv"}},
        "model": {"factory": "net:build", "path": "model.safetensors", **model},
    }
    (root / "fivefold.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    return root


def fact(root: Path) -> ModelFact:
    """Return what the probe found."""
    found = probe(read(root)).model
    assert found is not None
    return found


LOGITS = {"classes": ["no", "yes"]}
THREE = {"classes": ["low", "mid", "top"]}


@pytest.mark.parametrize(
    ("kind", "outputs", "out", "model", "task"),
    [
        ("two", 2, "self.layers(x)", LOGITS, "binary"),
        ("two", 2, "torch.softmax(self.layers(x), dim=1)", LOGITS, "binary"),
        ("two", 1, "self.layers(x)", {**LOGITS, "output": "logits"}, "binary"),
        ("two", 1, "torch.sigmoid(self.layers(x))[:, 0]", LOGITS, "binary"),
        ("three", 3, "self.layers(x)", THREE, "multiclass"),
        ("values", 1, "self.layers(x)", {}, "regression"),
    ],
)
def test_what_a_network_answers_is_read(
    tmp_path: Path, kind: str, outputs: int, out: str, model: dict[str, object], task: str
) -> None:
    """Logits and probabilities, one output and several, classes and values; drop-out is off; gradients are there."""
    found = fact(application(tmp_path / "app", kind, outputs=outputs, out=out, **model))
    assert not found.error, found.error
    assert (found.kind, found.task, found.gradients, found.neural) == ("torch", task, True, True)
    assert found.deterministic
    assert found.scores == (task != "regression")


@pytest.mark.parametrize(
    ("kind", "outputs", "out", "model"),
    [
        ("two", 2, "self.layers(x)", LOGITS),
        ("two", 1, "torch.sigmoid(self.layers(x))[:, 0]", LOGITS),
        ("three", 3, "self.layers(x)", THREE),
    ],
)
def test_gradients_cross_the_socket_and_the_network_falls(
    tmp_path: Path, kind: str, outputs: int, out: str, model: dict[str, object]
) -> None:
    """P1.gradient runs from the manifest: an undefended network fails at a wide epsilon, and its canary is noticed."""
    root = application(tmp_path / "app", kind, outputs=outputs, out=out, **model)
    manifest = yaml.safe_load((root / "fivefold.yaml").read_text(encoding="utf-8"))
    manifest["checks"] = {"P1": {"epsilon": 0.3}}
    (root / "fivefold.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    done = assess(read(root), Options(effort="quick", only=("P1.gradient", "P3.accuracy")))
    results = {item.check: item.result for item in done.findings}
    assert results["P3.accuracy"].outcome is Outcome.PASS, results["P3.accuracy"].reason
    gradient = results["P1.gradient"]
    assert gradient.outcome is Outcome.FAIL, gradient.reason
    assert gradient.canary is not None
    assert gradient.canary.noticed


def test_gradients_are_those_of_differences() -> None:
    """Cross-entropy, margin and squared error against central differences, for each form of output."""
    from fivefold.subject.files.torch_model import TorchModel

    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(5, 4)))
    for outputs, order, linked in ((3, (2, 0, 1), True), (1, (), True)):
        net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, outputs)).double()
        model = TorchModel(net, None, 0)
        target = rng.integers(0, max(outputs, 2), 5)
        for loss in ("cross-entropy", "margin"):
            base, slope = model.gradient(frame, target, loss, order=order, linked=linked)  # type: ignore[arg-type]
            assert base.shape == (5,)
            for column in range(4):
                step = np.zeros((5, 4))
                step[:, column] = 1e-5
                high = model.gradient(frame + step, target, loss, order=order, linked=linked)[0]  # type: ignore[arg-type]
                low = model.gradient(frame - step, target, loss, order=order, linked=linked)[0]  # type: ignore[arg-type]
                np.testing.assert_allclose(slope[:, column], (high - low) / 2e-5, rtol=1e-3, atol=1e-5)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """Another shape, a missing name: the names are told, no value is."""
    root = application(tmp_path / "app", "two", outputs=2, **LOGITS)
    weights = _trained("two", 2)
    weights.pop("layers.3.bias")
    save_file(weights, str(root / "model.safetensors"))
    assert "layers.3.bias" in fact(root).error


def test_texts_and_missing_values_are_told(tmp_path: Path) -> None:
    """A column of texts has no place in a matrix; an answer that is NaN is refused."""
    root = application(tmp_path / "app", "two", outputs=2, **LOGITS)
    for name in ("train", "test"):
        frame = pd.read_csv(root / f"{name}.csv")
        frame["a"] = "word"
        frame.to_csv(root / f"{name}.csv", index=False)
    assert "takes numbers" in fact(root).error
    root = application(tmp_path / "gaps", "two", outputs=2, **LOGITS)
    for name in ("train", "test"):
        frame = pd.read_csv(root / f"{name}.csv")
        frame.loc[::3, "a"] = np.nan
        frame.to_csv(root / f"{name}.csv", index=False)
    assert "NaN" in fact(root).error


def test_a_pickle_in_disguise_is_refused(tmp_path: Path) -> None:
    """A file saved with torch.save under the name of safetensors never reaches torch."""
    from fivefold.errors import TrustError

    root = application(tmp_path / "app", "two", outputs=2, **LOGITS)
    torch.save({"weights": torch.zeros(2)}, root / "model.safetensors")
    with pytest.raises(TrustError) as caught:
        probe(read(root))
    assert caught.value.code in {"model.pickle", "model.safetensors"}


def test_bits_of_a_network_flip_in_its_own_process(tmp_path: Path) -> None:
    """The weights are changed where the model runs, and the finding can be had again."""
    root = application(tmp_path / "app", "labels", outputs=2, classes=["no", "yes"])
    (finding,) = assess(read(root), Options(effort="quick", only=("P3.faults",))).findings
    assert finding.result.outcome is Outcome.PASS, finding.result.reason
    assert finding.result.canary is not None
    assert finding.result.canary.noticed
    shown = {one.where: one for one in finding.result.measures}
    assert shown["weights rounded to float16"].value == pytest.approx(1.0, abs=0.02)
    assert "of about 0.00186 flips in 58 weights" in finding.result.measures[0].note


def test_weights_of_an_onnx_file_change_and_come_back(tmp_path: Path) -> None:
    """The runtime answers with the changed graph, and with the stored one again."""
    onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
    from fivefold.subject.files.onnx_model import OnnxModel
    from fivefold.subject.files.weights import OnnxWeights, changed

    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    rng, path = np.random.default_rng(1), tmp_path / "m.onnx"
    stored = [rng.normal(size=shape).astype(np.float32) for shape in ((3, 4), (4,))]
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])], "net",
        [helper.make_tensor_value_info("x", kind, [None, 3])], [helper.make_tensor_value_info("y", kind, [None, 4])],
        [onnx.numpy_helper.from_array(values, name) for values, name in zip(stored, "wb", strict=True)],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(made.SerializeToString())
    rows = rng.normal(size=(20, 3)).astype(np.float32)
    model = OnnxModel(path)
    before = model(rows)
    weights = OnnxWeights(path, model.reopen)
    assert [one.size for one in weights.tensors] == [12, 4]
    weights.put(changed(weights.tensors, "flips", np.arange(16), np.full(16, 31)))
    assert model(rows) == pytest.approx(-before, abs=1e-5)
    weights.put(changed(weights.tensors, "stored", np.arange(0), np.arange(0)))
    assert np.array_equal(model(rows), before)
