"""Opacus in ghost mode and OpenDP, in an environment of their own: prints figures as JSON."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import opendp.prelude as dp
import torch
from opacus import PrivacyEngine
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

sys.path.insert(0, str(Path(__file__).parents[1]))
import dp_common as common


def ghost(make: object, x: torch.Tensor, y: torch.Tensor, batch: int) -> tuple[float, int]:
    """Return processor seconds of an epoch, and the memory of a step beyond one without privacy."""
    engine, module = PrivacyEngine(), make()  # type: ignore[operator]
    bare = make()  # type: ignore[operator]
    inner = nn.CrossEntropyLoss()
    step = torch.optim.SGD(module.parameters(), lr=0.2, momentum=0.9)
    loader = DataLoader(TensorDataset(x, y), batch_size=batch)
    module, step, loss, loader = engine.make_private(
        module=module, optimizer=step, data_loader=loader, noise_multiplier=1.0, max_grad_norm=1.0,
        criterion=nn.CrossEntropyLoss(), grad_sample_mode="ghost", poisson_sampling=True,
    )  # fmt: skip

    def one(given: torch.Tensor, target: torch.Tensor) -> None:
        step.zero_grad()
        loss(module(given), target).backward()
        step.step()

    def epoch() -> None:
        for given, target in loader:
            one(given, target)

    epoch()
    seconds = common.taken(epoch)
    part = x[:batch].clone(), y[:batch].clone()

    def private() -> None:
        step.zero_grad()
        loss(module(part[0]), part[1]).backward()

    return seconds, common.memory(private) - common.memory(lambda: inner(bare(part[0]), part[1]).backward())


def main(count: int) -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    dp.enable_features("contrib")
    found: dict[str, float] = {}
    x, y = common.table(count)
    for batch in (256, 1024):
        found[f"ghost {batch}"], found[f"memory {batch}"] = ghost(common.mlp, x, y, batch)
    a, b = common.pictures(count // 5)
    found["ghost cnn"], _ = ghost(common.cnn, a, b, 256)
    many = 200_000
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l2_distance(T=float)
    noise = dp.m.make_gaussian(*space, scale=100.0)
    zeros = [0] * many
    noise(zeros)
    found["noise"] = common.taken(lambda: noise(zeros)) / many
    _releases(found)
    print(json.dumps(found))


def _releases(found: dict[str, float]) -> None:
    rng = np.random.default_rng(5)
    values, cells = rng.uniform(0, 100, 1_000_000), rng.integers(0, 20, 1_000_000).astype(np.int32)
    size = len(values)
    bounds = (0.0, 100.0)
    start = dp.vector_domain(dp.atom_domain(bounds=bounds, nan=False), size=size), dp.symmetric_distance()
    mean = dp.t.make_mean(*start) >> dp.m.then_gaussian(scale=0.001)
    clipped = np.clip(values, *bounds)
    mean(clipped)
    found["mean"] = common.taken(lambda: mean(np.clip(values, *bounds)))
    start = dp.vector_domain(dp.atom_domain(T=int)), dp.symmetric_distance()
    counts = dp.t.make_count_by_categories(*start, categories=list(range(20)), MO=dp.L2Distance[float]) \
        >> dp.m.then_gaussian(scale=3.0)  # fmt: skip
    counts(cells)
    found["histogram"] = common.taken(lambda: counts(cells))


if __name__ == "__main__":
    main(int(sys.argv[1]))
