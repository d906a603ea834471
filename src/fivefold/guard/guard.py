"""Guard: an application's chain, opened from its manifest: purpose > domain > MODEL > record; nothing passes by it.

Before anything is answered: the model's files are those that a trusted key signed, no newer version was served before,
and the record can be written. After that: no answer leaves whose record is not durable.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from fivefold.contract.registry import provided
from fivefold.errors import FivefoldError, StorageError, SubjectError
from fivefold.guard import reasoning
from fivefold.guard.chain import build
from fivefold.guard.isolated import SECONDS, Isolated
from fivefold.guard.memory import Memory
from fivefold.guard.nouns import Decision, Passage, Principal, Receipt, RefusedError
from fivefold.guard.opening import Opened, Unwatched, admitted, require_declared, require_labels
from fivefold.guard.steps import Kept, Slow, driven
from fivefold.guard.upstream import Upstream
from fivefold.guard.watching import Watched
from fivefold.guard.writing import Writing
from fivefold.manifest.digests import data_digests
from fivefold.manifest.reader import read
from fivefold.subject.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

    from fivefold.contract.plan import Facts
    from fivefold.guard.nouns import Answering, Scores
    from fivefold.guard.steps import Course, Step

_EVERY = 0.5
_INTERVAL = 60.0
_MOST_LISTED = 100
_OBSERVED = "observed, not signed"
_SLOW = frozenset({"screen", "judge", "threats", "fallback", "reason"})
"""Stages that may hold an event loop up; so may what waits for a model."""


class Guard:
    """An application's guard, in this process; a context manager.

    Attributes:
        manifest: What is enforced.
        model: Digest of the model that answers.
        identity: By whom it was signed, in words; of an endpoint that it was observed only.
        stopped: Why nothing is answered any more; empty: it is.
        chain: The stages, outermost first.
        fallback: Who answers where the model may not; None: nobody.
        home: Where its record lies.
        writing: The open record.
        observers: Called with ``answer``, ``refusal`` or ``alarm`` and what is known of it; they neither wait nor fail.

    Threat: the model is asked by strangers, for another purpose, with impossible input, or is another model than the
    signed one; an answer leaves without a trace.
    Limit: what the guard's own machine and its owner do to it is not seen; the purpose is what the asker states.
    """

    def __init__(
        self,
        where: Path | str | Opened,
        *,
        seconds: float = SECONDS,
        note: Mapping[str, Any] | None = None,
        home: Any = None,
        writing: Writing | None = None,
        trust: bytes | None = None,
    ) -> None:
        """Open it.

        Args:
            where: The application's folder, or its manifest; or what runs already (for assessments).
            seconds: Longest that one answer may take.
            note: Fields that are recorded with the opening, for example under which evidence.
            home: Where its record lies; None: as declared.
            writing: The open record of the guard whose place it takes; None: it opens its own.
            trust: Bytes of the trust file that names who may sign models; None: this user's.

        Raises:
            InputError: ``guard.undeclared`` if purpose, lawful ground or benefit are not declared; ``guard.model`` for
                a model that does not run here; what the manifest's reader raises.
            TrustError: As :func:`fivefold.guard.opening.require_labels`; ``guard.unsigned`` if the model is not as
                signed; ``guard.rolled-back`` for a version below the highest that was served; ``guard.same-version``
                for another model under a version that was.
            SubjectError: The model cannot be asked.
            StorageError: The record cannot be written.
        """
        from pathlib import Path as Place

        given, self._trust = where if isinstance(where, Opened) else None, trust
        self.manifest = read(Place(where)) if not isinstance(where, Opened) else where.manifest
        require_declared(self.manifest)
        require_labels(self.manifest, served=given is None)
        self.observers: list[Callable[[str, Mapping[str, Any]], None]] = []
        self._isolated: Answering
        self._watched: Watched | Upstream | Unwatched
        self.stopped, self._refused, self._refused_since = "", 0, time.time()
        self._lock, self._end = threading.Lock(), threading.Event()
        self.home, self._off = home or provided("record.home")(self.manifest), ""
        self._memory = Memory(self.home, self.manifest, self.record)
        with contextlib.ExitStack() as stack:
            facts = self._begun(stack, seconds) if given is None else self._taken(given)
            stack.callback(self._isolated.close)
            self.writing = writing.share() if writing is not None else Writing(self.home)
            stack.callback(self.writing.close)
            tried = b"" if given is None else given.secret
            self.chain, self.fallback = build(self.manifest, self._isolated, facts, self._memory, tried=tried)
            self.record("model-change", {**self._about(), **(note or {}), "opened": True})
            self._stack = stack.pop_all()
        self._thread = threading.Thread(target=self._tend, name="fivefold-guard", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def shown(self) -> str:
        """What strangers may know of where the model is from."""
        return self.identity if self.identity == _OBSERVED else "signed"

    @property
    def way(self) -> Any:
        """How the model is asked; see :class:`fivefold.subject.way.Way`."""
        return self._isolated.way

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, outermost first."""
        return tuple(stage.name for stage in self.chain)

    @property
    def process(self) -> int:
        """Process of the model; 0: it has none here, or none yet."""
        return self._isolated.pid

    @property
    def findings(self) -> dict[str, dict[str, str]]:
        """What stages have found: stage to what it is about to words."""
        seen = {stage.name: dict(getattr(stage, "findings", {})) for stage in self.chain}
        return {name: found for name, found in seen.items() if found}

    def decide(
        self, row: Mapping[str, Any], *, caller: str, purpose: str = "", case: str = "", subject: str = ""
    ) -> Decision:
        """Decide about one row.

        Args:
            row: Column to value.
            caller: Who asks; it stands in the record.
            purpose: One of the declared ones; empty: the only one.
            case: What it belongs to; empty: a case of its own.
            subject: The person whom it is about, who can be erased.

        Raises:
            RefusedError: With the reason, and the field where there is one.
        """
        principal = Principal(caller, "caller", self.manifest.purposes)
        columns = {name: [value] for name, value in row.items()}
        return self.answer(principal, columns, purpose=purpose, case=case, subject=subject)

    def answer(
        self, principal: Principal, given: Any, *, purpose: str = "", case: str = "", subject: str = "", trace: str = ""
    ) -> Decision:
        """Take a request through the chain; its record is durable when this returns.

        Args:
            principal: Who asks, authenticated.
            given: Columns by name, or one array.
            purpose: As for :meth:`decide`.
            case: As for :meth:`decide`.
            subject: As for :meth:`decide`.
            trace: OpenTelemetry trace id.

        Raises:
            RefusedError: A stage refused (that is recorded), the model failed, or the record cannot be written.
        """
        return driven(self.course(principal, given, purpose=purpose, case=case, subject=subject, trace=trace))

    def course(
        self, principal: Principal, given: Any, *, purpose: str = "", case: str = "", subject: str = "", trace: str = ""
    ) -> Course:
        """Return the course of a request through the chain, to be driven; it returns and raises as :meth:`answer`."""
        if self.stopped:
            self.count_refusal("guard.stopped")
            raise RefusedError("guard.stopped", self.stopped, status=503)
        passage = Passage(principal, purpose, given)
        name = case or f"decision {secrets.token_hex(16)}"
        try:
            recorder = self.writing.recorder
            with recorder.open(name, subject=subject, model=self.model, trace=trace) as records:
                found = yield from self._answered(passage, records)
        except StorageError as error:
            if self.fallback is not None:
                self.fallback.withdraw(passage)
            self.writing.failed(recorder)
            self.count_refusal("guard.record")
            raise RefusedError(
                "guard.record", "the record cannot be written, so nothing is answered.", status=503, remedy=error.remedy
            ) from None
        if isinstance(found, RefusedError):
            raise found
        return found

    def count_refusal(self, code: str) -> None:
        """Count a request that was refused without a record of its own; the count is recorded once an interval."""
        with self._lock:
            self._refused += 1
        self._observed("refusal", {"code": code})

    @property
    def restarts(self) -> int:
        """How often the model's process was replaced."""
        return self._isolated.restarts

    @contextlib.contextmanager
    def without(self, stage: str) -> Iterator[None]:
        """Leave a stage out for a while, to see what then gets through: for drills alone, and an alarm on record."""
        self.record("alarm", {"guard": "drill", "stage left out": stage})
        self._off = stage
        try:
            yield
        finally:
            self._off = ""

    def close(self) -> None:
        """Stop answering, record that, and end the model's process."""
        if self._end.is_set():
            return
        self._end.set()
        self._thread.join()
        self.stopped = self.stopped or "the guard is closed."
        with contextlib.suppress(StorageError):
            self._tell_refused()
            self.record("status", {"guard": "closed"})
        self._stack.close()

    def _begun(self, stack: contextlib.ExitStack, seconds: float) -> Facts:
        """Open the application as it lies on disk; what reads its data is on record."""
        with provided("data.operations")(self.manifest, "guard") as operation:
            operation.digests |= data_digests(self.manifest)
            bench = stack.enter_context(Bench(self.manifest, dict(operation.digests)))
            operation.digests["model"] = self.model = bench.snapshot.digest
            facts = self._opened(bench, seconds)
            operation.digests["model"] = self.model
        return facts

    def _taken(self, given: Opened) -> Facts:
        self.model, self.identity = given.model, given.identity
        self._isolated, self._watched = given.isolated, Unwatched()
        return given.facts

    def _opened(self, bench: Bench, seconds: float) -> Facts:
        """Start the model that is as signed, or find the one behind the endpoint; return what the probe saw.

        Raises:
            TrustError: ``guard.unsigned``, ``guard.rolled-back``, ``guard.same-version``.
            SubjectError: It cannot be asked.
        """
        if bench.elsewhere is None:
            self.identity = admitted(bench.snapshot, self._memory, self._trust)
            facts, _ = bench.probe()
            self._watched = Watched(self.manifest.root, bench.snapshot.files)
            self._isolated = Isolated(bench, facts, seconds=seconds)
            return facts
        facts, _ = bench.probe()
        self.model, self.identity = facts.model.observed if facts.model else "", _OBSERVED
        self._memory.require_newest(self.model)
        self._isolated = self._watched = Upstream(bench, facts, seconds=seconds)
        return facts

    def _answered(self, passage: Passage, records: Any) -> Generator[Step, None, Decision | RefusedError]:
        """Return what came of it, its record durable.

        Raises:
            StorageError: It is not.
        """
        more: dict[str, str] = {}
        try:
            passage.keep = lambda rows: records.add("input", batch=rows, soon=False)
            answers, scores = yield from self._passed(passage)
        except RefusedError as error:
            refusal = error
        except StorageError:
            raise
        except SubjectError as error:
            refusal = RefusedError("guard.model", "the model gave no answer that can be used.", status=503)
            more = {"error": error.code, "said": error.message}
        except Exception as error:  # noqa: BLE001  a stage that errs refuses; what it said stays inside
            refusal = RefusedError("guard.stage", "a stage of the guard failed, so nothing is answered.", status=503)
            more = {"error": type(error).__name__}
        else:
            return (yield from self._decided(passage, records, answers, scores))
        if self.fallback is not None:
            self.fallback.withdraw(passage)
        fields = {**passage.who, "refused": refusal.code, "field": refusal.field, **passage.notes}
        refusal.record = records.add("decision", fields | more, soon=False)
        yield Kept(records)
        told = {"code": refusal.code, "field": refusal.field, "record": refusal.record, "stages": passage.costs}
        self._observed("refusal", told)
        return refusal

    def _observed(self, kind: str, fields: Mapping[str, Any]) -> None:
        for observer in self.observers:
            observer(kind, fields)

    def _passed(self, passage: Passage) -> Generator[Step, None, tuple[tuple[str | float, ...], Scores]]:
        costs, now = passage.costs, time.perf_counter
        for stage in self.chain:
            if stage.name == self._off:
                continue
            began = now()
            try:
                if stage.name in _SLOW and (stage.name != "reason" or passage.size <= reasoning.MOST_ROWS):
                    yield Slow(functools.partial(stage, passage))
                elif (step := stage(passage)) is not None:
                    yield step
            finally:  # also where it refuses
                costs[stage.name] = round(1000 * (now() - began), 3)
        if passage.shaped is None:
            raise RefusedError("guard.stage", "nothing was made of the answer.", status=503)
        return passage.shaped

    def _decided(
        self, passage: Passage, records: Any, answers: tuple[str | float, ...], scores: Scores
    ) -> Generator[Step, None, Decision]:
        classes = self._isolated.way.access.classes if scores is not None else ()
        fields = {**passage.who, "answer": list(answers[:_MOST_LISTED]), "rows": len(answers), **passage.notes}
        if passage.reasons:
            fields["reasons"] = [said.text for said in passage.reasons]
            fields["credits"] = passage.credits
        raw = passage.told.raw if passage.told else {}
        record = records.add("decision", fields, batch=raw, soon=False)
        yield Kept(records)
        self._observed("answer", {"record": record, "stages": passage.costs})
        prove = f"fivefold record prove {record} > {record}.tlog-proof"
        receipt = Receipt(self.manifest.application.id, record, records.leaf(), prove)
        return Decision(answers, classes, scores, receipt, passage.reasons, passage.by, passage.waiting)

    def record(self, kind: str, fields: dict[str, Any]) -> None:
        """Put what befalls the guard itself on record.

        Raises:
            StorageError: It cannot be.
        """
        with self.writing.recorder.open("guard", model=self.model) as records:
            records.add(kind, fields, wait=True)

    def _about(self) -> dict[str, Any]:
        version = self.manifest.model.version if self.manifest.model else 0
        return {
            "guard": "opened", "version": version, "digest": self.model,
            "signed by": self.identity, "manifest": self.manifest.digest,
            "chain": list(self.stages), **(self.fallback.about if self.fallback else {}),
        }  # fmt: skip

    def _tend(self) -> None:
        """Hold the model to its limits, notice changed files, tell counted refusals."""
        told, alarm = time.monotonic(), False
        while not self._end.wait(_EVERY):
            with contextlib.suppress(FivefoldError, OSError):
                self._isolated.tend()
            self.writing.mend(self._tell_refused)
            if not self.stopped and self._watched.changed():
                self.stopped, alarm = self._watched.why, True
                self._observed("alarm", {"why": self.stopped})
            if alarm:
                with contextlib.suppress(FivefoldError):
                    self.record("alarm", {"guard": "stopped", "why": self.stopped})
                    alarm = False
            if time.monotonic() - told > _INTERVAL:
                told = time.monotonic()
                with contextlib.suppress(FivefoldError):
                    self._tell_refused()
                    if self.fallback is not None:
                        self.fallback.tend(self.writing.recorder)

    def _tell_refused(self) -> None:
        with self._lock:
            count, since = self._refused, self._refused_since
        if not count:
            return
        self.record("gap", {"refused without a record": count, "since": round(since, 3)})
        with self._lock:
            self._refused, self._refused_since = self._refused - count, time.time()
