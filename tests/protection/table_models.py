"""Small networks on tables of numbers, measured ones (breast cancer) and made ones, as subjects in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, make_classification

from fivefold.contract.check import Context
from fivefold.contract.subject import Capabilities, Loss, SettingsView, Table

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed; scripts/test installs it")

if TYPE_CHECKING:
    from collections.abc import Callable

FLOORS = {"max_overstated": 0.05}


@dataclass
class Numbers:
    """A network on a table of numbers as a subject, and its rows."""

    net: Any
    x: np.ndarray
    y: np.ndarray
    cut: int
    gradients: bool = True
    scores: bool = True

    def __post_init__(self) -> None:
        from fivefold.subject.files.torch_model import TorchModel

        self.model = TorchModel(self.net, None, 0)

    @property
    def task(self) -> str:
        return "binary" if self.y.max() == 1 else "multiclass"

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(str(one) for one in range(int(self.y.max()) + 1))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.scores, retrains=False, perturbable=True, gradients=self.gradients)

    def predict(self, table: Table) -> np.ndarray:
        return self.model(np.array(table.features)).argmax(axis=1).astype(np.int64)

    def predict_proba(self, table: Table) -> np.ndarray:
        out = self.model(np.array(table.features))
        chance = np.exp(out - out.max(axis=1, keepdims=True))
        return chance / chance.sum(axis=1, keepdims=True)

    def gradient(self, table: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        return self.model.gradient(np.array(table.features), target, loss, order=range(len(self.classes)), linked=True)


def data(seed: int, kind: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, d) float32 numbers in [0, 1] and their classes: measured ones (kind 1) or made ones."""
    if kind == 1:
        raw = load_breast_cancer()
        x, y = raw.data, raw.target
    else:
        rng = np.random.default_rng([seed, 4])
        x, y = make_classification(
            1500, int(rng.integers(6, 30)), n_informative=5, n_redundant=0, n_classes=int(rng.integers(2, 5)),
            n_clusters_per_class=1, class_sep=1.5, random_state=seed,
        )  # fmt: skip
    order = np.random.default_rng([seed, 5]).permutation(len(y))
    low, high = x.min(axis=0), x.max(axis=0)
    return ((x - low) / (high - low))[order].astype(np.float32), y[order].astype(np.int64)


def trained(seed: int, *, kind: int = 2, width: int = 16, steps: int = 250, robust: float = 0.0) -> Numbers:
    """Return a network of two layers trained on half of the rows."""
    values, classes = data(seed, kind)
    cut = len(values) // 2
    torch.manual_seed(seed)
    x, y = torch.as_tensor(values[:cut]), torch.as_tensor(classes[:cut])
    net = torch.nn.Sequential(
        torch.nn.Linear(x.shape[1], 2 * width), torch.nn.ReLU(), torch.nn.Linear(2 * width, width), torch.nn.ReLU(),
        torch.nn.Linear(width, int(classes.max()) + 1),
    )  # fmt: skip
    optimiser, entropy = torch.optim.Adam(net.parameters(), lr=5e-3), torch.nn.CrossEntropyLoss()
    for _ in range(steps):
        part = torch.randint(0, cut, (64,))
        change = torch.zeros_like(x[part])
        for _ in range(3 if robust else 0):
            change.requires_grad_(True)  # noqa: FBT003
            (slope,) = torch.autograd.grad(entropy(net((x[part] + change).clamp(0, 1)), y[part]), change)
            change = (change.detach() + robust / 2 * slope.sign()).clamp(-robust, robust)
        optimiser.zero_grad()
        entropy(net((x[part] + change).clamp(0, 1)), y[part]).backward()
        optimiser.step()
    return Numbers(net.eval(), values, classes, cut)


def context(subject: Numbers, *, many: int = 60, **options: object) -> Context:
    """Return what a check of evasion is handed: the second half to test with, the first as public rows."""
    names = [f"f{at}" for at in range(subject.x.shape[1])]

    def rows(name: str, part: slice) -> Table:
        some = pd.DataFrame(subject.x[part].astype(np.float64), columns=names)
        none = pd.DataFrame(index=pd.RangeIndex(len(some)))
        return Table(name, np.arange(len(some)), some, subject.y[part], none)

    made = {"test": rows("test", slice(subject.cut, None)), "train": rows("train", slice(subject.cut))}
    load: Callable[[str], Table] = made.__getitem__
    return Context(
        subject=subject,  # type: ignore[arg-type]
        tables=load,
        rng=np.random.default_rng(7),
        settings=SettingsView(),
        thresholds=FLOORS,
        options={"epsilon": 0.1, **options},
        rows=many,
    )
