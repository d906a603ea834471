"""Probe: the facts about data and model, read in the worker; numbers and kinds only, no values of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import msgspec
import pandas as pd

from fivefold.contract.plan import DataFact, Facts, ModelFact
from fivefold.errors import InputError, SubjectError
from fivefold.manifest import address, inputs, scenario
from fivefold.subject import outside, predictions
from fivefold.subject.access import find
from fivefold.subject.asked import AskedSubject
from fivefold.subject.kinds import column_fact
from fivefold.subject.known import known, settings, task_by_labels, unseen_labels
from fivefold.subject.rows import bare, of, spread, strangers
from fivefold.subject.tables import Coding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from fivefold.contract.plan import ModelKind
    from fivefold.contract.subject import Inputs, SettingsView, Table, Task
    from fivefold.manifest.nouns import DataSet, Feature, Model
    from fivefold.subject.access import Access, Known
    from fivefold.subject.remote import RemoteModel
    from fivefold.subject.rows import Rows
    from fivefold.subject.tables import Store

_GROUP = 10
_GUESSED = 10
_MEASURED = 20
_BANDS = 3


@dataclass(frozen=True)
class Asked:
    """What the probe is told besides the data.

    Attributes:
        model: The declared model; None: none.
        digest: Of its signed set.
        training: A training function is declared.
        open: Starts a model process, for answering or for training.
        folder: Where files of predictions lie.
        scenarios: Name to expression.
        features: Declared features.
        calls: Budget of calls of the run, of a model that lives elsewhere; 0: none.
        share: The probe's part of it.
    """

    model: Model | None
    digest: str
    training: bool
    open: Callable[[bool], RemoteModel]
    folder: Path
    scenarios: Mapping[str, str]
    features: Mapping[str, Feature]
    calls: int = 0
    share: int = 0


def read(store: Store, asked: Asked) -> tuple[Facts, bytes]:
    """Read data and model; of a model that lives elsewhere, also what the checks have to know (message pack).

    Raises:
        InputError: The data cannot be used as declared.
    """
    data = {name: data_fact(store, name) for name in store.sets}
    store.seen = seen(data, store.sets)
    _require_named(store, asked)
    targets = [target for name in store.sets if (target := store.target(name)) is not None]
    what = known(targets, store.sets, asked.model)
    fact, found = (None, b"") if asked.model is None else _model_fact(store, asked, what)
    classes = fact.classes if fact and not fact.error else task_by_labels(what)[1]
    view(store, classes)
    columns = {name: target for name in store.sets if (target := store.target(name)) is not None}
    notes = tuple(f"data.{name} has no rows: checks that need it cannot run." for name in data if not data[name].rows)
    notes += (_taken(fact, what),) if fact and asked.model and _is_guess(fact, what) else ()
    return Facts(data=data, model=fact, notes=(*notes, *(unseen_labels(columns) if classes else ()))), found


def _is_guess(fact: ModelFact, what: Known) -> bool:
    """Whether many whole numbers were taken for classes though nobody declared any."""
    declared = what.task or what.classes or what.classified
    return not fact.error and not declared and what.whole and bool(fact.classes) and len(what.labels) > _GUESSED


def _taken(fact: ModelFact, what: Known) -> str:
    return (
        f"The target holds {len(what.labels)} different whole numbers and the model answers with such: they are taken "
        f"for {len(fact.classes)} classes. If they are a count or grade, declare `model.task: regression`."
    )


def coding(store: Store) -> Coding:
    """Return how the targets of data without a model are coded, from the labels alone."""
    targets = [target for name in store.sets if (target := store.target(name)) is not None]
    if not targets:
        return Coding("regression")
    task, classes = task_by_labels(known(targets, store.sets, None))
    return Coding(cast("Task", task), classes)


def view(store: Store, classes: tuple[str, ...]) -> SettingsView:
    """Check that ``positive`` and ``alarm`` name classes.

    Raises:
        InputError: ``data.label``.
    """
    return settings(classes, store.sets, scenarios={}, features={}, controls={})


def data_fact(store: Store, name: str) -> DataFact:
    """Return what the product read of one data set."""
    data, stored = store.sets[name], store.stored(name)
    frame = stored.frame
    return DataFact(
        digest=store.digests.get(name, ""),
        rows=len(frame),
        columns=(*(column_fact(str(column), frame[column]) for column in frame.columns), *stored.channels),
        target=data.target,
        groups={column: _groups(frame[column]) for column in data.protected},
    )


def seen(data: Mapping[str, DataFact], sets: Mapping[str, DataSet]) -> dict[str, str]:
    """Return what the model sees of the training data, name to kind; empty if there are none."""
    if "train" not in data:
        return {}
    kinds = {column.name: column.kind for column in data["train"].columns}
    return {name: kinds[name] for name in inputs.seen(sets["train"], kinds)}


def _groups(column: pd.Series) -> int:
    measured = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if (measured or pd.api.types.is_datetime64_any_dtype(column)) and column.nunique() > _MEASURED:
        return min(_BANDS, len(column) // _GROUP)
    return int((column.value_counts(dropna=False) >= _GROUP).sum())


def _require_named(store: Store, asked: Asked) -> None:
    """Check the columns that scenarios and features name, which only an engine can see in Parquet and Arrow files."""
    everything = {column for name in store.sets for column in store.stored(name).columns}
    measured = set(store.stored("test").columns) if "test" in store.sets else everything
    named = [(f"features.{name}", name, everything) for name in asked.features]
    for title, text in asked.scenarios.items():
        named += [(f"scenarios.{title}", name, measured) for name in scenario.columns(scenario.parse(text))]
    for place, name, columns in named:
        if name not in columns:
            raise InputError(
                "data.column-absent",
                f'{place} names "{name}", which is no column of the data.',
                remedy=f"The columns are: {', '.join(sorted(columns)[:30])}.",
            )


def sample(store: Store) -> Rows:
    """Return a few hundred rows of what the model sees, the same in every process.

    Raises:
        UnsupportedError: No data set is declared.
    """
    name = next(name for name in ("test", "train", *store.sets) if name in store.sets)
    table: Table = store.table(name, Coding("binary", ()))
    return spread(of(table))


def _model_fact(store: Store, asked: Asked, what: Known) -> tuple[ModelFact, bytes]:
    model = asked.model
    kind = _kind(model)
    form: Inputs = next((data.kind for name, data in store.sets.items() if name in ("test", "train")), "table")
    empty = ModelFact(digest=asked.digest, kind=kind, inputs=form)
    try:
        if model and model.predictions:
            subject = predictions.read(store, model.predictions, what, asked.folder)
            fact = ModelFact(
                digest=asked.digest,
                kind=kind,
                inputs=form,
                task=subject.task,
                classes=subject.classes,
                scores=subject.capabilities.scores,
                deterministic=True,
            )
            return fact, b""
        frame = sample(store)
        if not len(frame) or (model and model.command and inputs.unfit(form)):
            return empty, b""
        if model and (model.endpoint or model.command):
            fact, found = _probed_outside(asked, frame, what, kind)
            return msgspec.structs.replace(fact, inputs=form), found
        return msgspec.structs.replace(_probed(asked, frame, what, kind), inputs=form), b""
    except SubjectError as error:
        text = f"{error.message[:1].upper()}{error.message[1:]} {error.remedy}".strip()
        return msgspec.structs.replace(empty, calls=asked.calls, error=text), b""


def _kind(model: Model | None) -> ModelKind:
    if model and model.endpoint:
        return address.parse(model.endpoint).kind
    if model and model.command:
        return "command"
    if model and (model.predictions or model.onnx):
        return "predictions" if model.predictions else "onnx"
    return "factory"


def _probed_outside(asked: Asked, frame: Rows, what: Known, kind: ModelKind) -> tuple[ModelFact, bytes]:
    raw = asked.open(False)  # noqa: FBT003
    fact, found = outside.probed(raw, frame, what, kind=kind, total=asked.calls, share=asked.share)
    retrains = asked.training and asked.open(True).can_train()  # noqa: FBT003
    fact = msgspec.structs.replace(fact, digest=asked.digest, retrains=retrains)
    return fact, msgspec.msgpack.encode(found)


def _probed(asked: Asked, frame: Rows, what: Known, kind: ModelKind) -> ModelFact:
    raw = asked.open(False)  # noqa: FBT003
    said = raw.describe()
    kind = "torch" if said.kind == "torch" else kind
    access = find(raw, frame, what)
    subject = AskedSubject(raw, access)
    first, again = _bytes(subject, access, frame), _bytes(subject, access, frame)
    return ModelFact(
        digest=asked.digest,
        kind=kind,
        neural=said.neural if kind in ("onnx", "torch") else None,
        trees=said.trees if kind in ("onnx", "torch") else None,
        gradients=said.gradients,
        task=access.task,
        classes=access.classes,
        scores=access.score is not None,
        retrains=asked.training and asked.open(True).can_train(),  # noqa: FBT003
        deterministic=first == again,
        perturbable=_perturbable(subject, access, frame),
    )


def _bytes(subject: AskedSubject, access: Access, frame: Rows) -> bytes:
    table = bare(frame, access.classes)
    scores = subject.predict_proba(table).tobytes() if access.score else b""
    return subject.predict(table).tobytes() + scores


def _perturbable(subject: AskedSubject, access: Access, frame: Rows) -> bool:
    """Ask for rows that are nowhere in the data."""
    try:
        subject.predict(bare(strangers(frame), access.classes))
    except SubjectError:
        return False
    return True
