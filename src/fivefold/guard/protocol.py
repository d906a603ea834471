"""Protocol: requests and answers of the Open Inference Protocol v2, REST with tensors as JSON.

Source: Open Inference Protocol v2 (KServe), sections on REST: health, metadata, inference.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.guard.nouns import Decision, RefusedError

if TYPE_CHECKING:
    from fivefold.subject.rows import Rows
    from fivefold.subject.way import Way

MAX_BODY = 16 << 20
_MOST_INPUTS = 20_000
_TYPES = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "u2", "UINT32": "u4", "UINT64": "u8", "INT8": "i1", "INT16": "i2",
    "INT32": "i4", "INT64": "i8", "FP16": "f2", "FP32": "f4", "FP64": "f8", "BYTES": "",
}  # fmt: skip
_NAMES = {np.dtype(text): name for name, text in _TYPES.items() if text}


class Input(msgspec.Struct, frozen=True):
    """One tensor as asked."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] = {}


class Asked(msgspec.Struct, frozen=True):
    """One inference request."""

    inputs: list[Input]
    id: str = ""
    parameters: dict[str, Any] = {}
    outputs: list[dict[str, Any]] = []

    def word(self, name: str) -> str:
        """Return a parameter that is a text.

        Raises:
            RefusedError: ``guard.parameter``.
        """
        found = self.parameters.get(name, "")
        if not isinstance(found, str) or len(found) > 4096:
            raise RefusedError("guard.parameter", f"the parameter {name} is no text.", status=400, field=name)
        return found


def parse(body: bytes) -> Asked:
    """Read a request.

    Raises:
        RefusedError: ``guard.request``.
    """
    try:
        asked = msgspec.json.decode(body, type=Asked)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RefusedError(
            "guard.request", "this is no inference request in JSON.", status=400,
            remedy='Write {"inputs": [{"name": ..., "shape": [n], "datatype": ..., "data": [...]}]}.',
        ) from None  # fmt: skip
    if not 0 < len(asked.inputs) <= _MOST_INPUTS:
        raise RefusedError("guard.request", "a request has inputs.", status=400)
    return asked


def given(asked: Asked, example: Rows) -> dict[str, Any]:
    """Return the inputs by name: lists of values for columns, an array where the model is given one.

    Raises:
        RefusedError: ``guard.request`` for a tensor that does not fit its shape or type; ``guard.fields`` for one that
            stands twice.
    """
    found: dict[str, Any] = {}
    for tensor in asked.inputs:
        if tensor.name in found:
            raise RefusedError("guard.fields", f"{tensor.name[:80]} stands twice.", status=400, field=tensor.name[:80])
        values = _flat(tensor)
        if isinstance(example, np.ndarray) and example.dtype != object:
            try:
                array = np.asarray(values, dtype=_TYPES[tensor.datatype] or object)
            except (ValueError, TypeError, OverflowError):
                raise _odd(tensor) from None
            found[tensor.name] = array.reshape(tensor.shape)
            continue
        if len(tensor.shape) > 2 or (len(tensor.shape) == 2 and tensor.shape[1] != 1):
            raise _odd(tensor)
        found[tensor.name] = values
    return found


def _flat(tensor: Input) -> list[Any]:
    """Return a tensor's values in row-major order; nested lists are taken too, as the protocol allows."""
    count = math.prod(tensor.shape) if all(0 <= size <= MAX_BODY for size in tensor.shape) and tensor.shape else -1
    values = tensor.data
    for _ in range(len(tensor.shape) - 1):
        if not values or not isinstance(values[0], list):
            break
        if not all(isinstance(part, list) for part in values):
            raise _odd(tensor)
        values = [value for part in values for value in part]
    if tensor.datatype not in _TYPES or count != len(values) or any(isinstance(value, list | dict) for value in values):
        raise _odd(tensor)
    if tensor.datatype.startswith(("INT", "UINT")) and any(isinstance(value, float) for value in values):
        raise _odd(tensor)
    return values


def _odd(tensor: Input) -> RefusedError:
    name = tensor.name[:80]
    return RefusedError("guard.request", f"the tensor {name} is not of its shape and type.", status=400, field=name)


def answered(decision: Decision, asked: Asked, name: str, version: str) -> dict[str, Any]:
    """Return the response to a request."""
    n = len(decision.answers)
    labels = n > 0 and isinstance(decision.answers[0], str)
    outputs: list[dict[str, Any]] = [
        {
            "name": "answer", "shape": [n], "datatype": "BYTES" if labels else "FP64", "data": list(decision.answers),
        }
    ]  # fmt: skip
    if decision.scores is not None:
        width = len(decision.classes)
        data = [value for row in decision.scores for value in row]
        outputs.append(
            {
                "name": "scores", "shape": [n, width], "datatype": "FP64", "data": data,
                "parameters": {"classes": list(decision.classes)},
            }
        )  # fmt: skip
    return {
        "model_name": name, "model_version": version, "id": asked.id, "outputs": outputs,
        "parameters": {
            "receipt": msgspec.to_builtins(decision.receipt), "reasons": msgspec.to_builtins(decision.reasons),
        },
    }  # fmt: skip


def metadata(way: Way, name: str, version: str) -> dict[str, Any]:
    """Return the model's metadata: inputs and outputs with their types."""
    example = way.rows()
    if isinstance(example, np.ndarray):
        inputs = [_described("input", example, list(example.shape[1:]))]
    else:
        inputs = [_described(str(column), example[column].to_numpy(), []) for column in example.columns]
    access = way.access
    outputs = [{"name": "answer", "datatype": "FP64" if access.task == "regression" else "BYTES", "shape": [-1]}]
    if access.score is not None:
        outputs.append({"name": "scores", "datatype": "FP64", "shape": [-1, len(access.classes)]})
    return {"name": name, "versions": [version], "platform": "fivefold", "inputs": inputs, "outputs": outputs}


def _described(name: str, example: np.ndarray, rest: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": _NAMES.get(example.dtype, "BYTES"), "shape": [-1, *rest]}
