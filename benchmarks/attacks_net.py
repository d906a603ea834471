"""The network that the benchmark `attacks` attacks: a small CNN, adversarially trained with PGD; no code of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

DATA = Path("/work/shared/data")
EPSILON = 0.1


def net() -> nn.Module:
    """Return the untrained network, 10 classes of 28x28 pictures in [0, 1]."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(32 * 49, 100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip


def data(folder: Path) -> tuple[np.ndarray, ...]:
    """Return training and test pictures (n, 1, 28, 28) float32 and their classes, of Fashion-MNIST."""
    with np.load(folder / "fashion_mnist_20k" / "fashion_mnist_20k.npz") as store:
        names = {name.lower(): store[name] for name in store.files}
    x, y, tx, ty = (names[one] for one in ("x_train", "y_train", "x_test", "y_test"))
    return (x[:, None] / 255.0).astype(np.float32), y.astype(np.int64), (tx[:, None] / 255.0).astype(
        np.float32), ty.astype(np.int64)  # fmt: skip


def train(x: np.ndarray, y: np.ndarray, *, epochs: int = 8, steps: int = 5, seed: int = 0) -> nn.Module:
    """Train on pictures that PGD has changed (Madry et al. 2018)."""
    torch.manual_seed(seed)
    made: Any = net()
    optimiser = torch.optim.Adam(made.parameters(), lr=2e-3)
    images, labels, entropy = torch.as_tensor(x), torch.as_tensor(y), nn.CrossEntropyLoss()
    for epoch in range(epochs):
        reach = EPSILON * min(1.0, (epoch + 1) / 3)
        for part in torch.randperm(len(images)).split(128):
            clean, wanted = images[part], labels[part]
            change = (torch.rand_like(clean) * 2 - 1) * reach
            for _ in range(steps):
                change.requires_grad_(True)
                (slope,) = torch.autograd.grad(entropy(made((clean + change).clamp(0, 1)), wanted), change)
                change = (change.detach() + 0.35 * reach * slope.sign()).clamp(-reach, reach)
            optimiser.zero_grad()
            entropy(made((clean + change.detach()).clamp(0, 1)), wanted).backward()
            optimiser.step()
    return made.eval()
