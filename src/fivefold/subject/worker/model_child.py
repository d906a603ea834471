"""Model process: the application's own code, confined; it answers over one socket and has nothing else."""

from __future__ import annotations

import importlib
import os
import random
import socket
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from fivefold.contract.codec import MAX_FRAME
from fivefold.errors import FivefoldError, SubjectError
from fivefold.subject.batch import Batch, Tensor, array, decode, from_array, series, unpack
from fivefold.subject.model import LocalModel, failure
from fivefold.subject.training import TrainingInputs, make
from fivefold.subject.worker import frames
from fivefold.subject.worker.confine import confine
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
    ModelJob,
    Slope,
    Sloped,
    ToModel,
)
from fivefold.subject.worker.tree_messages import Look, Looked
from fivefold.subject.worker.weight_messages import Alter, Tune, Tuned, Weigh, Weighed

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.subject.files.onnx_model import OnnxModel
    from fivefold.subject.files.torch_model import TorchModel
    from fivefold.subject.files.weights import Stored
    from fivefold.subject.model import Description
    from fivefold.subject.training import TrainingTable


def main(job: ModelJob, descriptor: int, server: int) -> int:
    """Confine this process, load the model, answer until nobody asks any more."""
    confine(job.confinement, server)
    settle(job)
    peer = socket.socket(fileno=descriptor)
    serving = _Serving(job)
    try:
        while True:
            message: ToModel = frames.receive(peer, ToModel, MAX_FRAME)
            if isinstance(message, Learn):
                return 1
            frames.send(peer, serving.reply(message))
    except frames.ClosedError:
        return 0


def settle(job: ModelJob) -> None:
    """Make the application's folder the current one, and first where modules are looked for; seed global generators."""
    os.environ["HOME"] = os.environ["TMPDIR"] = job.confinement.scratch
    tempfile.tempdir = job.confinement.scratch
    os.chdir(job.folder)
    sys.path.insert(0, job.folder)
    sys.dont_write_bytecode = True
    warnings.simplefilter("ignore")
    random.seed(job.seed)
    np.random.seed(job.seed % 2**32)  # noqa: NPY002  models that use the global generator shall repeat themselves


_Message: TypeAlias = Describe | Ask | Fit | Slope | Weigh | Alter | Tune | Look
_Reply: TypeAlias = Described | Answered | Fitted | Sloped | Weighed | Tuned | Looked


