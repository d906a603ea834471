"""Train: a net learned from clipped sums over Poisson samples with discrete noise, by a run that watches itself.

Each step: who takes part is drawn for each person alone, by bits of a cryptographic source; the clipped sum is put on
a fixed grid; discrete Gaussian noise of an exact table is added; the optimiser sees the noisy sum alone. Rounding moves
each of the d numbers by one step of the grid at most, which is counted in what a person moves: (1 + MARGIN) clip / unit
+ sqrt(d) steps. Source: Abadi et al. 2016 (DP-SGD); Canonne, Kamath and Steinke 2020 (discrete noise).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from fivefold.errors import InputError
from fivefold.sharing.privacy import noise, tables
from fivefold.sharing.privacy.sgd.account import STEPS, Path
from fivefold.sharing.privacy.sgd.clipped import MARGIN, Batch, Clipped
from fivefold.sharing.privacy.sgd.watch import Observed, Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from fivefold.sharing.privacy.noise import Bytes
    from fivefold.sharing.privacy.sgd.clipped import Losses

_FINE, _LEAST = 32, 1024
_COARSE = 0.5
_AHEAD = 1 << 18
"""Numbers of noise, or decisions on persons, that are drawn at once."""


@dataclass(frozen=True)
class Recipe:
    """How a net is learned; made from what is public alone.

    Attributes:
        path: What the steps cost.
        clip: Longest that a person's gradient is.
        step: Learning rate.
        momentum: Of ``sgd``.
        optimiser: ``sgd`` or ``adam``.
    """

    path: Path
    clip: float = 1.0
    step: float = 0.1
    momentum: float = 0.9
    optimiser: Literal["sgd", "adam"] = "sgd"


@dataclass(frozen=True)
class Rows:
    """Rows of n persons.

    Attributes:
        given: (m, ...) tensor.
        target: (m, ...) tensor.
        at: (n, R) int64, positions of each person's rows, -1 where there is none; None: each row is a person.
    """

    given: torch.Tensor
    target: torch.Tensor
    at: torch.Tensor | None = None

    @property
    def people(self) -> int:
        """How many persons: n."""
        return len(self.given) if self.at is None else len(self.at)

    @property
    def most(self) -> int:
        """R."""
        return 1 if self.at is None else self.at.shape[1]

    def batch(self, ids: np.ndarray) -> Batch:
        """Return the rows of persons; the loss of a person is the mean over their rows."""
        chosen = torch.from_numpy(ids)
        if self.at is None:
            return Batch(self.given.index_select(0, chosen), self.target.index_select(0, chosen))
        at = self.at.index_select(0, chosen)
        there = (at >= 0).float()
        share = there / there.sum(1, keepdim=True).clamp_min(1)
        flat = at.clamp_min(0).reshape(-1)
        return Batch(self.given.index_select(0, flat), self.target.index_select(0, flat), share.reshape(-1))


@dataclass(frozen=True)
class Parts:
    """The parts of a trainer; other ones are put in to see that a run notices.

    Attributes:
        sample: Step to the persons of its batch, (b,) int64.
        add: Net, batch and losses to their clipped sum, (d,).
        noise: Step and d to noise on the grid, (d,) int64.
    """

    sample: Callable[[int], np.ndarray]
    add: Callable[[Clipped, Batch, Losses], torch.Tensor]
    noise: Callable[[int, int], np.ndarray]


@dataclass(frozen=True)
class Learned:
    """What came of it; the net was changed in place.

    Attributes:
        observed: What the run saw of itself.
        path: What the steps cost if that is as it should be.
        steps: The noisy sums, where they were asked for: (T, d) float32.
    """

    observed: Observed
    path: Path
    steps: np.ndarray | None = field(default=None, repr=False)

    def epsilon(self, delta: float) -> float | None:
        """Return the epsilon that holds with ``delta``; None unless the run verified sampling, clipping and noise."""
        return None if self.observed.faults else self.path.epsilon(delta)


def rate_of(share: float) -> int:
    """Return a rate of sampling as a multiple of 2^-32.

    Raises:
        InputError: ``privacy.noise`` for one that is not above 0 and at most 1.
    """
    found = round(share * STEPS) if 0 < share <= 1 else 0
    if not found:
        raise InputError("privacy.noise", "the rate of sampling is above 0 and at most 1.", remedy="Take a batch that "
                         "is at most as large as there are persons.")  # fmt: skip
    return found


def poisson(people: int, rate: int, draw: Bytes = noise.fresh) -> np.ndarray:
    """Draw a Poisson sample: (b,) int64, ascending; each person alone with probability ``rate`` 2^-32, exactly.

    A person is in it if 32 bits are below the rate. The first 8 settle that but where they equal the rate's; the other
    24 are drawn for these alone.
    """
    if rate >= STEPS:
        return np.arange(people)
    first, rest = rate >> 24, rate & 0xFFFFFF
    head = np.frombuffer(draw(people), dtype=np.uint8)
    near = np.flatnonzero(head <= first)
    equal = head[near] == first
    inside = ~equal
    tail = np.frombuffer(draw(4 * int(equal.sum())), dtype="<u4") >> np.uint32(8)
    inside[equal] = tail < rest
    return np.asarray(near[inside])


def grid(recipe: Recipe, size: int) -> tuple[tables.Law, float]:
    """Return the noise of each number, on the grid, and the worth of a step of the grid.

    Raises:
        InputError: ``privacy.scale`` for more parameters than this noise can be put on a grid for.
    """
    s, root = recipe.path.noise, math.sqrt(size)
    width = min(tables.LARGEST, max(_LEAST, 1 << math.ceil(math.log2(_FINE * s * root))))
    if s * root > _COARSE * width:
        raise InputError("privacy.scale", f"{size} parameters are too many for a noise of {s:g}.",
                         remedy="Take a smaller net, or less noise by fewer steps.")  # fmt: skip
    return tables.gaussian(Fraction(width * width)), recipe.clip * (1 + MARGIN) / (width / s - root)


def parts_of(recipe: Recipe, people: int, size: int, draw: Bytes = noise.fresh) -> Parts:
    """Return the trainer's own parts; for some steps at once is drawn where a step needs few numbers."""
    law, _ = grid(recipe, size)
    batches, noises = list[np.ndarray](), list[np.ndarray]()

    def sample(_step: int) -> np.ndarray:
        if not batches:
            ahead = max(1, _AHEAD // max(people, 1))
            drawn, starts = poisson(people * ahead, recipe.path.rate, draw), people * np.arange(ahead)
            parts = np.split(drawn, np.searchsorted(drawn, starts[1:]))
            batches.extend(part - start for part, start in zip(parts, starts, strict=True))
        return batches.pop()

    def drawn(_step: int, d: int) -> np.ndarray:
        if not noises:
            ahead = max(1, _AHEAD // max(d, 1))
            noises.extend(noise.sample(law, ahead * d, draw).reshape(ahead, d))
        return noises.pop()

    return Parts(sample=sample, add=lambda net, batch, losses: net.sum(batch, losses), noise=drawn)


def learn(
    module: nn.Module, rows: Rows, losses: Losses, recipe: Recipe, *, rng: np.random.Generator,
    parts: Parts | None = None, keep: bool = False,
) -> Learned:  # fmt: skip
    """Learn.

    Threat: a net repeats, or tells of, a person in its training rows.
    Limit: what is done with the data before (choosing columns, nets, steps) is not counted.

    Args:
        module: The net; changed in place.
        rows: What it is learned from.
        losses: Outputs and answers to the loss of each row.
        recipe: How.
        rng: Decides when the run looks at itself.
        parts: The trainer's; None: its own.
        keep: Whether the noisy sums are returned.

    Raises:
        UnsupportedError: ``privacy.layer``.
        InputError: ``privacy.scale``, ``privacy.noise``.
    """
    net = Clipped(module, recipe.clip, rows=rows.most)
    law, unit = grid(recipe, net.size)
    made = parts or parts_of(recipe, rows.people, net.size)
    watch = Watch(rows.people, recipe.path.q, law.deviation, recipe.clip, [p.numel() for p in net.parameters],
                  recipe.path.steps, rng)  # fmt: skip
    move = _mover(net, recipe)
    expected = max(1.0, rows.people * recipe.path.q)
    kept = np.zeros((recipe.path.steps, net.size), dtype=np.float32) if keep else None
    for step in range(recipe.path.steps):
        ids = made.sample(step)
        watch.sampled(ids)
        batch = rows.batch(ids)
        total = made.add(net, batch, losses)
        if watch.due(step):
            again, cut = net.explicit(batch, losses)
            watch.compared(total.numpy(), again.numpy(), cut)
        scaled = total.numpy() * np.float64(1 / unit)
        exact = np.rint(scaled, out=scaled).astype(np.int64)
        noisy = exact + made.noise(step, net.size)
        watch.noised(np.subtract(noisy, exact, out=exact))
        if kept is not None:
            kept[step] = noisy * unit
        move(torch.from_numpy(np.multiply(noisy, unit / expected, out=scaled).astype(np.float32)))
    return Learned(watch.verdict(), recipe.path, kept)


def _mover(net: Clipped, recipe: Recipe) -> Callable[[torch.Tensor], None]:
    """Return what moves the net along a noisy gradient: all parameters lie in one vector."""
    flat = torch.cat([p.detach().reshape(-1) for p in net.parameters])
    start = 0
    for p in net.parameters:
        p.data = flat[start : start + p.numel()].view_as(p)
        start += p.numel()
    first, second, count = torch.zeros_like(flat), torch.zeros_like(flat), 0

    def sgd(slope: torch.Tensor) -> None:
        first.mul_(recipe.momentum).add_(slope)
        flat.sub_(first, alpha=recipe.step)

    def adam(slope: torch.Tensor) -> None:
        nonlocal count
        count += 1
        first.mul_(0.9).add_(slope, alpha=0.1)
        second.mul_(0.999).addcmul_(slope, slope, value=0.001)
        size = (second / (1 - 0.999**count)).sqrt_().add_(1e-8)
        flat.addcdiv_(first, size, value=-recipe.step / (1 - 0.9**count))

    return adam if recipe.optimiser == "adam" else sgd
