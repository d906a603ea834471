"""An endpoint is asked as its server wants, and whatever a bad server does comes back as one clear error."""

from __future__ import annotations

import functools
import random
import tracemalloc
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd
import pytest

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("h2", reason="the extra endpoint is not installed")

from tests.subject.endpoint_apps import NUMBERS, numbers, onnx_model
from tests.subject.oip_server import Faults, Running, Served, _bomb, self_signed

from fivefold.errors import SubjectError
from fivefold.manifest.address import parse
from fivefold.subject.endpoint import dial, layout, proto, rest, wire
from fivefold.subject.endpoint.grpc import Grpc
from fivefold.subject.endpoint.model import EndpointModel
from fivefold.subject.endpoint.patience import Patience
from fivefold.subject.endpoint.rest import Rest
from fivefold.subject.endpoint.wire import Question, Slot, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = ("rest", "grpc")
ROWS = numbers(200, 3)[NUMBERS]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return models on disk: of a matrix, of columns with texts, and one that answers the other way round."""
    place = tmp_path_factory.mktemp("models")
    return {
        "matrix": onnx_model(place / "matrix.onnx"),
        "columns": onnx_model(place / "columns.onnx", texts=True),
        "flipped": onnx_model(place / "flipped.onnx", flipped=True),
    }


_OPEN: list[EndpointModel] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close every connection that a test opened."""
    yield
    while _OPEN:
        _OPEN.pop().client.close()


class Counted:
    """Counts the calls that are written down."""

    def __init__(self, most: int = 1_000_000) -> None:
        self.made, self.again, self.most = 0, 0, most

    def take(self, *, again: bool = False) -> None:
        """Count one."""
        if self.made >= self.most:
            raise SubjectError("model.calls", "spent.")
        self.made += 1
        self.again += again


def opened(
    url: str, *, seconds: float = 5.0, longest: float = 2.0, token: str = "", ca: str = "", most: int = 10**6
) -> Any:
    """Return an endpoint that is asked from this process, and the count of its calls."""
    address, counted = parse(url), Counted(most)
    patience = Patience(counted.take, random.Random(1), rate=0.0, longest=longest)
    secure = dial.secure(ca, "h2" if address.kind == "grpc" else "http/1.1") if address.tls else None
    connect = functools.partial(dial.dial, address.host, address.port, (address.host,), secure, seconds)
    client = (Rest if address.kind == "rest" else Grpc)(address, connect, patience.spend, token=token, seconds=seconds)
    _OPEN.append(EndpointModel(client, patience))
    return _OPEN[-1], counted


