"""Reach: which addresses an endpoint's host stands for, looked up once by the parent, and which may be spoken to.

Every connection of a run goes to the addresses that were checked here, so a name that is made to stand for something
else later leads nowhere new. No other process looks names up.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from fivefold.errors import InputError
from fivefold.manifest import address as urls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fivefold.manifest.address import Address

    IP = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


def look_up(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses of a host, in the resolver's order; none if it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(item[4][0]).partition("%")[0] for item in found))


def reach(
    address: Address, *, private: bool, plain: bool, resolve: Callable[[str, int], Sequence[str]] = look_up
) -> tuple[str, ...]:
    """Return the addresses that may be spoken to; none if the host has none.

    Args:
        address: The endpoint.
        private: The manifest allows addresses of private networks.
        plain: The manifest allows an unencrypted connection to another machine.
        resolve: Looks names up.

    Raises:
        InputError: ``endpoint.host`` if the host stands for an address that may not be spoken to; ``endpoint.plain``
            if the connection would not be encrypted.
    """
    own = urls.literal(address.host)
    found = (str(own),) if own is not None else tuple(resolve(address.host, address.port))
    places = [_meant(ipaddress.ip_address(item)) for item in found]
    for place in places:
        if (
            place.is_link_local
            or place.is_multicast
            or place.is_unspecified
            or (place.is_reserved and place.version == 4)
        ):
            raise _barred(address.host, "an address of this link, of many, or of nobody", "Name another host.")
        if not place.is_global and not (private or address.inside):
            remedy = "If it is meant to be there, write `private: true` under `model:`."
            raise _barred(address.host, "an address of a private network", remedy)
    if places and not address.tls and not plain and not all(place.is_loopback for place in places):
        raise InputError(
            "endpoint.plain",
            f"the connection to {address.host} would not be encrypted: anybody on the way could read and change rows "
            "and answers.",
            remedy="Use https:// or grpcs://. On a network that you trust, write `plain: true` under `model:`.",
        )
    return found


def _meant(place: IP) -> IP:
    """Return the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(place, ipaddress.IPv6Address):
        inner = place.ipv4_mapped or place.sixtofour
        if inner is None and place in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(place) & 0xFFFF_FFFF)
        return inner or place
    return place


def _barred(host: str, what: str, remedy: str) -> InputError:
    return InputError("endpoint.host", f"the endpoint's host {host} stands for {what}.", remedy=remedy)
