"""Addresses of what a record is held against: a witness, a published log."""

from __future__ import annotations

from urllib.parse import urlsplit

from fivefold.errors import InputError

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def split(url: str, code: str, what: str) -> tuple[bool, str, int, str]:
    """Return whether it is TLS, host, port and path.

    Args:
        url: ``https://host[:port][/path]``, or plain http to this machine.
        code: Of the error.
        what: What should be there, for the error.

    Raises:
        InputError: ``code`` for any other address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, parts, port = "", urlsplit(""), None
    secure = parts.scheme == "https"
    if not host or parts.username or parts.query or parts.fragment or not (secure or parts.scheme == "http"):
        raise InputError(code, f"this is no address of {what}.", remedy="Write https://host[:port][/path].")
    if not secure and host not in _LOOPBACK:
        raise InputError(code, "plain http is for this machine only.", where=host, remedy="Write https://.")
    return secure, host, port or (443 if secure else 80), parts.path.rstrip("/")
