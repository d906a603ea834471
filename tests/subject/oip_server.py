"""A small model server: ONNX Runtime behind the Open Inference Protocol v2, over REST and gRPC, with faults on demand.

It answers with a real model and keeps count of every request, so that tests can hold a budget against what arrived.
"""

from __future__ import annotations

import functools
import gzip
import json
import random
import socket
import ssl
import struct
import threading
import time
import zlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

_TYPES = {
    "tensor(float)": "FP32", "tensor(double)": "FP64", "tensor(int64)": "INT64", "tensor(int32)": "INT32",
    "tensor(string)": "BYTES", "tensor(bool)": "BOOL",
}  # fmt: skip
_NUMPY = {"FP32": "<f4", "FP64": "<f8", "INT64": "<i8", "INT32": "<i4", "BOOL": "?"}


@dataclass
class Faults:
    """What goes wrong.

    Attributes:
        kind: ``slow``, ``shape``, ``nan``, ``classes``, ``random-500``, ``500``, ``swap``, ``noise``, ``reversed``,
            ``huge``, ``bomb``, ``dtype``, ``redirect``, ``busy``, ``html``, ``hang-up``, ``drip``, ``nothing`` or
            empty.
        after: Inferences that go well before.
        until: Inferences after which all is well again; 0: never.
        share: Of the answers that fail (``random-500``).
        retry: What Retry-After says; empty: nothing.
        times: How often ``busy`` is said; 0: for ever.
        seconds: How long ``slow`` takes.
        to: Where ``redirect`` leads.
    """

    kind: str = ""
    after: int = 0
    until: int = 0
    share: float = 0.3
    retry: str = ""
    times: int = 0
    seconds: float = 30.0
    to: str = ""


