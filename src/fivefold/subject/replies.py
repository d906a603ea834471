"""Replies: what a model answers to rows that somebody hands over, raw, one batch at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fivefold.errors import SubjectError, UnsupportedError
from fivefold.subject.asked import AskedSubject
from fivefold.subject.batch import Batch, Tensor, array, from_array, unpack
from fivefold.subject.opened import open_subject
from fivefold.subject.remote import ENDED

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from fivefold.subject.remote import RemoteModel
    from fivefold.subject.tables import Store
    from fivefold.subject.worker.messages import CheckJob


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model answered to one batch.

    Attributes:
        answers: Method and what it gave, bit for bit.
        error: Why it answered nothing; empty: it did.
    """

    answers: tuple[tuple[str, Tensor], ...] = ()
    error: str = ""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the answers by method.

        Raises:
            SubjectError: ``batch.malformed``.
        """
        return {method: from_array(tensor) for method, tensor in self.answers}


def asked_again(
    job: CheckJob, store: Store, start: Callable[[bool], RemoteModel], tell: Callable[[float, str], None]
) -> bytes:
    """Ask the model each batch of ``job.asked`` and return the message pack of a list of replies.

    Raises:
        UnsupportedError: ``model.predictions`` where answers are read from a file.
        SubjectError: The model cannot be asked at all.
    """
    batches = msgspec.msgpack.decode(job.asked, type=list[Batch])
    subject = open_subject(job, store, start).subject
    if not isinstance(subject, AskedSubject):
        raise UnsupportedError("model.predictions", "the answers are read from a file: there is no model to ask.")
    access = subject.access
    methods = tuple(dict.fromkeys(method for method in (access.answer, access.score) if method))
    made = []
    for at, batch in enumerate(batches):
        tell(at / len(batches), "asking again")
        rows = unpack(batch)
        try:
            made.append(Reply(tuple((method, array(subject.raw.ask(method, access.form, rows))) for method in methods)))
        except SubjectError as error:
            if error.code == ENDED:
                raise
            made.append(Reply(error=error.message))
    return msgspec.msgpack.encode(made)
