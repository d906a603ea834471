"""Nets: what reads a frame, what all frames of an approach say together, and a copy of an ensemble that has slopes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fivefold.cases.driving.road import SIZE, Approaches, repainted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_TINY = 1e-9


def network(kinds: int, seed: int) -> nn.Module:
    """Return an untrained net, (m, 3, SIZE, SIZE) to (m, kinds) logits."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.LayerNorm([3, SIZE, SIZE], eps=1e-2, elementwise_affine=False),
        nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(32 * (SIZE // 4) ** 2, 64), nn.ReLU(), nn.Linear(64, kinds),
    )  # fmt: skip


class Passage(nn.Module):
    """Frames of approaches, (n, F, 3, H, W), to (n, K) logarithms of the chances that all frames give in the mean.

    Several nets count in each frame by their geometric mean: whoever moves it has to move all of them.
    """

    def __init__(self, nets: Sequence[nn.Module]) -> None:
        """Take the nets."""
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, frames: Tensor) -> Tensor:
        """See the class."""
        rows = frames.float().flatten(0, 1)
        logs = torch.stack([torch.log_softmax(net(rows), dim=1) for net in self.nets]).mean(dim=0)
        chances = torch.softmax(logs, dim=1).reshape(*frames.shape[:2], -1)
        return torch.log(chances.mean(dim=1) + _TINY)


class Painted(nn.Module):
    """Sheets that are painted over, (n, 3, S, S), to what :class:`Passage` says of frames that show them.

    Attributes:
        seen: The approaches whose sheets these are; set before each call.
    """

    seen: Approaches

    def __init__(self, passage: Passage) -> None:
        """Take what reads the frames."""
        super().__init__()
        self.passage = passage

    def forward(self, faces: Tensor) -> Tensor:
        """See the class."""
        told: Tensor = self.passage(repainted(self.seen, faces.float()))
        return told


def copied(frames: np.ndarray, chances: np.ndarray, seed: int, epochs: int) -> nn.Module:
    """Return a net that says of frames what somebody else says, as near as it learns to.

    Args:
        frames: (m, 3, H, W).
        chances: (m, K) what is said of them.
        seed: First weights and order.
        epochs: Passes.
    """
    net = network(chances.shape[1], seed)
    rows, wanted = torch.as_tensor(frames), torch.as_tensor(chances).float()
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(epochs):
        for part in torch.split(torch.randperm(len(rows)), 128):
            optimiser.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(net(rows[part]), wanted[part]))
            optimiser.step()
    return net.eval()
