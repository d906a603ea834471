"""The guard over gRPC: what strangers, nonsense and too much get, and that it is the same service as over HTTP."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("grpc", reason="the extra grpc is not installed")
pytest.importorskip("google.protobuf", reason="the extra grpc is not installed")

import grpc
from tests.guard import signed
from tests.guard.signed import ROW
from tests.guard.test_serve import Served, infer, serving

from fivefold.guard.grpc_messages import message
from fivefold.manifest.reader import read
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVICE = "/inference.GRPCInferenceService/"
FIELDS = {float: ("FP64", "fp64_contents"), str: ("BYTES", "bytes_contents")}


@pytest.fixture(scope="module")
def served(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A guard over both protocols."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(made / "config"))
        root = signed.application(tmp_path_factory.mktemp("served") / "over-grpc")
        with serving(root, "--allow-unattained", "--grpc-port", "0") as found:
            yield found


def call(served: Served, name: str, request: Any = b"", token: str | None = None, **more: Any) -> Any:
    """Call a method with a message or bytes."""
    body = request if isinstance(request, bytes) else request.SerializeToString()
    bearer = served.token if token is None else token
    with grpc.insecure_channel(served.grpc, (("grpc.max_send_message_length", -1),)) as channel:
        method = channel.unary_unary(SERVICE + name, None, lambda data: message(f"{name}Response").FromString(data))
        return method(body, metadata=(("authorization", f"Bearer {bearer}"),), timeout=30, **more)


def question(row: dict[str, Any], *, raw: bool = False, **parameters: str) -> Any:
    """Return a request for one row, as typed or raw contents."""
    made = message("ModelInferRequest")(model_name="over-grpc", id="7")
    for name, value in parameters.items():
        made.parameters[name].string_param = value
    for name, value in row.items():
        kind, field = FIELDS[type(value)]
        tensor = made.inputs.add(name=name, datatype=kind, shape=[1])
        data = value.encode() if isinstance(value, str) else value
        if raw:
            packed = struct.pack("<d", data) if kind == "FP64" else struct.pack("<I", len(data)) + data
            made.raw_input_contents.append(packed)
        else:
            getattr(tensor.contents, field).append(data)
    return made


@pytest.mark.parametrize("raw", [True, False])
def test_it_is_the_same_answer_as_over_http(served: Served, raw: bool) -> None:
    """Receipt and reasons are parameters; the record says who asked, and about whom."""
    told = call(served, "ModelInfer", question(ROW, raw=raw, case=f"nine {raw}", subject="Joe"))
    over_http = served.ask(f"{served.model}/infer", infer(ROW))[1]
    answer, scores = told.outputs
    assert (answer.name, answer.datatype, list(answer.shape)) == ("answer", "BYTES", [1])
    assert told.raw_output_contents[0] == struct.pack("<I", 3) + b"yes"
    assert list(struct.unpack("<2d", told.raw_output_contents[1])) == over_http["outputs"][1]["data"]
    assert json.loads(scores.parameters["classes"].string_param) == ["no", "yes"]
    assert told.id == "7"
    reasons = json.loads(told.parameters["reasons"].string_param)
    assert reasons[0]["text"] == over_http["parameters"]["reasons"][0]["text"]
    receipt = json.loads(told.parameters["receipt"].string_param)
    asked, said = place_of(read(served.root)).reading().trace(receipt["record"])
    assert (asked.body.person, said.body.fields["caller"]) == ("Joe", "branch-12")


def test_strangers_learn_that_it_lives_and_nothing_else(served: Served) -> None:
    """As over HTTP."""
    assert call(served, "ServerLive", token="nobody's").live
    for name in ("ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer"):
        with pytest.raises(grpc.RpcError) as refused:
            call(served, name, b"\xff\xff", token="nobody's")
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert dict(refused.value.trailing_metadata())["code"] == "guard.token"


def _named(**more: Any) -> Any:
    made = question(ROW)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def _shaped(shape: list[int]) -> Any:
    made = question(ROW)
    del made.inputs[0].shape[:]
    made.inputs[0].shape.extend(shape)
    return made


def _both() -> Any:
    made = question(ROW, raw=True)
    made.inputs[0].contents.fp64_contents.append(1.0)
    return made


def _short() -> Any:
    made = question(ROW, raw=True)
    del made.raw_input_contents[0]
    return made


def _wanted(name: str) -> Any:
    made = question(ROW)
    made.outputs.add(name=name)
    return made


def _typed(kind: str) -> Any:
    made = question(ROW)
    made.inputs[0].datatype = kind
    return made


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"\xff\xff\xff", "INVALID_ARGUMENT", "guard.request"),
        (_named(model_name="other"), "NOT_FOUND", "guard.404"),
        (_named(model_version="3"), "NOT_FOUND", "guard.404"),
        (message("ModelInferRequest")(model_name="over-grpc"), "INVALID_ARGUMENT", "guard.request"),
        (question({**ROW, "weight": 500.0}), "INVALID_ARGUMENT", "guard.range"),
        (question({**ROW, "weight": float("nan")}), "INVALID_ARGUMENT", "guard.missing"),
        (question({**ROW, "weight": float("inf")}, raw=True), "INVALID_ARGUMENT", "guard.type"),
        (question({**ROW, "odd": 1.0}), "INVALID_ARGUMENT", "guard.fields"),
        (question(ROW, purpose="war"), "PERMISSION_DENIED", "guard.purpose"),
        (question(ROW, subject="x" * 5000), "INVALID_ARGUMENT", "guard.parameter"),
        (_shaped([2]), "INVALID_ARGUMENT", "guard.request"),
        (_shaped([-1]), "INVALID_ARGUMENT", "guard.request"),
        (_shaped([1 << 40] * 60_000), "INVALID_ARGUMENT", "guard.request"),
        (_both(), "INVALID_ARGUMENT", "guard.request"),
        (_short(), "INVALID_ARGUMENT", "guard.request"),
        (_wanted("secrets"), "INVALID_ARGUMENT", "guard.output"),
        (_typed("FP16"), "INVALID_ARGUMENT", "guard.request"),
        (_typed("INT64"), "INVALID_ARGUMENT", "guard.request"),
    ],
)  # fmt: skip
def test_what_is_no_question_is_refused(served: Served, request_: Any, status: str, code: str) -> None:
    """With a status of gRPC and our code; no words of the library or of Python get out."""
    with pytest.raises(grpc.RpcError) as refused:
        call(served, "ModelInfer", request_)
    told = dict(refused.value.trailing_metadata())
    assert (refused.value.code().name, told["code"]) == (status, code)
    assert "Exception" not in refused.value.details()


@pytest.mark.parametrize("compression", [None, "Gzip"])
def test_more_than_sixteen_mebibytes_are_refused_before_they_are_read(served: Served, compression: str | None) -> None:
    """Also where it arrives packed and small."""
    made = question(ROW, raw=True)
    made.raw_input_contents[0] = bytes(17 << 20)
    more = {"compression": getattr(grpc.Compression, compression)} if compression else {}
    with pytest.raises(grpc.RpcError) as refused:
        call(served, "ModelInfer", made, **more)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert call(served, "ServerReady").ready


def test_metadata_are_those_of_http(served: Served) -> None:
    """Columns with their types; the server's name."""
    told = call(served, "ModelMetadata", message("ModelMetadataRequest")(name="over-grpc", version="2"))
    over_http = served.ask(served.model)[1]
    assert {item.name: item.datatype for item in told.inputs} == {
        item["name"]: item["datatype"] for item in over_http["inputs"]
    }
    assert call(served, "ServerMetadata").name == "fivefold"
    assert call(served, "ModelReady", message("ModelReadyRequest")(name="over-grpc")).ready
