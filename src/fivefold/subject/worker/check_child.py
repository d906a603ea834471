"""Check process: our own code on the declared data; asks the model over a socket, hands its result to the parent."""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import tempfile
import time
import warnings
import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from fivefold.contract import registry
from fivefold.contract.check import Context
from fivefold.errors import FivefoldError, InternalError, SubjectError, UnsupportedError
from fivefold.subject import guarded as guarding
from fivefold.subject import probe, way
from fivefold.subject.known import settings
from fivefold.subject.model import failure
from fivefold.subject.opened import open_subject
from fivefold.subject.remote import RemoteModel
from fivefold.subject.replies import asked_again
from fivefold.subject.results import encode_result
from fivefold.subject.tables import Coding, Store
from fivefold.subject.uses import handed
from fivefold.subject.worker import frames
from fivefold.subject.worker.battery import Tried
from fivefold.subject.worker.confine import confine
from fivefold.subject.worker.messages import (
    CheckJob,
    Done,
    Failed,
    ModelHere,
    Progress,
    ToCheck,
    WantBattery,
    WantModel,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Without
    from fivefold.contract.finding import Result
    from fivefold.contract.subject import Subject, Table
    from fivefold.subject.opened import Opened

_EVERY = 0.1
_PASSES = 3


class Session:
    """The connection to the parent, and the models that were opened over it."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._told = 0.0
        self.notes: list[str] = []

    def progress(self, share: float, text: str) -> None:
        """Tell how far it is, ten times a second at most."""
        now = time.monotonic()
        if now - self._told >= _EVERY:
            self._told = now
            frames.send(self._peer, Progress(share=float(share), text=str(text)[:200]))

    def open(self, training: bool) -> RemoteModel:
        """Have a model process started.

        Raises:
            SubjectError: The parent refuses.
        """
        frames.send(self._peer, WantModel(training=training))
        reply: ToCheck
        reply, descriptor = frames.receive_with(self._peer, ToCheck, frames.SMALL)
        if not isinstance(reply, ModelHere) or descriptor is None:
            raise SubjectError("model.refused", "no more model processes are started for this check.")
        return RemoteModel(socket.socket(fileno=descriptor), self.notes)

    def escapes(self, without: Without = "") -> Tried:
        """Have our own code try to break out of a process that is confined as the model's is.

        Raises:
            UnsupportedError: ``isolation.elsewhere`` for a model that does not run here.
            SubjectError: The attempts came to nothing.
        """
        frames.send(self._peer, WantBattery(without=without))
        reply: ToCheck
        reply, descriptor = frames.receive_with(self._peer, ToCheck, frames.SMALL)
        if not isinstance(reply, ModelHere) or descriptor is None:
            raise UnsupportedError(
                "isolation.elsewhere", "the model does not run here by itself, so its isolation is not ours to try.",
                remedy="Name a factory or an ONNX file in the manifest.",
            )  # fmt: skip
        with socket.socket(fileno=descriptor) as peer:
            found: Tried = frames.receive(peer, Tried, frames.SMALL)
        return found

    def apart(self, provided: str) -> socket.socket:
        """Have what a pack provides started in a process of its own, which may read none of the application's files.

        Raises:
            SubjectError: ``apart.refused``.
        """
        frames.send(self._peer, WantBattery(provided=provided))
        reply: ToCheck
        reply, descriptor = frames.receive_with(self._peer, ToCheck, frames.SMALL)
        if not isinstance(reply, ModelHere) or descriptor is None:
            raise SubjectError("apart.refused", "no more processes are started for this check.")
        return socket.socket(fileno=descriptor)

    def guard(self) -> socket.socket:
        """Return the connection to the model's guard.

        Raises:
            SubjectError: The parent has none.
        """
        frames.send(self._peer, WantModel(guarded=True))
        reply: ToCheck
        reply, descriptor = frames.receive_with(self._peer, ToCheck, frames.SMALL)
        if not isinstance(reply, ModelHere) or descriptor is None:
            raise SubjectError("guard.refused", "there is no guard for this check.")
        return socket.socket(fileno=descriptor)

    def end(self, message: Done | Failed) -> None:
        """Hand over the outcome."""
        frames.send(self._peer, message)


def main(job: CheckJob, descriptor: int, server: int) -> int:
    """Confine this process, run one check or the probe, say what came of it."""
    session = Session(socket.socket(fileno=descriptor))
    confine(job.confinement, server)
    tempfile.tempdir = job.confinement.scratch
    os.environ["TMPDIR"] = os.environ["HOME"] = job.confinement.scratch
    os.chdir(job.confinement.scratch)
    warnings.simplefilter("ignore")
    try:
        session.end(_run(job, session))
    except frames.ClosedError:
        return 1
    return 0


def _run(job: CheckJob, session: Session) -> Done | Failed:
    try:
        if job.asked:
            body, found = asked_again(job, _store(job), session.open, session.progress), b""
        elif job.wayfinding:
            body, found = way.found(job, _store(job), session.open), b""
        elif job.taking:
            context, opened = _prepared(job, session)
            body, found = registry.provided(job.taking)(context), b""
            del opened  # the model lives until then
        else:
            body, found = _probe(job, session) if not job.check else (encode_result(_check(job, session)), b"")
        return Done(body=body, notes=tuple(session.notes[:5]), found=found)
    except FivefoldError as error:
        notes = [*session.notes[:5], *getattr(error, "__notes__", ())]
        return Failed(
            kind=_kind(error),
            code=error.code,
            message=error.message,
            remedy=error.remedy,
            where=error.where,
            note="\n".join(dict.fromkeys(notes)),
        )
    except ImportError as error:
        return Failed(kind="import", code="check.engine", message=f"an engine is missing: {error.name or error}.")
    except MemoryError:
        return Failed(kind="internal", code="check.memory", message="the check ran out of memory.")
    except frames.ClosedError:
        raise
    except Exception as error:  # noqa: BLE001  a fault of a check is that check's error, nothing else's
        told = failure(error, "measuring", ours=True)
        return Failed(
            kind="internal", code=told.code, message=told.message, remedy=told.remedy, note="\n".join(told.__notes__)
        )


def _kind(error: FivefoldError) -> Literal["unsupported", "subject", "input", "internal"]:
    if isinstance(error, UnsupportedError):
        return "unsupported"
    if isinstance(error, SubjectError):
        return "subject"
    return "internal" if isinstance(error, InternalError) else "input"


def _store(job: CheckJob) -> Store:
    return Store(Path(job.root), job.sets, job.features, job.digests, job.seen)


def _probe(job: CheckJob, session: Session) -> tuple[bytes, bytes]:
    asked = probe.Asked(
        model=job.model,
        digest=job.seed,
        training=bool(job.training),
        open=session.open,
        folder=Path(job.model_root),
        scenarios=job.scenarios,
        features=job.features,
        calls=job.calls,
        share=job.share,
    )
    facts, found = probe.read(_store(job), asked)
    return msgspec.msgpack.encode(facts), found


def _check(job: CheckJob, session: Session) -> Result:
    context, opened = _prepared(job, session)
    result = registry.resolve(job.check)(context)
    if opened is None:
        return result
    opened.confirm()
    return msgspec.structs.replace(result, limits=(*result.limits, *opened.notes)) if opened.notes else result


def _prepared(job: CheckJob, session: Session) -> tuple[Context, Opened | None]:
    """Return what a check is handed, and the model that it asks."""
    store, fact = _store(job), job.fact
    classes = fact.classes if fact else ()
    coding = Coding((fact.task if fact else None) or ("binary" if classes else "regression"), classes)
    if fact is None or not (fact.task or classes):
        coding = probe.coding(store)
    kept: weakref.WeakValueDictionary[str, Table] = weakref.WeakValueDictionary()

    def tables(name: str) -> Table:
        """Return a table that lives as long as the check holds it: samples are small, whole sets are not."""
        table = kept.get(name)
        if table is None:
            kept[name] = table = store.table(name, coding)
            store.release(name)
        return table

    opened = open_subject(job, store, session.open) if job.asks else None
    subject = opened.subject if opened else None
    guarded = _guarded(job, subject, tables, session) if job.guarded and subject is not None else None
    context = _context(job, guarded or subject, tables, store, session)
    labelled = replace(context.settings, classes=coding.classes)  # as targets are coded, also where there is no model
    return replace(context, guarded=guarded, settings=labelled), opened


def _guarded(
    job: CheckJob, subject: Subject, tables: Callable[[str], Table], session: Session
) -> guarding.GuardedSubject:
    """Return the model behind its guard, after honest callers asked clean rows there."""

    def usual() -> Table | None:
        name = next((name for name in ("train", "test") if name in job.sets), "")
        return tables(name) if name else None

    session.progress(0.0, "opening the guard")
    made = guarding.meet(subject, session.guard(), usual)
    if "test" in job.sets:
        made.behave(tables("test"), int(job.seed, 16) % 2**32)
    return made


def _context(
    job: CheckJob, subject: Subject | None, tables: Callable[[str], Table], store: Store, session: Session
) -> Context:
    spec = registry.checks()[job.check]
    classes = job.fact.classes if job.fact else ()
    scratch = Path(job.confinement.scratch) / "check"
    scratch.mkdir()
    return Context(
        subject=subject,
        tables=tables,
        rng=np.random.Generator(np.random.PCG64(int(job.seed, 16))),
        thresholds=job.thresholds,
        options=job.options,
        rows=_rows(job, subject),
        settings=replace(
            settings(classes, store.sets, scenarios=job.scenarios, features=job.features, controls=job.controls),
            level=job.level,
            use=job.use,
            scenario=job.scenario,
            facts=job.known,
            thresholds=job.planned,
        ),
        effort=job.effort,
        scratch=scratch,
        model_root=Path(job.model_root) if job.model_root else None,
        signature=job.signature,
        trust=job.trust,
        labels=job.labels,
        mark=job.mark,
        origin=job.origin,
        digests=job.digests,
        now=job.now,
        row_id=row_ids(job.row_key),
        progress=session.progress,
        uses=handed(spec),
        escapes=session.escapes,
        apart=session.apart,
    )


def _rows(job: CheckJob, subject: Subject | None) -> int:
    """Return the most rows to use: no more than the calls that are left can answer some times over."""
    able = subject.capabilities if subject is not None else None
    if able is None or able.calls_left is None:
        return job.rows
    return max(1, min(job.rows, able.calls_left * able.max_rows // _PASSES))


def row_ids(key: bytes) -> Callable[[np.ndarray], list[str]]:
    """Return the function that turns row positions into ids which only the holder of the key can turn back."""

    def ids(rows: np.ndarray) -> list[str]:
        return [hmac.new(key, str(int(row)).encode(), hashlib.sha256).hexdigest()[:24] for row in rows]

    return ids
