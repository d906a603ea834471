"""Address: the URL of an endpoint, taken apart and checked; nothing is looked up and no connection is made.

REST: ``http(s)://host[:port][/prefix]/v2/models/NAME[/versions/V]``. gRPC: ``grpc(s)://host:port/NAME[/versions/V]``.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from fivefold.errors import InputError

Scheme = Literal["http", "https", "grpc", "grpcs"]
_SCHEMES: tuple[Scheme, ...] = ("http", "https", "grpc", "grpcs")
_PORTS = {"http": 80, "https": 443}
_PART = r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}"
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")
_REST = re.compile(
    rf"(?P<prefix>(/[A-Za-z0-9_.~-]{{1,100}}){{0,8}})/v2/models/(?P<name>{_PART})(/versions/(?P<version>{_PART}))?/?"
)
_GRPC = re.compile(rf"(?P<prefix>)/(?P<name>{_PART})(/versions/(?P<version>{_PART}))?/?")
_EXAMPLE = "Write http(s)://host/v2/models/NAME, or grpc(s)://host:port/NAME."
_HOME = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "svc", "test")


class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An endpoint.

    Attributes:
        scheme: How it is spoken to.
        host: Name or address, without brackets.
        port: TCP port.
        prefix: Path before ``/v2``; empty for gRPC.
        name: Model.
        version: Version of the model; empty: the server's choice.
    """

    scheme: Scheme
    host: str
    port: int
    prefix: str
    name: str
    version: str = ""

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme in ("https", "grpcs")

    @property
    def kind(self) -> Literal["rest", "grpc"]:
        """The protocol."""
        return "grpc" if self.scheme.startswith("grpc") else "rest"

    @property
    def path(self) -> str:
        """Path of the model's resource over REST, for example ``/v2/models/m``."""
        version = f"/versions/{self.version}" if self.version else ""
        return f"{self.prefix}/v2/models/{self.name}{version}"

    @property
    def authority(self) -> str:
        """Host and port as a request names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS.get(self.scheme) else f"{host}:{self.port}"

    @property
    def inside(self) -> bool:
        """Whether the URL itself names a place in a private network: an address, or a name that is used there only."""
        if literal(self.host) is not None:
            return True
        labels = self.host.rstrip(".").lower().split(".")
        return len(labels) == 1 or labels[-1] in _HOME or self.host.lower().endswith("home.arpa")

    @property
    def own(self) -> bool:
        """Whether the URL names this very machine, so that nobody on the way can listen."""
        place = literal(self.host)
        return place.is_loopback if place is not None else self.host.rstrip(".").lower() == "localhost"


def literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is written as; None: it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def parse(url: str) -> Address:
    """Take a URL apart.

    Raises:
        InputError: ``endpoint.url``.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _wrong("its host or port cannot be read") from None
    scheme = next((name for name in _SCHEMES if name == parts.scheme), None)
    if scheme is None:
        raise _wrong(f'"{parts.scheme[:20]}" is no scheme that we speak' if parts.scheme else "it has no scheme")
    if parts.username or parts.password or "@" in parts.netloc:
        raise InputError(
            "endpoint.url",
            "the URL holds a name or a password.",
            remedy="Take it out; a token belongs into site.yaml, which names its file or variable.",
        )
    if parts.query or parts.fragment or any(ord(letter) < 33 or ord(letter) > 126 for letter in url):
        raise _wrong("it holds a query, a fragment or odd characters")
    if literal(host) is None and not _HOST.fullmatch(host):
        raise _wrong("its host cannot be read")
    found = port or _PORTS.get(scheme, 0)
    if not found:
        raise _wrong("gRPC needs a port")
    match = (_GRPC if scheme.startswith("grpc") else _REST).fullmatch(parts.path)
    if match is None or ".." in parts.path:
        raise _wrong("its path names no model")
    return Address(
        scheme=scheme,
        host=host,
        port=found,
        prefix=match["prefix"],
        name=match["name"],
        version=match["version"] or "",
    )


def _wrong(why: str) -> InputError:
    return InputError("endpoint.url", f"the URL cannot be used: {why}.", remedy=_EXAMPLE)
