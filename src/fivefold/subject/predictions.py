"""Predictions: a subject that is a file of answers, one file a data set; it answers for stored rows only.

A file holds the column ``prediction`` (or one named as the target, or a single column) with labels or values, and may
hold one column of probabilities per class, named as the class or ``p:`` and the class. Rows belong together by the
data set's id column, if it declares one, else by their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities
from fivefold.errors import InputError, UnsupportedError
from fivefold.subject import answers, labels, load, prediction_columns, undecided
from fivefold.subject.prediction_columns import NAME, Stored

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fivefold.contract.subject import Loss, Subject, Table, Task
    from fivefold.subject.access import Known
    from fivefold.subject.tables import Store


@dataclass(frozen=True)
class FileSubject:
    """Answers read from files.

    Attributes:
        task: The task.
        classes: Labels.
        stored: Data-set name to answers.
    """

    task: Task
    classes: tuple[str, ...]
    stored: Mapping[str, Stored]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of the files."""
        return tuple(dict.fromkeys(item.note for item in self.stored.values() if item.note))

    @property
    def capabilities(self) -> Capabilities:
        """What the files hold."""
        scores = bool(self.stored) and all(item.scores is not None for item in self.stored.values())
        return Capabilities(scores=scores, retrains=False, perturbable=False)

    def predict(self, table: Table) -> np.ndarray:
        """Return (n,) class indices or values; see :class:`fivefold.contract.subject.Subject`."""
        item = self._of(table)
        if item.answer is not None:
            return np.asarray(item.answer[table.rows])
        if item.scores is None:
            raise UnsupportedError("predictions.none", f"there are no predictions for data.{table.name}.")
        return np.asarray(item.scores[table.rows].argmax(axis=1), dtype=np.int64)

    def predict_proba(self, table: Table) -> np.ndarray:
        """Return (n, K) probabilities; see :class:`fivefold.contract.subject.Subject`."""
        scores = self._of(table).scores
        if scores is None:
            raise UnsupportedError("model.labels-only", "the file of predictions holds no probabilities.")
        return np.asarray(scores[table.rows])

    def retrain(self, table: Table, seed: int) -> Subject:  # noqa: ARG002  the Protocol's names
        """Refuse: a file cannot be trained."""
        raise UnsupportedError("model.no-training", "a file of predictions cannot be trained.")

    def gradient(self, table: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG002
        """Refuse: a file has no gradients."""
        raise UnsupportedError("model.no-gradients", "a file of predictions has no gradients.")

    def _of(self, table: Table) -> Stored:
        if table.name not in self.stored:
            raise UnsupportedError(
                "predictions.none",
                f"there are no predictions for data.{table.name}.",
                remedy=f"Add a file under model.predictions.{table.name}.",
            )
        return self.stored[table.name]


def read(store: Store, files: Mapping[str, str], what: Known, folder: Path) -> FileSubject:
    """Read the declared files of predictions.

    Args:
        store: The data sets.
        files: Data-set name to the path of its predictions.
        what: What targets and manifest say.
        folder: Where the files lie: the snapshot of the signed set.

    Raises:
        InputError: ``predictions.rows``, ``predictions.id``, as :func:`fivefold.subject.prediction_columns.stored`, or
            as :func:`fivefold.subject.load.read`.
        SubjectError: ``model.task``.
    """
    frames = {name: _aligned(store, name, path, folder) for name, path in files.items()}
    given = {
        name: _answer(frame, store.sets[name].target, path, what) for (name, frame), path in _beside(frames, files)
    }
    task, classes = _task(what, given)
    stored = {}
    for (name, frame), path in _beside(frames, files):
        stored[name] = prediction_columns.stored(frame, given[name], classes, path)
    return FileSubject(task, classes, stored)


def _beside(frames: Mapping[str, pd.DataFrame], files: Mapping[str, str]) -> list[tuple[tuple[str, pd.DataFrame], str]]:
    return [(item, files[item[0]]) for item in frames.items()]


def _aligned(store: Store, name: str, path: str, folder: Path) -> pd.DataFrame:
    """Return the predictions in the order of the data set's rows."""
    data, rows = store.sets[name], store.frame(name)
    frame = load.read(folder / path, missing=data.missing, strings=(data.id,) if data.id else ())
    if not data.id:
        if len(frame) != len(rows):
            raise InputError(
                "predictions.rows",
                f"{len(frame)} predictions for {len(rows)} rows of data.{name}.",
                where=path,
                remedy="Give one for each row, in order, or declare an `id` column in data and predictions.",
            )
        return frame
    if data.id not in frame.columns:
        raise InputError(
            "predictions.id", f'the predictions have no column "{data.id}".', where=path, remedy="Add the id column."
        )
    keys, wanted = labels.texts(frame[data.id]), labels.texts(rows[data.id])
    _require_ids(keys, wanted, path)
    at = pd.Index(keys, dtype=object).get_indexer(pd.Index(wanted, dtype=object))
    found: pd.DataFrame = frame.iloc[at].reset_index(drop=True)
    return found.drop(columns=[data.id])


def _require_ids(keys: np.ndarray, wanted: np.ndarray, path: str) -> None:
    """Say how many ids are missing, extra or doubled; ids themselves are not shown, they may name people."""
    have, need = set(keys), set(wanted)
    faults = {
        "without an id": sum(key is None for key in keys) + sum(key is None for key in wanted),
        "doubled in the predictions": len(keys) - len(have),
        "doubled in the data": len(wanted) - len(need),
        "missing in the predictions": len(need - have),
        "not in the data": len(have - need),
    }
    told = [f"{count} {words}" for words, count in faults.items() if count]
    if told:
        raise InputError(
            "predictions.id",
            f"ids do not match: {', '.join(told)}.",
            where=path,
            remedy="Each row of the data needs exactly one prediction with its id.",
        )


def _answer(frame: pd.DataFrame, target: str, path: str, what: Known) -> pd.Series | None:
    for name in (NAME, target):
        if name and name in frame.columns:
            return frame[name]
    if len(frame.columns) == 1 and str(frame.columns[0]).removeprefix("p:") not in (*what.classes, *what.labels):
        return frame.iloc[:, 0]
    if len(frame.columns):
        return None
    raise InputError(
        "predictions.columns", "the predictions have no column.", where=path, remedy=f'Add the column "{NAME}".'
    )


def _task(what: Known, given: Mapping[str, pd.Series | None]) -> tuple[Task, tuple[str, ...]]:
    if what.task:
        classified = what.task != "regression"
    elif (
        what.classes
        or what.classified
        or not what.numeric
        or len(what.labels) == 2
        or any(item is None for item in given.values())
    ):
        classified = True
    else:
        classified = what.whole and 0 < len(what.labels) <= 50 and _like_labels(what, given)
    if not classified:
        return "regression", ()
    classes = (*what.classes, *(name for name in what.labels if name not in what.classes)) or what.labels
    return ("binary" if len(classes) == 2 else "multiclass"), classes


def _like_labels(what: Known, given: Mapping[str, pd.Series | None]) -> bool:
    """Return whether answers to a target of few whole numbers are those numbers.

    Raises:
        SubjectError: ``model.task`` if they are other whole numbers.
    """
    for item in (found for found in given.values() if found is not None):
        values = pd.to_numeric(item, errors="coerce").dropna().to_numpy(dtype=np.float64)
        if not answers.whole(values):
            return False
        if not set(labels.distinct(labels.texts(values))) <= set(what.labels):
            raise undecided.counts(values, what.labels)
    return True
