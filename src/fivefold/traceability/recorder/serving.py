"""Serving: what the recorder's services over HTTP share: a bounded body, and a bounded server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 15
"""Longest time that a request may take to arrive."""
_MOST_AT_ONCE = 64
_DRAIN = 40
"""Longest that what is in hand at the end may take, in seconds."""


def framework(code: str) -> tuple[Any, Any]:
    """Return the modules ``fastapi`` and ``starlette.concurrency``.

    Raises:
        InputError: ``code`` if the extra is not installed.
    """
    try:
        import fastapi
        from starlette import concurrency
    except ImportError:
        raise InputError(
            code, "the packages for services are not installed.", remedy="pip install 'fivefold[serve]'"
        ) from None
    return fastapi, concurrency


async def body_of(request: Any, most: int) -> bytes | int:
    """Return a request's body; the status to refuse it with if it is larger than ``most`` bytes or comes too slowly."""
    body = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    return 413
    except TimeoutError:
        return 408
    return bytes(body)


def listen(
    service: Any, host: str, port: int, ready: Callable[[int], None], code: str, *, most: int = _MOST_AT_ONCE
) -> None:
    """Serve until interrupted; slow and many clients are bounded, and what is asked by then is answered.

    Args:
        service: ASGI application.
        host: Address to listen on.
        port: Port; 0: any free one.
        ready: Called with the port once connections are taken.
        code: Of the error.
        most: Connections at the same time; more get status 503.

    Raises:
        InputError: ``code`` if the address cannot be listened on.
    """
    import socket

    import uvicorn

    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise InputError(
            code, f"{host}:{port} cannot be listened on ({error.strerror}).", remedy="Name another port."
        ) from None
    # asyncio does this only for sockets that name TCP; without it each answer waits for the asker's acknowledgement
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        service, log_level="warning", access_log=False, server_header=False, limit_concurrency=most,
        timeout_keep_alive=5, h11_max_incomplete_event_size=1 << 14, lifespan="off",
        timeout_graceful_shutdown=_DRAIN,
    )  # fmt: skip
    with listener:
        ready(listener.getsockname()[1])
        uvicorn.Server(config).run(sockets=[listener])
