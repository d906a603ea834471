"""Inventory: which operators an ONNX graph holds, and what kind of model they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_PRODUCTS = frozenset({"Gemm", "MatMul", "MatMulInteger", "Einsum", "QLinearMatMul", "FusedMatMul", "FusedGemm"})
"""Operators that make a layer where one of their inputs is a stored weight."""

_LAYERS = frozenset(
    {"Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "DeformConv", "LSTM", "GRU", "RNN", "Attention"}
    | {"FusedConv", "MultiHeadAttention", "QAttention"}
)
_REGRESSORS = frozenset({"TreeEnsembleRegressor", "LinearRegressor", "SVMRegressor"})
_CLASSIFIERS = frozenset({"TreeEnsembleClassifier", "LinearClassifier", "SVMClassifier", "ZipMap", "ArgMax"})
_DEEPEST = 50


@dataclass(frozen=True)
class Inventory:
    """What a graph is made of.

    Attributes:
        neural: It has weighted layers. A linear model written as one product of matrices counts: from the file alone
            it is a network of one layer.
        trees: It has a tree ensemble.
        regressor: It ends in a regression and holds nothing that classifies.
    """

    neural: bool
    trees: bool
    regressor: bool


def take(model: Any) -> Inventory:
    """Return the inventory of an ``onnx.ModelProto``, its inner graphs and functions included."""
    names: set[str] = set()
    neural = False
    for graph in (model.graph, *model.functions):
        neural |= _walk(graph, frozenset(), names, 0)
    return Inventory(
        neural=neural,
        trees=any(name.startswith("TreeEnsemble") for name in names),
        regressor=bool(names & _REGRESSORS) and not names & _CLASSIFIERS,
    )


def _walk(graph: Any, outer: frozenset[str], names: set[str], depth: int) -> bool:
    """Note the operators of a graph and return whether one of them is a weighted layer."""
    if depth > _DEEPEST:
        return False
    stored = set(outer) | {item.name for item in getattr(graph, "initializer", ())}
    neural = False
    for node in graph.node:
        names.add(node.op_type)
        given = [name for name in node.input if name]
        if all(name in stored for name in given):
            stored.update(node.output)
        neural |= node.op_type in _LAYERS or (node.op_type in _PRODUCTS and any(name in stored for name in given))
        for inner in _inner(node.attribute):
            neural |= _walk(inner, frozenset(stored), names, depth + 1)
    return neural


def _inner(attributes: Iterable[Any]) -> Iterable[Any]:
    for attribute in attributes:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
