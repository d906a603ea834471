"""Weights: the stored numbers of a network as flat arrays, with bits flipped or rounded to fewer bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fivefold.subject.worker.weight_messages import How

_WORDS = {2: np.uint16, 4: np.uint32, 8: np.uint64}
_STEPS = 127


class Stored(Protocol):
    """A model whose stored weights can be changed."""

    @property
    def tensors(self) -> Sequence[np.ndarray]:
        """The weights as they are stored: arrays of float16, float32 or float64."""
        ...

    def put(self, tensors: Sequence[np.ndarray]) -> None:
        """Answer with these from now on, of the same shapes and types."""
        ...


def changed(tensors: Sequence[np.ndarray], how: How, places: np.ndarray, bits: np.ndarray) -> list[np.ndarray]:
    """Return changed copies of weights.

    Args:
        tensors: As stored.
        how: See :class:`fivefold.subject.worker.weight_messages.Alter`.
        places: (k,) int64, numbers of weights, counted through all tensors.
        bits: (k,) int64, the bit of each, below the width of its tensor.

    Raises:
        ValueError: A place or bit is none.
    """
    if how == "int8":
        return [_rounded(one) if one.ndim > 1 else one.copy() for one in tensors]
    if how == "float16":
        with np.errstate(over="ignore"):
            return [one.astype(np.float16).astype(one.dtype) for one in tensors]
    made = [np.array(one, order="C") for one in tensors]
    if how == "stored" or not len(places):
        return made
    ends = np.cumsum([one.size for one in made])
    which = np.searchsorted(ends, places, side="right")
    if places.min() < 0 or places.max() >= ends[-1] or bits.min() < 0:
        raise ValueError("no such weight")
    for at in np.unique(which):
        here, width = which == at, made[at].dtype.itemsize
        if bits[here].max() >= 8 * width:
            raise ValueError("no such bit")
        words = made[at].reshape(-1).view(_WORDS[width])
        flips = np.left_shift(np.ones(1, words.dtype), bits[here].astype(words.dtype))
        np.bitwise_xor.at(words, places[here] - (ends[at] - made[at].size), flips)
    return made


def _rounded(values: np.ndarray) -> np.ndarray:
    """Return values rounded to 255 even steps around 0 (symmetric quantisation of a whole tensor)."""
    top = float(np.abs(values).max(initial=0.0))
    if not np.isfinite(top) or top == 0.0:
        return values.copy()
    step = top / _STEPS
    return np.asarray(np.round(values / step) * step, dtype=values.dtype)


class OnnxWeights:
    """The floating-point initializers of an ONNX file."""

    def __init__(self, path: Path, taken: Callable[[bytes], None]) -> None:
        """Read the file.

        Args:
            path: An ONNX file, its external data beside it.
            taken: Is given the bytes of the changed file.
        """
        import onnx
        from onnx import numpy_helper

        self._graph = onnx.load(str(path))
        kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
        self._items = [item for item in self._graph.graph.initializer if item.data_type in kinds]
        self._make: Callable[..., Any] = numpy_helper.from_array
        self._taken = taken
        self.tensors: Sequence[np.ndarray] = [np.array(numpy_helper.to_array(item)) for item in self._items]

    def put(self, tensors: Sequence[np.ndarray]) -> None:
        """Answer with these from now on."""
        for item, values in zip(self._items, tensors, strict=True):
            item.CopyFrom(self._make(values, item.name))
        self._taken(self._graph.SerializeToString())


class TorchWeights:
    """The floating-point parameters and buffers of a module."""

    def __init__(self, module: Any) -> None:
        """Look at a module."""
        state = module.state_dict()
        wide = [value for value in state.values() if str(value.dtype) in _TORCH]
        self._kept = wide
        self.tensors: Sequence[np.ndarray] = [value.detach().cpu().numpy().copy() for value in wide]

    def put(self, tensors: Sequence[np.ndarray]) -> None:
        """Answer with these from now on."""
        import torch

        with torch.no_grad():
            for value, given in zip(self._kept, tensors, strict=True):
                value.copy_(torch.from_numpy(given))


_TORCH = ("torch.float16", "torch.float32", "torch.float64")
