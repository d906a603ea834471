"""Upstream: a model behind the Open Inference Protocol v2, asked over a few connections that stay open.

Host, addresses, certificate and token are held to the same rules as in an assessment; see
:mod:`fivefold.subject.endpoint.reach` and ``site.yaml``.
"""

from __future__ import annotations

import functools
import importlib.util
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pandas as pd

from fivefold.errors import InputError, SubjectError
from fivefold.guard.isolated import wayfound
from fivefold.manifest import address as urls
from fivefold.subject.batch import unpack
from fivefold.subject.endpoint import dial
from fivefold.subject.endpoint.grpc import Grpc
from fivefold.subject.endpoint.model import EndpointModel
from fivefold.subject.endpoint.rest import Rest
from fivefold.subject.endpoint.wire import TroubleError
from fivefold.subject.outside import Found
from fivefold.subject.rows import cut
from fivefold.subject.way import Told, ask, methods, told

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from fivefold.contract.plan import Facts
    from fivefold.guard.block import Block
    from fivefold.manifest.nouns import Manifest
    from fivefold.subject.bench import Bench
    from fivefold.subject.endpoint.ahead import Ahead
    from fivefold.subject.model import Form, Method
    from fivefold.subject.rows import Rows

    T = TypeVar("T")

CONNECTIONS = 16
"""Most questions that are asked at the same time."""
_EVERY = 60.0
_CANARIES = 64
_CLOSE = 1e-4
_DOWN = "guard.model-down"


class _Asked:
    """An endpoint whose answers all come at once; see :class:`fivefold.subject.way.Every`."""

    def __init__(self, model: EndpointModel) -> None:
        self._model = model

    def every(self, methods: tuple[Method, ...], _form: Form, frame: Rows) -> dict[Method, np.ndarray]:
        return _all_of(self._model.answers(frame), methods)


class _Once:
    """Asks once, and again only where a connection that had been idle was ended meanwhile."""

    def ask(self, once: Callable[[], T], _tries: int = 0) -> T:
        try:
            return once()
        except TroubleError as error:
            if error.code != "endpoint.dropped":
                raise
            return once()


class _Pace:
    """Keeps ``endpoint.rate`` of ``site.yaml``: a call waits for its turn."""

    def __init__(self, rate: float) -> None:
        self._gap, self._turn, self._lock = (1.0 / rate if rate else 0.0), 0.0, threading.Lock()

    def __call__(self) -> None:
        if not self._gap:
            return
        with self._lock:
            now = time.monotonic()
            ahead = max(0.0, self._turn - now)
            self._turn = now + ahead + self._gap
        time.sleep(ahead)


@dataclass(frozen=True)
class Begun:
    """A question that is on its way; see :class:`fivefold.guard.steps.Begun`."""

    upstream: Upstream
    model: EndpointModel
    ahead: Ahead
    rows: Rows | Block

    def fileno(self) -> int:
        """Return the connection's descriptor."""
        return self.ahead.peer.fileno()

    def ready(self, _seconds: float) -> bool:
        """Return whether the whole answer is here; nobody waits for a network."""
        return self.ahead.ready()

    def take(self) -> Told:
        """Return the answer; as :meth:`Upstream.ask`."""
        return self.upstream._finished(self)  # noqa: SLF001


