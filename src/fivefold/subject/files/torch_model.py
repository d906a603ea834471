"""Torch model: a module that the factory makes, weights from a safetensors file, asked for answers and gradients.

No pickle is read: weights come from safetensors, and fit the module name by name and shape by shape.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.errors import SubjectError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fivefold.contract.subject import Loss
    from fivefold.subject.rows import Rows

_EXTRA = "Install it: pip install 'fivefold[torch]'."
_STEP = 4096
_CELLS = 1 << 22
_NAMED = 3
_TUNED = 64


def is_module(made: Any) -> bool:
    """Whether something is a torch module; torch is not imported for that."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(made, torch.nn.Module)


class TorchModel:
    """A module as a function of rows: (n, d) numbers to its raw outputs.

    Attributes:
        module: The module, set to answer.
    """

    def __init__(self, module: Any, weights: Path | None, seed: int) -> None:
        """Load weights, and set the module to answer.

        Args:
            module: A ``torch.nn.Module`` that takes n rows of float32.
            weights: A safetensors file; None: the factory has loaded them.
            seed: Of torch's own generator.

        Raises:
            SubjectError: ``model.weights`` if the file does not fit the module, ``model.extra`` without safetensors.
        """
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(seed)
        if weights is not None:
            _load(module, weights)
        self._torch = torch
        self.module = module.eval().to("cpu")
        self._kind = next((one.dtype for one in module.parameters() if one.dtype.is_floating_point), torch.float32)

    def __call__(self, rows: Rows) -> np.ndarray:
        """Return raw outputs, (n,) or (n, K)."""
        values = _matrix(rows)
        with self._torch.no_grad():
            step = max(1, min(_STEP, _CELLS * len(values) // max(1, values.size)))
            parts = [
                self._out(self._tensor(values[at : at + step])).numpy() for at in range(0, max(len(values), 1), step)
            ]
        return np.concatenate(parts)

    def gradient(
        self, rows: Rows, target: np.ndarray, loss: Loss, *, order: Sequence[int], linked: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss of each row and its gradient; see :meth:`fivefold.contract.subject.Subject.gradient`.

        Args:
            rows: (n, d) numbers, or an array of images, series or recordings.
            target: (n,) class indices, or values; (n, 2): classes to leave and to reach.
            loss: Which.
            order: Class index of each output; empty: a regression, or one output for the second class.
            linked: The outputs are logits; else probabilities.
        """
        torch = self._torch
        x = self._tensor(_matrix(rows)).requires_grad_(True)  # noqa: FBT003
        out = self._out(x)
        if loss == "squared":
            each = (out.reshape(len(x)) - torch.as_tensor(target, dtype=out.dtype)) ** 2
        else:
            scores = _by_class(torch, out, order, linked=linked)
            each = _loss(torch, scores, torch.as_tensor(np.asarray(target, dtype=np.int64)), loss)
        (slope,) = torch.autograd.grad(each.sum(), x)
        return each.detach().numpy().astype(np.float64), slope.numpy().astype(np.float32)

    def tuned(
        self, rows: Rows | None, target: np.ndarray, seed: int, *, epochs: int, rate: float, order: Sequence[int],
        linked: bool,
    ) -> dict[str, np.ndarray]:  # fmt: skip
        """Return the weights of two axes or more after training a copy further (Adam, batches of 64).

        Args:
            rows: As :meth:`gradient`; None with no epochs.
            target: (n,) class indices, or values of a regression.
            seed: Of the order of rows.
            epochs: How often each row is seen; 0: the weights as they are.
            rate: Step size.
            order: As :meth:`gradient`; empty with values: a regression.
            linked: As :meth:`gradient`.
        """
        import copy

        torch, module = self._torch, copy.deepcopy(self.module)
        if rows is not None and epochs:
            module.train()
            step, dice = torch.optim.Adam(module.parameters(), lr=rate), np.random.default_rng(seed)
            values, classes = self._tensor(np.nan_to_num(_matrix(rows))), target.dtype.kind in "iu"
            wanted = torch.as_tensor(np.asarray(target, dtype=np.int64 if classes else np.float32))
            for _ in range(epochs):
                for part in torch.as_tensor(dice.permutation(len(values))).split(_TUNED):
                    out = module(values[part])
                    if classes:
                        loss = _loss(torch, _by_class(torch, out, order, linked=linked), wanted[part], "cross-entropy")
                    else:
                        loss = (out.reshape(len(part)) - wanted[part]) ** 2
                    step.zero_grad()
                    loss.mean().backward()
                    step.step()
        kept = {name: value for name, value in module.state_dict().items() if value.ndim > 1}
        return {name: value.to(torch.float32).numpy() for name, value in kept.items() if value.dtype.is_floating_point}

    def _tensor(self, values: np.ndarray) -> Any:
        return self._torch.as_tensor(np.ascontiguousarray(values)).to(self._kind)

    def _out(self, x: Any) -> Any:
        given = self.module(x)
        if not isinstance(given, self._torch.Tensor):
            raise SubjectError(
                "model.shape",
                f"the module answers with a {type(given).__name__[:40]}, not with one tensor.",
                remedy="Return the scores of the classes, or the value, as one tensor of n rows.",
            )
        return given.to(self._torch.float64) if given.dtype.is_floating_point else given


def _loss(torch: Any, scores: Any, target: Any, loss: Loss) -> Any:
    """Return (n,) losses of logits (n, K)."""
    wanted = target.reshape(len(target), -1)
    own = scores.gather(1, wanted[:, :1])[:, 0]
    if loss == "cross-entropy":
        return torch.logsumexp(scores, dim=1) - own
    aimed = wanted.shape[1] > 1
    others = scores.gather(1, wanted[:, 1:]) if aimed else scores.scatter(1, wanted, -torch.inf)
    margin = others.amax(dim=1) - own
    classes = scores.shape[1]
    if loss == "margin" or classes < 3:  # the loss divides by a third logit
        return margin
    top, _ = scores.topk(min(4, classes), dim=1)
    last = (top[:, 2] + top[:, 3]) / 2 if aimed and classes > 3 else top[:, 2]
    return margin / (top[:, 0] - last).clamp_min(1e-12)


def _by_class(torch: Any, out: Any, order: Sequence[int], *, linked: bool) -> Any:
    """Return (n, K) logits in the order of the classes."""
    if not order or (out.ndim < 2 or out.shape[1] == 1):
        one = out.reshape(len(out))
        if linked:
            return torch.column_stack([torch.zeros_like(one), one])
        return torch.log(torch.column_stack([1 - one, one]).clamp_min(1e-30))
    scores = out if linked else torch.log(out.clamp_min(1e-30))
    made = torch.full_like(scores, -1e30)
    return made.index_copy(1, torch.as_tensor(list(order), dtype=torch.int64), scores)


def _matrix(rows: Rows) -> np.ndarray:
    if isinstance(rows, np.ndarray):
        if rows.dtype == object:
            raise SubjectError(
                "model.inputs",
                "a torch module takes numbers, and is given texts.",
                remedy="Return a function of a list of texts from the factory, which makes tokens of them.",
            )
        return rows
    texts = [str(name) for name, kind in rows.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
    if texts:
        shown = ", ".join(texts[:_NAMED]) + (f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else "")
        raise SubjectError(
            "model.inputs",
            f"a torch module takes numbers, and these columns hold none: {shown}.",
            remedy="Encode them in the data, or return a function of a frame from the factory that encodes them.",
        )
    return rows.to_numpy(dtype=np.float64, na_value=np.nan)


def _load(module: Any, weights: Path) -> None:
    try:
        from safetensors.torch import load_file
    except ImportError:
        raise SubjectError("model.extra", "safetensors is not installed.", remedy=_EXTRA) from None
    try:
        state = load_file(str(weights), device="cpu")
    except Exception as error:  # noqa: BLE001  the library raises many kinds for a file that it cannot read
        raise SubjectError("model.weights", f"the weights cannot be read ({type(error).__name__}).") from None
    own = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    off = sorted(name for name in own.keys() | given.keys() if own.get(name) != given.get(name))
    if off:
        shown = ", ".join(off[:_NAMED]) + (f" and {len(off) - _NAMED} more" if len(off) > _NAMED else "")
        raise SubjectError(
            "model.weights",
            f"the weights do not fit the module: {shown}.",
            remedy="Save the state_dict of this very module with safetensors.torch.save_file.",
        )
    module.load_state_dict(state, strict=True)
