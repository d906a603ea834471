"""Dial: a connection to an address that was looked up and checked before; encrypted where the URL says so."""

from __future__ import annotations

import contextlib
import hashlib
import select
import socket
import ssl
import time
from typing import TYPE_CHECKING

from fivefold.subject.endpoint.deadlines import deadlines
from fivefold.subject.endpoint.wire import TroubleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CONNECT = 10.0


def dial(
    host: str, port: int, addresses: Sequence[str], context: ssl.SSLContext | None, seconds: float
) -> socket.socket:
    """Return a connection to the first address that takes one.

    Args:
        host: Name that the certificate must carry.
        port: TCP port.
        addresses: Literal addresses.
        context: How TLS is spoken; None: it is not.
        seconds: Longest that each step may take.

    Raises:
        TroubleError: ``endpoint.unreachable``, ``endpoint.timeout`` or ``endpoint.tls``.
    """
    problem: TroubleError | None = None
    for address in addresses:
        try:
            plain = socket.create_connection((address, port), timeout=min(seconds, _CONNECT))
        except TimeoutError:
            problem = TroubleError("timeout", "the endpoint takes no connection in time.", again=True)
            continue
        except OSError as error:
            why = (error.strerror or "no connection").lower()
            problem = TroubleError(
                "unreachable", f"the endpoint cannot be reached ({why}).", again=True, remedy="Is the server running?"
            )
            continue
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.settimeout(seconds)
        return plain if context is None else _secured(plain, host, context)
    raise problem or TroubleError("unreachable", "the endpoint's host has no address.")


def _secured(plain: socket.socket, host: str, context: ssl.SSLContext) -> socket.socket:
    try:
        return context.wrap_socket(plain, server_hostname=host.rstrip("."))
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise TroubleError(
            "tls",
            f"the endpoint's certificate does not hold ({error.verify_message}).",
            remedy="Mend the certificate, or name your own authority under endpoint.ca of site.yaml.",
        ) from None
    except (ssl.SSLError, OSError) as error:
        plain.close()
        why = getattr(error, "reason", None) or "the connection ended"
        raise TroubleError("tls", f"the endpoint does not speak TLS as it should ({why}).") from None


def secure(authorities: str, protocol: str) -> ssl.SSLContext:
    """Return how TLS is spoken: certificate and name are checked, nothing below TLS 1.2.

    Args:
        authorities: PEM text of the only authorities that count; empty: those of the system.
        protocol: ``http/1.1`` or ``h2``.

    Raises:
        TroubleError: ``endpoint.ca``.
    """
    try:
        context = ssl.create_default_context(cadata=authorities or None)
    except (ssl.SSLError, ValueError):
        raise TroubleError("ca", "the file of authorities holds no certificate that can be read.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([protocol])
    return context


@contextlib.contextmanager
def deadline(peer: socket.socket, seconds: float) -> Iterator[None]:
    """Give one exchange so many seconds in all, however slowly bytes drip.

    Raises:
        TroubleError: ``endpoint.timeout``.
    """
    end = time.monotonic() + seconds
    watched = deadlines()
    number = watched.begin(peer, end)
    try:
        yield
    except TimeoutError:
        raise slow(seconds) from None
    except (OSError, TroubleError) as error:
        if time.monotonic() >= end and getattr(error, "code", "endpoint.dropped") == "endpoint.dropped":
            raise slow(seconds) from None
        raise
    finally:
        watched.end(number)


def readable(peer: socket.socket) -> bool:
    """Return whether an idle connection was ended by the other side, or has something to say unasked."""
    try:
        ready, _, _ = select.select([peer], [], [], 0)
    except (OSError, ValueError):
        return True
    return bool(ready)


def slow(seconds: float) -> TroubleError:
    """Return the error of an endpoint that takes too long."""
    return TroubleError("timeout", f"the endpoint did not answer within {seconds:g} seconds.", again=True)


def dropped() -> TroubleError:
    """Return the error of a connection that ended too soon."""
    return TroubleError("dropped", "the endpoint ended the connection before it had answered.", again=True)


def public_key(peer: socket.socket) -> str:
    """Return the SHA-256 of the server's public key (SubjectPublicKeyInfo, RFC 5280); empty without TLS."""
    if not isinstance(peer, ssl.SSLSocket):
        return ""
    certificate = peer.getpeercert(binary_form=True)
    return "" if certificate is None else hashlib.sha256(_key_info(certificate)).hexdigest()


def _key_info(certificate: bytes) -> bytes:
    """Cut SubjectPublicKeyInfo out of a certificate that the TLS library has already read."""
    _, at, _ = _element(certificate, 0)
    _, at, _ = _element(certificate, at)
    tag, _, end = _element(certificate, at)
    at = end if tag == 0xA0 else at
    for _ in range(5):  # serial number, signature, issuer, validity, subject
        _, _, at = _element(certificate, at)
    _, _, end = _element(certificate, at)
    return certificate[at:end]


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """Return tag, start of the content and end of one DER element."""
    size, begin = data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        size = int.from_bytes(data[begin : begin + count], "big")
        begin += count
    return data[at], begin, begin + size
