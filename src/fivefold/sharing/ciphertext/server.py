"""Server: scores encrypted rows and computes gradients on them; it never has a key, and takes none.

:class:`Service` is bytes in, bytes out; :func:`listening` puts it behind HTTP.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from fivefold.errors import FivefoldError, InputError
from fivefold.sharing.ciphertext import engine, learning, settings
from fivefold.sharing.ciphertext.messages import (
    MOST_REQUEST,
    Asked,
    Described,
    Gradient,
    Refusal,
    Rows,
    Step,
    name_of,
    pack,
    unpack,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.sharing.ciphertext.scorer import Scorer

_CONTEXTS = 16
_WAIT = 60.0


_JOBS, _MOST_HELD = 4, 4 << 30


class Service:
    """A scorer, and trainings that are under way."""

    def __init__(
        self, scorer: Scorer | None = None, error: float = settings.MOST_ERROR, rows: int = 4096,
        chosen: settings.Settings | None = None,
    ) -> None:  # fmt: skip
        """Pick the settings.

        Args:
            scorer: The model; None: rows are learned from only.
            error: Most that a score may be off, for any row of the declared columns.
            rows: How many are usually asked at once.
            chosen: Settings of the encryption; None: the cheapest that will do.

        Raises:
            InputError: ``ciphertext.inaccurate``, ``ciphertext.insecure``, ``ciphertext.settings``.
            UnsupportedError: ``ciphertext.engine``.
        """
        engine.library()
        self._scorer, self.described = scorer, None if scorer is None else _described(scorer, error, rows, chosen)
        self._contexts: OrderedDict[str, Any] = OrderedDict()
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()

    def answer(self, path: str, body: bytes) -> bytes:
        """Return the answer to one request.

        Args:
            path: One of docs/formats/ciphertext.md.
            body: As it says.

        Raises:
            InputError: ``ciphertext.path``, ``ciphertext.message``, ``ciphertext.context``, ``ciphertext.key``,
                ``ciphertext.blob``, ``ciphertext.full``.
        """
        scoring = {"/v1/scorer": self._describe, "/v1/context": self._open, "/v1/score": self._score}
        training = {
            "/v1/train": self._begin, "/v1/train/rows": self._take, "/v1/train/step": self._step,
            "/v1/train/end": self._end,
        }  # fmt: skip
        act = ({} if self._scorer is None else scoring).get(path) or training.get(path)
        if act is None:
            raise InputError("ciphertext.path", f"{path[:60]!r} is not answered here.",
                             remedy="A server without a scorer learns only; see the format.")  # fmt: skip
        with self._lock:
            return act(body)

    def _describe(self, _body: bytes) -> bytes:
        return pack(self._told())

    def _told(self) -> Described:
        if self.described is None:
            raise InputError("ciphertext.path", "there is no scorer here.", remedy="Start the server with one.")
        return self.described

    def _open(self, body: bytes) -> bytes:
        name = name_of(body)
        self._contexts[name] = engine.open_context(body, self._told().settings)
        while len(self._contexts) > _CONTEXTS:
            self._contexts.popitem(last=False)
        return name.encode()

    def _score(self, body: bytes) -> bytes:
        asked = unpack(body, Asked)
        context = self._contexts.get(asked.context)
        if context is None or self._scorer is None:
            raise InputError("ciphertext.context", "the context is not here (any more).", remedy="Send it again.")
        self._contexts.move_to_end(asked.context)
        return engine.score(self._scorer, engine.vectors(context, asked.columns))

    def _begin(self, body: bytes) -> bytes:
        if len(self._jobs) >= _JOBS:
            raise InputError("ciphertext.full", f"{_JOBS} trainings are under way.", remedy="Try again later.")
        name = name_of(body)
        self._jobs[name] = _Job(engine.open_context(body, learning.SETTINGS), [], 0)
        return name.encode()

    def _job(self, name: str) -> _Job:
        found = self._jobs.get(name)
        if found is None:
            raise InputError("ciphertext.context", "there is no such training here.", remedy="Begin it again.")
        return found

    def _take(self, body: bytes) -> bytes:
        asked = unpack(body, Rows)
        job = self._job(asked.job)
        job.size += len(body)
        if job.size > _MOST_HELD:
            raise InputError("ciphertext.full", "a training holds at most 4 GiB of rows.", remedy="Send fewer.")
        *columns, answers = engine.vectors(job.context, (*asked.columns, asked.answers))
        if not columns or (job.batches and len(columns) != len(job.batches[0][0])):
            raise InputError("ciphertext.blob", "each batch has the same columns.", remedy="Send all of them.")
        job.batches.append((columns, answers))
        return b"taken"

    def _step(self, body: bytes) -> bytes:
        asked = unpack(body, Step)
        job = self._job(asked.job)
        weights = engine.vectors(job.context, asked.weights)
        if not job.batches or len(weights) != len(job.batches[0][0]) or not all(map(math.isfinite, asked.cubic)):
            raise InputError("ciphertext.blob", "a step needs rows, and a weight for each of their columns.",
                             remedy="Send rows first.")  # fmt: skip
        found = engine.guarded(lambda: learning.gradient(job.batches, weights, asked.cubic))
        return pack(Gradient(columns=tuple(bytes(one.serialize()) for one in found)))

    def _end(self, body: bytes) -> bytes:
        self._jobs.pop(body.decode("ascii", "replace"), None)
        return b"ended"


@dataclass
class _Job:
    """A training: its context, and batches of encrypted columns and answers."""

    context: Any
    batches: list[tuple[list[Any], Any]]
    size: int


def _described(scorer: Scorer, error: float, rows: int, chosen: settings.Settings | None) -> Described:
    if chosen is None:
        chosen = settings.pick(scorer, error, rows)
    settings.demand_secure(chosen)
    settings.demand_exact(chosen, scorer, error / 2)
    return Described(
        kind=scorer.kind, columns=scorer.columns, target=scorer.target, positive=scorer.positive, settings=chosen,
        products=scorer.products, error=settings.bound(chosen, scorer),
    )  # fmt: skip


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