def truth(file: Path, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and probabilities as ONNX Runtime gives them."""
    import onnxruntime as ort

    session = ort.InferenceSession(str(file))
    inputs = [item.name for item in session.get_inputs()]
    if inputs == ["input"]:
        fed: dict[str, Any] = {"input": frame.to_numpy(dtype=np.float32)}
    else:
        numeric = pd.api.types.is_numeric_dtype
        fed = {name: frame[[name]].to_numpy(dtype=np.float32 if numeric(frame[name]) else object) for name in inputs}
    label, scores = session.run(None, fed)
    return label, scores


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", ["matrix", "columns"])
def test_answers_are_those_of_the_model(files: dict[str, Path], kind: str, shape: str) -> None:
    """One matrix, or one tensor for each column with texts among them; the metadata say which."""
    frame = numbers(200, 3, texts=shape == "columns").drop(columns=["group", "answer"])
    with Running(Served(files[shape]), kind) as running:
        model, _ = opened(running.url)
        learned = model.learn(frame)
        given = model.answers(frame)
    label, scores = truth(files[shape], frame)
    assert learned.methods == ("predict", "predict_proba")
    assert given["predict"].tolist() == label.tolist()
    np.testing.assert_allclose(given["predict_proba"], scores, atol=1e-6)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("zips", [True, False])
@pytest.mark.parametrize("metadata", [True, False])
def test_binary_and_gzip_are_used_where_the_server_has_them(
    files: dict[str, Path], binary: bool, zips: bool, metadata: bool
) -> None:
    """What it does not know is found out and not used again; without metadata the layout is found by asking."""
    with Running(Served(files["matrix"], binary=binary, zips=zips, metadata=metadata)) as running:
        model, _ = opened(running.url)
        model.learn(ROWS)
        running.served.seen.clear()
        given = model.answers(ROWS)
        seen = running.served.seen
    assert set(seen) == ({"binary"} if binary else {"json"}) | ({"gzip"} if zips else set())
    np.testing.assert_allclose(given["predict_proba"], truth(files["matrix"], ROWS)[1], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [1, 10, 100, 3000])
def test_the_largest_batch_is_found_and_kept_to(files: dict[str, Path], kind: str, most: int) -> None:
    """A server that refuses more rows is never sent more, once that is known."""
    with Running(Served(files["matrix"], most=most), kind) as running:
        model, counted = opened(running.url)
        learned = model.learn(ROWS)
        assert most * 0.8 <= learned.max_rows <= most
        assert learned.limited
        before, failed = running.served.inferences, counted.again
        model.answers(ROWS)
        assert running.served.inferences - before == -(-len(ROWS) // learned.max_rows)
        assert counted.again == failed


def test_without_metadata_a_tensor_of_a_strange_name_cannot_be_guessed(files: dict[str, Path]) -> None:
    """The server refuses every layout that there is; its refusal is what is told."""
    frame = ROWS.rename(columns=str.upper)
    with Running(Served(files["columns"], metadata=False)) as running:
        model, _ = opened(running.url)
        with pytest.raises(SubjectError) as caught:
            model.learn(frame)
    assert caught.value.code == "endpoint.refused"


@pytest.mark.parametrize("kind", KINDS)
def test_large_questions_and_answers_come_through(files: dict[str, Path], kind: str) -> None:
    """Several times the window of an HTTP/2 stream in both directions."""
    frame = numbers(60_000, 5)[NUMBERS]
    with Running(Served(files["matrix"]), kind) as running:
        model, _ = opened(running.url)
        layout_ = msgspec.msgpack.decode(model.learn(ROWS).how, type=layout.Layout)
        tensors = model.client.infer(layout.question(layout_, frame), 64 << 20)
    scores = next(item for item in tensors if item.name == layout_.scores)
    np.testing.assert_allclose(scores.data, truth(files["matrix"], frame)[1], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_request_is_written_down(files: dict[str, Path], kind: str) -> None:
    """Readiness and metadata are calls too: what the server counts is what the ledger holds."""
    with Running(Served(files["matrix"], most=7), kind) as running:
        model, counted = opened(running.url)
        model.learn(ROWS)
        model.answers(ROWS)
        assert counted.made == len(running.served.requests)


def test_the_budget_ends_the_asking(files: dict[str, Path]) -> None:
    """No request leaves after the last call is spent."""
    with Running(Served(files["matrix"], most=7)) as running:
        model, _ = opened(running.url, most=25)
        model.learn(ROWS.iloc[:50])
        with pytest.raises(SubjectError) as caught:
            model.answers(ROWS)
        assert caught.value.code == "model.calls"
        assert len(running.served.requests) == 25


BAD = [
    ("slow", "endpoint.timeout"),
    ("shape", "endpoint.shape"),
    ("500", "endpoint.failed"),
    ("huge", "endpoint.too-large"),
    ("bomb", "endpoint.too-large"),
    ("dtype", "endpoint.malformed"),
    ("redirect", "endpoint.redirect"),
    ("busy", "endpoint.busy"),
    ("html", "endpoint.html"),
    ("hang-up", "endpoint.dropped"),
    ("drip", "endpoint.timeout"),
]


@pytest.mark.parametrize(("kind", "code"), BAD)
def test_a_bad_rest_server_is_named(files: dict[str, Path], kind: str, code: str) -> None:
    """Each fault has an error of its own, with a remedy or a reason, and memory stays bounded."""
    with Running(Served(files["matrix"])) as running:
        model, _ = opened(running.url, seconds=0.5, longest=1.5)
        model.learn(ROWS)
        running.served.faults = Faults(kind, seconds=1.0, to="http://127.0.0.1:9/v2/models/m/infer")
        _bomb()
        tracemalloc.start()
        with pytest.raises(SubjectError) as caught:
            model.answers(ROWS)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert caught.value.code == code
    assert peak < 64 << 20


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("slow", "endpoint.timeout"),
        ("shape", "endpoint.shape"),
        ("500", "endpoint.failed"),
        ("busy", "endpoint.busy"),
    ],
)
def test_a_bad_grpc_server_is_named(files: dict[str, Path], kind: str, code: str) -> None:
    """The same over gRPC."""
    with Running(Served(files["matrix"]), "grpc") as running:
        model, _ = opened(running.url, seconds=0.5, longest=1.5)
        model.learn(ROWS)
        running.served.faults = Faults(kind, seconds=1.0)
        with pytest.raises(SubjectError) as caught:
            model.answers(ROWS)
    assert caught.value.code == code


@pytest.mark.parametrize("kind", KINDS)
def test_failures_now_and_then_are_outlasted(files: dict[str, Path], kind: str) -> None:
    """A third of all answers fail; each question is asked again, and the answers are right."""
    with Running(Served(files["matrix"], most=20), kind) as running:
        model, counted = opened(running.url, longest=60.0)
        model.patience._sleep = lambda _: None
        model.learn(ROWS)
        running.served.faults = Faults("random-500")
        given = model.answers(ROWS)
    assert counted.again > 0
    np.testing.assert_allclose(given["predict_proba"], truth(files["matrix"], ROWS)[1], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_retry_after_is_obeyed(files: dict[str, Path], kind: str) -> None:
    """The server says how long to wait; that long is waited, and no less."""
    with Running(Served(files["matrix"]), kind) as running:
        model, _ = opened(running.url, longest=60.0)
        model.learn(ROWS)
        slept: list[float] = []
        model.patience._sleep = slept.append
        running.served.faults = Faults("busy", retry="7", times=2)
        model.answers(ROWS)
    assert len([pause for pause in slept if 7 <= pause < 8]) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_gone_is_named(files: dict[str, Path], kind: str) -> None:
    """Killed half way: connections end, none is taken."""
    with Running(Served(files["matrix"]), kind) as running:
        model, _ = opened(running.url, longest=1.0)
        model.learn(ROWS)
        running.stop()
        running.stop = lambda: None  # type: ignore[method-assign]
        with pytest.raises(SubjectError) as caught:
            model.answers(ROWS)
    assert caught.value.code in ("endpoint.unreachable", "endpoint.dropped")


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_token_is_refused_and_a_right_one_taken(files: dict[str, Path], kind: str) -> None:
    """The token goes into one header and nowhere else."""
    with Running(Served(files["matrix"], token="secret"), kind) as running:
        right, _ = opened(running.url, token="secret")
        right.learn(ROWS)
        wrong, _ = opened(running.url, token="other")
        with pytest.raises(SubjectError) as caught:
            wrong.learn(ROWS)
    assert caught.value.code == "endpoint.denied"
    assert "other" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_model_is_named(files: dict[str, Path], kind: str) -> None:
    """The host answers, the model is not there."""
    with Running(Served(files["matrix"]), kind) as running:
        url = running.url.removesuffix("/m") + "/other"
        model, _ = opened(url)
        with pytest.raises(SubjectError) as caught:
            model.learn(ROWS)
    assert caught.value.code in ("endpoint.not-ready", "endpoint.absent", "endpoint.refused", "endpoint.malformed")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Return certificates with their keys: for 127.0.0.1 by ourselves, and a stranger's for another name."""
    return {
        name: self_signed(tmp_path_factory.mktemp("tls"), name, host)
        for name, host in (("own", "127.0.0.1"), ("other-host", "192.0.2.1"))
    }


@pytest.mark.parametrize("kind", KINDS)
def test_tls_is_checked(files: dict[str, Path], certificates: dict[str, tuple[Path, Path]], kind: str) -> None:
    """An authority that is named counts; a stranger's certificate does not, nor one for another host."""
    pem = certificates["own"][0].read_text()
    with Running(Served(files["matrix"]), kind, certificates["own"]) as running:
        model, _ = opened(running.url, ca=pem)
        learned = model.learn(ROWS)
        assert model.answers(ROWS)["predict"].shape == (len(ROWS),)
        stranger, counted = opened(running.url)
        with pytest.raises(SubjectError) as caught:
            stranger.learn(ROWS)
        assert counted.made == 0
    assert caught.value.code == "endpoint.tls"
    assert len(learned.key) == 64
    with Running(Served(files["matrix"]), kind, certificates["other-host"]) as running:
        model, _ = opened(running.url, ca=certificates["other-host"][0].read_text())
        with pytest.raises(SubjectError) as caught:
            model.learn(ROWS)
    assert caught.value.code == "endpoint.tls"


def test_the_key_is_that_of_the_certificate(certificates: dict[str, tuple[Path, Path]]) -> None:
    """The digest is over SubjectPublicKeyInfo, as another library cuts it out."""
    import hashlib
    import ssl

    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = certificates["own"][0].read_text()
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    expected = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    der = ssl.PEM_cert_to_DER_cert(pem)
    assert hashlib.sha256(dial._key_info(der)).hexdigest() == hashlib.sha256(expected).hexdigest()


def test_our_grpc_messages_are_read_by_googles_library() -> None:
    """What we write by hand is what the protocol's own description says, and the other way round."""
    from tests.subject.oip_proto import message

    data = np.array([[1.5, -2.0], [3.0, np.nan]], dtype=np.float32)
    texts = np.array([["é"], [""]], dtype=object)
    question = Question(inputs=(Tensor("x", "FP32", data), Tensor("t", "BYTES", texts)), outputs=("y",))
    read = message("ModelInferRequest").FromString(proto.infer("m", "3", question))
    assert (read.model_name, read.model_version, read.outputs[0].name) == ("m", "3", "y")
    assert list(read.inputs[0].shape) == [2, 2]
    assert read.raw_input_contents[0] == data.tobytes()
    assert read.raw_input_contents[1] == b"\x02\x00\x00\x00\xc3\xa9\x00\x00\x00\x00"
    reply = message("ModelInferResponse")()
    made = reply.outputs.add(name="p", datatype="FP64", shape=[3])
    made.contents.fp64_contents.extend([0.1, -1e300, float("inf")])
    whole = reply.outputs.add(name="i", datatype="INT64", shape=[2])
    whole.contents.int64_contents.extend([-5, 2**62])
    answer = proto.answer(reply.SerializeToString())
    assert answer[0].data.tolist() == [0.1, -1e300, float("inf")]
    assert answer[1].data.tolist() == [-5, 2**62]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b'{"outputs": 3}', b'{"outputs": [{"name": "a"}]}', b"\xff\xfe", b"{" * 5000,
        b'{"outputs": [{"name": "a", "datatype": "FP32", "shape": [-1], "data": [1]}]}',
        b'{"outputs": [{"name": "a", "datatype": "FP32", "shape": [99999999999], "data": [1]}]}',
        b'{"outputs": [{"name": "a", "datatype": "FP99", "shape": [1], "data": [1]}]}',
        b'{"outputs": [{"name": "a", "datatype": "FP32", "shape": [1], "data": {"a": 1}}]}',
        b'{"outputs": [{"name": "a", "datatype": "INT8", "shape": [1], "data": ["x"]}]}',
        b'{"outputs": [{"name": "a", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}]}',
    ],
)  # fmt: skip
def test_answers_that_are_none_are_refused(body: bytes) -> None:
    """Whatever the bytes are, it is an error of the endpoint's."""
    with pytest.raises(SubjectError) as caught:
        layout.read(rest.decode(body, "application/json", None), 1)
    assert caught.value.code in ("endpoint.malformed", "endpoint.shape")


