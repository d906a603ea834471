"""Protocol: requests and answers of the Open Inference Protocol v2, REST, with tensors as JSON or as binary data.

Sources: Open Inference Protocol v2 (KServe), sections on REST: health, metadata, inference; Triton's extension for
binary tensor data.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.errors import SubjectError
from fivefold.guard import once
from fivefold.guard.nouns import Decision, RefusedError
from fivefold.subject.endpoint import wire

if TYPE_CHECKING:
    from fivefold.subject.rows import Rows
    from fivefold.subject.way import Way

MAX_BODY = 16 << 20
LENGTH = "Inference-Header-Content-Length"
"""Header that says how many bytes of a body are JSON."""
OUTPUTS = ("answer", "scores")
_MOST_INPUTS = 20_000
_MOST_SIZES = 8
DATATYPES = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "u2", "UINT32": "u4", "UINT64": "u8", "INT8": "i1", "INT16": "i2",
    "INT32": "i4", "INT64": "i8", "FP16": "f2", "FP32": "f4", "FP64": "f8", "BYTES": "",
}  # fmt: skip
_TYPES: dict[str, frozenset[type]] = {
    name: frozenset(
        {type(None), str if name == "BYTES" else bool if kind == "?" else int, *([float] if kind[:1] == "f" else [])}
    )
    for name, kind in DATATYPES.items()
}
"""Types of the values in JSON."""
_NAMES = {np.dtype(text): name for name, text in DATATYPES.items() if text}


class Input(msgspec.Struct, frozen=True):
    """One tensor as asked."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


class Output(msgspec.Struct, frozen=True):
    """One tensor as wanted."""

    name: str
    parameters: dict[str, Any] = {}


class Asked(msgspec.Struct, frozen=True):
    """One inference request.

    Attributes:
        blob: The binary data behind the JSON.
    """

    inputs: list[Input]
    id: str = ""
    parameters: dict[str, Any] = {}
    outputs: list[Output] = []
    blob: bytes = b""

    def wanted(self, name: str) -> tuple[bool, bool]:
        """Return whether an output is wanted, and whether as binary data."""
        binary = self.parameters.get("binary_data_output") is True
        for output in self.outputs:
            if output.name == name:
                return True, output.parameters.get("binary_data", binary) is True
        return not self.outputs, binary

    def word(self, name: str) -> str:
        """Return a parameter that is a text.

        Raises:
            RefusedError: ``guard.parameter``.
        """
        found = self.parameters.get(name, "")
        if not isinstance(found, str) or len(found) > 4096:
            raise RefusedError("guard.parameter", f"the parameter {name} is no text.", status=400, field=name)
        return found


def parse(body: bytes, length: str = "") -> Asked:
    """Read a request.

    Args:
        body: JSON, and binary data behind it.
        length: The header ``Inference-Header-Content-Length``: bytes of JSON; empty: all of them.

    Raises:
        RefusedError: ``guard.request``; ``guard.output`` for an output that there is not.
    """
    size = int(length) if length.isascii() and length.isdigit() and len(length) < 12 else -1
    if length and not 0 <= size <= len(body):
        raise _no_request()
    head = body[:size] if length else body
    try:
        asked = msgspec.json.decode(head, type=Asked)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _no_request() from None
    if asked.blob or once.repeats(head, asked):
        raise _no_request()
    require_sound(asked)
    return msgspec.structs.replace(asked, blob=body[size:]) if length else asked


def require_sound(asked: Asked) -> None:
    """Hold a request to its limits.

    Raises:
        RefusedError: ``guard.request`` for no inputs, or too many; ``guard.output`` for an output that there is not.
    """
    if not 0 < len(asked.inputs) <= _MOST_INPUTS:
        raise _no_request()
    odd = [output.name for output in asked.outputs if output.name not in OUTPUTS]
    if odd:
        raise RefusedError(
            "guard.output",
            f"there is no output {odd[0][:80]}.",
            status=400,
            remedy=f"There are: {', '.join(OUTPUTS)}.",
        )


def _no_request() -> RefusedError:
    remedy = 'Write {"inputs": [{"name": ..., "shape": [n], "datatype": ..., "data": [...]}]}.'
    return RefusedError("guard.request", "this is no inference request in JSON.", status=400, remedy=remedy)


def given(asked: Asked, example: Rows) -> dict[str, Any]:
    """Return the inputs by name: lists of values for columns, an array where the model is given one.

    Raises:
        RefusedError: ``guard.request`` for a tensor that does not fit its shape or type; ``guard.fields`` for one that
            stands twice.
    """
    found: dict[str, Any] = {}
    arrays = isinstance(example, np.ndarray) and example.dtype != object
    if not arrays and (plain := _all_plain(asked)) is not None:
        return plain
    blob = memoryview(asked.blob)
    for tensor in asked.inputs:
        if len(tensor.shape) > _MOST_SIZES:  # their product would be a very long number
            raise _odd(tensor)
        if tensor.name in found:
            raise RefusedError("guard.fields", f"{tensor.name[:80]} stands twice.", status=400, field=tensor.name[:80])
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            values: Any = _flat(tensor)
        else:
            if tensor.data is not None or not isinstance(size, int) or not 0 <= size <= len(blob):
                raise _odd(tensor)
            values, blob = _unpacked(tensor, bytes(blob[:size])), blob[size:]
        found[tensor.name] = _array(tensor, values) if arrays else _listed_values(tensor, values)
    if len(blob):
        raise RefusedError("guard.request", "there is more binary data than the inputs say.", status=400)
    return found


