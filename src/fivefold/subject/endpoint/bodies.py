"""Bodies: inference requests and answers of the protocol over HTTP, as JSON, with binary tensors, or compressed."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.subject.endpoint import wire
from fivefold.subject.endpoint.wire import TroubleError

if TYPE_CHECKING:
    from fivefold.subject.endpoint.wire import Question, Tensor

LENGTH = "Inference-Header-Content-Length"
"""Header that says how many bytes of a body are JSON."""
_ZIP_LEVEL = 1
_WORTH = 1024
"""Bytes of a request that are worth to be compressed."""


class _Output(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] | None = None
    data: Any = None


class _Answer(msgspec.Struct):
    outputs: list[_Output]


def packed(question: Question) -> tuple[bytes, dict[str, str]]:
    """Return body and headers, compressed where that is known and worth it."""
    body, headers = encode(question)
    if question.zipped and len(body) >= _WORTH:
        return gzip.compress(body, _ZIP_LEVEL, mtime=0), headers | {"Content-Encoding": "gzip"}
    return body, headers


def encode(question: Question) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of an inference request."""
    inputs: list[dict[str, Any]] = []
    blocks: list[bytes] = []
    for tensor in question.inputs:
        item: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.data.shape)}
        parameters: dict[str, Any] = dict(tensor.parameters)
        if question.binary:
            blocks.append(wire.to_bytes(tensor))
            parameters["binary_data_size"] = len(blocks[-1])
        else:
            item["data"] = _listed(tensor)
        if parameters:
            item["parameters"] = parameters
        inputs.append(item)
    document: dict[str, Any] = {"inputs": inputs}
    if question.parameters or question.binary:
        document["parameters"] = {**question.parameters, **({"binary_data_output": True} if question.binary else {})}
    if question.outputs:
        document["outputs"] = [{"name": name} for name in question.outputs]
    head = msgspec.json.encode(document)
    if not question.binary:
        return head, {"Content-Type": "application/json"}
    return b"".join((head, *blocks)), {"Content-Type": "application/octet-stream", LENGTH: str(len(head))}


def _listed(tensor: Tensor) -> list[Any]:
    """Return a tensor's values for JSON; a missing number is null, since JSON has no NaN."""
    flat = tensor.data.ravel()
    if flat.dtype == np.float32:
        return [float(text) for text in flat.astype(str)] if len(flat) < _FEW else flat.tolist()
    return flat.tolist()


_FEW = 200_000
"""As many single-precision numbers are written with their own few digits."""


def decode(body: bytes, kind: str, length: str | None) -> tuple[Tensor, ...]:
    """Read the tensors of an answer; the header's length tells binary ones.

    Raises:
        TroubleError: ``endpoint.malformed``, ``endpoint.html`` or ``endpoint.shape``.
    """
    if kind in ("text/html", "application/xhtml+xml") or body[:9].lower() in (b"<!doctype", b"<html>\n<h"):
        raise TroubleError(
            "html",
            "the endpoint answers with a page for people.",
            remedy="A gateway or login may stand before it; check the URL and the token.",
            said=said(body),
        )
    if kind not in ("application/json", "application/octet-stream", "", "text/json", "binary/octet-stream"):
        raise wire.malformed(f"its content type is {wire.clean(kind)}", said(body))
    size = int(length) if length is not None and length.isdigit() else len(body)
    if size > len(body):
        raise wire.malformed("its header is longer than it is")
    answer, tail, at = _answer(body[:size]), body[size:], 0
    found = []
    for item in answer.outputs[:64]:
        count = (item.parameters or {}).get("binary_data_size")
        if count is None:
            found.append(wire.from_list(item.name, item.datatype, item.shape, item.data))
            continue
        if not isinstance(count, int) or not 0 <= count <= len(tail) - at:
            raise wire.malformed("its binary data end too soon")
        found.append(wire.from_bytes(item.name, item.datatype, item.shape, tail[at : at + count]))
        at += count
    return tuple(found)


def _answer(head: bytes) -> _Answer:
    try:
        return msgspec.json.decode(head, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:  # Python's own servers write NaN and Infinity, which are no JSON
        return msgspec.convert(json.loads(head), type=_Answer)
    except (ValueError, msgspec.ValidationError, RecursionError):
        raise wire.malformed("it is no inference response", said(head)) from None


def said(body: bytes) -> str:
    """Return the beginning of a body as a text, for the screen."""
    return body[:2000].decode("utf-8", "replace")
