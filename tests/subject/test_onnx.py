"""An ONNX file is fed by name or as one matrix, read as labels, scores or values, and never guessed at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from fivefold.errors import SubjectError
from fivefold.subject.access import Known, find
from fivefold.subject.asked import AskedSubject
from fivefold.subject.model import LocalModel

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.subject.model import Description

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from fivefold.subject.files.onnx_model import OnnxModel  # noqa: E402

RNG = np.random.default_rng(5)
X = pd.DataFrame(RNG.normal(size=(300, 3)), columns=["a b", "b", "c"])
W = np.array([[2.0, -1.0, 0.0], [0.0, 1.0, 1.0], [0.5, 0.5, -1.0]], dtype=np.float32)


def save(place: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], stored: list[Any] = []) -> Path:  # noqa: B006
    """Write a graph of hand-made nodes."""
    graph = helper.make_graph(nodes, "g", inputs, outputs, stored)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    place.write_bytes(made.SerializeToString())
    return place


def linear(place: Path, width: int = 3, *, rows: int | str = "n", soft: bool = False) -> Path:
    """Write ``X @ W``, perhaps with a softmax, as one matrix in and one out."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"])]
    if soft:
        nodes.append(helper.make_node("Softmax", ["z"], ["p"], axis=1))
    name = "p" if soft else "z"
    return save(
        place,
        nodes,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, width])],
        [numpy_helper.from_array(W[:, :width], "w")],
    )


class Described(LocalModel):
    """The model as the model process describes it."""

    def describe(self) -> Description:
        import msgspec

        parts = self._model.inventory
        said = super().describe()
        regressor = parts.regressor and "predict" not in said.methods
        return msgspec.structs.replace(said, kind="onnx", regressor=regressor)


def subject(place: Path, known: Known, frame: pd.DataFrame = X) -> AskedSubject:
    """Return the subject of a file."""
    raw = Described(OnnxModel(place))
    return AskedSubject(raw, find(raw, frame, known))


def proba(made: AskedSubject, frame: pd.DataFrame = X) -> np.ndarray:
    """Return probabilities of a frame."""
    from fivefold.subject.rows import bare

    return made.predict_proba(bare(frame, made.access.classes))


