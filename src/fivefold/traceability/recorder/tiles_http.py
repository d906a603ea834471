"""A published log over HTTP: its files fetched from whatever web server hands them out (C2SP tlog-tiles)."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import time
import zlib

from fivefold.errors import InputError, TrustError
from fivefold.traceability.recorder.address import split

_SECONDS = 15
"""Longest silence of the server."""
_MOST_SECONDS = 120
"""Longest time for one file."""
_CHUNK = 1 << 16


def source(url: str) -> Source:
    """Return what fetches a log's files from below an address, over one connection; redirects are not followed.

    Raises:
        InputError: ``tiles.url``.
    """
    return Source(url)


class Source:
    """Files of a published log, by path; one connection, made again once where the server has closed it."""

    def __init__(self, url: str) -> None:
        self._secure, self._host, self._port, self._prefix = split(url, "tiles.url", "a published log")
        self._url = url
        self._made: http.client.HTTPConnection | None = None

    def __call__(self, path: str, most: int) -> bytes | None:
        """Return the bytes at a path, or None where nothing is there (404, 410).

        Raises:
            InputError: ``tiles.unreachable`` or ``tiles.refused``.
            TrustError: ``tiles.malformed`` for more than ``most`` bytes, packed or not.
        """
        fresh = self._made is None
        try:
            return self._ask(path, most)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if fresh:
                raise self._unreachable(error) from None
        try:
            return self._ask(path, most)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._unreachable(error) from None

    def close(self) -> None:
        """End the connection; it is made again if need be."""
        made, self._made = self._made, None
        with contextlib.suppress(OSError):
            if made:
                made.close()

    def _ask(self, path: str, most: int) -> bytes | None:
        made = self._made = self._made or self._connection()
        made.request("GET", f"{self._prefix}/{path}", headers={"Accept-Encoding": "gzip, identity"})
        with contextlib.closing(made.getresponse()) as answer:
            body = _body(answer, most) if answer.status == 200 else None
        if body is not None:
            return body
        self.close()  # what is left of the answer is not read
        if answer.status == 200:
            text = f"what came is not at most {most:,} bytes, or is not packed as the server says."
            raise TrustError("tiles.malformed", text, where=path)
        if answer.status in (404, 410):
            return None
        raise InputError("tiles.refused", f"the server answered with status {answer.status}.", where=self._url)

    def _connection(self) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=_SECONDS, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=_SECONDS)

    def _unreachable(self, error: Exception) -> InputError:
        why = getattr(error, "strerror", "") or type(error).__name__
        remedy = "Try again later."
        return InputError("tiles.unreachable", f"the server cannot be reached ({why}).", where=self._url, remedy=remedy)


def _body(answer: http.client.HTTPResponse, most: int) -> bytes | None:
    """Return an answer's bytes, unpacked; None if there are more than ``most``, or they are packed in another way.

    Raises:
        OSError, http.client.HTTPException: The server is silent, slow or leaves.
    """
    packed = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if packed not in ("gzip", "x-gzip", "identity"):
        return None
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if packed != "identity" else None
    found, end = bytearray(), time.monotonic() + _MOST_SECONDS
    while part := answer.read1(_CHUNK):
        try:
            found += unpack.decompress(part, most + 1) if unpack else part
        except zlib.error:
            return None
        if len(found) > most:
            return None
        if time.monotonic() > end:
            raise TimeoutError(0, "it is too slow")
    if answer.length:  # of what the server promised
        raise http.client.IncompleteRead(bytes(found), answer.length)
    return None if unpack and not unpack.eof else bytes(found)