class WrongError(Exception):
    """An answer with another status than 200."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers or {}


@dataclass
class Served:
    """A model that is served.

    Attributes:
        file: ONNX file.
        other: Another model, for ``swap``.
        name: Its name.
        most: Most rows of one call; 0: any.
        binary: The binary tensor extension is known.
        zips: Compressed requests are read, and answers compressed.
        metadata: Inputs and outputs are told.
        token: Bearer token that is asked for; empty: none.
    """

    file: Path
    other: Path | None = None
    name: str = "m"
    most: int = 0
    binary: bool = True
    zips: bool = True
    metadata: bool = True
    token: str = ""
    faults: Faults = field(default_factory=Faults)
    requests: list[str] = field(default_factory=list)
    inferences: int = 0
    rows: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    faulted: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.sessions = [
            ort.InferenceSession(str(path), options) for path in (self.file, self.other) if path is not None
        ]
        self.random = random.Random(7)

    def note(self, what: str) -> None:
        """Count a request."""
        with self.lock:
            self.requests.append(what)

    def admit(self, authorization: str | None, known: bool = True) -> None:
        """Refuse who has no token, and who asks for another model."""
        if self.token and authorization != f"Bearer {self.token}":
            raise WrongError(401, "who are you?")
        if not known:
            raise WrongError(404, "no such model")

    def tell(self, what: str) -> None:
        """Count a feature that was used."""
        with self.lock:
            self.seen[what] = self.seen.get(what, 0) + 1

    def about(self) -> dict[str, Any]:
        """Return the model's metadata."""
        session = self.sessions[0]

        def shown(items: Any) -> list[dict[str, Any]]:
            sizes = lambda shape: [size if isinstance(size, int) else -1 for size in shape]  # noqa: E731
            return [
                {"name": item.name, "datatype": _TYPES.get(item.type, "BYTES"), "shape": sizes(item.shape)}
                for item in items
                if item.type in _TYPES
            ]

        parts = {"inputs": shown(session.get_inputs()), "outputs": shown(session.get_outputs())}
        empty: dict[str, Any] = {"inputs": [], "outputs": []}
        return {"name": self.name, "versions": ["1"], "platform": "onnx", **(parts if self.metadata else empty)}

    def infer(self, inputs: dict[str, np.ndarray], wanted: list[str]) -> dict[str, np.ndarray]:
        """Answer, as well as the faults allow."""
        with self.lock:
            self.inferences += 1
            number = self.inferences
        rows = len(next(iter(inputs.values())))
        over = 0 < self.faults.until < number
        bad = self.faults.kind if number > self.faults.after and not over else ""
        self._fail(bad)
        if self.most and rows > self.most:
            raise WrongError(413, f"at most {self.most} rows")
        session = self.sessions[1] if bad == "swap" else self.sessions[0]
        names = [item.name for item in session.get_outputs() if item.type in _TYPES]
        given = session.run(wanted or names, self._fed(session, inputs))
        answers = dict(zip(wanted or names, given, strict=True))
        with self.lock:
            self.rows += rows
        return {name: self._bent(bad, np.asarray(value)) for name, value in answers.items()}

    def _fed(self, session: Any, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        kinds = {item.name: item for item in session.get_inputs()}
        if len(kinds) == 1 and len(inputs) > 1:
            (name,) = kinds
            raise WrongError(400, f"{name} is wanted, {sorted(inputs)} came")
        if set(kinds) != set(inputs):
            raise WrongError(400, f"{sorted(kinds)} are wanted, {sorted(inputs)} came")
        return {
            name: value.astype({"FP32": np.float32, "FP64": np.float64}.get(_TYPES[kinds[name].type], value.dtype))
            for name, value in inputs.items()
        }

    def _fail(self, bad: str) -> None:
        faults = self.faults
        if bad == "slow":
            time.sleep(faults.seconds)
        if bad == "500" or (bad == "random-500" and self.random.random() < faults.share):
            raise WrongError(500, "something broke")
        if bad == "busy":
            with self.lock:
                self.faulted += 1
                said = not faults.times or self.faulted <= faults.times
            if said:
                raise WrongError(429, "too many calls", {"Retry-After": faults.retry} if faults.retry else {})
        if bad == "redirect":
            raise WrongError(302, "elsewhere", {"Location": faults.to})

    def _bent(self, bad: str, value: np.ndarray) -> np.ndarray:
        if bad == "reversed":
            return value[::-1]
        if bad == "shape":
            return value[:-1]
        if bad == "noise" and value.dtype.kind == "f":
            with self.lock:
                moved = np.clip(value[:, 1] + self.random.uniform(-0.01, 0.01), 0.0, 1.0)
            return np.column_stack([1 - moved, moved]).astype(value.dtype)
        if bad == "nan" and value.dtype.kind == "f":
            return np.full_like(value, np.nan)
        if bad == "classes" and value.dtype.kind in "iO":
            return np.array(["martian"] * len(value), dtype=object) if value.dtype.kind == "O" else value + 7
        return value


class Rest(BaseHTTPRequestHandler):
    """The protocol over HTTP."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    served: Served

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer readiness and metadata."""
        served = self.served
        served.note(self.path)
        if served.faults.kind == "nothing" and served.inferences >= served.faults.after:
            self.close_connection = True
            return
        if served.token and self.headers.get("Authorization") != f"Bearer {served.token}":
            self._send(401, b'{"error": "who are you?"}')
        elif self.path == f"/v2/models/{served.name}/ready":
            self._send(200, b"{}")
        elif self.path == f"/v2/models/{served.name}":
            self._send(200, json.dumps(served.about()).encode())
        elif self.path == "/v2":
            extensions = ["binary_tensor_data"] if served.binary else []
            self._send(200, json.dumps({"name": "test", "version": "1", "extensions": extensions}).encode())
        else:
            self._send(404, b'{"error": "no such model"}')

    def do_POST(self) -> None:
        """Answer an inference."""
        served = self.served
        served.note(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        try:
            served.admit(self.headers.get("Authorization"), self.path == f"/v2/models/{served.name}/infer")
            bad = served.faults.kind if served.inferences >= served.faults.after else ""
            if bad in ("nothing", "hang-up"):
                served.inferences += 1
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if bad in ("huge", "bomb", "html", "dtype", "drip"):
                served.inferences += 1
                self._odd(bad)
                return
            self._infer(body)
        except WrongError as wrong:
            self._send(wrong.status, json.dumps({"error": wrong.text}).encode(), wrong.headers)
        except (KeyError, ValueError, TypeError) as error:
            self._send(400, json.dumps({"error": str(error)}).encode())

    def _infer(self, body: bytes) -> None:
        served = self.served
        if self.headers.get("Content-Encoding") == "gzip":
            if not served.zips:
                raise WrongError(415, "compressed")
            served.tell("gzip")
            body = gzip.decompress(body)
        length = self.headers.get("Inference-Header-Content-Length")
        if length is not None and not served.binary:
            raise WrongError(400, "binary tensors")
        document, tail = json.loads(body[: int(length or len(body))]), body[int(length or len(body)) :]
        served.tell("binary" if length else "json")
        inputs, at = {}, 0
        for item in document["inputs"]:
            size = (item.get("parameters") or {}).get("binary_data_size")
            if size is None:
                inputs[item["name"]] = _array(item["datatype"], item["data"]).reshape(item["shape"])
            else:
                inputs[item["name"]] = _unpacked(item["datatype"], tail[at : at + size]).reshape(item["shape"])
                at += size
        wanted = [item["name"] for item in document.get("outputs") or []]
        answers = served.infer(inputs, wanted)
        raw = bool(length) and (document.get("parameters") or {}).get("binary_data_output", False)
        outputs, blocks = [], []
        for name, value in answers.items():
            kind = _kind(value)
            item: dict[str, Any] = {"name": name, "datatype": kind, "shape": list(value.shape)}
            if raw:
                blocks.append(_packed(kind, value))
                item["parameters"] = {"binary_data_size": len(blocks[-1])}
            else:
                item["data"] = value.ravel().tolist()
            outputs.append(item)
        head = json.dumps({"model_name": served.name, "outputs": outputs}).encode()
        headers = {"Inference-Header-Content-Length": str(len(head))} if raw else {}
        kind = "application/octet-stream" if raw else "application/json"
        self._send(200, head + b"".join(blocks), headers, kind, pack=served.zips)

    def _odd(self, bad: str) -> None:
        if bad == "html":
            self._send(200, b"<!doctype html><h1>Please log in</h1>", kind="text/html")
        elif bad == "dtype":
            output = {"name": "label", "datatype": "FP32", "shape": [4], "data": ["a", "b", "c", "d"]}
            self._send(200, json.dumps({"outputs": [output]}).encode())
        elif bad == "drip":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "100000")
            self.end_headers()
            try:
                for _ in range(200):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    time.sleep(0.1)
            except OSError:
                pass
            self.close_connection = True
        elif bad == "bomb":
            self._send(200, _bomb(), {"Content-Encoding": "gzip"})
        else:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(1 << 40))
            self.end_headers()
            try:
                for _ in range(4096):
                    self.wfile.write(b" " * (1 << 20))
            except OSError:
                self.close_connection = True

    def _send(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        kind: str = "application/json",
        *,
        pack: bool = False,
    ) -> None:
        if pack and "gzip" in (self.headers.get("Accept-Encoding") or ""):
            body, headers = gzip.compress(body, 1), {**(headers or {}), "Content-Encoding": "gzip"}
        self.send_response(status)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True


