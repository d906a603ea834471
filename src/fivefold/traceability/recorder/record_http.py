"""The recorder over HTTP, for other languages: append one or many, take CloudEvents, hand out checkpoint and tiles.

Every request bears a token; what was appended is durable when the answer comes. Sources: CloudEvents 1.0 (HTTP binding,
structured, batched and binary), C2SP tlog-tiles (paths), RFC 6750 (bearer tokens).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.errors import FivefoldError, InputError, StorageError, TrustError
from fivefold.log import book, segments, static, tiles
from fivefold.log import checkpoint as notes
from fivefold.log.tiles import WIDTH
from fivefold.log.tree import HASH_BYTES
from fivefold.traceability.recorder import messages
from fivefold.traceability.recorder.messages import MAX_BATCH, MAX_BODY, Kept
from fivefold.traceability.recorder.serving import body_of, framework, listen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.log.disk import Disk
    from fivefold.traceability.recorder.recorder import Sink

_TILE = re.compile(r"([0-7]|entries)/((?:x[0-9]{3}/){0,5})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_POSTED = ("/v1/record", "/v1/records", "/v1/events")
_FOREVER = "public, max-age=31536000, immutable"
_WORDS = {
    400: "this is no record that could be kept.",
    401: "a token is needed: Authorization: Bearer ...",
    404: "it is not there.",
    405: "this path takes another method.",
    408: "the request came too slowly.",
    413: f"a request has at most {MAX_BODY >> 20} MiB and {MAX_BATCH:,} records.",
    415: "this type of content is not taken.",
    503: "the record cannot be written now.",
}


class Answer(msgspec.Struct, frozen=True):
    """What is answered.

    Attributes:
        status: Of HTTP.
        body: Its bytes.
        type: Of the bytes.
        headers: More.
    """

    status: int
    body: bytes
    type: str = "application/json"
    headers: dict[str, str] = {}


class Service:
    """What the paths do; knows nothing of the framework.

    Threat: a stranger writes into the record, a large or broken request stops it, an error tells what it should not.
    Limit: who holds a token may write what he likes; the record says what it was told.
    """

    def __init__(self, recorder: Sink, disk: Disk, tokens: tuple[str, ...]) -> None:
        """Serve a record.

        Args:
            recorder: Where records go.
            disk: The log that it writes.
            tokens: Whoever bears one may write and read; at least one.

        Raises:
            InputError: ``record.tokens`` without a token.
        """
        if not tokens:
            raise InputError("record.tokens", "there is no token: nobody could write.", remedy="Name a file of tokens.")
        self._recorder, self._disk = recorder, disk
        self._tokens = [hashlib.sha256(token.encode()).digest() for token in tokens]

    def knows(self, header: str) -> bool:
        """Return whether a header bears one of the tokens; takes as long whichever it is."""
        scheme, _, token = header.partition(" ")
        given = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        held = [hmac.compare_digest(given, one) for one in self._tokens]
        return scheme.lower() == "bearer" and any(held)

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Do what a path is for; what was appended is durable when this returns."""
        try:
            if path in _POSTED:
                return self._post(path, headers, body)
            return self._checkpoint() if path == "/checkpoint" else self._tile(path.removeprefix("/tile/"))
        except InputError as error:
            return refused(415 if error.code == "record.type" else 400, error)
        except (StorageError, TrustError):
            return refused(503)

    def _post(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if path == "/v1/events":
            made = [event.made() for event in messages.events(headers, body)]
        elif headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return refused(415)
        else:
            made = [given.made() for given in messages.records(body, many=path == "/v1/records")]
        tickets = [self._recorder.submit(kind, one) for kind, one in made]
        kept = [Kept(id=name, position=ticket.wait()) for name, ticket in tickets]
        return Answer(201, msgspec.json.encode(kept[0] if path == "/v1/record" else {"records": kept}))

    def _checkpoint(self) -> Answer:
        found = self._disk.read(book.CHECKPOINT, 0, book.MAX_CHECKPOINT)
        if not found:
            return refused(404)
        return Answer(200, found, "text/plain; charset=utf-8", {"Cache-Control": "no-cache"})

    def _tile(self, path: str) -> Answer:
        found = self.tile(path)
        if found is None:
            return refused(404)
        data, full = found
        return Answer(200, data, "application/octet-stream", {"Cache-Control": _FOREVER if full else "no-cache"})

    def tile(self, path: str) -> tuple[bytes, bool] | None:
        """Return a tile or entry bundle below ``tile/``, and whether it is full; None if it is not there."""
        found = _TILE.fullmatch(path)
        if not found:
            return None
        level, above, last, width = found.groups()
        index, wide = int(above.replace("x", "").replace("/", "") + last), int(width or WIDTH)
        if path != static.path_of(level, index, wide).removeprefix("tile/"):
            return None  # another way to write the same
        point = self._disk.read(book.CHECKPOINT, 0, book.MAX_CHECKPOINT)
        size = notes.parse(point).size if point else 0
        there = size if level == static.ENTRIES else size >> 8 * int(level)
        if index * WIDTH + wide > there:
            return None
        if level != static.ENTRIES:
            data = self._disk.read(tiles.file_of(int(level)), index * WIDTH * HASH_BYTES, wide * HASH_BYTES)
            return (data, wide == WIDTH) if len(data) == wide * HASH_BYTES else None
        return static.bundle(self._entries(index * WIDTH, wide)), wide == WIDTH

    def _entries(self, start: int, count: int) -> list[bytes]:
        found: list[bytes] = []
        for segment, entries in segments.walk(self._disk, start):
            found += entries[max(0, start - segment.first) : start + count - segment.first]
            if len(found) >= count:
                break
        return found


def refused(status: int, error: FivefoldError | None = None) -> Answer:
    """Return an error as it is told: our own words, nothing of what went on inside."""
    words = {"code": f"record.{status}", "message": _WORDS[status], "remedy": ""}
    if error is not None:
        words = {"code": error.code, "message": error.message, "remedy": error.remedy}
    return Answer(status, msgspec.json.encode(words), headers={"WWW-Authenticate": "Bearer"} if status == 401 else {})


def app(service: Service) -> Any:
    """Return the service as an ASGI application.

    Raises:
        InputError: ``record.extra`` if the extra is not installed.
    """
    fastapi, concurrency = framework("record.extra")
    made = fastapi.FastAPI(title="Fivefold recorder", docs_url=None, redoc_url=None, openapi_url=None)

    def told(answer: Answer) -> Any:
        return fastapi.Response(answer.body, answer.status, answer.headers, media_type=answer.type)

    async def act(request: Any) -> Any:
        if not service.knows(request.headers.get("authorization", "")):
            return told(refused(401))
        body = await body_of(request, MAX_BODY) if request.method == "POST" else b""
        if isinstance(body, int):
            return told(refused(body))
        headers, path = dict(request.headers), request.url.path
        return told(await concurrency.run_in_threadpool(service.answer, path, headers, body))

    async def lost(_request: Any, error: Any) -> Any:
        answer = refused(error.status_code)
        return told(msgspec.structs.replace(answer, headers={**answer.headers, **(error.headers or {})}))

    async def schema() -> Any:
        return told(Answer(200, msgspec.json.encode(messages.openapi())))

    # annotations are texts here, and the names in them are local
    act.__annotations__ = {"request": fastapi.Request, "return": fastapi.Response}
    schema.__annotations__ = {"return": fastapi.Response}
    for path in _POSTED:
        made.add_api_route(path, act, methods=["POST"], response_model=None)
    for path in ("/checkpoint", "/tile/{path:path}"):
        made.add_api_route(path, act, methods=["GET"], response_model=None)
    for status in (404, 405):
        made.add_exception_handler(status, lost)
    made.add_api_route("/openapi.json", schema, methods=["GET"], response_model=None)
    return made


def serve(service: Service, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve until interrupted.

    Args:
        service: What it does.
        host: Address to listen on.
        port: Port; 0: any free one.
        ready: Called with the port once connections are taken.

    Raises:
        InputError: ``record.extra``, ``record.port``.
    """
    listen(app(service), host, port, ready, "record.port")