class _Serving:
    """The model, loaded when it is first asked for."""

    def __init__(self, job: ModelJob) -> None:
        self._job = job
        self._function: Callable[..., Any] | None = None
        self._model: LocalModel | None = None
        self._onnx: OnnxModel | None = None
        self._torch: TorchModel | None = None
        self._weights: Stored | None = None

    def reply(self, message: _Message) -> _Reply | Broken:
        try:
            return self._answer(message)
        except FivefoldError as error:
            return Broken(
                code=error.code,
                message=error.message,
                remedy=error.remedy,
                note="\n".join(error.__notes__) if hasattr(error, "__notes__") else "",
            )
        except MemoryError:
            return Broken(code="model.memory", message="the model ran out of memory.")
        except BaseException as error:  # noqa: BLE001  foreign code may raise anything, SystemExit too
            told = failure(error, "answering")
            return Broken(code=told.code, message=told.message, remedy=told.remedy, note=told.__notes__[0])

    def _answer(self, message: _Message) -> _Reply:
        if isinstance(message, Fit | Alter):
            self._fit(message) if isinstance(message, Fit) else self._alter(message)
            return Fitted()
        if isinstance(message, Slope | Tune):
            return self._slope(message) if isinstance(message, Slope) else self._tuned(message)
        if isinstance(message, Weigh):
            kept = self._stored().tensors
            return Weighed(counts=tuple(one.size for one in kept), bits=tuple(8 * one.dtype.itemsize for one in kept))
        if isinstance(message, Describe):
            if self._job.training and self._model is None:
                self._named()
                return Fitted()
            return Described(body=msgspec.msgpack.encode(self._described()))
        return self._asked(message)

    def _asked(self, message: Ask | Look) -> Answered | Looked:
        batch, model = frames.parse(message.batch, Batch), self._loaded()
        if isinstance(message, Look):
            trees = model.trees(message.form, decode(batch)) if batch.inputs is None else {}
            return Looked(arrays={name: msgspec.msgpack.encode(array(values)) for name, values in trees.items()})
        first, *more = (
            msgspec.msgpack.encode(array(model.ask(method, message.form, unpack(batch))))
            for method in (message.method, *message.also)
        )
        return Answered(body=first, more=tuple(more))

    def _loaded(self) -> LocalModel:
        if self._model is None:
            if self._job.training:
                raise SubjectError("model.untrained", "nothing was trained yet.")
            made = self._from_file() if self._job.onnx else self._taken(_foreign(self._named(), "loading"))
            self._model = LocalModel(made)
        return self._model

    def _taken(self, made: Any) -> Any:
        """Return what a factory made; a torch module as a function of rows."""
        from fivefold.subject.files.torch_model import TorchModel, is_module

        if not is_module(made):
            return made
        weights = Path(self._job.folder) / self._job.weights if self._job.weights and not self._job.training else None
        self._torch = TorchModel(made, weights, self._job.seed % 2**31)
        return self._torch

    def _slope(self, message: Slope) -> Sloped:
        self._loaded()
        if self._torch is None:
            raise SubjectError("model.no-gradients", "the model gives no gradients.")
        model, target = self._torch, from_array(frames.parse(message.target, Tensor))
        frame = unpack(frames.parse(message.batch, Batch))
        losses, slopes = _foreign(
            lambda: model.gradient(frame, target, message.loss, order=message.order, linked=message.linked),
            "following gradients",
        )
        return Sloped(losses=msgspec.msgpack.encode(array(losses)), slopes=msgspec.msgpack.encode(array(slopes)))

    def _tuned(self, message: Tune) -> Tuned:
        self._loaded()
        if self._torch is None:
            raise SubjectError("model.no-gradients", "the model gives no gradients.")
        model, rows, target = self._torch, None, np.empty(0)
        if message.epochs:
            rows, target = unpack(frames.parse(message.batch, Batch)), from_array(frames.parse(message.target, Tensor))
        found = _foreign(
            lambda: model.tuned(
                rows, target, self._job.seed, epochs=message.epochs, rate=message.rate, order=message.order,
                linked=message.linked,
            ),
            "training further",
        )  # fmt: skip
        return Tuned(weights={name: msgspec.msgpack.encode(array(values)) for name, values in found.items()})

    def _stored(self) -> Stored:
        """Return the weights of the file that is answered with."""
        from fivefold.subject.files.weights import OnnxWeights, TorchWeights

        self._loaded()
        if self._weights is None and self._torch is not None:
            self._weights = TorchWeights(self._torch.module)
        elif self._weights is None and self._onnx is not None:
            self._weights = OnnxWeights(Path(self._job.folder) / self._job.onnx, self._onnx.reopen)
        if self._weights is None:
            raise SubjectError(
                "model.no-weights",
                "the weights cannot be reached: the factory makes something that is no torch module.",
                remedy="Return the torch module from the factory, or declare an ONNX file.",
            )
        return self._weights

    def _alter(self, message: Alter) -> None:
        from fivefold.subject.files.weights import changed

        stored = self._stored()
        places, bits = (
            from_array(frames.parse(body, Tensor)).astype(np.int64) if body else np.empty(0, np.int64)
            for body in (message.places, message.bits)
        )
        stored.put(changed(stored.tensors, message.how, places, bits))

    def _from_file(self) -> OnnxModel:
        from fivefold.subject.files.onnx_model import OnnxModel

        self._onnx = OnnxModel(Path(self._job.folder) / self._job.onnx)
        return self._onnx

    def _described(self) -> Description:
        """Return what the model says of itself; what an ONNX file is made of is read by us."""
        said = self._loaded().describe()
        if self._torch is not None:
            return msgspec.structs.replace(said, kind="torch", neural=True, trees=False, gradients=True)
        if self._onnx is None:
            return msgspec.structs.replace(said, kind="", neural=None, trees=None, gradients=False)
        parts = self._onnx.inventory
        regressor = parts.regressor and "predict" not in said.methods
        return msgspec.structs.replace(said, kind="onnx", neural=parts.neural, trees=parts.trees, regressor=regressor)

    def _fit(self, message: Fit) -> None:
        function = self._named()
        table = _training(frames.parse(message.batch, Batch), message.target)
        rng = np.random.Generator(np.random.PCG64(message.seed))
        self._model = LocalModel(self._taken(_foreign(lambda: function(table, rng), "training")))

    def _named(self) -> Callable[..., Any]:
        if self._function is None:
            self._function = named(self._job)
        return self._function


def named(job: ModelJob) -> Callable[..., Any]:
    """Import the application's function; the one import of foreign code there is.

    Raises:
        SubjectError: It cannot be imported, or is no function.
    """
    module, _, name = job.target.partition(":")
    _require_own(module, job.folder)
    found: Callable[..., Any] = _foreign(lambda: getattr(importlib.import_module(module), name), "importing")
    if not callable(found):
        raise SubjectError("model.factory", f"{job.target} is no function.", remedy="Name a function.")
    return found


def _training(batch: Batch, target: str) -> TrainingTable | TrainingInputs:
    if batch.inputs is not None:
        return TrainingInputs(from_array(batch.inputs), series(batch.columns[-1]).rename(target))
    frame = decode(batch)
    return make(frame.iloc[:, :-1], frame.iloc[:, -1].rename(target))


def _foreign(function: Callable[[], Any], doing: str) -> Any:
    try:
        return function()
    except (MemoryError, SubjectError):
        raise
    except ModuleNotFoundError as error:
        told = failure(error, doing)
        missing = "".join(letter for letter in str(error.name) if letter.isalnum() or letter in "._")[:60]
        told.message = f"the module {missing or 'that the model imports'} is not there while {doing} the model."
        told.remedy = "Install it, or name your own helper modules under `model.files:` so that they are signed too."
        raise told from None
    except BaseException as error:  # noqa: BLE001  foreign code may raise anything
        raise failure(error, doing) from None


def _require_own(module: str, folder: str) -> None:
    """Refuse a module name that is taken by a library: the application's file would never be found."""
    top = module.partition(".")[0]
    taken = sys.modules.get(top)
    place = str(getattr(taken, "__file__", "") or "")
    if taken is not None and not place.startswith(folder + os.sep):
        raise SubjectError(
            "model.module-name",
            f"the module name {top} is taken by a library.",
            remedy="Give the application's module a name of its own.",
        )


REPLIES = FromModel
