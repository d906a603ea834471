"""What the benchmark `attacks` attacks, on both sides: a small CNN trained with PGD, and a forest; no code of ours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

REPO = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FIVEFOLD_SHARED", REPO.parent / "shared")) / "data"
EPSILON = 0.1


def net() -> Any:
    """Return the untrained network, 10 classes of 28x28 pictures in [0, 1]."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(32 * 49, 100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip


def data() -> tuple[np.ndarray, ...]:
    """Return training and test pictures (n, 1, 28, 28) float32 and their classes, of Fashion-MNIST."""
    with np.load(DATA / "fashion_mnist_20k" / "fashion_mnist_20k.npz") as store:
        x, y, tx, ty = (store[name] for name in ("X_train", "y_train", "X_test", "y_test"))
    return (
        (x[:, None] / 255.0).astype(np.float32), y.astype(np.int64),
        (tx[:, None] / 255.0).astype(np.float32), ty.astype(np.int64),
    )  # fmt: skip


def trained(file: Path) -> Any:
    """Return the network, trained on pictures that PGD has changed (Madry et al. 2018) and kept in a file."""
    made = net()
    if not file.exists():
        _train(made)
        np.savez(file, **{name: value.numpy() for name, value in made.state_dict().items()})
    with np.load(file) as store:
        made.load_state_dict({name: torch.as_tensor(store[name]) for name in store.files})
    return made.eval()


def _train(made: Any, epochs: int = 8, steps: int = 5) -> None:
    torch.manual_seed(0)
    optimiser, entropy = torch.optim.Adam(made.parameters(), lr=2e-3), nn.CrossEntropyLoss()
    x, y = (torch.as_tensor(one) for one in data()[:2])
    for epoch in range(epochs):
        reach = EPSILON * min(1.0, (epoch + 1) / 3)
        for part in torch.randperm(len(x)).split(128):
            change = (torch.rand_like(x[part]) * 2 - 1) * reach
            for _ in range(steps):
                change.requires_grad_(requires_grad=True)
                (slope,) = torch.autograd.grad(entropy(made((x[part] + change).clamp(0, 1)), y[part]), change)
                change = (change.detach() + 0.35 * reach * slope.sign()).clamp(-reach, reach)
            optimiser.zero_grad()
            entropy(made((x[part] + change.detach()).clamp(0, 1)), y[part]).backward()
            optimiser.step()


def sample(made: Any, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return test pictures drawn at random, their classes, and which the network answers rightly."""
    _, _, x, y = data()
    picked = np.random.default_rng(seed).permutation(len(x))[:rows]
    with torch.no_grad():
        right = made(torch.as_tensor(x[picked])).argmax(1).numpy() == y[picked]
    return x[picked], y[picked], right


def starts(predict: Any, pool: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return for each row the nearest one of a pool that is answered otherwise: both sides start there."""
    answers, flat = predict(pool), pool.reshape(len(pool), -1)
    away = ((x.reshape(len(x), 1, -1) - flat) ** 2).sum(axis=2)
    away[answers[None] == y[:, None]] = np.inf
    return pool[away.argmin(axis=1)]


def forest() -> tuple[Any, np.ndarray, np.ndarray]:
    """Return a random forest of scikit-learn's digits, and test rows (n, 64) in [0, 1] with their classes."""
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier

    raw = load_digits()
    order = np.random.default_rng(0).permutation(len(raw.target))
    x, y = (raw.data[order] / 16).astype(np.float32), raw.target[order]
    made = RandomForestClassifier(n_estimators=30, random_state=0, n_jobs=1).fit(x[:1000], y[:1000])
    return made, x[1000:], y[1000:]
