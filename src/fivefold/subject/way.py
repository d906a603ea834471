"""Way: how the probed model is asked, handed to a parent that asks it itself, over and over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np
import pandas as pd

from fivefold.errors import SubjectError, UnsupportedError
from fivefold.subject import answers as read
from fivefold.subject.access import Access
from fivefold.subject.asked import AskedSubject
from fivefold.subject.batch import Batch, pack, unpack
from fivefold.subject.opened import open_subject
from fivefold.subject.probe import sample
from fivefold.subject.rows import cut, of, spread, wide
from fivefold.subject.tables import Coding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.subject.model import Form, Method
    from fivefold.subject.remote import RemoteModel
    from fivefold.subject.rows import Rows
    from fivefold.subject.tables import Store
    from fivefold.subject.worker.messages import CheckJob


_BACKGROUND = 100
_POPULATION, _POPULATION_BYTES = 8_000, 16 << 20
_LABELLED = 20_000
_LABELLED_BYTES = 16 << 20
_LEARN = frozenset({"C2", "C3", "P5"})


class Labelled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows whose truth is known.

    Attributes:
        rows: What the model is given.
        truth: Class indices, or values of a regression.
    """

    rows: Batch
    truth: tuple[float, ...]


class Way(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model is asked.

    Attributes:
        access: Methods, form, classes.
        example: One row of what it is given, with its types.
        background: Rows of the training data that stand for all; None where it is not given tables.
        population: More of them, to learn what rows look like; None where these are texts.
        labelled: ``train``, and ``calibration`` or else ``test``, at most 20,000 rows and 16 MiB of each, at equal
            steps; only where a declared control learns from them.
    """

    access: Access
    example: Batch
    background: Batch | None = None
    population: Batch | None = None
    labelled: dict[str, Labelled] = {}

    def rows(self) -> Rows:
        """Return the example."""
        return unpack(self.example)

    def usual(self) -> Rows | None:
        """Return the rows that tell what is usual; None: there are none."""
        return None if self.population is None else unpack(self.population)


class Told(msgspec.Struct, frozen=True):
    """What a model answered to n rows.

    Attributes:
        raw: Method to what it gave, bit for bit.
        answers: (n,) class indices, or values of a regression.
        scores: (n, K) probabilities in the order of the classes; None: it gives none.
    """

    raw: dict[str, np.ndarray]
    answers: np.ndarray
    scores: np.ndarray | None = None


def found(job: CheckJob, store: Store, start: Callable[[bool], RemoteModel]) -> bytes:
    """Return the message pack of the way to ask the model.

    Raises:
        UnsupportedError: ``model.predictions`` where answers are read from a file.
        SubjectError: The model cannot be asked at all.
    """
    subject = open_subject(job, store, start).subject
    if not isinstance(subject, AskedSubject):
        raise UnsupportedError("model.predictions", "the answers are read from a file: there is no model to ask.")
    example = sample(store)
    name = next((name for name in ("train", *store.sets) if name in store.sets), "")
    rows = of(store.table(name, Coding("binary", ())))
    background, made = spread(rows, _BACKGROUND), None
    if isinstance(example, pd.DataFrame) and isinstance(background, pd.DataFrame):
        made = pack(background) if list(background.dtypes) == list(example.dtypes) else None
    labelled = _labelled(store, subject.access) if _LEARN & set(job.controls) else {}
    way = Way(subject.access, pack(cut(example, slice(0, 1))), made, _population(rows, example), labelled)
    return msgspec.msgpack.encode(way)


def _population(rows: Rows, example: Rows) -> Batch | None:
    if isinstance(rows, pd.DataFrame) and isinstance(example, pd.DataFrame):
        return pack(_some(rows, _POPULATION)) if list(rows.dtypes) == list(example.dtypes) else None
    if isinstance(rows, np.ndarray) and rows.dtype != object and isinstance(example, np.ndarray):
        alike = rows.dtype == example.dtype and rows.shape[1:] == example.shape[1:]
        return pack(_some(rows, _POPULATION)) if alike else None
    return None


def _some(rows: Rows, most: int) -> Rows:
    """Return rows at equal steps, at most so many, and as many as 16 MiB hold."""
    fewer = min(most, max(1, _POPULATION_BYTES // wide(rows)))
    return rows if len(rows) <= fewer else cut(rows, np.linspace(0, len(rows) - 1, fewer).astype(np.int64))


def _labelled(store: Store, access: Access) -> dict[str, Labelled]:
    found = {}
    held = "calibration" if "calibration" in store.sets else "test"
    for name in [name for name in ("train", held) if name in store.sets]:
        table = store.table(name, Coding(access.task, access.classes))
        known = np.flatnonzero(np.isfinite(table.target) & ((table.target >= 0) | (access.task == "regression")))
        rows = of(table)
        most = max(1, min(_LABELLED, _LABELLED_BYTES // wide(rows)))
        if len(known) > most:
            known = known[np.linspace(0, len(known) - 1, most).astype(np.int64)]
        found[name] = Labelled(pack(cut(rows, known)), tuple(table.target[known].tolist()))
    return found


class Every(Protocol):
    """What is asked by several methods at once; see :meth:`fivefold.subject.remote.RemoteModel.every`."""

    def every(self, methods: tuple[Method, ...], form: Form, frame: Rows) -> dict[Method, np.ndarray]:
        """Return method to raw answers."""
        ...


def ask(raw: Every, access: Access, rows: Rows) -> Told:
    """Ask a model once for everything it gives; every answer is checked.

    Raises:
        SubjectError: It fails, or answers with something that cannot be used.
    """
    return told(raw.every(methods(access), access.form, rows), access, len(rows))


def methods(access: Access) -> tuple[Method, ...]:
    """Return the methods that are asked."""
    return tuple(dict.fromkeys(method for method in (access.answer, access.score) if method))


def told(every: Mapping[Method, np.ndarray], access: Access, n: int) -> Told:
    """Read what a model gave for n rows; every answer is checked.

    Raises:
        SubjectError: It cannot be used.
    """
    width, given = len(access.classes), {str(name): values for name, values in every.items()}
    chances = None
    if access.score is not None:
        linked = read.linked(given[access.score], access.link)
        chances = read.scores(linked, n, width, order=access.order, positive=access.positive)
    if access.answer is None:
        if chances is None:
            raise SubjectError("model.protocol", "the model gives neither answers nor scores.")
        return Told(given, chances.argmax(axis=1).astype(np.int64), chances)
    answer = given[access.answer]
    if access.task == "regression":
        return Told(given, read.values(answer, n), chances)
    return Told(given, read.indices(answer, n, access.classes, positions=access.positions), chances)
