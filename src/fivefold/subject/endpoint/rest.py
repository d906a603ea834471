"""REST: the protocol over HTTP/1.1, as JSON or with binary tensors, plain or compressed.

No redirect is followed and no proxy is used. An answer is read up to a cap, also after it was unpacked.
"""

from __future__ import annotations

import contextlib
import http.client
import ssl
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.subject.endpoint import dial, wire
from fivefold.subject.endpoint.ahead import Ahead
from fivefold.subject.endpoint.bodies import LENGTH, decode, packed
from fivefold.subject.endpoint.bodies import said as told_of
from fivefold.subject.endpoint.wire import About, Question, Tensor, TroubleError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from fivefold.manifest.address import Address

_SMALL = 4 << 20
_PART = 1 << 16
_WAIT = 3600.0


class _Metadata(msgspec.Struct):
    name: str = ""
    version: str = ""
    versions: list[Any] | None = None
    platform: str | None = ""
    extensions: list[str] | None = None
    inputs: list[_Slot] | None = None
    outputs: list[_Slot] | None = None


class _Slot(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]


@dataclass(frozen=True)
class _Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def kind(self) -> str:
        """Return the content type without its parameters."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()


class Rest:
    """A client over HTTP/1.1; see :class:`fivefold.subject.endpoint.wire.Client`."""

    zips = True

    def __init__(
        self,
        address: Address,
        connect: Callable[[], socket.socket],
        spend: Callable[[], None],
        *,
        token: str = "",
        seconds: float,
    ) -> None:
        """Keep how to reach it; nothing is connected yet.

        Args:
            address: The endpoint.
            connect: Returns a new connection.
            spend: Called before a request is sent.
            token: Bearer token; empty: none.
            seconds: Longest that one exchange may take.
        """
        self.key = ""
        self._address, self._connect, self._spend, self._seconds = address, connect, spend, seconds
        self._headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "fivefold"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._open: http.client.HTTPConnection | None = None

    def ready(self) -> bool:
        """Return whether the model is ready."""
        reply = self._exchange("GET", f"{self._address.path}/ready", b"", {}, _SMALL)
        if reply.status in (400, 404, 503):
            return False
        _require_ok(reply)
        return True

    def model(self) -> About:
        """Return what the server says of the model."""
        found = self._metadata(self._address.path)
        return About(
            platform=(found.platform or "")[:200],
            versions=tuple(str(version)[:50] for version in (found.versions or ())[:100]),
            inputs=wire.slots((item.name, item.datatype, item.shape) for item in found.inputs or ()),
            outputs=wire.slots((item.name, item.datatype, item.shape) for item in found.outputs or ()),
        )

    def server(self) -> About:
        """Return what the server says of itself."""
        found = self._metadata(f"{self._address.prefix}/v2")
        return About(
            extensions=tuple(str(name)[:100] for name in (found.extensions or ())[:100]),
            server=f"{found.name} {found.version}".strip()[:200],
        )

    def infer(self, question: Question, cap: int) -> tuple[Tensor, ...]:
        """Ask for an inference, once."""
        return _tensors(self._exchange("POST", f"{self._address.path}/infer", *packed(question), cap))

    def post(self, question: Question) -> Ahead | None:
        """Ask over a connection that is open, and do not wait; :meth:`taken` must follow; None: nothing was asked.

        Raises:
            TroubleError: ``endpoint.dropped``.
        """
        link = self._open
        if link is None or isinstance(link.sock, ssl.SSLSocket) or dial.readable(link.sock):
            return None
        with self._kept(link.sock):
            self._sent(link, "POST", f"{self._address.path}/infer", *packed(question))
        return Ahead(link.sock)

    def taken(self, ahead: Ahead, cap: int) -> tuple[Tensor, ...]:
        """Return what :meth:`infer` returns, waiting for what is still to come."""
        link = self._open
        if link is None:
            raise dial.dropped()
        link.sock = ahead
        with self._kept(ahead.peer):
            reply = self._heard(link, cap)
        if link.sock is not None:
            link.sock = ahead.peer
        return _tensors(reply)

    def close(self) -> None:
        """Give the connection up."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _metadata(self, path: str) -> _Metadata:
        """Return metadata; a server that has none is no fault, as long as it answers as one should."""
        reply = self._exchange("GET", path, b"", {}, _SMALL)
        if reply.status in (404, 405, 501) and reply.kind != "text/html":
            return _Metadata()
        _require_ok(reply)
        try:
            return msgspec.json.decode(reply.body, type=_Metadata)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise wire.malformed("its metadata are no metadata of the protocol", told_of(reply.body)) from None

    def _exchange(self, verb: str, path: str, body: bytes, headers: dict[str, str], cap: int) -> _Reply:
        """Send one request over the connection that is open, or over a new one; close it where it cannot go on."""
        link = self._opened()
        self._spend()
        with self._kept(link.sock):
            self._sent(link, verb, path, body, headers)
            return self._heard(link, cap)

    @contextlib.contextmanager
    def _kept(self, peer: socket.socket) -> Iterator[None]:
        """Say what goes wrong in an exchange, and close the connection then."""
        try:
            with dial.deadline(peer, self._seconds):
                yield
        except BaseException as error:
            self.close()
            if isinstance(error, http.client.IncompleteRead | http.client.RemoteDisconnected | ConnectionError):
                raise dial.dropped() from None
            if isinstance(error, http.client.HTTPException):
                raise wire.malformed(f"it is no HTTP ({type(error).__name__})") from None
            if isinstance(error, TimeoutError):
                raise dial.slow(self._seconds) from None
            if isinstance(error, OSError):
                raise dial.dropped() from None
            raise

    def _sent(self, link: http.client.HTTPConnection, verb: str, path: str, body: bytes, more: dict[str, str]) -> None:
        link.request(verb, path, body or None, {"Host": self._address.authority, **self._headers, **more})

    def _heard(self, link: http.client.HTTPConnection, cap: int) -> _Reply:
        response = link.getresponse()
        data = _read(response, cap)
        response.close()
        if response.will_close:
            self.close()
        return _Reply(response.status, response.headers, data)

    def _opened(self) -> http.client.HTTPConnection:
        """Return a connection; one that the server has ended while it was idle is replaced."""
        if self._open is not None and dial.readable(self._open.sock):
            self.close()
        if self._open is None:
            peer = self._connect()
            self.key = dial.public_key(peer) or self.key
            self._open = http.client.HTTPConnection(self._address.host, self._address.port)
            self._open.sock = peer
        return self._open


