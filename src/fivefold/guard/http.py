"""The guard over HTTP: Open Inference Protocol v2, a token on everything but liveness."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold import __version__
from fivefold.contract.registry import provided
from fivefold.errors import FivefoldError
from fivefold.guard import protocol
from fivefold.guard.described import openapi
from fivefold.guard.nouns import RefusedError
from fivefold.guard.protocol import LENGTH, MAX_BODY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.guard.guard import Guard
    from fivefold.guard.nouns import Principal
    from fivefold.guard.tokens import Tokens

    Told = tuple[int, bytes, dict[str, str]]

_SHOWN = ("evidence", "attained")
_JSON = {"Content-Type": "application/json"}
_BITS = {"gzip": 31, "deflate": 15}
_WORTH = 1024
_LIVE = "/v2/health/live"
_WORDS = {404: "it is not there.", 405: "this path takes another method.", 408: "the request came too slowly."}


class Service:
    """What the paths do; knows nothing of the framework."""

    def __init__(self, guard: Guard, tokens: Tokens, note: Mapping[str, Any]) -> None:
        """Serve a guard.

        Args:
            guard: It.
            tokens: Who may speak to it.
            note: Shown in the server's metadata, for example under which evidence it is served.
        """
        self._guard, self._tokens, self._note = guard, tokens, {name: note[name] for name in _SHOWN if name in note}
        model = guard.manifest.model
        self.name, self.version = guard.manifest.application.id, str(model.version if model else 0)

    def bearer(self, header: str) -> Principal | None:
        """Return who asks; None: nobody known."""
        try:
            found = self._tokens.bearer(header)
        except FivefoldError:
            found = None
        return found

    def count_refusal(self) -> None:
        """Count a request of nobody known."""
        self._guard.count_refusal()

    def answer(self, principal: Principal | None, path: str, body: bytes, headers: Mapping[str, str]) -> Told:
        """Do what a path is for."""
        if path == _LIVE:
            return _told(200, {"live": True})
        if principal is None:
            return refused(RefusedError("guard.token", "a token is needed: Authorization: Bearer ...", status=401))
        model = f"/v2/models/{self.name}"
        path = path.replace(f"{model}/versions/{self.version}", model, 1)
        if path == f"{model}/infer":
            return self._infer(principal, body, headers)
        if path in ("/v2/health/ready", f"{model}/ready"):
            ready = not self._guard.stopped
            return _told(200 if ready else 503, {"ready": ready, "name": self.name})
        return _told(200, self._about(path))

    def _about(self, path: str) -> dict[str, Any]:
        """Return the document at a path that tells of the service."""
        if path == "/openapi.json":
            return openapi(self.name, self.version)
        if path == "/v2":
            about = {"name": "fivefold", "version": __version__, "extensions": ["binary_tensor_data"]}
            # what it is about, and no more: the words of a finding name values of the training data
            found = {name: sorted(about_what) for name, about_what in self._guard.findings.items()}
            return about | self._note | ({"findings": found} if found else {})
        return protocol.metadata(self._guard.way, self.name, self.version)

    def _infer(self, principal: Principal, body: bytes, headers: Mapping[str, str]) -> Told:
        traced = headers.get("traceparent", "").split("-")
        trace = traced[1] if len(traced) == 4 and len(traced[1]) == 32 and traced[1].isalnum() else ""
        try:
            plain = _unpressed(body, headers.get("content-encoding", ""))
            asked = protocol.parse(plain, headers.get(LENGTH.lower(), ""))
            given = protocol.given(asked, self._guard.way.rows())
            words = {name: asked.word(name) for name in ("purpose", "case", "subject")}
        except RefusedError as refusal:
            self._guard.count_refusal()
            return refused(refusal)
        try:
            decision = self._guard.answer(principal, given, trace=trace, **words)
        except RefusedError as refusal:
            return refused(refusal)
        except FivefoldError as error:
            self._guard.count_refusal()
            return refused(RefusedError(error.code, error.message, status=400))
        told, length = protocol.answered(decision, asked, self.name, self.version)
        kind = {"Content-Type": "application/octet-stream", LENGTH: str(length)} if length else _JSON
        return _pressed(200, told, kind, headers.get("accept-encoding", ""))


def _unpressed(body: bytes, coding: str) -> bytes:
    """Return a body as it was before gzip or deflate.

    Raises:
        RefusedError: ``guard.413`` for one that grows beyond the limit; ``guard.coding``.
    """
    if coding in ("", "identity"):
        return body
    if coding not in _BITS:
        raise RefusedError("guard.coding", "this coding is not taken.", status=415, remedy="gzip, deflate, or none.")
    try:
        unpacking = zlib.decompressobj(_BITS[coding])
        found = unpacking.decompress(body, MAX_BODY + 1)
    except zlib.error:
        raise RefusedError("guard.coding", f"the body is no {coding}.", status=400) from None
    if len(found) > MAX_BODY:
        raise RefusedError("guard.413", f"a request has at most {MAX_BODY >> 20} MiB.", status=413)
    if not unpacking.eof:
        raise RefusedError("guard.coding", f"the body is no {coding}.", status=400)
    return found


def _pressed(status: int, body: bytes, headers: Mapping[str, str], accepted: str) -> Told:
    """Return an answer, packed where the asker takes that and it is worth it."""
    names = [part.partition(";")[0].strip() for part in accepted.split(",")]
    coding = next((name for name in _BITS if name in names), "")
    if not coding or len(body) < _WORTH:
        return status, body, dict(headers)
    packing = zlib.compressobj(1, zlib.DEFLATED, _BITS[coding])
    return status, packing.compress(body) + packing.flush(), {**headers, "Content-Encoding": coding}


def refused(refusal: RefusedError) -> Told:
    """Return a refusal as it is told: our own words, nothing of what went on inside."""
    words = {"error": str(refusal), "code": refusal.code}
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
    return _told(refusal.status, words | ({"field": refusal.field} if refusal.field else {}), headers)


def _told(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Told:
    return status, msgspec.json.encode(value), {**_JSON, **(headers or {})}


def app(service: Service) -> Any:
    """Return the service as an ASGI application.

    Raises:
        InputError: ``guard.extra`` if the extra is not installed.
    """
    fastapi, concurrency = provided("http.framework")("guard.extra")
    body_of = provided("http.body")
    made = fastapi.FastAPI(title="Fivefold guard", docs_url=None, redoc_url=None, openapi_url=None)

    def told(answer: Told) -> Any:
        return fastapi.Response(answer[1], answer[0], answer[2])

    async def act(request: Any) -> Any:
        principal = await concurrency.run_in_threadpool(service.bearer, request.headers.get("authorization", ""))
        if principal is None and request.url.path != _LIVE:
            service.count_refusal()
            return told(service.answer(None, "", b"", {}))
        body = await body_of(request, MAX_BODY) if request.method == "POST" else b""
        if isinstance(body, int):
            message = _WORDS.get(body, f"a request has at most {MAX_BODY >> 20} MiB.")
            return told(refused(RefusedError(f"guard.{body}", message, status=body)))
        headers = dict(request.headers)
        return told(await concurrency.run_in_threadpool(service.answer, principal, request.url.path, body, headers))

    async def lost(_request: Any, error: Any) -> Any:
        status, body, headers = refused(
            RefusedError(f"guard.{error.status_code}", _WORDS[error.status_code], status=error.status_code)
        )
        return told((status, body, {**headers, **(error.headers or {})}))

    # annotations are texts here, and the names in them are local
    act.__annotations__ = {"request": fastapi.Request, "return": fastapi.Response}
    model = f"/v2/models/{service.name}"
    for path in (model, f"{model}/versions/{service.version}"):
        for rest, method in (("", "GET"), ("/ready", "GET"), ("/infer", "POST")):
            made.add_api_route(path + rest, act, methods=[method], response_model=None)
    for path in ("/openapi.json", "/v2", _LIVE, "/v2/health/ready"):
        made.add_api_route(path, act, methods=["GET"], response_model=None)
    for status in (404, 405):
        made.add_exception_handler(status, lost)
    return made


def serve(service: Service, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve until interrupted.

    Args:
        service: What it does.
        host: Address to listen on.
        port: Port; 0: any free one.
        ready: Called with the port once connections are taken.

    Raises:
        InputError: ``guard.extra``, ``guard.port``.
    """
    provided("http.listen")(app(service), host, port, ready, "guard.port")
