"""What ours and the peers of ``dp`` measure alike: nets, rows, processor time, memory. Torch and numpy alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

if TYPE_CHECKING:
    from collections.abc import Callable


def mlp() -> nn.Module:
    """Return the net of the figure."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(30, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 2))


def cnn() -> nn.Module:
    """Return a small net of convolutions for (1, 14, 14) pictures."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 9, 10),
    )  # fmt: skip


def table(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (count, 30) rows and their classes."""
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.normal(0, 1, (count, 30)).astype(np.float32))
    return x, (x[:, 0] * x[:, 1] + x[:, 2] > 0).long()


def pictures(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (count, 1, 14, 14) pictures and classes."""
    rng = np.random.default_rng(2)
    return torch.from_numpy(rng.normal(0, 1, (count, 1, 14, 14)).astype(np.float32)), torch.from_numpy(
        rng.integers(0, 10, count)
    )


def taken(act: Callable[[], Any]) -> float:
    """Return processor seconds."""
    began = time.process_time()
    act()
    return time.process_time() - began


class Memory(TorchDispatchMode):
    """Counts bytes of new tensors that live at once, at most."""

    def __init__(self) -> None:
        """Start at nothing."""
        super().__init__()
        self.now, self.most, self._known = 0, 0, set[int]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and see what it made."""
        import weakref

        out = func(*args, **(kwargs or {}))
        for one in out if isinstance(out, (tuple, list)) else (out,):
            if not isinstance(one, torch.Tensor):
                continue
            held = one.untyped_storage()
            key = held._cdata  # noqa: SLF001  what tells one storage from another
            if key in self._known:
                continue
            self._known.add(key)
            size = held.nbytes()
            self.now += size
            self.most = max(self.most, self.now)
            weakref.finalize(held, self._gone, key, size)
        return out

    def _gone(self, key: int, size: int) -> None:
        self.now -= size
        self._known.discard(key)


def memory(step: Callable[[], Any]) -> int:
    """Return the most bytes of new tensors during a step."""
    step()
    counting = Memory()
    with counting:
        step()
    return counting.most