@pytest.mark.parametrize("cut", [1, 7, 30, 60])
def test_grpc_messages_that_end_too_soon_are_refused(cut: int) -> None:
    """A message cut anywhere is no message."""
    question = Question(inputs=(Tensor("x", "FP32", np.zeros((4, 4), np.float32)),))
    data = proto.infer("m", "", question)
    with pytest.raises(SubjectError) as caught:
        proto.answer(data[: len(data) - cut] if cut < 60 else b"\xff" * cut)
    assert caught.value.code in ("endpoint.malformed", "endpoint.shape")


def test_nan_of_python_servers_is_read_and_left_to_be_judged() -> None:
    """Some servers write NaN into JSON; it comes through as a number that is none."""
    body = b'{"outputs": [{"name": "a", "datatype": "FP64", "shape": [2], "data": [NaN, 1.0]}]}'
    (tensor,) = rest.decode(body, "application/json", None)
    assert np.isnan(tensor.data[0])


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ((Slot(name="x", datatype="FP32", shape=(-1, 7)),), "endpoint.inputs"),
        (
            (Slot(name="a", datatype="FP32", shape=(-1,)), Slot(name="b", datatype="FP32", shape=(-1,))),
            "endpoint.inputs",
        ),
    ],
)
def test_inputs_that_do_not_fit_the_columns_are_named(inputs: tuple[Slot, ...], code: str) -> None:
    """A model of seven numbers, or of other columns, is not fed with what there is."""
    with pytest.raises(SubjectError) as caught:
        list(layout.candidates(wire.About(inputs=inputs), ROWS))
    assert caught.value.code == code


def test_numbers_are_not_bent_into_a_smaller_type() -> None:
    """A whole-number input refuses broken and missing values instead of rounding them."""
    slot = Slot(name="weight", datatype="INT64", shape=(-1, 1))
    with pytest.raises(SubjectError) as caught:
        layout.question(layout.Layout(form="columns", inputs=(slot,)), ROWS)
    assert caught.value.code == "endpoint.types"