@functools.cache
def _bomb() -> bytes:
    """Return a quarter of a megabyte that unpacks to 256."""
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(pack.compress(b" " * (1 << 20)) for _ in range(256)), pack.flush()])


class Running:
    """A server that runs in this process; a context manager.

    Attributes:
        url: Of the model.
        served: The model.
    """

    def __init__(self, served: Served, kind: str = "rest", certificate: tuple[Path, Path] | None = None) -> None:
        self.served, self._kind = served, kind
        self._certificate = certificate
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._start_grpc() if self._kind == "grpc" else self._start_rest()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_rest(self) -> None:
        handler = type("Bound", (Rest,), {"served": self.served})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        kept = self._server.process_request

        def noted(request: Any, address: Any) -> None:
            self._open.append(request)
            kept(request, address)

        self._server.process_request = noted  # type: ignore[method-assign]
        scheme = "http"
        if self._certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.port = self._server.server_address[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}/v2/models/{self.served.name}"

    def _start_grpc(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        import grpc

        self._grpc = grpc.server(ThreadPoolExecutor(4))
        self._grpc.add_generic_rpc_handlers((_handler(self.served),))
        if self._certificate:
            certificate, key = self._certificate
            credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
            self.port = self._grpc.add_secure_port("127.0.0.1:0", credentials)
        else:
            self.port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        self.url = f"grpc{'s' if self._certificate else ''}://127.0.0.1:{self.port}/{self.served.name}"

    def stop(self) -> None:
        """End the server and every connection at once."""
        if self._kind == "grpc":
            self._grpc.stop(0).wait()
            return
        self._server.shutdown()
        self._server.server_close()
        for peer in self._open:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
            finally:
                peer.close()
        self._open.clear()


def _handler(served: Served) -> Any:
    import grpc
    from tests.subject.oip_proto import message

    kinds = grpc.StatusCode
    codes = {400: kinds.INVALID_ARGUMENT, 404: kinds.NOT_FOUND, 401: kinds.UNAUTHENTICATED, 500: kinds.INTERNAL}
    codes |= {413: kinds.RESOURCE_EXHAUSTED, 429: kinds.RESOURCE_EXHAUSTED}

    def guarded(name: str, answer: Any) -> Any:
        def call(request: bytes, context: Any) -> bytes:
            served.note(name)
            try:
                served.admit(dict(context.invocation_metadata()).get("authorization"))
                return answer(request).SerializeToString()
            except WrongError as wrong:
                text = f"message size larger than max: {wrong}" if wrong.status == 413 else str(wrong)
                if wrong.headers:
                    context.set_trailing_metadata((("retry-after", wrong.headers["Retry-After"]),))
                context.abort(codes.get(wrong.status, grpc.StatusCode.UNKNOWN), text)
            except (ValueError, KeyError, TypeError) as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

        return call

    def ready(_: bytes) -> Any:
        return message("ModelReadyResponse")(ready=True)

    def server(_: bytes) -> Any:
        return message("ServerMetadataResponse")(name="test", version="1")

    def about(_: bytes) -> Any:
        found = served.about()
        made = message("ModelMetadataResponse")(name=served.name, versions=["1"], platform="onnx")
        for part in ("inputs", "outputs"):
            for item in found[part]:
                getattr(made, part).add(name=item["name"], datatype=item["datatype"], shape=item["shape"])
        return made

    def infer(data: bytes) -> Any:
        request = message("ModelInferRequest").FromString(data)
        if request.model_name != served.name:
            raise WrongError(404, "no such model")
        inputs = {
            item.name: _unpacked(item.datatype, raw).reshape(tuple(item.shape))
            for item, raw in zip(request.inputs, request.raw_input_contents, strict=True)
        }
        answers = served.infer(inputs, [item.name for item in request.outputs])
        made = message("ModelInferResponse")(model_name=served.name)
        for name, value in answers.items():
            made.outputs.add(name=name, datatype=_kind(value), shape=list(value.shape))
            made.raw_output_contents.append(_packed(_kind(value), value))
        return made

    methods = {"ModelReady": ready, "ServerMetadata": server, "ModelMetadata": about, "ModelInfer": infer}
    return grpc.method_handlers_generic_handler(
        "inference.GRPCInferenceService",
        {name: grpc.unary_unary_rpc_method_handler(guarded(name, answer)) for name, answer in methods.items()},
    )


def _array(kind: str, data: Any) -> np.ndarray:
    flat = data
    while flat and isinstance(flat[0], list):
        flat = [value for inner in flat for value in inner]
    if kind == "BYTES":
        return np.array([*flat, None], dtype=object)[:-1]
    return np.array([np.nan if value is None else value for value in flat], dtype=_NUMPY[kind])


def _unpacked(kind: str, data: bytes) -> np.ndarray:
    if kind != "BYTES":
        return np.frombuffer(data, dtype=_NUMPY[kind])
    found, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        found.append(data[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return np.array([*found, None], dtype=object)[:-1]


def _packed(kind: str, value: np.ndarray) -> bytes:
    if kind != "BYTES":
        return value.astype(_NUMPY[kind]).tobytes()
    parts = [str(item).encode() for item in value.ravel().tolist()]
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def _kind(value: np.ndarray) -> str:
    names = {"f4": "FP32", "f8": "FP64", "i8": "INT64", "i4": "INT32", "b1": "BOOL"}
    return names.get(value.dtype.str.lstrip("<|>="), "BYTES")


def self_signed(place: Path, name: str, host: str) -> tuple[Path, Path]:
    """Write a certificate that vouches for itself."""
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = place / "cert.pem", place / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, secret
