"""Endpoint process: our own code, confined, and the only one with a network: TCP to the port of one endpoint.

It runs nothing of the application's and reads none of its files. The check that it answers has no network, and never
sees the token.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import random
import socket
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fivefold.contract.codec import MAX_FRAME
from fivefold.errors import FivefoldError, SubjectError
from fivefold.subject.batch import Batch, array, unpack
from fivefold.subject.calls import Ledger
from fivefold.subject.endpoint import dial
from fivefold.subject.endpoint.grpc import Grpc
from fivefold.subject.endpoint.model import EndpointModel
from fivefold.subject.endpoint.patience import GivenUp, Patience, Turns
from fivefold.subject.endpoint.rest import Rest
from fivefold.subject.model import Description
from fivefold.subject.outside import Learned
from fivefold.subject.worker import frames
from fivefold.subject.worker.confine import confine
from fivefold.subject.worker.messages import (
    Answered,
    Broken,
    Describe,
    Described,
    EndpointJob,
    Fit,
    Learn,
    Learnt,
    Slope,
    ToModel,
)
from fivefold.subject.worker.tree_messages import Look
from fivefold.subject.worker.weight_messages import Alter, Tune, Weigh

if TYPE_CHECKING:
    import ssl

    import numpy as np

    from fivefold.subject.model import Method

_KEPT = 64
"""Questions whose second output is kept until it is asked for: one call gives labels and scores."""


def main(job: EndpointJob, descriptor: int, server: int) -> int:
    """Confine this process, answer until nobody asks any more."""
    confine(job.confinement, server)
    warnings.simplefilter("ignore")
    peer = socket.socket(fileno=descriptor)
    serving = _Serving(job)
    try:
        while True:
            message: ToModel = frames.receive(peer, ToModel, MAX_FRAME)
            frames.send(peer, serving.reply(message))
    except frames.ClosedError:
        return 0
    finally:
        serving.close()


class _Serving:
    """The endpoint, connected when it is first asked."""

    def __init__(self, job: EndpointJob) -> None:
        purse = job.purse
        self._ledger = Ledger(Path(purse.ledger), purse.who, purse.total, purse.share, purse.reserve)
        self._patience = Patience(
            self._ledger.take,
            random.Random(job.seed),  # noqa: S311  jitter
            rate=job.rate,
            longest=job.waiting,
            given_up=GivenUp(purse.given_up),
            turns=Turns(purse.turns) if job.rate else None,
        )
        self._job = job
        self._model: EndpointModel | None = None
        self._kept: OrderedDict[bytes, dict[Method, np.ndarray]] = OrderedDict()

    def close(self) -> None:
        """Give up connection and ledger."""
        if self._model is not None:
            self._model.client.close()
        self._ledger.close()

    def reply(self, message: ToModel) -> Answered | Learnt | Described | Broken:
        """Answer one message."""
        before = self._patience.asked
        try:
            answer = self._answer(message)
        except FivefoldError as error:
            note = "\n".join(getattr(error, "__notes__", ()))
            broken = Broken(code=error.code, message=error.message, remedy=error.remedy, note=note)
            return msgspec.structs.replace(broken, calls=self._patience.asked - before)
        if isinstance(answer, Described):
            return answer
        return msgspec.structs.replace(answer, calls=self._patience.asked - before)

    def _answer(self, message: ToModel) -> Answered | Learnt | Described:
        if isinstance(message, Fit):
            raise SubjectError("model.no-training", "an endpoint cannot be trained.")
        if isinstance(message, Slope):
            raise SubjectError("model.no-gradients", "an endpoint gives no gradients.")
        if isinstance(message, Weigh | Alter | Tune | Look):
            raise SubjectError("model.no-weights", "the weights cannot be reached: the model runs elsewhere.")
        if isinstance(message, Describe):
            return Described(body=msgspec.msgpack.encode(Description(methods=("predict",))))
        frame = unpack(frames.parse(message.batch, Batch))
        if isinstance(message, Learn):
            return Learnt(body=msgspec.msgpack.encode(self._opened().learn(frame)))
        key = hashlib.sha256(message.batch).digest()
        found = self._kept.pop(key, {})
        if message.method not in found:
            found = self._opened().answers(frame)
        if message.method not in found:
            raise SubjectError("model.protocol", f"the endpoint gives no {message.method}.")
        given = found.pop(message.method)
        if found:
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return Answered(body=msgspec.msgpack.encode(array(given)))

    def _opened(self) -> EndpointModel:
        if self._model is None:
            job = self._job
            address = job.address
            context = _context(job) if address.tls else None
            connect = functools.partial(dial.dial, address.host, address.port, job.addresses, context, job.seconds)
            if address.kind == "grpc" and importlib.util.find_spec("h2") is None:
                remedy = "Install it: pip install 'fivefold[assess,endpoint]'."
                raise SubjectError("endpoint.extra", "gRPC needs the extra `endpoint`.", remedy=remedy)
            kind = Rest if address.kind == "rest" else Grpc
            client = kind(address, connect, self._patience.spend, token=job.token, seconds=job.seconds)
            learned: Learned | None = frames.parse(job.learned, Learned) if job.learned else None
            self._model = EndpointModel(client, self._patience, learned)
        return self._model


def _context(job: EndpointJob) -> ssl.SSLContext:
    return dial.secure(job.authorities, "http/1.1" if job.address.kind == "rest" else "h2")