class Upstream:
    """A model that runs elsewhere; the counterpart of :class:`fivefold.guard.isolated.Isolated`.

    Attributes:
        way: How it is asked.
        why: What :meth:`changed` means, in words.
        restarts, pid: Always 0: nothing of it is started here.
        single: Always False: it is asked over several connections.

    Threat: the server behind fails, is slow, answers nonsense or with a page, is another model than the one that was
    assessed, or is made to stand for another host.
    Limit: which files answer there is observed, not verified: a change that leaves the canary rows alone goes unseen.
    """

    why = "the model behind the endpoint changed while it was served."
    restarts = 0
    pid = 0
    single = False

    def __init__(self, bench: Bench, facts: Facts, *, seconds: float) -> None:
        """Take what the probe found, and ask the canary rows.

        Args:
            bench: With the endpoint that was probed.
            facts: Of the probe.
            seconds: Longest that one answer may take.

        Raises:
            SubjectError: It cannot be asked.
            InputError: ``endpoint.extra``.
        """
        elsewhere = bench.elsewhere
        if elsewhere is None or elsewhere.address is None:
            raise InputError("guard.model", "the model is no endpoint.")
        if not elsewhere.found:
            why = facts.model.error if facts.model else ""
            raise SubjectError("guard.model", f"the endpoint cannot be asked: {why or 'it was not probed'}")
        found = msgspec.msgpack.decode(elsewhere.found, type=Found)
        self.way = wayfound(bench, facts)
        self._learned, site, address = found.learned, elsewhere.site, elsewhere.address
        self._seconds = min(seconds, site.seconds)
        rest = address.kind == "rest"
        if not rest and importlib.util.find_spec("h2") is None:
            raise InputError("endpoint.extra", "gRPC needs the extra `endpoint`.")
        context = dial.secure(site.ca, "http/1.1" if rest else "h2") if address.tls else None
        connect = functools.partial(dial.dial, address.host, address.port, elsewhere.addresses, context, self._seconds)
        spend, self._paced = _Pace(site.rate), bool(site.rate)
        self._connect = functools.partial(
            Rest if rest else Grpc, address, connect, spend, token=site.token, seconds=self._seconds
        )
        self._idle: deque[EndpointModel] = deque()
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        self._other, self._asked = False, time.monotonic()
        self._canary: tuple[Rows, Told] | None = None
        background = self.way.background
        if background is not None and facts.model is not None and facts.model.deterministic:
            rows = cut(unpack(background), slice(_CANARIES))
            self._canary = rows, self.ask(rows)

    def begin(self, rows: Rows | Block) -> Begun | None:
        """Ask over an open connection without TLS, without waiting; None: there is none, and nothing was asked."""
        if self._paced or not self._free.acquire(blocking=False):
            return None
        begun: Begun | None = None
        try:
            model = self._idle.pop()
            try:
                ahead = model.begin(_table(rows))
            except SubjectError:
                return None  # whoever asks again is told
            if ahead is None:
                self._idle.append(model)
            else:
                begun = Begun(self, model, ahead, rows)
        except IndexError:
            return None
        finally:
            if begun is None:
                self._free.release()
        return begun

    def ask(self, rows: Rows | Block) -> Told:
        """Return what it answers.

        Raises:
            SubjectError: It fails, answers nonsense, takes too long, or is not there.
        """
        if not self._free.acquire(timeout=self._seconds):
            raise SubjectError(_DOWN, "all connections to the model are taken.")
        try:
            model = self._idle.pop() if self._idle else EndpointModel(self._connect(), _Once(), self._learned)
            return self._kept(model, lambda: ask(_Asked(model), self.way.access, _table(rows)))
        finally:
            self._free.release()

    def _kept(self, model: EndpointModel, asked: Callable[[], Told]) -> Told:
        """Return what is told; the connection is kept for the next question, or closed where it went wrong."""
        try:
            found = asked()
        except BaseException as error:
            model.client.close()
            self._other = self._other or getattr(error, "code", "") == "model.changed"
            raise
        self._idle.append(model)
        return found

    def _finished(self, begun: Begun) -> Told:
        model, ahead, table = begun.model, begun.ahead, _table(begun.rows)
        try:
            return self._kept(
                model,
                lambda: told(
                    _all_of(model.finish(ahead, table), methods(self.way.access)), self.way.access, len(table)
                ),
            )
        except TroubleError as error:
            if error.code != "endpoint.dropped":
                raise
        finally:
            self._free.release()
        return self.ask(begun.rows)  # as :class:`_Once`: the connection had been idle

    def changed(self) -> bool:
        """Return whether it is seen to be another model: another TLS key, or other answers to the canary rows."""
        if self._other or self._canary is None or time.monotonic() - self._asked < _EVERY:
            return self._other
        self._asked = time.monotonic()
        rows, before = self._canary
        try:
            now = self.ask(rows)
        except SubjectError:
            return self._other
        self._other = not _same(before, now)
        return self._other

    def tend(self) -> None:
        """Do nothing: there is no process of ours."""

    def close(self) -> None:
        """Give all connections up."""
        while self._idle:
            self._idle.pop().client.close()


def require_declared(manifest: Manifest, url: str) -> None:
    """Hold ``--upstream`` against the manifest.

    Args:
        manifest: What is enforced.
        url: Of the model, or of the server alone; empty: not given.

    Raises:
        InputError: ``guard.upstream`` unless the manifest declares that endpoint.
    """
    declared = manifest.model.endpoint if manifest.model else ""
    if not url or url.rstrip("/") == declared.rstrip("/"):
        return
    if declared and "://" in url:
        parts = urls.parse(declared)
        if url.rstrip("/") == f"{parts.scheme}://{parts.authority}{parts.prefix}":
            return
    raise InputError(
        "guard.upstream",
        f"{url[:200]} is not the endpoint that the manifest declares{f' ({declared})' if declared else ''}.",
        where=str(manifest.file),
        remedy="Write model: {endpoint: URL} in the manifest, and assess it: what is served is what was assessed.",
    )


def _table(rows: Rows | Block) -> Rows:
    return rows if isinstance(rows, pd.DataFrame | np.ndarray) else rows.frame()


def _all_of(given: dict[Method, np.ndarray], methods: tuple[Method, ...]) -> dict[Method, np.ndarray]:
    if not given.keys() >= set(methods):
        raise SubjectError("model.protocol", "the endpoint does not give all that it gave before.")
    return {method: given[method] for method in methods}


def _same(before: Told, now: Told) -> bool:
    if before.scores is not None and now.scores is not None:
        return bool(np.allclose(before.scores, now.scores, rtol=_CLOSE, atol=_CLOSE))
    if before.answers.dtype.kind == "f":
        return bool(np.allclose(before.answers, now.answers, rtol=_CLOSE, atol=_CLOSE))
    return bool((before.answers == now.answers).all())
