"""Messages: records and CloudEvents as JSON, read with limits, and the OpenAPI document that says so."""

from __future__ import annotations

import base64
import binascii
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np

from fivefold.errors import InputError
from fivefold.traceability.recorder.nouns import MAX_TEXT, Body, Kind, Tensor, encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY = 16 << 20
"""Most bytes of a request."""
MAX_BATCH = 1000
"""Most records of a request."""

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]
_Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
_Dtype = Literal[
    "|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16"
]  # fmt: skip
_Given = Literal[
    "input", "output", "decision", "action", "sensor", "status", "alarm", "data-operation", "model-change", "approval",
    "outcome", "gap",
]  # fmt: skip
_Scalar = bool | int | float | str | None


class Array(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An array bit for bit.

    Attributes:
        dtype: As numpy writes it, little-endian.
        shape: Its lengths.
        data: Base64 of its bytes in C order.
    """

    dtype: _Dtype
    shape: Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]], msgspec.Meta(max_length=8)]
    data: str


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record as it is handed over.

    Attributes:
        kind: What it is.
        case: What belongs together.
        person: Whom it is about; empty: nobody.
        fields: Words and numbers.
        arrays: Arrays bit for bit, or lists of numbers, texts and nulls as they are written.
        model: Digest of the model that answered.
        links: Ids of earlier records that this one follows from.
        trace: OpenTelemetry trace id.
    """

    kind: _Given
    case: _Name
    person: _Text = ""
    fields: dict[str, Any] = {}
    arrays: dict[str, Array | list[_Scalar]] = {}
    model: _Text = ""
    links: Annotated[list[_Text], msgspec.Meta(max_length=1000)] = []
    trace: _Text = ""

    def made(self) -> tuple[Kind, Body]:
        """Return kind and body.

        Raises:
            InputError: ``record.array`` if bytes do not fit a shape, ``recorder.fields``.
        """
        body = Body(
            case=self.case,
            person=self.person,
            fields=self.fields,
            tensors=tuple(_tensor(name, given) for name, given in self.arrays.items()),
            model=self.model,
            links=tuple(self.links),
            trace=self.trace,
        )
        encoded(body)
        return self.kind, body


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Records, kept in this order."""

    records: Annotated[list[Given], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class Kept(msgspec.Struct, frozen=True):
    """A record that is durable."""

    id: str
    position: int


class Event(msgspec.Struct, frozen=True):
    """A CloudEvent.

    Attributes:
        attributes: All of them.
        data: Its bytes.
        type: Of the bytes.
    """

    attributes: dict[str, str]
    data: bytes
    type: str

    def made(self) -> tuple[Kind, Body]:
        """Return kind and body: what a model server logs becomes question and answer of the case that its id names."""
        kinds: dict[str, Kind] = {".request": "input", ".response": "output"}
        name = self.attributes.get("type", "")
        kind: Kind = next((kind for end, kind in kinds.items() if name.endswith(end)), "status")
        tensors = (Tensor("data", "|u1", (len(self.data),), self.data),) if self.data else ()
        body = Body(
            case=self.attributes["id"], fields={"event": self.attributes, "content": self.type}, tensors=tensors
        )
        encoded(body)
        return kind, body


_ONE, _MANY = msgspec.json.Decoder(Given), msgspec.json.Decoder(Batch)
_EVENT, _EVENTS = msgspec.json.Decoder(dict[str, Any]), msgspec.json.Decoder(list[dict[str, Any]])
_NEEDED = ("id", "source", "specversion", "type")


def records(body: bytes, *, many: bool) -> list[Given]:
    """Return the records of a request.

    Raises:
        InputError: ``record.malformed``.
    """
    try:
        return _MANY.decode(body).records if many else [_ONE.decode(body)]
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise _malformed(error) from None


def events(headers: Mapping[str, str], body: bytes) -> list[Event]:
    """Return the events of a request: structured, batched, or binary with ``ce-`` headers.

    Raises:
        InputError: ``record.type`` for another type of content, ``record.malformed``.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/cloudevents+json":
            return [_event(_EVENT.decode(body))]
        if kind == "application/cloudevents-batch+json":
            every = _EVENTS.decode(body)
            if not 0 < len(every) <= MAX_BATCH:
                raise InputError("record.malformed", f"a batch has 1 to {MAX_BATCH:,} events.")
            return [_event(one) for one in every]
        if "ce-specversion" in headers:
            told = {name[3:]: value for name, value in headers.items() if name.startswith("ce-")}
            return [Event(_attributes(told), body, kind)]
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise _malformed(error) from None
    raise InputError(
        "record.type", "this is no CloudEvent.", remedy="Send application/cloudevents+json, or ce- headers."
    )


def _event(told: dict[str, Any]) -> Event:
    data, kind = b"", str(told.get("datacontenttype", "application/json"))
    if "data_base64" in told:
        try:
            data = base64.b64decode(str(told["data_base64"]), validate=True)
        except (binascii.Error, ValueError):
            raise InputError("record.malformed", "data_base64 is no base64.") from None
    elif "data" in told:
        given = told["data"]
        data = given.encode() if isinstance(given, str) and "json" not in kind else msgspec.json.encode(given)
    rest = {name: value for name, value in told.items() if name not in ("data", "data_base64")}
    return Event(_attributes(rest), data, kind)


def _attributes(told: Mapping[str, Any]) -> dict[str, str]:
    for name in _NEEDED:
        if not isinstance(told.get(name), str) or not told[name]:
            raise InputError("record.malformed", f"a CloudEvent has the attribute `{name}`, a text that is not empty.")
    if told["specversion"] != "1.0":
        raise InputError("record.malformed", "this is no CloudEvent of version 1.0.")
    if any(isinstance(value, dict | list) for value in told.values()):
        raise InputError("record.malformed", "an attribute of a CloudEvent is no object and no list.")
    made = {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode() for name, value in told.items()
    }
    if any(len(name) > MAX_TEXT or len(value) > MAX_TEXT for name, value in made.items()):
        raise InputError("record.malformed", f"an attribute has at most {MAX_TEXT:,} characters.")
    return made


def _tensor(name: str, given: Array | list[_Scalar]) -> Tensor:
    if isinstance(given, list):
        try:
            return Tensor(name, "text", (len(given),), msgspec.msgpack.encode(given))
        except (OverflowError, TypeError):
            raise InputError("record.array", f"{name[:80]} holds a number that is too large.") from None
    try:
        data = base64.b64decode(given.data, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("record.array", f"{name[:80]} is no base64.") from None
    if math.prod(given.shape) * np.dtype(given.dtype).itemsize != len(data):
        raise InputError("record.array", f"the bytes of {name[:80]} do not fit its type and shape.")
    return Tensor(name, given.dtype, tuple(given.shape), data)


def _malformed(error: Exception) -> InputError:
    said = str(error)[:300] if isinstance(error, msgspec.ValidationError) else "this is no JSON, or nested too deeply."
    return InputError("record.malformed", said, remedy="See openapi.json.")


def openapi() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the service."""
    (one, many, kept), parts = msgspec.json.schema_components(
        [Given, Batch, Kept], ref_template="#/components/schemas/{name}"
    )
    text = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}
    event = {
        "type": "object",
        "required": list(_NEEDED),
        "properties": {"id": text, "source": text, "type": text, "specversion": {"const": "1.0"}},
    }
    lists = {"type": "array", "items": event, "minItems": 1, "maxItems": MAX_BATCH}
    problem = {
        "type": "object",
        "required": ["code", "message", "remedy"],
        "properties": {name: {"type": "string"} for name in ("code", "message", "remedy")},
    }
    listed = {"type": "object", "required": ["records"], "properties": {"records": {"type": "array", "items": kept}}}

    def answer(words: str, kind: str = "application/json", schema: Any = None) -> dict[str, Any]:
        return {"description": words, "content": {kind: {"schema": schema or problem}}}

    errors = {status: answer(words) for status, words in (
        ("400", "Cannot be kept."), ("401", "No token."), ("408", "Too slow."), ("413", "Too large."),
        ("415", "Another type of content."), ("503", "The record cannot be written now."))}  # fmt: skip

    def post(content: dict[str, Any], schema: Any, words: str) -> dict[str, Any]:
        body = {"required": True, "content": {kind: {"schema": part} for kind, part in content.items()}}
        done = answer("Durable.", schema=schema)
        return {"post": {"summary": words, "requestBody": body, "responses": {"201": done, **errors}}}

    def get(words: str, kind: str, parameters: list[Any]) -> dict[str, Any]:
        found = {"200": answer(words, kind, {"type": "string"}), "404": answer("Not there.")}
        found |= {status: errors[status] for status in ("401", "503")}
        return {"get": {"summary": words, "parameters": parameters, "responses": found}}

    path = {"name": "path", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Fivefold recorder", "version": "1"},
        "security": [{"token": []}],
        "components": {"schemas": parts, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": {
            "/v1/record": post({"application/json": one}, kept, "Append one record."),
            "/v1/records": post({"application/json": many}, listed, "Append records, in this order."),
            "/v1/events": post(
                {"application/cloudevents+json": event, "application/cloudevents-batch+json": lists},
                listed,
                "Append CloudEvents.",
            ),
            "/checkpoint": get("The newest signed checkpoint.", "text/plain", []),
            "/tile/{path}": get("A tile or entry bundle (C2SP tlog-tiles).", "application/octet-stream", [path]),
        },
    }
