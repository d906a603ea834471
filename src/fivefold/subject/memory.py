"""Memory: a subject made of an object that lives in this process; its findings say so and are never sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.errors import SubjectError, UnsupportedError
from fivefold.subject.access import Known, find
from fivefold.subject.asked import AskedSubject
from fivefold.subject.known import known
from fivefold.subject.model import LocalModel, failure
from fivefold.subject.rows import of, spread
from fivefold.subject.training import training_table

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from fivefold.contract.subject import Subject, Table
    from fivefold.manifest.nouns import DataSet
    from fivefold.subject.rows import Rows


def in_memory(
    model: Any,
    frame: pd.DataFrame,
    targets: list[pd.Series],
    sets: dict[str, DataSet],
    *,
    fit: Callable[..., Any] | None = None,
    target: str = "",
) -> AskedSubject:
    """Return a subject of an estimator or a callable.

    Args:
        model: Has ``predict`` (and perhaps ``predict_proba``), or is callable.
        frame: (n, d) rows of what it sees; some of them are asked.
        targets: Targets of all data sets, for the labels.
        sets: Declarations of the data sets (``positive`` and ``alarm`` say that the target is a class).
        fit: ``fit(table, rng)`` that trains a new model; None: it cannot be retrained.
        target: Name of the target column, for ``fit``.

    Raises:
        SubjectError: The model fails, or its classes cannot be decided.
    """
    what = known(targets, sets, None)
    raw = LocalModel(model)
    access = find(raw, spread(frame), what)

    def retrained(table: Table, seed: int) -> Subject:
        if fit is None:
            raise UnsupportedError("model.no-training", "no training function is given.")
        rng = np.random.Generator(np.random.PCG64(seed))
        try:
            made = fit(training_table(table, target, access.classes), rng)
        except Exception as error:  # noqa: BLE001  foreign code may raise anything
            raise failure(error, "training") from None
        return adopt(LocalModel(made), spread(of(table)), access.classes, what)

    return AskedSubject(raw, access, retrained if fit else None, retrains=fit is not None)


def adopt(raw: Any, frame: Rows, classes: tuple[str, ...], what: Known) -> AskedSubject:
    """Return a retrained model as a subject with the classes of its parent.

    Raises:
        SubjectError: It fails, or its classes are others.
    """
    import dataclasses

    labels = classes or what.labels
    again = dataclasses.replace(
        what, labels=labels, classes=classes, task=what.task or ("" if classes else "regression")
    )
    access = find(raw, frame, again)
    if access.classes != classes:
        raise SubjectError("model.classes", "the retrained model answers with other classes than the model.")
    return AskedSubject(raw, access)
