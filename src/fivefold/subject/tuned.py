"""Tuned: the weights of a torch network, as they are or after training a copy of it further."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec
import numpy as np

from fivefold.errors import SubjectError, UnsupportedError
from fivefold.subject import rows
from fivefold.subject.batch import array, pack
from fivefold.subject.remote import RemoteModel
from fivefold.subject.worker.weight_messages import Tune

if TYPE_CHECKING:
    from fivefold.contract.subject import Subject, Table
    from fivefold.subject.access import Access


@runtime_checkable
class Tunable(Protocol):
    """A network whose weights can be seen."""

    def tuned(self, table: Table | None, epochs: int, rate: float) -> dict[str, np.ndarray]:
        """Return weights of two axes or more by name; after ``epochs`` over a table, if there are any."""
        ...


@dataclass(frozen=True)
class Trained:
    """A torch module in a process of its own.

    Attributes:
        raw: The process.
        access: How it is asked.
    """

    raw: RemoteModel
    access: Access

    def tuned(self, table: Table | None = None, epochs: int = 0, rate: float = 1e-3) -> dict[str, np.ndarray]:
        """Return weights; the network itself stays as it is.

        Args:
            table: Rows with known targets to train on; None: no training.
            epochs: How often each is seen.
            rate: Step size of Adam.

        Raises:
            SubjectError: The network cannot be trained so.
        """
        if table is None or not epochs:
            return self.raw.tuned(Tune())
        access = self.access
        return self.raw.tuned(
            Tune(
                epochs=epochs, rate=rate, batch=msgspec.msgpack.encode(pack(rows.of(table))),
                target=msgspec.msgpack.encode(array(np.asarray(table.target))), order=tuple(access.order),
                linked=bool(access.link),
            )
        )  # fmt: skip


def tunable(subject: Subject | None) -> Tunable:
    """Return the network whose weights can be seen.

    Raises:
        UnsupportedError: ``model.no-gradients`` if the model is no torch module that runs here by itself.
    """
    if isinstance(subject, Tunable):
        return subject
    raw, access = getattr(subject, "raw", None), getattr(subject, "access", None)
    if isinstance(raw, RemoteModel) and access is not None:
        found = Trained(raw, access)
        try:
            found.tuned()
        except SubjectError as error:
            if error.code != "model.no-gradients":
                raise
        else:
            return found
    raise UnsupportedError("model.no-gradients", "the model is no torch module that runs here, so it cannot be "
                           "trained further.")  # fmt: skip