def _tensors(reply: _Reply) -> tuple[Tensor, ...]:
    _require_ok(reply)
    return decode(reply.body, reply.kind, reply.headers.get(LENGTH))


def _read(response: http.client.HTTPResponse, cap: int) -> bytes:
    """Read a body up to a cap, before and after it is unpacked."""
    coding = (response.headers.get("Content-Encoding") or "identity").strip().lower()
    if coding not in ("identity", "gzip", ""):
        raise wire.malformed(f"it is compressed as {wire.clean(coding)}, which was not asked for")
    unpack = zlib.decompressobj(31) if coding == "gzip" else None
    found, came = bytearray(), 0
    while part := response.read1(_PART):
        came += len(part)
        if unpack is None:
            found += part
        else:
            try:
                found += unpack.decompress(part, max(1, cap + 1 - len(found)))
            except zlib.error:
                raise wire.malformed("it is no gzip, though it says so") from None
            if unpack.unconsumed_tail:
                raise too_large(cap)
        if max(came, len(found)) > cap:
            raise too_large(cap)
    if response.length:
        raise dial.dropped()
    if unpack is not None and not unpack.eof:
        raise wire.malformed("its gzip ends too soon")
    return bytes(found)


def too_large(cap: int) -> TroubleError:
    """Return the error of an answer that passes its cap."""
    return TroubleError(
        "too-large", f"the endpoint's answer passes {max(1, cap >> 20)} MB, and was not read to its end."
    )


def _require_ok(reply: _Reply) -> None:
    """Turn a status into trouble."""
    status, said = reply.status, told_of(reply.body)
    if status == 200:
        return
    after = _after(reply.headers.get("Retry-After"))
    if 300 <= status < 400:
        raise TroubleError(
            "redirect",
            "the endpoint sends elsewhere, which is not followed.",
            remedy="Write the final address in model.endpoint.",
        )
    if status in (401, 403):
        raise denied(said)
    if status == 404:
        raise absent(said)
    if status == 429:
        raise busy(after, said)
    if status >= 500 or status == 408:
        raise TroubleError(
            "failed", f"the endpoint failed (status {status}).", again=True, size=True, after=after, said=said
        )
    if status == 413:
        raise TroubleError("rows", "the endpoint refuses so many rows in one call.", size=True, said=said)
    raise refused(f"status {status}", said)


def denied(said: str) -> TroubleError:
    """Return the error of an endpoint that wants another token."""
    return TroubleError(
        "denied",
        "the endpoint refuses us.",
        remedy="Name the file or variable of its token under endpoint.token of site.yaml.",
        said=said,
    )


def absent(said: str) -> TroubleError:
    """Return the error of a model that is not there."""
    return TroubleError("absent", "the endpoint knows no such model.", remedy="Check model.endpoint.", said=said)


def busy(after: float | None, said: str) -> TroubleError:
    """Return the error of an endpoint that wants fewer calls."""
    return TroubleError(
        "busy",
        "the endpoint asks for fewer calls, longer than a check waits.",
        remedy="Lower endpoint.rate in site.yaml, or run at another hour.",
        again=True,
        after=after,
        said=said,
    )


def refused(how: str, said: str) -> TroubleError:
    """Return the error of a question that is refused."""
    return TroubleError(
        "refused",
        f"the endpoint refuses the question ({how}).",
        remedy="Do the columns that the model sees fit its inputs? `drop:` hides some.",
        size=True,
        said=said,
    )


def _after(text: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which may also be a date."""
    if not text:
        return None
    if text.strip().isdigit():
        return min(float(text), _WAIT)
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    with contextlib.suppress(TypeError, ValueError):
        when = parsedate_to_datetime(text)
        return min(max(0.0, (when - datetime.now(UTC)).total_seconds()), _WAIT)
    return None
