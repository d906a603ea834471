"""Nets: the training behind :mod:`fivefold.explanation.antehoc.head`, in the process of the application's function.

All rows are one batch: a network is asked once for each step of its column, and rows look up what their steps add. The
steps that stood best on a sixth of the rows, held back, are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.errors import SubjectError
from fivefold.explanation.antehoc.head import Learned, Taught

if TYPE_CHECKING:
    from collections.abc import Callable

_ROUNDS, _PATIENCE = 400, 40
_RATE, _DECAY = 0.01, 1e-4
_HELD = 6


def inside(make: Callable[..., Any], body: bytes) -> bytes:
    """Train copies of what the application's function makes.

    Raises:
        SubjectError: ``model.extra`` without torch; ``model.shape`` for no module, or one that does not turn
            (m, inputs) into (m, outputs); ``model.diverged``.
    """
    try:
        import torch
    except ImportError:
        raise SubjectError("model.extra", "torch is not installed.",
                           remedy="Install it: pip install 'fivefold[torch]'.") from None  # fmt: skip
    torch.set_num_threads(1)
    told = msgspec.msgpack.decode(body, type=Taught)
    torch.manual_seed(told.seed)
    inputs = [torch.from_numpy(np.frombuffer(one, dtype=np.float32).reshape(-1, wide).copy())
              for one, wide in zip(told.inputs, told.widths, strict=True)]  # fmt: skip
    nets = torch.nn.ModuleList([_module(make, one) for one in inputs])
    heads = torch.nn.ModuleList([
        torch.nn.Linear(net(one).shape[1], told.outputs, bias=False) for net, one in zip(nets, inputs, strict=True)
    ])  # fmt: skip
    lacks = torch.nn.Parameter(torch.zeros(len(inputs), 1, told.outputs))
    base = torch.nn.Parameter(torch.zeros(told.outputs))

    def shapes() -> list[Any]:
        return [torch.cat([head(net(one)), missing])
                for net, head, one, missing in zip(nets, heads, inputs, lacks, strict=True)]  # fmt: skip

    codes = torch.from_numpy(np.frombuffer(told.codes, dtype=np.int16).reshape(told.shape).astype(np.int64))
    kind: Any = np.float64 if told.values else np.int64
    answers = torch.from_numpy(np.frombuffer(told.answers, dtype=kind).copy())
    held = torch.randperm(len(codes)) % _HELD == 0
    own = [*nets.parameters(), *heads.parameters()]
    groups = [{"params": own, "weight_decay": _DECAY}, {"params": [lacks, base], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=_RATE)
    best, since, kept = np.inf, 0, None
    for _ in range(_ROUNDS):
        nets.train()
        optimiser.zero_grad()
        _loss(base + _sum(shapes(), codes[~held]), answers[~held], told).backward()
        optimiser.step()
        nets.eval()
        with torch.no_grad():
            now = shapes()
            loss = float(_loss(base + _sum(now, codes[held]), answers[held], told))
        if loss < best:
            best, since, kept = loss, 0, (base.detach().clone(), now)
        since += 1
        if since > _PATIENCE:
            break
    if kept is None:
        raise SubjectError("model.diverged", "the network gave no finite loss.",
                           remedy="Let it give finite numbers for inputs near 0.")  # fmt: skip
    made = Learned(base=_raw(kept[0]), shapes=tuple(map(_raw, kept[1])))
    return msgspec.msgpack.encode(made)


def _module(make: Callable[..., Any], given: Any) -> Any:
    import torch

    module = make(given.shape[1])
    if not isinstance(module, torch.nn.Module):
        raise SubjectError("model.shape", "the factory makes no torch module.",
                           remedy="Return a torch.nn.Module; it is called with the number of inputs.")  # fmt: skip
    out = module(given)
    if not isinstance(out, torch.Tensor) or out.ndim != 2 or len(out) != len(given) or not out.shape[1]:
        raise SubjectError("model.shape", "the network does not turn (rows, inputs) into (rows, outputs).",
                           remedy="Let it give one row of numbers for each row.")  # fmt: skip
    return module


def _sum(shapes: list[Any], codes: Any) -> Any:
    return sum(shape[codes[:, at]] for at, shape in enumerate(shapes))


def _loss(score: Any, answers: Any, told: Taught) -> Any:
    from torch.nn import functional

    if told.values:
        return functional.mse_loss(score[:, 0], answers.float())
    if told.outputs == 1:
        return functional.binary_cross_entropy_with_logits(score[:, 0], answers.float())
    return functional.cross_entropy(score, answers)


def _raw(tensor: Any) -> bytes:
    return bytes(tensor.detach().numpy().astype(np.float64).tobytes())
