"""Faults that are planted in the trainer: each replaces one of its parts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fivefold.sharing.privacy.sgd import layers
from fivefold.sharing.privacy.sgd.account import Path
from fivefold.sharing.privacy.sgd.train import Learned, Parts, Recipe, Rows, learn, parts_of, rate_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.sharing.privacy.sgd.clipped import Batch, Clipped, Losses


def losses(out: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of each row."""
    return functional.cross_entropy(out, target, reduction="none")


def half(own: Parts, rng: np.random.Generator, people: int) -> Parts:
    """Half of the noise."""
    return replace(own, noise=lambda step, d: own.noise(step, d) // 2)


def one_layer_bare(own: Parts, rng: np.random.Generator, people: int) -> Parts:
    """Noise everywhere but on the last layer's bias."""

    def noise(step: int, d: int) -> np.ndarray:
        found = own.noise(step, d)
        found[-2:] = 0
        return found

    return replace(own, noise=noise)


def reused(own: Parts, rng: np.random.Generator, people: int) -> Parts:
    """The noise of the first step in each step."""
    kept: list[np.ndarray] = []

    def noise(step: int, d: int) -> np.ndarray:
        if not kept:
            kept.append(own.noise(step, d))
        return kept[0]

    return replace(own, noise=noise)


def reused_in_turn(own: Parts, rng: np.random.Generator, people: int) -> Parts:
    """Three draws of noise, one after the other, again and again."""
    kept: dict[int, np.ndarray] = {}
    return replace(own, noise=lambda step, d: kept.setdefault(step % 3, own.noise(step, d)))


def dealt_out(own: Parts, rng: np.random.Generator, people: int) -> Parts:
    """Batches of one size that are dealt out in each round, claimed to be Poisson samples."""
    size = max(1, round(np.mean([len(own.sample(k)) for k in range(8)])))
    order: list[int] = []

    def sample(_step: int) -> np.ndarray:
        if len(order) < size:
            order[:] = rng.permutation(people).tolist()
        found = np.sort(order[:size])
        del order[:size]
        return found

    return replace(own, sample=sample)


def of_one_size(own: Parts, rng: np.random.Generator, people: int) -> Parts:
    """Batches of one size, drawn afresh."""
    size = max(1, round(np.mean([len(own.sample(k)) for k in range(8)])))
    return replace(own, sample=lambda _step: np.sort(rng.choice(people, size, replace=False)))


class _Loose:
    """Lengths that are cut for all but some."""

    def __init__(self, net: Clipped, keep: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.net, self.keep = net, keep

    def add(self, batch: Batch, losses: Losses) -> torch.Tensor:
        own = self.net.weights
        self.net.weights = lambda lengths: torch.where(self.keep(lengths), own(lengths), 1.0)  # type: ignore[method-assign]
        try:
            return self.net.sum(batch, losses)
        finally:
            self.net.weights = own  # type: ignore[method-assign]


def unclipped(own: Parts, rng: np.random.Generator, people: int) -> Parts:
    """Nobody is cut."""
    return replace(own, add=lambda net, batch, losses: _Loose(net, lambda lengths: lengths < 0).add(batch, losses))


def one_unclipped(own: Parts, rng: np.random.Generator, people: int) -> Parts:
    """In each batch the person with the longest gradient is not cut."""
    return replace(
        own, add=lambda net, batch, losses: _Loose(net, lambda lengths: lengths < lengths.max()).add(batch, losses)
    )


def layer_forgotten(own: Parts, rng: np.random.Generator, people: int) -> Parts:
    """The first layer does not count in a person's length."""

    def add(net: Clipped, batch: Batch, losses: Losses) -> torch.Tensor:
        true, first = layers._NORMS[nn.Linear], next(m for m in net.module.modules() if isinstance(m, nn.Linear))
        layers._NORMS[nn.Linear] = lambda m, a, b, r: torch.zeros(len(a) // r) if m is first else true(m, a, b, r)
        try:
            return net.sum(batch, losses)
        finally:
            layers._NORMS[nn.Linear] = true

    return replace(own, add=add)


def clipped_after(own: Parts, rng: np.random.Generator, people: int) -> Parts:
    """The sum is cut to the clip times the batch, not each person."""

    def add(net: Clipped, batch: Batch, losses: Losses) -> torch.Tensor:
        total = _Loose(net, lambda lengths: lengths < 0).add(batch, losses)
        most = net._clip * len(batch.given)
        return total * torch.clamp(most / total.norm(), max=1.0)

    return replace(own, add=add)


FAULTS: dict[str, Callable[[Parts, np.random.Generator, int], Parts]] = {
    "half the noise": half,
    "no noise on one bias": one_layer_bare,
    "noise of the first step again": reused,
    "three draws of noise in turn": reused_in_turn,
    "batches dealt out": dealt_out,
    "batches of one size": of_one_size,
    "nobody is cut": unclipped,
    "one of each batch is not cut": one_unclipped,
    "a layer is left out of the length": layer_forgotten,
    "cut after adding up": clipped_after,
}
"""By what is wrong."""


def run(seed: int, fault: str = "", *, steps: int = 40, people: int = 600) -> Learned:
    """Train a small net on drawn rows, with a fault or none."""
    rng = np.random.default_rng([seed, 77])
    torch.manual_seed(seed)
    width = int(rng.integers(3, 12))
    x = torch.from_numpy(rng.normal(0, 1, (people, width)).astype(np.float32))
    y = torch.from_numpy((x[:, 0].numpy() + rng.normal(0, 1, people) > 0).astype(np.int64))
    net = nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, 2))
    share = float(rng.uniform(0.05, 0.2))
    recipe = Recipe(Path(rate_of(share), float(rng.uniform(0.7, 2.0)), steps), clip=float(rng.uniform(0.05, 0.3)))
    size = sum(p.numel() for p in net.parameters())
    own = parts_of(recipe, people, size)
    parts = FAULTS[fault](own, rng, people) if fault else own
    return learn(net, Rows(x, y), losses, recipe, rng=rng, parts=parts)
