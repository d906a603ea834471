"""The guard over HTTP: Open Inference Protocol v2, plain ASGI; a token on everything but liveness."""

from __future__ import annotations

import asyncio
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from fivefold.contract.registry import provided
from fivefold.guard import metrics, protocol
from fivefold.guard.described import openapi
from fivefold.guard.gate import AGAIN
from fivefold.guard.nouns import RefusedError
from fivefold.guard.protocol import LENGTH, MAX_BODY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from fivefold.guard.nouns import Decision, Principal
    from fivefold.guard.protocol import Asked
    from fivefold.guard.reloading import Reloading
    from fivefold.guard.service import Service

    Told = tuple[int, bytes, dict[str, str]]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

_JSON = {"Content-Type": "application/json"}
_BITS = {"gzip": 31, "deflate": 15}
_WORTH = 1024
_SMALL = 1 << 16
"""Bytes of a request that is read on the event loop; larger ones are in a thread."""
_THREADS = 16
_SECONDS = 15
_CONNECTIONS = 512
_LIVE = "/v2/health/live"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OWN = ("localhost", "127.0.0.1", "[::1]")


class _Paths(NamedTuple):
    """What one service answers under which path."""

    service: Service
    told: dict[str, Callable[[Principal], Told]]
    infer: frozenset[str]
    load: str

    @classmethod
    def of(cls, service: Service) -> _Paths:
        """Lay out the paths of a service."""
        model = f"/v2/models/{service.name}"
        names = (model, f"{model}/versions/{service.version}")

        def ready(_: Principal) -> Told:
            return _json(200 if service.ready else 503, {"ready": service.ready, "name": service.name})

        told: dict[str, Callable[[Principal], Told]] = {
            "/openapi.json": lambda _: _json(200, openapi(service.name, service.version)),
            "/v2": lambda _: _json(200, service.about()),
            "/v2/health/ready": ready,
            "/metrics": lambda principal: (200, service.metrics(principal), {"Content-Type": metrics.KIND}),
            **dict.fromkeys(names, lambda _: _json(200, service.model())),
            **dict.fromkeys((f"{name}/ready" for name in names), ready),
        }
        infer = frozenset(f"{name}/infer" for name in names)
        return cls(service, told, infer, f"/v2/repository/models/{service.name}/load")


class App:
    """The service as an ASGI application."""

    def __init__(
        self, service: Service, hosts: frozenset[str] = frozenset(), *, load: Callable[[Principal], Any] | None = None
    ) -> None:
        """Lay out the paths of a service.

        Args:
            service: What it does.
            hosts: Names under which it may be asked, in lower case; empty: any.
            load: Loads the application again on a principal's wish and returns what is served then; None: nobody may.
        """
        self._hosts, self._load = hosts, load
        self._threads = ThreadPoolExecutor(_THREADS, "fivefold-guard-http")
        self._loop = service.loop(self._threads)
        self.take(service)

    def take(self, service: Service) -> None:
        """Answer by another service from the next request on; one in hand is answered by that which took it."""
        self._paths = _Paths.of(service)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            status, body, headers = await self._answered(scope, receive)
        except RefusedError as refusal:
            status, body, headers = refused(refusal)
        except Exception:  # noqa: BLE001  what went wrong inside stays inside
            status, body, headers = refused(self._paths.service.failed())
        lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        lines.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answered(self, scope: dict[str, Any], receive: Receive) -> Told:
        path, paths, service = scope["path"], self._paths, self._paths.service
        given = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if self._hosts and _name(given.get("host", "")) not in self._hosts:
            raise service.counted(RefusedError("guard.host", "it is not known under this name.", status=400))
        loads = self._load is not None and path == paths.load
        wanted = "POST" if loads or path in paths.infer else "GET"
        if wanted == "GET" and path not in paths.told and path != _LIVE:
            raise RefusedError("guard.404", "it is not there.", status=404)
        if scope["method"] != wanted:
            status, body, headers = refused(RefusedError("guard.405", "this path takes another method.", status=405))
            return status, body, headers | {"Allow": wanted}
        if path == _LIVE:
            return _json(200, {"live": True})
        principal = service.bearer(given.get("authorization", ""))
        if wanted == "GET":
            return paths.told[path](principal)
        if loads:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._loaded, principal)
        with service.in_hand():
            try:
                body = await _body(receive)
            except RefusedError as refusal:
                raise service.counted(refusal) from None
            with service.at_work():
                if len(body) > _SMALL or "content-encoding" in given:  # it may take its time
                    loop = asyncio.get_running_loop()
                    return await loop.run_in_executor(self._threads, _inferred, service, principal, body, given)
                asked = _asked(service, body, given)
                parent = given.get("traceparent", "")
                return _packed(service, await service.infer_soon(principal, asked, parent, self._loop), asked, given)

    def _loaded(self, principal: Principal) -> Told:
        if self._load is None:
            raise RefusedError("guard.404", "it is not there.", status=404)
        return _json(200, self._load(principal))


