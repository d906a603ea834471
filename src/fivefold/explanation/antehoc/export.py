"""Export: a readable model as an ONNX file with one input a column, which answers as the model does.

Numbers are doubles (a missing one is NaN), texts are strings (a missing one is empty); dates have no type in ONNX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.errors import InputError, UnsupportedError
from fivefold.explanation.antehoc.form import adds
from fivefold.subject import labels

if TYPE_CHECKING:
    from fivefold.explanation.antehoc.form import Condition, Model, Term

_OPSET, _ML = 17, 3


class _Graph:
    """Nodes and constants, gathered."""

    def __init__(self) -> None:
        import onnx

        self.helper, self.types = onnx.helper, onnx.TensorProto
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._count = 0

    def constant(self, values: Any, kind: str = "double") -> str:
        name = self._new()
        given = np.asarray(values, dtype={"double": np.float64, "whole": np.int64, "text": object}[kind])
        code = {"double": self.types.DOUBLE, "whole": self.types.INT64, "text": self.types.STRING}[kind]
        flat = [one.encode() for one in given.ravel()] if kind == "text" else given.ravel().tolist()
        self.constants.append(self.helper.make_tensor(name, code, given.shape, flat))
        return name

    def put(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = self._new()
        self.nodes.append(self.helper.make_node(kind, list(inputs), [name], domain=domain, **attributes))
        return name

    def _new(self) -> str:
        self._count += 1
        return f"v{self._count}"


def onnx_bytes(model: Model) -> bytes:
    """Return a model as an ONNX file.

    Raises:
        UnsupportedError: ``antehoc.extra`` where onnx is not installed.
        InputError: ``antehoc.dates`` for a model with a column of dates.
    """
    try:
        import onnx
    except ImportError:
        raise UnsupportedError("antehoc.extra", "onnx is not installed.",
                               remedy="Install it: pip install 'fivefold[onnx]'.") from None  # fmt: skip
    dates = [name for name, kind in model.columns if kind == "date"]
    if dates:
        raise InputError("antehoc.dates", f"ONNX has no type for the dates of {dates[0]}.",
                         remedy="Serve the JSON file by a factory, or store days as numbers.")  # fmt: skip
    graph = _Graph()
    score = _rules(graph, model) if model.form == "rules" else _sum(graph, model)
    helper, types = graph.helper, graph.types
    double = helper.make_tensor_value_info
    outputs = []
    if model.task == "regression":
        graph.nodes.append(helper.make_node("Identity", [score], ["value"]))
        outputs.append(double("value", types.DOUBLE, [None, 1]))
    else:
        graph.nodes.append(helper.make_node("Identity", [score], ["probabilities"]))
        at = graph.put("ArgMax", score, axis=1, keepdims=0)
        # of two equal chances ArgMax takes the first, as numpy does
        names = labels.natural(model.classes)
        whole = names.dtype.kind == "i"
        known = graph.constant(names if whole else list(model.classes), "whole" if whole else "text")
        graph.nodes.append(helper.make_node("Gather", [known, at], ["label"], axis=0))
        outputs.append(double("label", types.INT64 if whole else types.STRING, [None]))
        outputs.append(double("probabilities", types.DOUBLE, [None, len(model.classes)]))
    inputs = [double(name, types.STRING if kind == "text" else types.DOUBLE, [None, 1]) for name, kind in model.columns]
    if not inputs:
        raise InputError("antehoc.constant", "the model reads no column.", remedy="Bring columns that tell something.")
    made = helper.make_model(
        helper.make_graph(graph.nodes, "readable", inputs, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML)], ir_version=8,
        producer_name="fivefold",
    )  # fmt: skip
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def _sum(graph: _Graph, model: Model) -> str:
    total = graph.constant(np.zeros((1, model.width)))
    for term in model.terms:
        at = graph.put("Reshape", _position(graph, term), graph.constant([-1], "whole"))
        total = graph.put("Add", total, graph.put("Gather", graph.constant(adds(term)), at, axis=0))
    scaled = graph.put("Mul", total, graph.constant([model.scale]))
    score = graph.put("Add", scaled, graph.constant(model.base))
    if model.task == "regression":
        return score
    if model.task == "binary":
        one = graph.put("Sigmoid", score)
        return graph.put("Concat", graph.put("Sub", graph.constant([[1.0]]), one), one, axis=1)
    return graph.put("Softmax", score, axis=1)


def _position(graph: _Graph, term: Term) -> str:
    """Return (n, 1) int64 steps of the cells of a column."""
    if term.kind == "text":
        count = len(term.names)
        return graph.put(
            "LabelEncoder", term.column, domain="ai.onnx.ml", keys_strings=[*term.names, ""],
            values_int64s=[*range(count), count + 1], default_int64=count,
        )  # fmt: skip
    missing = graph.put("IsNaN", term.column)
    whole = graph.constant([[len(term.cuts) + 1]], "whole")
    if not term.cuts:
        return graph.put("Where", missing, whole, graph.constant([[0]], "whole"))
    past = graph.put("GreaterOrEqual", term.column, graph.constant([term.cuts]))
    ones = graph.put("Cast", past, to=graph.types.INT64)
    return graph.put("Where", missing, whole,
                     graph.put("ReduceSum", ones, graph.constant([1], "whole"), keepdims=1))  # fmt: skip


def _rules(graph: _Graph, model: Model) -> str:
    width = len(model.otherwise)
    answer = graph.constant([model.otherwise])
    if not model.columns:
        return answer
    for rule in reversed(model.rules):
        hold = _holds(graph, rule.when[0])
        for one in rule.when[1:]:
            hold = graph.put("And", hold, _holds(graph, one))
        answer = graph.put("Where", hold, graph.constant(np.reshape(rule.answer, (1, width))), answer)
    return answer


def _holds(graph: _Graph, one: Condition) -> str:
    if one.kind == "text":
        name = "" if one.test == "missing" else one.name
        found = graph.put("LabelEncoder", one.column, domain="ai.onnx.ml", keys_strings=[name], values_int64s=[1],
                          default_int64=0)  # fmt: skip
        return graph.put("Cast", found, to=graph.types.BOOL)
    if one.test == "missing":
        return graph.put("IsNaN", one.column)
    # a missing number is neither: comparisons with NaN do not hold
    return graph.put("GreaterOrEqual" if one.test == "from" else "Less", one.column, graph.constant([[one.cut]]))
