"""Ours of the benchmark ``dp``, in a process of its own: prints figures as JSON."""

from __future__ import annotations

import json
import sys
from fractions import Fraction

import numpy as np
import pandas as pd
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import dp_common as common
from fivefold.sharing.privacy import noise, queries, release, tables
from fivefold.sharing.privacy.sgd.account import Path
from fivefold.sharing.privacy.sgd.clipped import Batch, Clipped
from fivefold.sharing.privacy.sgd.train import Recipe, Rows, grid, learn, rate_of


def losses(out: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of each row."""
    return functional.cross_entropy(out, target, reduction="none")


def private(make: object, rows: Rows, batch: int, found: dict[str, float], name: str) -> None:
    """Time an epoch; the first one warms up."""
    recipe = Recipe(Path(rate_of(batch / rows.people), 1.0, max(1, rows.people // batch)), step=0.2)
    verified = []
    for _ in range(2):
        module = make()  # type: ignore[operator]
        grid(recipe, sum(p.numel() for p in module.parameters()))
        seconds = common.taken(
            lambda module=module: verified.append(
                learn(module, rows, losses, recipe, rng=np.random.default_rng(3)).observed.faults
            )
        )
    found[name] = seconds
    found["verified"] = float(found.get("verified", 1.0) and not verified[-1])


def plain(x: torch.Tensor, y: torch.Tensor, batch: int, found: dict[str, float]) -> None:
    """Time epochs without privacy: a DataLoader, and sliced tensors."""
    module = common.mlp()
    step = torch.optim.SGD(module.parameters(), lr=0.2, momentum=0.9)

    def one(given: torch.Tensor, target: torch.Tensor) -> None:
        step.zero_grad()
        functional.cross_entropy(module(given), target).backward()
        step.step()

    def loader() -> None:
        for given, target in DataLoader(TensorDataset(x, y), batch_size=batch, shuffle=True):
            one(given, target)

    def sliced() -> None:
        order = torch.randperm(len(x))
        for at in range(0, len(x), batch):
            one(x[order[at : at + batch]], y[order[at : at + batch]])

    for name, act in (("loader", loader), ("sliced", sliced)):
        act()
        found[f"{name} {batch}"] = common.taken(act)


def main(count: int) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    found: dict[str, float] = {}
    x, y = common.table(count)
    net = Clipped(common.mlp(), 1.0)
    one = Batch(x[:256], y[:256])
    found["gate"] = float((net.sum(one, losses) - net.explicit(one, losses)[0]).abs().max())
    for batch in (256, 1024):
        private(common.mlp, Rows(x, y), batch, found, f"private {batch}")
        plain(x, y, batch, found)
        part = Batch(x[:batch].clone(), y[:batch].clone())
        found[f"memory {batch}"] = common.memory(lambda part=part: net.sum(part, losses)) - _bare(part)
    a, b = common.pictures(count // 5)
    private(common.cnn, Rows(a, b), 256, found, "private cnn")
    law = tables.gaussian(Fraction(100**2))
    noise.sample(law, 10)
    found["noise"] = common.taken(lambda: noise.sample(law, 1_000_000)) / 1_000_000
    _releases(found)
    print(json.dumps(found))


def _bare(part: Batch) -> int:
    """Return the memory of a step without privacy."""
    module = common.mlp()
    return common.memory(lambda: functional.cross_entropy(module(part.given), part.target).backward())


def _releases(found: dict[str, float]) -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"v": rng.uniform(0, 100, 1_000_000), "k": rng.integers(0, 20, 1_000_000)})
    for name, query in (
        ("mean", {"name": "q", "what": "mean", "column": "v", "bounds": [0, 100]}),
        ("histogram", {"name": "q", "what": "histogram", "column": "k"}),
    ):
        told = {"loss": {"rho": 0.1, "delta": 1e-9}, "queries": [query], "domains": {"k": {"values": list(range(20))}}}
        asked = release.ask(queries.read(told))
        release.noisy(asked, release.total(asked, [frame]))
        found[name] = common.taken(lambda asked=asked: release.noisy(asked, release.total(asked, [frame])))


if __name__ == "__main__":
    main(int(sys.argv[1]))
