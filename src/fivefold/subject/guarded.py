"""Guarded: the model behind its application's guard, from the side of a check: it asks as callers do, over a socket.

The guard and its record are in the parent's process. What it lets out is read with caps and checked, like a model's
answers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.contract.guarded import Decided
from fivefold.errors import SubjectError, UnsupportedError
from fivefold.subject import rows
from fivefold.subject.batch import Tensor, array, from_array, pack
from fivefold.subject.worker import frames
from fivefold.subject.worker.guard_messages import Consult, Consulted, FromGuard, Meet, Met, Shut

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from fivefold.contract.subject import Capabilities, Loss, Subject, Table, Task

_PER_ROW, _PER_CLASS = 64, 9
_HONEST = 1000
SHUT = "guard.shut"
"""Code of the error where the guard does not open."""


@dataclass(frozen=True)
class GuardedSubject:
    """A :class:`fivefold.contract.subject.Guarded`.

    Attributes:
        bare: The model itself.
        peer: The connection to the guard.
        levels: Who may answer, the model first.
        scores: Whether scores are let out.
        usual: (K,) shares of the classes in the data, or (1,) median of the values: what is given where nobody answers.
    """

    bare: Subject
    peer: socket.socket
    levels: tuple[str, ...]
    scores: bool
    usual: np.ndarray

    @property
    def task(self) -> Task:
        """The task, as probed."""
        return self.bare.task

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels in the order of the probability columns; empty for regression."""
        return self.bare.classes

    @property
    def capabilities(self) -> Capabilities:
        """What was probed; scores only where the guard lets them out.

        Training and gradients are the model's own: whoever has a stolen copy has both, and asks the guard all the same.
        """
        return replace(self.bare.capabilities, scores=self.scores)

    def decide(self, table: Table) -> Decided:
        """Return what the application answers; see :class:`fivefold.contract.subject.Guarded`."""
        parts = [self._consulted(part, honest=False) for part in rows.chunks(rows.of(table))]
        if not parts:
            return self._decided(np.empty(0), np.empty((0, len(self.classes))), np.empty(0, np.int64))
        answers, scores, by = (np.concatenate(column) for column in zip(*parts, strict=True))
        return self._decided(answers, scores, by)

    def predict(self, table: Table) -> np.ndarray:
        """Return (n,) class indices or values; see :class:`fivefold.contract.subject.Subject`."""
        found = self.decide(table)
        usual = self.usual.argmax() if self.classes else self.usual[0]
        return np.asarray(np.where(found.answered, found.answers, usual)).astype(found.answers.dtype)

    def predict_proba(self, table: Table) -> np.ndarray:
        """Return (n, K) probabilities; see :class:`fivefold.contract.subject.Subject`.

        Where somebody else than the model answers, with a label alone, that label has all of it.

        Raises:
            UnsupportedError: ``model.labels-only``.
        """
        if not self.scores:
            raise UnsupportedError("model.labels-only", "the guard lets labels out only, no probabilities.")
        found, width = self.decide(table), len(self.classes)
        made = np.tile(self.usual, (len(found.answers), 1))
        labelled = found.answered
        made[labelled] = np.eye(width)[found.answers[labelled].astype(np.int64)]
        if found.scores is not None:
            told = np.isfinite(found.scores).all(axis=1)
            made[told] = found.scores[told]
        return made

    def retrain(self, table: Table, seed: int) -> Subject:
        """Return a newly trained model, bare; see :class:`fivefold.contract.subject.Subject`."""
        return self.bare.retrain(table, seed)

    def gradient(self, table: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        """Return losses and gradients of the bare model: an attacker has a copy of it."""
        return self.bare.gradient(table, target, loss)

    def behave(self, table: Table, seed: int) -> None:
        """Ask clean rows as honest callers do; the guard's own process counts what came of them.

        Args:
            table: Rows of the data; at most 1,000 are asked, in a random order.
            seed: Of the order.
        """
        order = np.random.default_rng(seed).permutation(len(table))[:_HONEST]
        for part in rows.chunks(rows.of(table.take(order))):
            self._consulted(part, honest=True)

    def _decided(self, answers: np.ndarray, scores: np.ndarray, by: np.ndarray) -> Decided:
        kind = np.int64 if self.classes else np.float64
        return Decided(answers.astype(kind), scores if self.scores else None, by, self.levels)

    def _consulted(self, given: rows.Rows, *, honest: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n, width = len(given), len(self.classes)
        message = Consult(batch=msgspec.msgpack.encode(pack(given)), honest=honest)
        reply = _asked(self.peer, message, frames.SMALL + n * (_PER_ROW + _PER_CLASS * width))
        if not isinstance(reply, Consulted):
            raise _odd()
        answers, by = (from_array(frames.parse(body, Tensor)) for body in (reply.answers, reply.by))
        scores = from_array(frames.parse(reply.scores, Tensor)) if reply.scores else np.full((n, width), np.nan)
        fits = answers.shape == by.shape == (n,) and scores.shape == (n, width)
        if not fits or answers.dtype.kind not in "if" or by.dtype.kind != "i" or scores.dtype.kind != "f":
            raise _odd()
        return answers.astype(np.float64), scores.astype(np.float64), by.astype(np.int64)


def meet(bare: Subject, peer: socket.socket, known: Callable[[], Table | None]) -> GuardedSubject:
    """Return the model behind its guard, once that is open.

    Args:
        bare: The model.
        peer: The connection to the guard.
        known: Loads rows that tell what is usual.

    Raises:
        UnsupportedError: The guard does not open; the text says why.
    """
    try:
        reply = _asked(peer, Meet(), frames.SMALL)
    except SubjectError as error:
        raise UnsupportedError(error.code, error.message, remedy=error.remedy) from None
    if not isinstance(reply, Met):
        raise _odd()
    return GuardedSubject(bare, peer, reply.levels, reply.scores, _usual(known(), len(bare.classes)))


def packed(found: Decided) -> Consulted:
    """Return what the guard says as a message."""
    scores = b"" if found.scores is None else msgspec.msgpack.encode(array(found.scores))
    answers, by = (msgspec.msgpack.encode(array(values)) for values in (found.answers, found.by))
    return Consulted(answers=answers, by=by, scores=scores)


def _usual(table: Table | None, width: int) -> np.ndarray:
    target = np.empty(0) if table is None else table.target
    if width:
        counts = np.bincount(target[target >= 0].astype(np.int64), minlength=width)[:width]
        return counts / counts.sum() if counts.sum() else np.full(width, 1 / width)
    known = target[np.isfinite(target)]
    return np.array([float(np.median(known)) if len(known) else 0.0])


def _asked(peer: socket.socket, message: Meet | Consult, cap: int) -> Any:
    """Return the guard's reply.

    Raises:
        SubjectError: It is gone, does not open, or failed.
    """
    try:
        frames.send(peer, message)
        reply = frames.receive(peer, FromGuard, cap)
    except frames.ClosedError:
        raise SubjectError(SHUT, "the guard ended.") from None
    if isinstance(reply, Shut):
        raise SubjectError(reply.code, reply.message, remedy=reply.remedy)
    return reply


def _odd() -> SubjectError:
    return SubjectError("guard.protocol", "the guard answered something else than was asked.")
