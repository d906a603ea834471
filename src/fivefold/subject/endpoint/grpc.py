"""gRPC: unary calls of the protocol over one HTTP/2 connection.

Written over ``h2`` and our own socket, so that address, certificate, size and number of calls are ours to hold: a
library that dials, retries and follows by itself would not keep a budget to the call. Source: the gRPC over HTTP/2
protocol description.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from fivefold.subject.endpoint import dial, proto, rest, wire
from fivefold.subject.endpoint.wire import About, Question, Tensor, TroubleError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    import h2.connection

    from fivefold.manifest.address import Address

_SERVICE = "/inference.GRPCInferenceService/"
_SMALL = 4 << 20
_WINDOW = 8 << 20
_READ = 1 << 16
_IDLE = 0.2
_CANCELLED, _UNKNOWN, _BAD, _LATE, _ABSENT, _DENIED, _FULL = 1, 2, 3, 4, 5, 7, 8
_NOT_THERE, _INTERNAL, _UNAVAILABLE, _UNKNOWN_USER = 12, 13, 14, 16


@dataclass
class _Stream:
    """What came on one stream so far."""

    headers: dict[str, str] = field(default_factory=dict)
    data: bytearray = field(default_factory=bytearray)
    ended: bool = False


class Grpc:
    """A client over HTTP/2; see :class:`fivefold.subject.endpoint.wire.Client`."""

    zips = False

    def __init__(
        self,
        address: Address,
        connect: Callable[[], socket.socket],
        spend: Callable[[], None],
        *,
        token: str = "",
        seconds: float,
    ) -> None:
        """Keep how to reach it; nothing is connected yet. See :class:`fivefold.subject.endpoint.rest.Rest`."""
        self.key = ""
        self._address, self._connect, self._spend, self._seconds = address, connect, spend, seconds
        self._token = token
        self._peer: socket.socket | None = None
        self._link: h2.connection.H2Connection | None = None

    def ready(self) -> bool:
        """Return whether the model is ready."""
        request = proto.model(self._address.name, self._address.version)
        try:
            return proto.truth(self._call("ModelReady", request, _SMALL))
        except TroubleError as error:
            if error.code in ("endpoint.absent", "endpoint.refused"):
                return False
            raise

    def model(self) -> About:
        """Return what the server says of the model."""
        request = proto.model(self._address.name, self._address.version)
        return proto.about_model(self._optional("ModelMetadata", request))

    def server(self) -> About:
        """Return what the server says of itself."""
        return proto.about_server(self._optional("ServerMetadata", b""))

    def infer(self, question: Question, cap: int) -> tuple[Tensor, ...]:
        """Ask for an inference, once."""
        request = proto.infer(self._address.name, self._address.version, question)
        return proto.answer(self._call("ModelInfer", request, cap))

    def close(self) -> None:
        """Give the connection up."""
        if self._peer is not None:
            with contextlib.suppress(OSError):
                self._peer.close()
        self._peer = self._link = None

    def _optional(self, method: str, request: bytes) -> bytes:
        try:
            return self._call(method, request, _SMALL)
        except TroubleError as error:
            if error.code == "endpoint.absent":
                return b""
            raise

    def _call(self, method: str, request: bytes, cap: int) -> bytes:
        """Call a method once; close the connection where it cannot go on."""
        peer, link = self._opened()
        self._spend()
        whole = False
        try:
            with dial.deadline(peer, self._seconds):
                stream = self._exchanged(peer, link, method, request, cap)
            whole = True
            return _message(stream, cap)
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise dial.slow(self._seconds) from None
            raise dial.dropped() from None
        finally:
            if not whole:
                self.close()

    def _opened(self) -> tuple[socket.socket, h2.connection.H2Connection]:
        if self._peer is not None and self._link is not None:
            if _lives(self._peer, self._link, self._seconds):
                return self._peer, self._link
            self.close()
        import h2.config
        import h2.connection
        import h2.settings

        peer = self._connect()
        self.key = dial.public_key(peer) or self.key
        link = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        link.initiate_connection()
        codes = h2.settings.SettingCodes
        link.update_settings({codes.INITIAL_WINDOW_SIZE: _WINDOW, codes.ENABLE_PUSH: 0})
        link.increment_flow_control_window(_WINDOW)
        self._peer, self._link = peer, link
        return peer, link

    def _exchanged(
        self, peer: socket.socket, link: h2.connection.H2Connection, method: str, request: bytes, cap: int
    ) -> _Stream:
        """Send one request and read what comes, both at once: either side may have to wait for the other's window."""
        import h2.exceptions

        try:
            number = link.get_next_available_stream_id()
            link.send_headers(number, self._headers(method))
            stream, rest_of = _Stream(), memoryview(struct.pack(">BI", 0, len(request)) + request)
            while not stream.ended:
                rest_of = _send(link, number, rest_of)
                peer.sendall(link.data_to_send())
                came = peer.recv(_READ)
                if not came:
                    raise dial.dropped()
                _take(link, came, stream, number, cap)
                peer.sendall(link.data_to_send())
        except (h2.exceptions.ProtocolError, h2.exceptions.NoAvailableStreamIDError, UnicodeDecodeError):
            raise wire.malformed("it is no HTTP/2") from None
        return stream

    def _headers(self, method: str) -> list[tuple[str, str]]:
        found = [
            (":method", "POST"),
            (":scheme", "https" if self._address.tls else "http"),
            (":path", _SERVICE + method),
            (":authority", self._address.authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "fivefold"),
            ("grpc-accept-encoding", "identity,gzip"),
        ]
        return [*found, ("authorization", f"Bearer {self._token}")] if self._token else found


