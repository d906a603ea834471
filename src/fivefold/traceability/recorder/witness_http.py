"""A witness over HTTP: the service, and the client that asks it (C2SP tlog-witness).

Beyond the specification there is one read: ``GET /checkpoint?origin=...`` gives the newest checkpoint that was
cosigned, so that whoever audits a log hears it from the witness and not from the log's owner.
"""

from __future__ import annotations

import http.client
import ssl
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fivefold.errors import InputError, StorageError
from fivefold.log.witness import MAX_REQUEST, Reply
from fivefold.traceability.recorder.address import split
from fivefold.traceability.recorder.serving import SECONDS, body_of, framework, listen

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.log.witness import Witness


def app(witness: Witness) -> Any:
    """Return the service as an ASGI application.

    Raises:
        InputError: ``witness.extra`` if the extra is not installed.
    """
    fastapi, concurrency = framework("witness.extra")
    Request, Response = fastapi.Request, fastapi.Response
    service = fastapi.FastAPI(title="Fivefold witness", docs_url=None, redoc_url=None, openapi_url=None)
    refused = {413: "the request is too large.\n", 408: "the request came too slowly.\n"}

    async def add(request: Any) -> Any:
        body = await body_of(request, MAX_REQUEST)
        if isinstance(body, int):
            return Response(refused[body], body)
        try:
            reply = await concurrency.run_in_threadpool(witness.add, body, int(time.time()))
        except StorageError:
            return Response("the witness cannot remember now; nothing was cosigned.\n", 503)
        return Response(reply.body, reply.status, media_type=reply.type)

    async def newest(origin: str = "") -> Any:
        found = await concurrency.run_in_threadpool(witness.latest, origin)
        return Response(found, media_type="text/plain; charset=utf-8") if found else Response("nothing yet.\n", 404)

    # annotations are texts here, and the names in them are local
    add.__annotations__ = {"request": Request, "return": Response}
    newest.__annotations__ = {"origin": str, "return": Response}
    service.add_api_route("/add-checkpoint", add, methods=["POST"], response_model=None)
    service.add_api_route("/checkpoint", newest, methods=["GET"], response_model=None)
    return service


def serve(witness: Witness, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve until interrupted; slow and many clients are bounded.

    Args:
        witness: Whose service.
        host: Address to listen on.
        port: Port; 0: any free one.
        ready: Called with the port once connections are taken.

    Raises:
        InputError: ``witness.extra``; ``witness.port`` if the address cannot be listened on.
    """
    listen(app(witness), host, port, ready, "witness.port")


def sender(url: str) -> Callable[[bytes], Reply]:
    """Return what puts a request to the witness at a URL.

    Raises:
        InputError: ``witness.url``; when called, ``witness.unreachable``.
    """
    split(url, "witness.url", "a witness")
    return lambda data: _call(url, "POST", "/add-checkpoint", data)


def newest(url: str, origin: str) -> bytes | None:
    """Return the newest checkpoint that the witness at a URL cosigned for a log; None if there is none.

    Raises:
        InputError: ``witness.url``, ``witness.unreachable``, ``witness.refused``.
    """
    reply = _call(url, "GET", f"/checkpoint?origin={quote(origin, safe='')}", None)
    if reply.status not in (200, 404):
        raise InputError("witness.refused", f"the witness answered with status {reply.status}.", where=url)
    return reply.body if reply.status == 200 else None


def _call(url: str, method: str, path: str, data: bytes | None) -> Reply:
    """Ask once; redirects are not followed."""
    secure, host, port, prefix = split(url, "witness.url", "a witness")
    made = (
        http.client.HTTPSConnection(host, port, timeout=SECONDS, context=ssl.create_default_context())
        if secure
        else http.client.HTTPConnection(host, port, timeout=SECONDS)
    )
    try:
        made.request(method, prefix + path, body=data, headers={"Content-Type": "text/plain; charset=utf-8"})
        answer = made.getresponse()
        body = answer.read(MAX_REQUEST + 1)
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", "") or type(error).__name__
        raise InputError(
            "witness.unreachable", f"the witness cannot be reached ({why}).", where=url, remedy="Try again later."
        ) from None
    finally:
        made.close()
    if len(body) > MAX_REQUEST:
        raise InputError("witness.refused", "the witness answered with too much.", where=url)
    return Reply(answer.status, body, answer.headers.get("Content-Type", ""))
