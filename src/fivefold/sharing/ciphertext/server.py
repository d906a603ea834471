"""Server: scores encrypted rows; it never has a key, and takes none.

:class:`Service` is bytes in, bytes out; :func:`serve` puts it behind HTTP.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from fivefold.errors import FivefoldError, InputError
from fivefold.sharing.ciphertext import engine, settings
from fivefold.sharing.ciphertext.messages import MOST_REQUEST, Asked, Described, Refusal, name_of, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.sharing.ciphertext.scorer import Scorer

_CONTEXTS = 16
_WAIT = 60.0


class Service:
    """One scorer."""

    def __init__(self, scorer: Scorer, error: float = settings.MOST_ERROR, rows: int = 4096) -> None:
        """Pick the settings.

        Args:
            scorer: The model.
            error: Most that a score may be off, for any row of the declared columns.
            rows: How many are usually asked at once.

        Raises:
            InputError: ``ciphertext.inaccurate``.
            UnsupportedError: ``ciphertext.engine``.
        """
        engine.library()
        self._scorer = scorer
        chosen = settings.pick(scorer, error, rows)
        self.described = Described(
            kind=scorer.kind, columns=scorer.columns, target=scorer.target, positive=scorer.positive,
            settings=chosen, products=bool(scorer.hidden), error=settings.bound(chosen, scorer),
        )  # fmt: skip
        self._contexts: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, path: str, body: bytes) -> bytes:
        """Return the answer to one request.

        Args:
            path: ``/v1/scorer``, ``/v1/context`` or ``/v1/score``.
            body: As docs/formats/ciphertext.md says.

        Raises:
            InputError: ``ciphertext.path``, ``ciphertext.message``, ``ciphertext.context``, ``ciphertext.key``,
                ``ciphertext.blob``.
        """
        if path == "/v1/scorer":
            return pack(self.described)
        if path == "/v1/context":
            name, context = name_of(body), engine.open_context(body, self.described.settings)
            with self._lock:
                self._contexts[name] = context
                while len(self._contexts) > _CONTEXTS:
                    self._contexts.popitem(last=False)
            return name.encode()
        if path == "/v1/score":
            asked = unpack(body, Asked)
            with self._lock:
                context = self._contexts.get(asked.context)
                if context is None:
                    raise InputError("ciphertext.context", "the context is not here (any more).",
                                     remedy="Send it again.")  # fmt: skip
                self._contexts.move_to_end(asked.context)
                return engine.score(self._scorer, engine.vectors(context, asked.columns))
        raise InputError("ciphertext.path", f"there is no {path[:60]!r}.", remedy="Ask /v1/scorer first.")


def listening(answer: Callable[[str, bytes], bytes], host: str, port: int) -> ThreadingHTTPServer:
    """Return an HTTP server, bound and not yet serving.

    Args:
        answer: Path and body to answer; raises what is refused.
        host: Address to listen on.
        port: Port; 0: any free one.

    Raises:
        InputError: ``ciphertext.port`` if it cannot be bound.
    """

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        protocol_version = "HTTP/1.1"
        timeout = _WAIT

        def do_GET(self) -> None:
            """Answer without a body."""
            self._answer(b"")

        def do_POST(self) -> None:
            """Answer to a body of known length."""
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > MOST_REQUEST:
                self.close_connection = True
                self._send(413, pack(Refusal(code="ciphertext.message", message="a body of at most 1 GiB is taken.")))
                return
            self._answer(self.rfile.read(int(length)))

        def _answer(self, body: bytes) -> None:
            try:
                self._send(200, answer(self.path, body))
            except FivefoldError as error:
                self._send(400, pack(Refusal(code=error.code, message=error.message, remedy=error.remedy or "")))

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_told: object) -> None:
            """Say nothing: who asks when is nobody's business."""

    try:
        made = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise InputError("ciphertext.port", f"{host}:{port} cannot be listened on ({error.strerror}).",
                         remedy="Name another --port.") from None  # fmt: skip
    made.daemon_threads = True
    return made