def softmax(z: np.ndarray) -> np.ndarray:
    raised = np.exp(z - z.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


THREE = Known(labels=("0", "1", "2"), numeric=True, whole=True)
TWO = Known(labels=("no", "yes"), numeric=False, whole=False, classes=("no", "yes"))


@pytest.mark.parametrize("rows", ["n", 1, 7])
@pytest.mark.parametrize("soft", [False, True])
def test_one_matrix_gives_scores_or_logits(tmp_path: Path, rows: int | str, soft: bool) -> None:
    """Logits are seen, softened, and that is said; a fixed number of rows at a time is kept to."""
    made = subject(linear(tmp_path / "m.onnx", rows=rows, soft=soft), THREE)
    np.testing.assert_allclose(proba(made), softmax(X.to_numpy() @ W), atol=1e-5)
    assert made.access.link == ("" if soft else "softmax")
    assert ("softmax is used" in made.access.note) is not soft


def test_one_logit_of_two_classes_goes_through_a_sigmoid(tmp_path: Path) -> None:
    """One number a row, outside 0 and 1, where two classes are declared."""
    made = subject(linear(tmp_path / "m.onnx", 1), TWO)
    np.testing.assert_allclose(proba(made)[:, 1], 1 / (1 + np.exp(-(X.to_numpy() @ W[:, 0]))), atol=1e-5)


def test_the_order_of_scores_without_labels_is_not_guessed(tmp_path: Path) -> None:
    """Three logits, three text labels, no declaration."""
    with pytest.raises(SubjectError) as caught:
        subject(linear(tmp_path / "m.onnx"), Known(labels=("a", "b", "c"), numeric=False, whole=False))
    assert caught.value.code == "model.classes"


def test_declared_probabilities_are_never_softened(tmp_path: Path) -> None:
    """They are not normalised, so they are refused instead."""
    declared = Known(labels=("0", "1", "2"), numeric=True, whole=True, output="probabilities")
    with pytest.raises(SubjectError) as caught:
        subject(linear(tmp_path / "m.onnx"), declared)
    assert caught.value.code == "model.not-normalised"


@pytest.mark.parametrize("zipmap", [False, True])
def test_files_of_a_foreign_exporter_answer_as_the_model_does(tmp_path: Path, zipmap: bool) -> None:
    """skl2onnx: labels and probabilities as tensors, or as a list of mappings; one input a column."""
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    from skl2onnx.common.data_types import FloatTensorType

    target = np.array(["no", "yes"])[(X["b"] > 0).astype(int)]
    model = GradientBoostingClassifier(n_estimators=10, random_state=0).fit(X.to_numpy(), target)
    graph = skl2onnx.to_onnx(
        model, initial_types=[("x", FloatTensorType([None, 3]))], options={id(model): {"zipmap": zipmap}}
    )
    place = tmp_path / "m.onnx"
    place.write_bytes(graph.SerializeToString())
    made = subject(place, Known(labels=("no", "yes"), numeric=False, whole=False))
    np.testing.assert_allclose(proba(made), model.predict_proba(X.to_numpy()), atol=1e-4)
    parts = OnnxModel(place).inventory
    assert (parts.trees, parts.neural) == (True, False)


def test_a_regression_stays_one(tmp_path: Path) -> None:
    """Whole-number targets of a linear regressor are no classes."""
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    model = LinearRegression().fit(X.to_numpy(), np.arange(300) % 7)
    place = tmp_path / "m.onnx"
    place.write_bytes(skl2onnx.to_onnx(model, X.to_numpy(dtype=np.float32)).SerializeToString())
    made = subject(place, Known(labels=tuple("0123456"), numeric=True, whole=True))
    assert made.task == "regression"


def identity(place: Path, kind: int) -> OnnxModel:
    """Return a file that hands one column back as a score or label."""
    one = helper.make_tensor_value_info("a_b", kind, ["n", 1])
    two = helper.make_tensor_value_info("out", kind, ["n", 1])
    return OnnxModel(save(place, [helper.make_node("Identity", ["a_b"], ["out"])], [one], [two]))


def test_missing_numbers_are_nan_and_missing_texts_are_empty(tmp_path: Path) -> None:
    """And whole floats become texts without a decimal point."""
    numbers = identity(tmp_path / "f.onnx", TensorProto.FLOAT)(pd.DataFrame({"a b": [1.5, None]}))
    assert numbers[0] == 1.5
    assert np.isnan(numbers[1])
    strings = identity(tmp_path / "s.onnx", TensorProto.STRING)
    assert strings.predict(pd.DataFrame({"a b": ["x", None]})).ravel().tolist() == ["x", ""]
    assert strings.predict(pd.DataFrame({"a b": [3.0, 2.5]})).ravel().tolist() == ["3", "2.5"]


@pytest.mark.parametrize(
    ("kind", "values", "code"),
    [
        (TensorProto.INT64, [1.0, None], "model.missing"),
        (TensorProto.INT64, [1.5, 2.0], "model.inputs"),
        (TensorProto.BOOL, [1.0, None], "model.missing"),
        (TensorProto.FLOAT, ["red", "blue"], "model.inputs"),
        (TensorProto.INT32, [2.0**40, 1.0], "model.inputs"),
    ],
)
def test_what_a_type_cannot_hold_is_said(tmp_path: Path, kind: int, values: list[Any], code: str) -> None:
    """Nothing is rounded, filled or encoded in silence."""
    model = identity(tmp_path / "m.onnx", kind)
    ask = getattr(model, "predict", model)
    with pytest.raises(SubjectError) as caught:
        ask(pd.DataFrame({"a b": values}))
    assert caught.value.code == code


def test_columns_that_are_not_there_and_too_many_are_said(tmp_path: Path) -> None:
    """A matrix of another width; a name that no column has."""
    with pytest.raises(SubjectError) as caught:
        OnnxModel(linear(tmp_path / "m.onnx"))(X[["b", "c"]])
    assert caught.value.code == "model.inputs"
    with pytest.raises(SubjectError) as caught:
        identity(tmp_path / "i.onnx", TensorProto.FLOAT)(pd.DataFrame({"z": [1.0], "y": [1.0]}))
    assert caught.value.code == "model.inputs"


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """Bytes that are no graph."""
    (tmp_path / "m.onnx").write_bytes(b"\x08\x09nonsense")
    with pytest.raises(SubjectError) as caught:
        OnnxModel(tmp_path / "m.onnx")
    assert caught.value.code == "model.onnx"


def test_a_weighted_product_is_a_layer_and_a_plain_one_is_not(tmp_path: Path) -> None:
    """Only products with stored weights count as network."""
    assert OnnxModel(linear(tmp_path / "m.onnx")).inventory.neural
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "n"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "n"])
    plain = save(tmp_path / "p.onnx", [helper.make_node("MatMul", ["x", "x"], ["y"])], [x], [y])
    assert not OnnxModel(plain).inventory.neural


@pytest.mark.slow
def test_a_manifest_without_a_factory_is_assessed(tmp_path: Path) -> None:
    """In the worker, under the sandbox, with the facts that the file shows."""
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    import yaml

    from fivefold.manifest.reader import read
    from fivefold.subject.bench import Bench

    frame = X.assign(y=np.array(["no", "yes"])[(X["b"] > 0).astype(int)])
    frame.iloc[:200].to_csv(tmp_path / "train.csv", index=False)
    frame.iloc[200:].to_csv(tmp_path / "test.csv", index=False)
    model = LogisticRegression().fit(X.to_numpy(), frame["y"])
    graph = skl2onnx.to_onnx(model, X.to_numpy(dtype=np.float32))
    (tmp_path / "m.onnx").write_bytes(graph.SerializeToString())
    document = {
        "fivefold": 1,
        "application": {"id": "app", "level": 2},
        "use": {"output": "label"},
        "data": {"train": {"path": "train.csv", "target": "y"}, "test": {"path": "test.csv"}},
        "model": {"path": "m.onnx"},
    }
    (tmp_path / "fivefold.yaml").write_text(yaml.safe_dump(document))
    manifest = read(tmp_path)
    with Bench(manifest, {}) as bench:
        fact = bench.probe()[0].model
    assert fact is not None
    assert fact.error == ""
    assert (fact.kind, fact.classes, fact.scores, fact.trees) == ("onnx", ("no", "yes"), True, False)
    assert fact.deterministic
    assert fact.perturbable
