"""The guard over gRPC: the Open Inference Protocol v2, with the same service behind it as over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError
from fivefold.guard import grpc_messages as messages
from fivefold.guard.nouns import RefusedError
from fivefold.guard.protocol import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.guard.nouns import Principal
    from fivefold.guard.service import Service

_SERVICE = "inference.GRPCInferenceService"
_THREADS = 16
_CALLS = 128
"""Calls beyond these are turned away by the gRPC library."""
_HEADERS = 16 << 10
_GRACE = 40.0
_CODES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    413: "RESOURCE_EXHAUSTED", 415: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE",
}  # fmt: skip
"""Status of HTTP to that of gRPC."""


class Grpc:
    """A server over gRPC, that listens; a context manager.

    Attributes:
        port: On which it listens.
    """

    def __init__(self, service: Service, host: str, port: int) -> None:
        """Listen.

        Args:
            service: What is done.
            host: Address to listen on.
            port: Port; 0: any free one.

        Raises:
            InputError: ``guard.extra`` if the extra is not installed; ``guard.port``.
        """
        try:
            import google.protobuf.message
            import grpc
        except ImportError:
            raise InputError(
                "guard.extra", "the packages for gRPC are not installed.", remedy="pip install 'fivefold[grpc]'"
            ) from None
        self._grpc, self._unread, self._service = grpc, google.protobuf.message.DecodeError, service
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, "fivefold-guard-grpc"),
            options=(
                ("grpc.max_receive_message_length", MAX_BODY), ("grpc.max_send_message_length", -1),
                ("grpc.max_metadata_size", _HEADERS), ("grpc.absolute_max_metadata_size", _HEADERS),
                ("grpc.so_reuseport", 0), ("grpc.max_concurrent_streams", _CALLS),
            ),
            maximum_concurrent_rpcs=_CALLS,
        )  # fmt: skip
        self._server.add_generic_rpc_handlers((self._handlers(),))
        place = f"[{host}]" if ":" in host else host
        try:
            self.port: int = self._server.add_insecure_port(f"{place}:{port}")
        except RuntimeError:
            self.port = 0
        if not self.port:
            raise InputError("guard.port", f"{host}:{port} cannot be listened on.", remedy="Name another port.")

    def __enter__(self) -> int:
        self._server.start()
        return self.port

    def __exit__(self, *_: object) -> None:
        self._server.stop(_GRACE).wait()

    def _handlers(self) -> Any:
        methods: dict[str, Callable[[Any, Principal, Any], Any]] = {
            "ServerReady": self._ready, "ModelReady": self._ready, "ServerMetadata": self._about,
            "ModelMetadata": self._model, "ModelInfer": self._infer,
        }  # fmt: skip
        found = {name: self._handler(name, self._guarded(name, method)) for name, method in methods.items()}
        live = messages.message("ServerLiveResponse")
        found["ServerLive"] = self._handler("ServerLive", lambda *_: live(live=True))
        return self._grpc.method_handlers_generic_handler(_SERVICE, found)

    def _handler(self, name: str, act: Callable[[bytes, Any], Any]) -> Any:
        write = messages.message(f"{name}Response").SerializeToString
        return self._grpc.unary_unary_rpc_method_handler(act, response_serializer=write)

    def _guarded(self, name: str, act: Callable[[Any, Principal, Any], Any]) -> Callable[[bytes, Any], Any]:
        """Return a method that knows who asks, reads nothing of strangers, and tells refusals in our own words."""
        kind = messages.message(f"{name}Request")

        def called(body: bytes, context: Any) -> Any:
            given = {name: value for name, value in context.invocation_metadata() if isinstance(value, str)}
            try:
                principal = self._service.bearer(given.get("authorization", ""))
                return act(self._read(kind, body), principal, given)
            except RefusedError as error:
                refusal = error
            except Exception:  # noqa: BLE001  what went wrong inside stays inside
                refusal = self._service.failed()
            return self._abort(context, refusal)

        return called

    def _read(self, kind: Any, body: bytes) -> Any:
        try:
            return kind.FromString(body)
        except self._unread:
            raise self._service.counted(
                RefusedError("guard.request", "this is no message of the protocol.", status=400)
            ) from None

    def _abort(self, context: Any, refusal: RefusedError) -> None:
        told = {"code": refusal.code, "field": refusal.field, "id": refusal.record}
        plain = {name: value for name, value in told.items() if value and value.isascii() and value.isprintable()}
        context.set_trailing_metadata(tuple(plain.items()))
        context.abort(getattr(self._grpc.StatusCode, _CODES.get(refusal.status, "INTERNAL")), str(refusal)[:1000])

    def take(self, service: Service) -> None:
        """Answer by another service from the next call on."""
        self._service = service

    def _named(self, name: str, version: str) -> Service:
        service = self._service
        if name != service.name or version not in ("", service.version):
            raise service.counted(RefusedError("guard.404", "there is no such model.", status=404))
        return service

    def _ready(self, request: Any, _principal: Principal, _given: Any) -> Any:
        if hasattr(request, "name"):
            self._named(request.name, request.version)
            return messages.message("ModelReadyResponse")(ready=self._service.ready)
        return messages.message("ServerReadyResponse")(ready=self._service.ready)

    def _about(self, _request: Any, _principal: Principal, _given: Any) -> Any:
        about = self._service.about()
        return messages.message("ServerMetadataResponse")(
            name=about["name"], version=about["version"], extensions=about["extensions"]
        )

    def _model(self, request: Any, _principal: Principal, _given: Any) -> Any:
        return messages.message("ModelMetadataResponse")(**self._named(request.name, request.version).model())

    def _infer(self, request: Any, principal: Principal, given: Any) -> Any:
        service = self._named(request.model_name, request.model_version)
        with service.in_hand(), service.at_work():
            try:
                asked = messages.asked(request)
            except RefusedError as refusal:
                raise service.counted(refusal) from None
            decision = service.infer(principal, asked, given.get("traceparent", ""))
            return messages.answered(decision, asked, service.name, service.version)
