"""Opened: the subject of a check process: a model process asked over its socket, or a file of predictions.

A model that lives elsewhere is asked its canary rows first, and again when the check is done.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fivefold.errors import SubjectError
from fivefold.subject import outside as outsiders
from fivefold.subject import predictions
from fivefold.subject.access import Known, find
from fivefold.subject.asked import AskedSubject, unstable
from fivefold.subject.labels import number
from fivefold.subject.memory import adopt
from fivefold.subject.probe import sample
from fivefold.subject.rows import of, spread
from fivefold.subject.training import training_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.plan import ModelFact
    from fivefold.contract.subject import Subject, Table
    from fivefold.subject.remote import RemoteModel
    from fivefold.subject.tables import Store
    from fivefold.subject.worker.messages import CheckJob

_FROM_FILE = "The answers were read from a file: nothing ties them to a model."
_UNSTEADY = "Two equal questions got different answers from the model: figures of another run may differ."


def _unmoved() -> None:
    return None


@dataclass(frozen=True)
class Opened:
    """A subject, and what belongs to it.

    Attributes:
        subject: The model.
        notes: What a reader should know about it.
        confirm: Call it when the check is done: raises ``model.changed`` if it is no longer the model that was probed.
    """

    subject: Subject
    notes: tuple[str, ...] = ()
    confirm: Callable[[], None] = _unmoved


def open_subject(job: CheckJob, store: Store, start: Callable[[bool], RemoteModel]) -> Opened:
    """Return the subject as the probe found it.

    Args:
        job: The check's job, with the facts of the probe.
        store: The data sets.
        start: Starts a model process, for answering or for training.

    Raises:
        SubjectError: The model fails, or is not what it was when it was probed.
    """
    fact, model = job.fact, job.model
    if fact is None or model is None or fact.task is None:
        raise SubjectError("model.unprobed", "the model has not been probed.")
    what = replace(_known(fact), output=model.output)
    if model.predictions:
        stored = predictions.read(store, model.predictions, what, Path(job.model_root))
        return Opened(stored, (_FROM_FILE, *stored.notes))
    raw = start(False)  # noqa: FBT003
    outside = outsiders.reopened(raw, job.found, job.share, limited=job.calls > 0) if job.found else None
    access = outside.access if outside else find(raw, sample(store), what)
    if access.classes != fact.classes or access.task != fact.task:
        raise unstable(fact.classes, access.classes)
    again = replace(what, output="") if model.onnx else what
    target = next((store.sets[name].target for name in ("train", *store.sets) if name in store.sets), "")

    def retrain(table: Table, seed: int) -> Subject:
        child = start(True)  # noqa: FBT003
        made = training_table(table, target, access.classes)
        child.fit(made, seed)
        return adopt(child, spread(of(table)), access.classes, again)

    notes = tuple(note for note in (access.note, "" if fact.deterministic else _UNSTEADY) if note)
    fit = retrain if fact.retrains else None
    if outside is None:
        subject = AskedSubject(raw, access, fit, retrains=fact.retrains, gradients=fact.gradients)
        return Opened(subject, notes)
    frame = sample(store)
    outside.watch(frame)
    subject = AskedSubject(outside.raw, access, fit, retrains=fact.retrains, bounds=outside.raw.bounds)
    return Opened(subject, (*notes, *outside.notes), lambda: outside.confirm(frame))


def _known(fact: ModelFact) -> Known:
    values = [number(label) for label in fact.classes]
    numeric = all(value is not None for value in values)
    whole = numeric and all(float(value or 0.0).is_integer() for value in values)
    return Known(labels=fact.classes, numeric=numeric, whole=whole, task=fact.task or "", classes=fact.classes)
