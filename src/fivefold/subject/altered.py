"""Altered: the same model with bits of its stored weights flipped, or with weights of fewer bits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from fivefold.errors import SubjectError, UnsupportedError
from fivefold.subject import answers, rows
from fivefold.subject.remote import RemoteModel

if TYPE_CHECKING:
    from fivefold.contract.subject import Subject, Table
    from fivefold.subject.access import Access
    from fivefold.subject.worker.weight_messages import How

_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Change:
    """What is done to the stored weights.

    Attributes:
        how: See :class:`fivefold.subject.worker.weight_messages.Alter`.
        places: (k,) int64, numbers of weights, counted through all tensors.
        bits: (k,) int64, the bit that is flipped in each, 0 the lowest.
    """

    how: How = "stored"
    places: np.ndarray = field(default_factory=lambda: _NONE)
    bits: np.ndarray = field(default_factory=lambda: _NONE)


@runtime_checkable
class Alterable(Protocol):
    """A model whose stored weights can be changed."""

    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (t,) numbers of weights of each stored tensor, and (t,) bits of each of its weights."""
        ...

    def alter(self, change: Change) -> None:
        """Answer with changed weights from now on, starting from the stored ones."""
        ...

    def tried(self, table: Table) -> tuple[np.ndarray, np.ndarray]:
        """Return (n,) answers, and (n,) bool: whether each is one (no NaN, no unknown class)."""
        ...


@dataclass(frozen=True)
class Weighted:
    """A network in a process of its own.

    Attributes:
        raw: The process.
        access: How it is asked.
    """

    raw: RemoteModel
    access: Access

    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers and widths of weights."""
        counts, bits = self.raw.weigh()
        return np.asarray(counts, dtype=np.int64), np.asarray(bits, dtype=np.int64)

    def alter(self, change: Change) -> None:
        """Change the weights."""
        self.raw.alter(change.how, change.places, change.bits)

    def tried(self, table: Table) -> tuple[np.ndarray, np.ndarray]:
        """Return answers, and which of them are some."""
        access, parts, kept = self.access, [], []
        method = access.score or access.answer
        for part in rows.chunks(rows.of(table)):
            try:
                raw = self.raw.ask(method or "predict", access.form, part)
                said, fine = _read(raw, len(part), access)
            except SubjectError as error:
                if error.code not in ("model.raised", "model.shape", "model.class", "model.type"):
                    raise
                said, fine = np.zeros(len(part)), np.zeros(len(part), dtype=bool)
            parts.append(said)
            kept.append(fine)
        return np.concatenate(parts), np.concatenate(kept)


def weighted(subject: Subject) -> Alterable:
    """Return the model with weights that can be changed.

    Raises:
        UnsupportedError: ``model.no-weights``: nobody here can reach them.
    """
    if isinstance(subject, Alterable):
        return subject
    raw, access = getattr(subject, "raw", None), getattr(subject, "access", None)
    if not isinstance(raw, RemoteModel) or access is None:
        raise UnsupportedError(
            "model.no-weights",
            "the weights cannot be reached: the model runs elsewhere, behind its guard, or is a file of answers.",
            remedy="Declare the ONNX file or the torch factory itself, and leave the guard to checks that ask callers.",
        )
    found = Weighted(raw, access)
    try:
        counts, _ = found.sizes()
    except SubjectError as error:
        if error.code != "model.no-weights":
            raise
        raise UnsupportedError(error.code, error.message, remedy=error.remedy) from None
    if not counts.sum():
        raise UnsupportedError(
            "model.no-weights",
            "the file stores no floating-point weights.",
            remedy="Weights of whole numbers only, and those kept inside operators (trees), are not changed.",
        )
    return found


def _read(raw: np.ndarray, n: int, access: Access) -> tuple[np.ndarray, np.ndarray]:
    if access.task == "regression":
        flat = np.asarray(answers.vector(raw, n), dtype=np.float64)
        return np.nan_to_num(flat, nan=0.0, posinf=0.0, neginf=0.0), np.isfinite(flat)
    if access.score is None:
        return answers.indices(raw, n, access.classes, positions=access.positions), np.ones(n, dtype=bool)
    given = answers.linked(raw, access.link).astype(np.float64)
    flat = given.reshape(n, -1)
    fine: np.ndarray = np.asarray(np.isfinite(flat).all(axis=1))
    safe = np.where(fine[:, None], flat, 0.0)
    if access.positive and flat.shape[1] == 1:
        safe = np.column_stack([1.0 - safe[:, 0], safe[:, 0]])
    at = safe.argmax(axis=1)
    order = np.asarray(access.order or range(safe.shape[1]), dtype=np.int64)
    return order[at], fine
