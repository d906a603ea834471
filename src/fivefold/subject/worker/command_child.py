"""Command process: starts the application's program for each question; both are confined alike.

There is no network, nothing to write but the scratch folder, and no program to start but the declared one and what
belongs to it. Everything that it starts stays in its process group, and ends with it.
"""

from __future__ import annotations

import hashlib
import os
import socket
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pandas as pd

from fivefold.contract.codec import MAX_FRAME
from fivefold.errors import FivefoldError, SubjectError
from fivefold.subject.batch import Batch, array, unpack
from fivefold.subject.calls import Ledger
from fivefold.subject.command.model import CommandModel
from fivefold.subject.model import Description
from fivefold.subject.outside import Learned
from fivefold.subject.worker import frames
from fivefold.subject.worker.confine import confine
from fivefold.subject.worker.messages import (
    Answered,
    Broken,
    CommandJob,
    Describe,
    Described,
    Fit,
    Learn,
    Learnt,
    Slope,
    ToModel,
)
from fivefold.subject.worker.tree_messages import Look
from fivefold.subject.worker.weight_messages import Alter, Tune, Weigh

if TYPE_CHECKING:
    import numpy as np

    from fivefold.subject.model import Method

_KEPT = 8


def main(job: CommandJob, descriptor: int, server: int) -> int:
    """Confine this process, answer until nobody asks any more."""
    os.set_inheritable(descriptor, False)  # noqa: FBT003
    confine(job.confinement, server)
    warnings.simplefilter("ignore")
    os.chdir(job.folder)
    peer = socket.socket(fileno=descriptor)
    serving = _Serving(job)
    try:
        while True:
            message: ToModel = frames.receive(peer, ToModel, MAX_FRAME)
            frames.send(peer, serving.reply(message))
            if serving.stuck:
                return 0  # what did not end in time ends with this process
    except frames.ClosedError:
        return 0


def _frame(batch: Batch) -> pd.DataFrame:
    """Return rows as columns; texts are one column named ``text``.

    Raises:
        SubjectError: ``command.inputs`` for rows that CSV cannot carry.
    """
    rows = unpack(batch)
    if isinstance(rows, pd.DataFrame):
        return rows
    if rows.dtype != object:
        raise SubjectError("command.inputs", "a command is given rows as CSV, which carries no arrays.")
    return pd.DataFrame({"text": rows})


class _Serving:
    """The program, started for each question."""

    def __init__(self, job: CommandJob) -> None:
        purse = job.purse
        self._ledger = Ledger(Path(purse.ledger), purse.who, purse.total, purse.share, purse.reserve)
        learned: Learned | None = frames.parse(job.learned, Learned) if job.learned else None
        self._model = CommandModel(
            command=job.command,
            folder=job.folder,
            scratch=Path(job.confinement.scratch),
            seconds=job.seconds,
            take=self._ledger.take,
            identity=job.identity,
            learned=learned,
        )
        self._kept: OrderedDict[bytes, dict[Method, np.ndarray]] = OrderedDict()

    @property
    def stuck(self) -> bool:
        """Whether the program did not end in time."""
        return self._model.stuck

    def reply(self, message: ToModel) -> Answered | Learnt | Described | Broken:
        """Answer one message."""
        before = self._ledger.made
        try:
            answer = self._answer(message)
        except FivefoldError as error:
            note = "\n".join(getattr(error, "__notes__", ()))
            broken = Broken(code=error.code, message=error.message, remedy=error.remedy, note=note)
            return msgspec.structs.replace(broken, calls=self._ledger.made - before)
        except MemoryError:
            return Broken(code="model.memory", message="there was not enough memory for the answers.")
        except OSError as error:
            return Broken(code="command.files", message=f"rows or answers cannot be kept ({error.strerror}).")
        if isinstance(answer, Described):
            return answer
        return msgspec.structs.replace(answer, calls=self._ledger.made - before)

    def _answer(self, message: ToModel) -> Answered | Learnt | Described:
        if isinstance(message, Fit):
            raise SubjectError("model.no-training", "a command cannot be trained.")
        if isinstance(message, Slope):
            raise SubjectError("model.no-gradients", "a command gives no gradients.")
        if isinstance(message, Weigh | Alter | Tune | Look):
            raise SubjectError("model.no-weights", "the weights cannot be reached: the model runs elsewhere.")
        if isinstance(message, Describe):
            return Described(body=msgspec.msgpack.encode(Description(methods=("predict",))))
        frame = _frame(frames.parse(message.batch, Batch))
        if isinstance(message, Learn):
            return Learnt(body=msgspec.msgpack.encode(self._model.learn(frame)))
        key = hashlib.sha256(message.batch).digest()
        found = self._kept.pop(key, {})
        if message.method not in found:
            found = self._model.answers(frame)
        if message.method not in found:
            raise SubjectError("model.protocol", f"the command gives no {message.method}.")
        given = found.pop(message.method)
        if found:
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return Answered(body=msgspec.msgpack.encode(array(given)))
