"""Service: what a guard does for who asks over a network, whatever the protocol: one path through the chain."""

from __future__ import annotations

import contextlib
import copy
import time
from typing import TYPE_CHECKING, Any

from fivefold import __version__
from fivefold.errors import FivefoldError
from fivefold.guard import protocol, traces
from fivefold.guard.gate import Gate
from fivefold.guard.metrics import Metrics
from fivefold.guard.nouns import RefusedError
from fivefold.guard.steps import Loop, driven, driven_soon

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Executor

    from fivefold.guard.guard import Guard
    from fivefold.guard.nouns import Decision, Principal
    from fivefold.guard.protocol import Asked
    from fivefold.guard.steps import Course
    from fivefold.guard.tokens import Tokens

_SHOWN = ("evidence", "attained")
_WORDS = ("purpose", "case", "subject")
_NO_LIMIT, _LOOK = 1 << 30, 0.01


class Service:
    """Knows nothing of sockets and frameworks.

    Attributes:
        guard: That answers.
        name: Of the model.
        version: Of the model.
        gate: How many requests are in hand.
    """

    def __init__(self, guard: Guard, tokens: Tokens, note: Mapping[str, Any], *, gate: Gate | None = None) -> None:
        """Serve a guard.

        Args:
            guard: It.
            tokens: Who may speak to it.
            note: Shown in the server's metadata, for example under which evidence it is served.
            gate: How many requests are taken in hand; None: as many as usual.
        """
        self._metrics = Metrics()
        guard.observers.append(self._metrics)
        self._serve(guard, tokens, note, gate or Gate())

    def following(self, guard: Guard, note: Mapping[str, Any]) -> Service:
        """Return the service of another guard in this one's place: the same callers, places, metrics and observers."""
        made = copy.copy(self)
        guard.observers = self.guard.observers
        made._serve(guard, self._tokens, note, self.gate)  # noqa: SLF001  it is one of us
        return made

    def _serve(self, guard: Guard, tokens: Tokens, note: Mapping[str, Any], gate: Gate) -> None:
        self.guard, self._tokens, self.gate, self._mine = guard, tokens, gate, Gate(_NO_LIMIT)
        self._note = {name: note[name] for name in _SHOWN if name in note} | {"model": guard.shown}
        model = guard.manifest.model
        self.name, self.version = guard.manifest.application.id, str(model.version if model else 0)
        self._example = guard.way.rows()

    def bearer(self, header: str) -> Principal:
        """Return who asks.

        Raises:
            RefusedError: ``guard.token`` for nobody known; that is counted.
        """
        try:
            found = self._tokens.bearer(header)
        except FivefoldError:
            found = None
        if found is None:
            raise self.counted(RefusedError("guard.token", "a token is needed: Authorization: Bearer ...", status=401))
        return found

    def counted(self, refusal: RefusedError) -> RefusedError:
        """Count a refusal that has no record of its own, and return it."""
        self.guard.count_refusal(refusal.code)
        return refusal

    def failed(self) -> RefusedError:
        """Return what is told of a fault of our own, and count it."""
        return self.counted(RefusedError("guard.internal", "the guard failed; nothing is answered.", status=500))

    @contextlib.contextmanager
    def in_hand(self) -> Iterator[None]:
        """Hold one of the places for requests.

        Raises:
            RefusedError: ``guard.busy``; that is counted.
        """
        try:
            self.gate.enter()
        except RefusedError as refusal:
            raise self.counted(refusal) from None
        self._mine.enter()
        try:
            yield
        finally:
            self._mine.leave()
            self.gate.leave()

    def drained(self, seconds: float) -> bool:
        """Wait until nothing of its own is in hand; return whether that came."""
        until = time.monotonic() + seconds
        while self._mine.inside and time.monotonic() < until:
            time.sleep(_LOOK)
        return not self._mine.inside

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Work on a request that was read.

        Raises:
            RefusedError: ``guard.busy``; that is counted.
        """
        try:
            begun = self.gate.begin()
        except RefusedError as refusal:
            raise self.counted(refusal) from None
        try:
            yield
        finally:
            self.gate.end(begun)

    @property
    def ready(self) -> bool:
        """Whether questions are answered."""
        return not self.guard.stopped

    def about(self) -> dict[str, Any]:
        """Return the server's metadata."""
        about = {"name": "fivefold", "version": __version__, "extensions": ["binary_tensor_data"]} | self._note
        # what it is about, and no more: the words of a finding name values of the training data
        found = {name: sorted(what) for name, what in self.guard.findings.items()}
        return about | ({"findings": found} if found else {})

    def model(self) -> dict[str, Any]:
        """Return the model's metadata."""
        return protocol.metadata(self.guard.way, self.name, self.version)

    def metrics(self, principal: Principal) -> bytes:
        """Return the metrics.

        Raises:
            RefusedError: ``guard.role`` for anybody but an operator; that is counted.
        """
        if principal.role != "operator":
            raise self.counted(RefusedError("guard.role", "metrics are for operators.", status=403))
        return self._metrics.text(
            {
                "requests_in_hand": self.gate.inside,
                "model_restarts_total": self.guard.restarts,
                "answering": float(self.ready),
            }
        )

    def infer(self, principal: Principal, asked: Asked, parent: str) -> Decision:
        """Take a question through the chain.

        Args:
            principal: Who asks.
            asked: What.
            parent: A ``traceparent`` header; empty: there is none.

        Raises:
            RefusedError: It is refused; that is recorded, or counted.
        """
        course = self._course(principal, asked, parent)
        with traces.span("guard.infer", parent), self._told():
            return driven(course)

    def loop(self, threads: Executor) -> Loop:
        """Return what requests on one event loop share."""
        return Loop(threads, alone=lambda: self.gate.quiet)

    async def infer_soon(self, principal: Principal, asked: Asked, parent: str, loop: Loop) -> Decision:
        """As :meth:`infer`, from an event loop; what takes its time is done in other threads."""
        course = self._course(principal, asked, parent)
        with traces.span("guard.infer", parent), self._told():
            return await driven_soon(course, loop)

    def _course(self, principal: Principal, asked: Asked, parent: str) -> Course:
        try:
            given = protocol.given(asked, self._example)
            words = {name: asked.word(name) for name in _WORDS if name in asked.parameters}
        except RefusedError as refusal:
            raise self.counted(refusal) from None
        return self.guard.course(principal, given, trace=traces.trace_id(parent) if parent else "", **words)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except RefusedError:
            raise
        except FivefoldError as error:
            raise self.counted(RefusedError(error.code, error.message, status=400)) from None
