"""Asked: a subject whose answers come from a model that is asked, in this process or behind a socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import Capabilities
from fivefold.errors import SubjectError, UnsupportedError
from fivefold.subject import answers, rows
from fivefold.subject.remote import RemoteModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fivefold.contract.subject import Loss, Subject, Table, Task
    from fivefold.subject.access import Access
    from fivefold.subject.model import Method, Raw
    from fivefold.subject.rows import Rows


@dataclass(frozen=True)
class AskedSubject:
    """A model that is asked; every answer is checked.

    Attributes:
        raw: The model.
        access: How it is asked.
        fit: Trains a new model on a table with a seed; None: the application cannot.
        retrains: Whether :meth:`retrain` is offered.
        gradients: Whether :meth:`gradient` is offered; the model is then behind a socket.
        bounds: Returns the most rows of one call (0: as many as we send) and the calls that are left (None: no
            budget); None: the model has no such bounds.
    """

    raw: Raw
    access: Access
    fit: Callable[[Table, int], Subject] | None = field(default=None, compare=False)
    retrains: bool = False
    gradients: bool = False
    bounds: Callable[[], tuple[int, int | None]] | None = field(default=None, compare=False)

    @property
    def task(self) -> Task:
        """The task, as probed."""
        return self.access.task

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels in the order of the probability columns; empty for regression."""
        return self.access.classes

    @property
    def capabilities(self) -> Capabilities:
        """What was probed."""
        most, calls = self.bounds() if self.bounds else (0, None)
        return Capabilities(
            scores=self.access.score is not None,
            retrains=self.retrains,
            perturbable=True,
            gradients=self.gradients,
            max_rows=most or rows.MAX_ROWS,
            calls_left=calls,
        )

    def predict(self, table: Table) -> np.ndarray:
        """Return (n,) class indices or values; see :class:`fivefold.contract.subject.Subject`."""
        access = self.access
        if access.answer is None:
            found: np.ndarray = self.predict_proba(table).argmax(axis=1).astype(np.int64)
            return found
        parts = []
        for part, raw in self._asked(access.answer, rows.of(table)):
            if access.task == "regression":
                parts.append(answers.values(raw, part))
            else:
                parts.append(answers.indices(raw, part, access.classes, positions=access.positions))
        return np.concatenate(parts) if parts else np.empty(0, np.float64 if not access.classes else np.int64)

    def predict_proba(self, table: Table) -> np.ndarray:
        """Return (n, K) probabilities; see :class:`fivefold.contract.subject.Subject`."""
        access, width = self.access, len(self.access.classes)
        if access.score is None:
            raise UnsupportedError("model.labels-only", "the model gives labels only, no probabilities.")
        parts = [
            answers.scores(answers.linked(raw, access.link), part, width, order=access.order, positive=access.positive)
            for part, raw in self._asked(access.score, rows.of(table))
        ]
        return np.concatenate(parts) if parts else np.empty((0, width))

    def retrain(self, table: Table, seed: int) -> Subject:
        """Return a newly trained model; see :class:`fivefold.contract.subject.Subject`."""
        if self.fit is None or not self.retrains:
            raise UnsupportedError("model.no-training", "no training factory is named.")
        return self.fit(table, seed)

    def gradient(self, table: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        """Return losses and gradients; see :class:`fivefold.contract.subject.Subject`."""
        raw, access = self.raw, self.access
        if not self.gradients or not isinstance(raw, RemoteModel):
            raise UnsupportedError("model.no-gradients", "the model gives no gradients.")
        losses, slopes, at = [], [], 0
        given = rows.of(table)
        for part in rows.chunks(given):
            some = target[at : at + len(part)]
            at += len(part)
            one, slope = raw.slope(part, some, loss, access.order, linked=bool(access.link))
            if one.shape != (len(part),) or slope.shape != part.shape:
                raise SubjectError("model.shape", "the model's gradients do not fit the rows.")
            if not (np.isfinite(one).all() and np.isfinite(slope).all()):
                raise SubjectError("model.not-finite", "the model's gradients are NaN or infinite.")
            losses.append(one)
            slopes.append(slope)
        if not losses:
            return np.empty(0), rows.back(np.empty((0, *given.shape[1:]), np.float32), table)
        return np.concatenate(losses), rows.back(np.concatenate(slopes), table)

    def _asked(self, method: Method, given: Rows) -> Iterator[tuple[int, np.ndarray]]:
        for part in rows.chunks(given):
            yield len(part), self.raw.ask(method, self.access.form, part)


def unstable(expected: tuple[str, ...], found: tuple[str, ...]) -> SubjectError:
    """Return the error of a model whose classes are not those that it showed when it was probed."""
    return SubjectError(
        "model.unstable", f"the model showed {len(expected)} classes when it was probed, and now {len(found)} others."
    )
