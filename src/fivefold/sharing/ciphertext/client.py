"""Client: whoever owns the rows; draws a key, encrypts, asks, decrypts. The key never leaves this process.

What the server says of its scorer is not believed where it matters: settings that are not secure are refused here, too.
Threat: whoever runs the server reads rows or answers. Limit: the server learns how many rows are asked and when; it may
answer wrongly, which encryption does not show. Decrypted answers carry noise that depends on the key (Li and
Micciancio 2021): they are rounded before anybody sees them, and should not go back to the server.
"""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from fivefold.errors import InputError
from fivefold.sharing.ciphertext import engine, settings
from fivefold.sharing.ciphertext.messages import VERSION, Asked, Described, Refusal, name_of, pack, unpack
from fivefold.sharing.ciphertext.scorer import answers, encoded

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

_SECONDS = 600.0
_MOST_ANSWER = 64 << 20


class Owner:
    """One session with a server, under a key of its own."""

    def __init__(self, post: Callable[[str, bytes], bytes], error: float = settings.MOST_ERROR) -> None:
        """Ask what is scored, and draw a key.

        Args:
            post: Sends bytes to a path and returns the answer; see :func:`posting`.
            error: Most that a score may be off.

        Raises:
            InputError: ``ciphertext.insecure``, ``ciphertext.settings``, ``ciphertext.inaccurate``,
                ``ciphertext.message``.
            UnsupportedError: ``ciphertext.engine``.
        """
        self.described = unpack(post("/v1/scorer", b""), Described)
        if self.described.version != VERSION:
            raise InputError("ciphertext.message", f"the server speaks version {self.described.version}.",
                             remedy="Use the same version on both sides.")  # fmt: skip
        settings.demand_secure(self.described.settings)
        if not self.described.error <= error / 2:  # rounding takes the other half
            raise InputError(
                "ciphertext.inaccurate", f"the server says that scores are off by up to {self.described.error:.2g}.",
                remedy=f"Allow more than {error:g}, or have it use other settings.",
            )  # fmt: skip
        self._post, self._error = post, error
        self._keys = engine.Keys(self.described.settings)
        self._context = self._keys.context(products=self.described.products)
        self._name = ""

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Return (n,) scores, rounded to the allowed error.

        Args:
            x: (n, k) encoded rows.

        Raises:
            InputError: What the server refuses.
        """
        slots = self.described.settings.slots
        parts = [self._some(x[at : at + slots]) for at in range(0, len(x), slots)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def scores_exact(self, x: np.ndarray) -> np.ndarray:
        """Return (n,) scores as decrypted, for checks alone: their noise tells of the key.

        Args:
            x: (n, k) encoded rows, n at most the slots.
        """
        return self._keys.decrypt(self._asked(x), len(x))

    def secret(self) -> bytes:
        """Return the key, for checks that search for it; never to be sent."""
        return self._keys.secret()

    def answers(self, rows: pd.DataFrame) -> np.ndarray:
        """Return (n,) answers: scores, or of a logistic model the probability of its positive class.

        Raises:
            InputError: ``ciphertext.columns``; what the server refuses.
        """
        return answers(self.described.kind, self.scores(encoded(self.described.columns, rows)))

    def _some(self, x: np.ndarray) -> np.ndarray:
        grid = 10.0 ** np.floor(np.log10(self._error))
        return np.asarray(np.rint(self.scores_exact(x) / grid) * grid)

    def _asked(self, x: np.ndarray) -> bytes:
        if not self._name:
            self._post("/v1/context", self._context)
            self._name = name_of(self._context)
        asked = pack(Asked(context=self._name, columns=tuple(self._keys.encrypt_rows(x))))
        try:
            return self._post("/v1/score", asked)
        except InputError as error:
            if error.code != "ciphertext.context":
                raise
            self._post("/v1/context", self._context)
            return self._post("/v1/score", asked)


def posting(url: str) -> Callable[[str, bytes], bytes]:
    """Return a function that sends bytes to a path of a server.

    Args:
        url: ``http://host:port`` or ``https://host:port``.

    Raises:
        InputError: ``ciphertext.url``; what the server refuses, under its code; ``ciphertext.server`` if it cannot be
            reached.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.path not in ("", "/") or parts.query:
        raise InputError("ciphertext.url", f"{url[:80]!r} is no server.", remedy="Write http://host:port.")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    where = host

    def post(path: str, body: bytes) -> bytes:
        link = kind(where, port, timeout=_SECONDS)
        try:
            link.request("POST" if body else "GET", path, body or None)
            reply = link.getresponse()
            found = reply.read(_MOST_ANSWER + 1)
        except (OSError, http.client.HTTPException) as error:
            raise InputError("ciphertext.server", f"{url} does not answer ({type(error).__name__}).",
                             remedy="Start it: fivefold model serve scorer.json --encrypted.") from None  # fmt: skip
        finally:
            link.close()
        if reply.status == 200 and len(found) <= _MOST_ANSWER:
            return found
        told = unpack(found, Refusal)
        raise InputError(told.code[:60], told.message[:200], remedy=told.remedy[:200])

    return post
