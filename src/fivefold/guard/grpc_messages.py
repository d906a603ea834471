"""gRPC messages: those of the Open Inference Protocol that a guard reads and writes, for Google's library.

They are laid out here, so that nothing has to be generated. Source: ``grpc_predict_v2.proto`` of the Open Inference
Protocol (package ``inference``).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.guard import protocol
from fivefold.guard.nouns import RefusedError
from fivefold.guard.protocol import Asked, Input, Output
from fivefold.subject.endpoint import wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.guard.nouns import Decision

_MODEL = (("name", 1, "string"), ("version", 2, "string"))
_METADATA = (("name", 1, "string"), ("datatype", 2, "string"), ("shape", 3, "int64*"))
_TENSOR = (
    *_METADATA, ("parameters", 4, ".InferParameter{}"), ("contents", 5, ".InferTensorContents"),
)  # fmt: skip
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "ServerLiveRequest": (),
    "ServerLiveResponse": (("live", 1, "bool"),),
    "ServerReadyRequest": (),
    "ServerReadyResponse": (("ready", 1, "bool"),),
    "ModelReadyRequest": _MODEL,
    "ModelReadyResponse": (("ready", 1, "bool"),),
    "ServerMetadataRequest": (),
    "ServerMetadataResponse": (*_MODEL, ("extensions", 3, "string*")),
    "ModelMetadataRequest": _MODEL,
    "TensorMetadata": _METADATA,
    "ModelMetadataResponse": (
        ("name", 1, "string"), ("versions", 2, "string*"), ("platform", 3, "string"),
        ("inputs", 4, ".TensorMetadata*"), ("outputs", 5, ".TensorMetadata*"),
    ),
    "InferParameter": (
        ("bool_param", 1, "bool"), ("int64_param", 2, "int64"), ("string_param", 3, "string"),
        ("double_param", 4, "double"), ("uint64_param", 5, "uint64"),
    ),
    "InferTensorContents": (
        ("bool_contents", 1, "bool*"), ("int_contents", 2, "int32*"), ("int64_contents", 3, "int64*"),
        ("uint_contents", 4, "uint32*"), ("uint64_contents", 5, "uint64*"), ("fp32_contents", 6, "float*"),
        ("fp64_contents", 7, "double*"), ("bytes_contents", 8, "bytes*"),
    ),
    "InferTensor": _TENSOR,
    "InferRequestedOutput": (("name", 1, "string"), ("parameters", 2, ".InferParameter{}")),
    "ModelInferRequest": (
        ("model_name", 1, "string"), ("model_version", 2, "string"), ("id", 3, "string"),
        ("parameters", 4, ".InferParameter{}"), ("inputs", 5, ".InferTensor*"),
        ("outputs", 6, ".InferRequestedOutput*"), ("raw_input_contents", 7, "bytes*"),
    ),
    "ModelInferResponse": (
        ("model_name", 1, "string"), ("model_version", 2, "string"), ("id", 3, "string"),
        ("parameters", 4, ".InferParameter{}"), ("outputs", 5, ".InferTensor*"),
        ("raw_output_contents", 6, "bytes*"),
    ),
}  # fmt: skip
"""Message to its fields: name, number and type; ``*`` is repeated, ``{}`` a map from strings."""
_ONE_OF = "InferParameter"
_CONTENTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip


@functools.cache
def message(name: str) -> Any:
    """Return the class of a message."""
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"inference.{name}"))


@functools.cache
def _pool() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool

    file = descriptor_pb2.FileDescriptorProto(name="fivefold/inference.proto", package="inference", syntax="proto3")
    for name, fields in _MESSAGES.items():
        made = file.message_type.add(name=name)
        for field, number, kind in fields:
            if kind.endswith("{}"):
                entry = made.nested_type.add(name=f"{field.title()}Entry")
                entry.options.map_entry = True
                _field(entry, "key", 1, "string")
                _field(entry, "value", 2, kind.removesuffix("{}"))
                _field(made, field, number, f".{name}.{entry.name}*")
            else:
                _field(made, field, number, kind)
        if name == _ONE_OF:
            made.oneof_decl.add(name="parameter_choice")
            for field in made.field:
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _field(made: Any, name: str, number: int, kind: str) -> None:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Kind

    label = Kind.LABEL_REPEATED if kind.endswith("*") else Kind.LABEL_OPTIONAL
    kind = kind.removesuffix("*")
    field = made.field.add(name=name, number=number, label=label)
    if kind.startswith("."):
        field.type, field.type_name = Kind.TYPE_MESSAGE, f".inference{kind}"
    else:
        field.type = getattr(Kind, f"TYPE_{kind.upper()}")


def asked(request: Any) -> Asked:
    """Return a ``ModelInferRequest`` as the request that REST has, so that both take one path.

    Raises:
        RefusedError: ``guard.request`` for contents of two kinds, or of none; ``guard.output``.
    """
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise RefusedError("guard.request", "there are not as many raw contents as inputs.", status=400)
    inputs = []
    for index, item in enumerate(request.inputs):
        parameters = {} if not raw else {"binary_data_size": len(raw[index])}
        data = None if raw else _values(item)
        if raw and item.HasField("contents"):
            raise RefusedError("guard.request", "an input has contents of two kinds.", status=400)
        inputs.append(Input(item.name, list(item.shape), item.datatype, data, parameters))
    outputs = [Output(item.name) for item in request.outputs]
    found = Asked(inputs, request.id, _parameters(request.parameters), outputs, b"".join(raw))
    protocol.require_sound(found)
    return found


def _values(item: Any) -> list[Any]:
    field = _CONTENTS.get(item.datatype)
    if field is None:
        raise RefusedError(
            "guard.request", f"{item.datatype[:20]} has no typed contents.", status=400, field=item.name[:80]
        )
    values: list[Any] = list(getattr(item.contents, field))
    if item.datatype != "BYTES":
        return values
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError:
        raise RefusedError("guard.request", "a text is no UTF-8.", status=400, field=item.name[:80]) from None


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in given.items():
        which = value.WhichOneof("parameter_choice")
        found[name] = getattr(value, which) if which else None
    return found


def answered(decision: Decision, question: Asked, name: str, version: str) -> Any:
    """Return the ``ModelInferResponse`` to a question; what REST has as parameters is JSON in its own."""
    made = message("ModelInferResponse")(model_name=name, model_version=version, id=question.id)
    for output, (values, parameters) in protocol.tensors(decision).items():
        if not question.wanted(output)[0]:
            continue
        kind = wire.datatype(values)
        tensor = made.outputs.add(name=output, datatype=kind, shape=list(values.shape))
        for word, value in parameters.items():
            tensor.parameters[word].string_param = msgspec.json.encode(value).decode()
        made.raw_output_contents.append(wire.to_bytes(wire.Tensor(output, kind, np.asarray(values))))
    for word, told in protocol.about(decision).items():
        made.parameters[word].string_param = msgspec.json.encode(told).decode()
    return made
