"""About: what an endpoint says of itself, for whoever writes a manifest; no inference, no token."""

from __future__ import annotations

import functools
import importlib.util

from fivefold.errors import SubjectError
from fivefold.manifest import address as urls
from fivefold.subject.endpoint import dial, wire
from fivefold.subject.endpoint.grpc import Grpc
from fivefold.subject.endpoint.reach import reach
from fivefold.subject.endpoint.rest import Rest
from fivefold.subject.endpoint.wire import TroubleError

_SECONDS = 5.0
_SHOWN = 8


def describe(url: str) -> str:
    """Ask an endpoint whether it is ready, and for its metadata.

    Args:
        url: As ``model.endpoint`` of a manifest.

    Returns:
        A few words: server, whether the model is ready, its inputs and outputs.

    Raises:
        InputError: ``endpoint.url``, ``endpoint.host`` or ``endpoint.plain``.
        SubjectError: It does not answer, or with something else.
    """
    address = urls.parse(url)
    if address.kind == "grpc" and importlib.util.find_spec("h2") is None:
        raise SubjectError("endpoint.extra", "gRPC needs the extra `endpoint`.")
    addresses = reach(address, private=False, plain=False)
    protocol = "h2" if address.kind == "grpc" else "http/1.1"
    context = dial.secure("", protocol) if address.tls else None
    connect = functools.partial(dial.dial, address.host, address.port, addresses, context, _SECONDS)
    client = (Grpc if address.kind == "grpc" else Rest)(address, connect, _uncounted, seconds=_SECONDS)
    try:
        ready, model = client.ready(), client.model()
        try:
            server = client.server().server
        except TroubleError:
            server = ""
    finally:
        client.close()
    parts = [wire.clean(server) or "a server without a name", "the model is ready" if ready else "it is not ready"]
    for name, slots in (("inputs", model.inputs), ("outputs", model.outputs)):
        parts.append(f"{name} {_listed(slots)}" if slots else f"no {name} are told")
    return "; ".join(parts)


def _uncounted() -> None:
    return None


def _listed(slots: tuple[wire.Slot, ...]) -> str:
    shown = [f"{wire.clean(slot.name)} ({wire.clean(slot.datatype)})" for slot in slots[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(slots) - _SHOWN} more" if len(slots) > _SHOWN else "")