def _lives(peer: socket.socket, link: h2.connection.H2Connection, seconds: float) -> bool:
    """Read what came while nothing was asked; return whether the connection can still be used."""
    import h2.events
    import h2.exceptions

    try:
        peer.settimeout(_IDLE)
        while dial.readable(peer):
            came = peer.recv(_READ)
            if not came or any(isinstance(event, h2.events.ConnectionTerminated) for event in link.receive_data(came)):
                return False
            peer.sendall(link.data_to_send())
        peer.settimeout(seconds)
    except (OSError, h2.exceptions.ProtocolError):
        return False
    return True


def _send(link: h2.connection.H2Connection, number: int, data: memoryview) -> memoryview:
    """Queue as much of a request as both windows allow; return the rest."""
    while data:
        room = min(link.local_flow_control_window(number), link.max_outbound_frame_size, len(data))
        if room <= 0:
            return data
        link.send_data(number, bytes(data[:room]), end_stream=room == len(data))
        data = data[room:]
    return data


def _take(link: h2.connection.H2Connection, came: bytes, stream: _Stream, number: int, cap: int) -> None:
    """Read frames."""
    import h2.events as kinds

    for event in link.receive_data(came):
        if isinstance(event, kinds.ConnectionTerminated):
            raise dial.dropped()
        if getattr(event, "stream_id", None) != number:
            continue
        if isinstance(event, (kinds.ResponseReceived, kinds.TrailersReceived)):
            stream.headers.update({str(name).lower(): str(value) for name, value in event.headers or ()})
        elif isinstance(event, kinds.DataReceived):
            stream.data += event.data or b""
            if event.flow_controlled_length:
                link.acknowledge_received_data(event.flow_controlled_length, number)
            if len(stream.data) > cap:
                raise rest.too_large(cap)
        elif isinstance(event, kinds.StreamReset):
            raise dial.dropped()
        elif isinstance(event, kinds.StreamEnded):
            stream.ended = True


def _message(stream: _Stream, cap: int) -> bytes:
    """Return the one message of a stream that ended well."""
    _require_ok(stream.headers)
    data = bytes(stream.data)
    if len(data) < 5:
        raise wire.malformed("it holds no message")
    packed, size = struct.unpack_from(">BI", data)
    if size != len(data) - 5:
        raise wire.malformed("its message has another length than it says")
    if not packed:
        return data[5:]
    unpack = zlib.decompressobj(31)
    try:
        plain = unpack.decompress(data[5:], cap + 1)
    except zlib.error:
        raise wire.malformed("it is no gzip, though it says so") from None
    if len(plain) > cap:
        raise rest.too_large(cap)
    return plain


def _require_ok(headers: dict[str, str]) -> None:
    """Turn statuses of HTTP and gRPC into trouble."""
    kind = headers.get("content-type", "")
    if headers.get(":status") != "200" or not kind.startswith("application/grpc"):
        if headers.get(":status") in ("429", "502", "503", "504"):
            raise TroubleError("failed", f"the endpoint failed (status {headers[':status']}).", again=True)
        raise wire.malformed("it is no gRPC")
    text = headers.get("grpc-status", "")
    code = int(text) if text.isdigit() else _UNKNOWN
    if code == 0:
        return
    said = unquote(headers.get("grpc-message", ""))
    after = _after(headers)
    if code in (_DENIED, _UNKNOWN_USER):
        raise rest.denied(said)
    if code in (_ABSENT, _NOT_THERE):
        raise rest.absent(said)
    if code == _FULL:
        if "larger than max" in said or "message size" in said:
            raise TroubleError("rows", "the endpoint refuses so many rows in one call.", size=True, said=said)
        raise rest.busy(after, said)
    if code in (_CANCELLED, _UNKNOWN, _LATE, _INTERNAL, _UNAVAILABLE):
        raise TroubleError(
            "failed", f"the endpoint failed (status {code}).", again=True, size=True, after=after, said=said
        )
    raise rest.refused(f"status {code}", said)


def _after(headers: dict[str, str]) -> float | None:
    pushed = headers.get("grpc-retry-pushback-ms", "")
    if pushed.isdigit():
        return float(pushed) / 1000
    seconds = headers.get("retry-after", "")
    return float(seconds) if seconds.isdigit() else None
