"""Remote: a model in another process, asked over a socket; what it answers is read with caps and checked types."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from fivefold.contract.codec import MAX_FRAME
from fivefold.errors import SubjectError, UnsupportedError
from fivefold.subject.batch import Tensor, array, from_array, pack
from fivefold.subject.model import Description
from fivefold.subject.training import TrainingInputs
from fivefold.subject.worker import frames
from fivefold.subject.worker.messages import (
    Answered,
    Ask,
    Broken,
    Describe,
    Described,
    Fit,
    Fitted,
    FromModel,
    Learn,
    Learnt,
    Slope,
    Sloped,
)
from fivefold.subject.worker.tree_messages import Look, Looked
from fivefold.subject.worker.weight_messages import Alter, Tune, Tuned, Weigh, Weighed

if TYPE_CHECKING:
    import socket

    import numpy as np

    from fivefold.contract.subject import Loss
    from fivefold.subject.model import Form, Method
    from fivefold.subject.rows import Rows
    from fivefold.subject.training import TrainingTable
    from fivefold.subject.worker.weight_messages import How

ENDED = "model.ended"
"""Code of the error when the model's process is gone; the parent knows why, and says it."""

_PER_ROW = 4096
_MOST = 512 << 20


@dataclass
class RemoteModel:
    """A model process, from the side that asks; dropping it ends the process.

    Attributes:
        peer: The connection.
        notes: Texts of foreign exceptions, for the screen only.
        calls: Questions that a model elsewhere was asked, those asked again not counted.
    """

    peer: socket.socket
    notes: list[str] = field(default_factory=list)
    calls: int = 0

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            self.peer.close()

    def describe(self) -> Description:
        """Return what the model says of itself; see :class:`fivefold.subject.model.Raw`."""
        reply = self._asked(Describe(), frames.SMALL)
        if not isinstance(reply, Described):
            raise _odd()
        told: Description = frames.parse(reply.body, Description)
        return told

    def can_train(self) -> bool:
        """Return whether the training function can be imported; for a training process."""
        try:
            return isinstance(self._asked(Describe(), frames.SMALL), Fitted)
        except SubjectError:
            return False

    def ask(self, method: Method, form: Form, frame: Rows) -> np.ndarray:
        """Return raw answers; see :class:`fivefold.subject.model.Raw`."""
        question = Ask(method=method, form=form, batch=msgspec.msgpack.encode(pack(frame)))
        reply = self._asked(question, min(_MOST, frames.SMALL + _PER_ROW * len(frame)))
        if not isinstance(reply, Answered):
            raise _odd()
        return from_array(frames.parse(reply.body, Tensor))

    def every(self, methods: tuple[Method, ...], form: Form, frame: Rows) -> dict[Method, np.ndarray]:
        """Return the raw answers of several methods to the same rows, asked for in one message."""
        self.post(methods, form, frame)
        return self.taken(methods, len(frame))

    def post(self, methods: tuple[Method, ...], form: Form, frame: Rows) -> None:
        """Ask as :meth:`every`, and do not wait; :meth:`taken` must follow.

        Raises:
            SubjectError: :data:`ENDED`.
        """
        question = Ask(method=methods[0], form=form, batch=msgspec.msgpack.encode(pack(frame)), also=methods[1:])
        try:
            frames.send(self.peer, question)
        except frames.ClosedError:
            raise _gone() from None

    def taken(self, methods: tuple[Method, ...], n: int) -> dict[Method, np.ndarray]:
        """Return the answers to what was asked by :meth:`post` about n rows."""
        reply = self._heard(min(_MOST, frames.SMALL + len(methods) * _PER_ROW * n))
        if not isinstance(reply, Answered) or len(reply.more) != len(methods) - 1:
            raise _odd()
        bodies = (reply.body, *reply.more)
        return {name: from_array(frames.parse(body, Tensor)) for name, body in zip(methods, bodies, strict=True)}

    def fit(self, table: TrainingTable | TrainingInputs, seed: int) -> None:
        """Train on rows with their target.

        Raises:
            UnsupportedError: ``model.training-size`` if they do not fit into one message.
            SubjectError: Training failed.
        """
        given = table.inputs if isinstance(table, TrainingInputs) else table.features
        body = msgspec.msgpack.encode(pack(given, table.target))
        if len(body) > MAX_FRAME - frames.SMALL:
            raise UnsupportedError(
                "model.training-size",
                f"the training rows take {len(body) / 1e9:.1f} GB, and at most {MAX_FRAME / 1e9:.1f} GB can be handed "
                "over.",
                remedy="Draw training rows at random, or store smaller images.",
            )
        reply = self._asked(Fit(batch=body, target=str(table.target.name), seed=seed), frames.SMALL)
        if not isinstance(reply, Fitted):
            raise _odd()

    def slope(
        self, frame: Rows, target: np.ndarray, loss: Loss, order: tuple[int, ...], *, linked: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return losses and gradients; see :meth:`fivefold.contract.subject.Subject.gradient`.

        Raises:
            SubjectError: The model gives none.
        """
        question = Slope(
            batch=msgspec.msgpack.encode(pack(frame)),
            target=msgspec.msgpack.encode(array(target)),
            loss=loss,
            order=order,
            linked=linked,
        )
        reply = self._asked(question, min(_MOST, frames.SMALL + _PER_ROW * len(frame) + 8 * frame.size))
        if not isinstance(reply, Sloped):
            raise _odd()
        losses = from_array(frames.parse(reply.losses, Tensor))
        return losses, from_array(frames.parse(reply.slopes, Tensor))

    def weigh(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return numbers of weights of each stored tensor, and bits of each of its weights.

        Raises:
            SubjectError: ``model.no-weights`` if it stores none that can be changed.
        """
        reply = self._asked(Weigh(), frames.SMALL)
        if not isinstance(reply, Weighed) or len(reply.counts) != len(reply.bits) or min(reply.counts, default=0) < 0:
            raise _odd()
        return reply.counts, reply.bits

    def alter(self, how: How, places: np.ndarray, bits: np.ndarray) -> None:
        """Have it answer with changed weights; see :class:`fivefold.subject.worker.weight_messages.Alter`."""
        given = [msgspec.msgpack.encode(array(values)) for values in (places, bits)]
        if not isinstance(self._asked(Alter(how=how, places=given[0], bits=given[1]), frames.SMALL), Fitted):
            raise _odd()

    def tuned(self, message: Tune) -> dict[str, np.ndarray]:
        """Return weights of two axes or more, as :class:`fivefold.subject.worker.weight_messages.Tune` asks.

        Raises:
            SubjectError: ``model.no-gradients`` if it is no torch module.
        """
        reply = self._asked(message, MAX_FRAME)
        if not isinstance(reply, Tuned):
            raise _odd()
        return {_clean(name): from_array(frames.parse(body, Tensor)) for name, body in reply.weights.items()}

    def trees(self, form: Form, frame: Rows) -> dict[str, np.ndarray]:
        """Return the trees inside and what they see of rows; nothing: there are none to be read. All are foreign."""
        reply = self._asked(Look(form=form, batch=msgspec.msgpack.encode(pack(frame))), _MOST)
        if not isinstance(reply, Looked):
            raise _odd()
        return {_clean(name): from_array(frames.parse(body, Tensor)) for name, body in reply.arrays.items()}

    def learn(self, frame: Rows) -> bytes:
        """Have a model elsewhere find out how it is asked; return that as message pack.

        Raises:
            SubjectError: It cannot be asked.
        """
        reply = self._asked(Learn(batch=msgspec.msgpack.encode(pack(frame))), frames.SMALL)
        if not isinstance(reply, Learnt):
            raise _odd()
        return reply.body

    def _asked(
        self, message: Describe | Ask | Fit | Learn | Slope | Weigh | Alter | Tune | Look, cap: int
    ) -> Described | Answered | Fitted | Learnt | Sloped | Weighed | Tuned | Looked:
        try:
            frames.send(self.peer, message)
        except frames.ClosedError:
            raise _gone() from None
        return self._heard(cap)

    def _heard(self, cap: int) -> Described | Answered | Fitted | Learnt | Sloped | Weighed | Tuned | Looked:
        try:
            reply: FromModel = frames.receive(self.peer, FromModel, cap)
        except frames.ClosedError:
            raise _gone() from None
        except SubjectError as error:
            raise SubjectError("model.protocol", f"the model's process broke the protocol: {error.message}") from None
        if isinstance(reply, Answered | Learnt | Broken):
            self.calls += max(0, reply.calls)
        if isinstance(reply, Broken):
            if reply.note:
                self.notes.append(reply.note[:2000])
            raise SubjectError(_clean(reply.code), _clean(reply.message), remedy=_clean(reply.remedy))
        return reply


def _gone() -> SubjectError:
    return SubjectError(ENDED, "the model's process ended.")


def _clean(text: str) -> str:
    """Return a foreign process's words as one printable line: it may send what it likes."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:300]


def _odd() -> SubjectError:
    return SubjectError("model.protocol", "the model's process broke the protocol: it answered something else.")
