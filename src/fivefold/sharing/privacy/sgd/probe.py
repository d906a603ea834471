"""Probe: our own trainer with planted canaries among an application's rows, seen from outside and from inside.

Each canary moves a number of its own, as far as the clip lets it, and takes part or not by a fair coin; the rows of the
application train a linear model beside it. What comes out of each step along the canaries' numbers is what an attacker
of all steps has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fivefold.sharing.privacy.sgd.train import Learned, Parts, Recipe, Rows, learn, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.sharing.privacy.noise import Bytes

    Change = Callable[[Parts], Parts]

_PULL = 100.0
_CANARY = -1


class Beside(nn.Module):
    """A linear model of rows, and a number for each canary."""

    def __init__(self, width: int, canaries: int) -> None:
        """Make it.

        Args:
            width: Of a row.
            canaries: m.
        """
        super().__init__()
        self.planted = nn.Embedding(canaries + 1, 1, padding_idx=canaries)
        self.linear = nn.Linear(width, 2)
        nn.init.zeros_(self.planted.weight)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 3): scores of two classes, and the canary's number; the last column of a row says which."""
        return torch.cat([self.linear(x[:, :-1]), self.planted(x[:, -1].long())], dim=1)


def losses(out: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return cross-entropy for a row and a steady pull for a canary; both (n,)."""
    plain = functional.cross_entropy(out[:, :2], target.clamp_min(0), reduction="none")
    return torch.where(target == _CANARY, -_PULL * out[:, 2], plain)


def probe(
    rows: np.ndarray, answers: np.ndarray, canaries: int, recipe: Recipe, rng: np.random.Generator, *,
    draw: Bytes, change: Change | None = None,
) -> tuple[np.ndarray, np.ndarray, Learned]:  # fmt: skip
    """Train with canaries.

    Args:
        rows: (n, width) float32.
        answers: (n,) 0 or 1.
        canaries: m.
        recipe: Of the training.
        rng: Decides who is in.
        draw: Bits of the trainer.
        change: Of the trainer's parts; to plant a fault.

    Returns:
        (m,) bool who was in, (T, m) what came out along the canaries' numbers, and what the run saw.
    """
    included = rng.random(canaries) < 0.5
    ids = np.flatnonzero(included)
    n, width = rows.shape
    given = np.zeros((n + len(ids), width + 1), dtype=np.float32)
    given[:n, :-1], given[:n, -1], given[n:, -1] = rows, canaries, ids
    target = np.concatenate([answers.astype(np.int64), np.full(len(ids), _CANARY)])
    module = Beside(width, canaries)
    size = sum(p.numel() for p in module.parameters())
    own = parts_of(recipe, len(given), size, draw)
    found = learn(module, Rows(torch.from_numpy(given), torch.from_numpy(target)), losses, recipe, rng=rng,
                  parts=change(own) if change else own, keep=True)  # fmt: skip
    steps = np.zeros((0, canaries)) if found.steps is None else -found.steps[:, :canaries]
    return included, steps, found