def _all_plain(asked: Asked) -> dict[str, Any] | None:
    """Return the inputs if all are plainly right; None: they must be looked at."""
    found = {tensor.name: tensor.data for tensor in asked.inputs if _plain(tensor)}
    return found if len(found) == len(asked.inputs) and not asked.blob else None


def _plain(tensor: Input) -> bool:
    """Return whether a tensor is plainly right: one list of values of its type."""
    data, types = tensor.data, _TYPES.get(tensor.datatype)
    if data is None or types is None or tensor.parameters or tensor.shape != [len(data)]:
        return False
    return type(data[0]) in types if len(data) == 1 else types.issuperset(map(type, data))


def _array(tensor: Input, values: Any) -> np.ndarray:
    """Return the values, a list or an array, in a tensor's type and shape."""
    try:
        return np.asarray(values, dtype=DATATYPES[tensor.datatype] or object).reshape(tensor.shape)
    except (ValueError, TypeError, OverflowError):
        raise _odd(tensor) from None


def _listed_values(tensor: Input, values: Any) -> list[Any]:
    """Return the values of one column."""
    if len(tensor.shape) > 2 or (len(tensor.shape) == 2 and tensor.shape[1] != 1):
        raise _odd(tensor)
    return list(values.ravel().tolist()) if isinstance(values, np.ndarray) else values


def _unpacked(tensor: Input, data: bytes) -> np.ndarray:
    """Return the values of binary data; a text is UTF-8."""
    try:
        return wire.from_bytes(tensor.name, tensor.datatype, tensor.shape, data).data
    except SubjectError:
        raise _odd(tensor) from None


def _flat(tensor: Input) -> list[Any]:
    """Return a tensor's values in row-major order; nested lists are taken too, as the protocol allows."""
    count = math.prod(tensor.shape) if all(0 <= size <= MAX_BODY for size in tensor.shape) and tensor.shape else -1
    values = tensor.data if tensor.data is not None else []
    for _ in range(len(tensor.shape) - 1):
        if not values or not isinstance(values[0], list):
            break
        if not all(isinstance(part, list) for part in values):
            raise _odd(tensor)
        values = [value for part in values for value in part]
    if (
        tensor.datatype not in DATATYPES
        or count != len(values)
        or any(isinstance(value, list | dict) for value in values)
    ):
        raise _odd(tensor)
    if not all(value is None or _fits(value, tensor.datatype) for value in values):
        raise _odd(tensor)
    return values


def _fits(value: Any, datatype: str) -> bool:
    """Return whether a value of JSON is one of a type; nothing is made one of it."""
    if datatype in ("BOOL", "BYTES"):
        return isinstance(value, bool if datatype == "BOOL" else str)
    return isinstance(value, int | float if datatype.startswith("FP") else int) and not isinstance(value, bool)


def _odd(tensor: Input) -> RefusedError:
    name = tensor.name[:80]
    return RefusedError("guard.request", f"the tensor {name} is not of its shape and type.", status=400, field=name)


def tensors(decision: Decision) -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    """Return output to its values and parameters: (n,) answers, and (n, K) scores where there are any."""
    labels = bool(decision.answers) and isinstance(decision.answers[0], str)
    found: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
        "answer": (np.array(decision.answers, dtype=object if labels else np.float64), {})
    }
    if decision.scores is not None:
        found["scores"] = np.array(decision.scores), {"classes": list(decision.classes)}
    return found


def about(decision: Decision) -> dict[str, Any]:
    """Return what is told of a decision beside its outputs; who decided each row where there is a ladder."""
    told = {"receipt": decision.receipt, "reasons": decision.reasons}
    return told | ({"by": decision.by, "waiting": decision.waiting} if decision.by else {})


def answered(decision: Decision, asked: Asked, name: str, version: str) -> tuple[bytes, int]:
    """Return the response to a request, and how many bytes of it are JSON (0: all)."""
    outputs: list[dict[str, Any]] = []
    blob = b""
    if not asked.outputs and not asked.parameters:  # all of it, as JSON
        outputs = _listed(decision)
    for output, (values, parameters) in ({} if outputs else tensors(decision)).items():
        wanted, binary = asked.wanted(output)
        if not wanted:
            continue
        kind = wire.datatype(values)
        told: dict[str, Any] = {"name": output, "shape": list(values.shape), "datatype": kind}
        if binary:
            data = wire.to_bytes(wire.Tensor(output, kind, values))
            blob += data
            parameters = {**parameters, "binary_data_size": len(data)}  # noqa: PLW2901
        else:
            told["data"] = values.ravel().tolist()
        outputs.append(told | ({"parameters": parameters} if parameters else {}))
    body = msgspec.json.encode(
        {
            "model_name": name, "model_version": version, "id": asked.id, "outputs": outputs,
            "parameters": about(decision),
        }
    )  # fmt: skip
    return body + blob, len(body) if blob else 0


def _listed(decision: Decision) -> list[dict[str, Any]]:
    """Return the outputs of :func:`tensors` as JSON, without making arrays of them."""
    answers, scores = decision.answers, decision.scores
    kind = "BYTES" if answers and isinstance(answers[0], str) else "FP64"
    listed: list[dict[str, Any]] = [{"name": "answer", "shape": [len(answers)], "datatype": kind, "data": answers}]
    if scores:
        flat = [value for row in scores for value in row]
        shape, classes = [len(scores), len(scores[0])], list(decision.classes)
        listed.append(
            {"name": "scores", "shape": shape, "datatype": "FP64", "data": flat, "parameters": {"classes": classes}}
        )
    return listed


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