def _inferred(service: Service, principal: Principal, body: bytes, headers: Mapping[str, str]) -> Told:
    asked = _asked(service, body, headers)
    decision = service.infer(principal, asked, headers.get("traceparent", ""))
    return _packed(service, decision, asked, headers)


def _asked(service: Service, body: bytes, headers: Mapping[str, str]) -> Asked:
    try:
        plain = _unpressed(body, headers.get("content-encoding", ""))
        return protocol.parse(plain, headers.get(LENGTH.lower(), ""))
    except RefusedError as refusal:
        raise service.counted(refusal) from None


def _packed(service: Service, decision: Decision, asked: Asked, headers: Mapping[str, str]) -> Told:
    told, length = protocol.answered(decision, asked, service.name, service.version)
    kind = {"Content-Type": "application/octet-stream", LENGTH: str(length)} if length else _JSON
    return _pressed(200, told, kind, headers.get("accept-encoding", ""))


async def _body(receive: Receive) -> bytes:
    """Return a request's body.

    Raises:
        RefusedError: ``guard.413``, ``guard.408``; ``guard.gone`` if the asker hangs up.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RefusedError("guard.gone", "the asker hung up.", status=400)
                body += message.get("body", b"")
                if len(body) > MAX_BODY:
                    raise _too_large()
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise RefusedError("guard.408", "the request came too slowly.", status=408) from None


def _name(host: str) -> str:
    """Return the name of a ``Host`` header, without its port."""
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).lower()


def _too_large() -> RefusedError:
    return RefusedError("guard.413", f"a request has at most {MAX_BODY >> 20} MiB.", status=413)


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
        raise _too_large()
    if not unpacking.eof:
        raise RefusedError("guard.coding", f"the body is no {coding}.", status=400)
    return found


def _pressed(status: int, body: bytes, headers: Mapping[str, str], accepted: str) -> Told:
    """Return an answer, packed where the asker takes that and it is worth it."""
    if len(body) < _WORTH or not accepted:
        return status, body, dict(headers)
    names = [part.partition(";")[0].strip() for part in accepted.split(",")]
    coding = next((name for name in _BITS if name in names), "")
    if not coding:
        return status, body, dict(headers)
    packing = zlib.compressobj(1, zlib.DEFLATED, _BITS[coding])
    return status, packing.compress(body) + packing.flush(), {**headers, "Content-Encoding": coding}


def refused(refusal: RefusedError) -> Told:
    """Return a refusal as it is told: our own words, nothing of what went on inside."""
    words = {"error": str(refusal), "code": refusal.code}
    more = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(AGAIN)}}.get(refusal.status, {})
    words |= {name: told for name, told in (("field", refusal.field), ("id", refusal.record)) if told}
    return _json(refusal.status, words, more)


def _json(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Told:
    return status, msgspec.json.encode(value), {**_JSON, **(headers or {})}


def serve(
    reloading: Reloading, host: str, port: int, ready: Callable[[int], None], *, names: Sequence[str] = ()
) -> None:
    """Serve until interrupted; what is in hand then is answered first.

    Args:
        reloading: What is served, and how it is loaded again.
        host: Address to listen on.
        port: Port; 0: any free one.
        ready: Called with the port once connections are taken.
        names: Further names under which it is asked. On an address of this machine alone, only its own names and these
            count: a page of another site cannot have a browser ask it under its own name.

    Raises:
        InputError: ``guard.extra``, ``guard.port``.
    """
    provided("http.framework")("guard.extra")
    known = {*_OWN, host.lower(), f"[{host.lower()}]"} if host.lower() in _LOOPBACK else set()
    hosts = frozenset({*known, *(name.lower() for name in names)} if known or names else ())
    app = App(reloading.service, hosts, load=reloading.asked)
    reloading.takers.append(app.take)
    provided("http.listen")(app, host, port, ready, "guard.port", most=_CONNECTIONS)
